package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// page is a document in Markdown: its lines, of which some are the bodies of blocks.
type page struct {
	parts  []fmt.Stringer // texts and blocks, in order
	blocks []*block
}

// text is a part that stays as it is.
type text string

// String is the text.
func (t text) String() string { return string(t) }

// block is the body of a fenced block that the tool writes.
type block struct {
	line    int    // of its fence, from 1 on
	section string // the heading above

	example string   // the function in Go that it quotes
	lines   []string // of the example

	slow     bool
	needs    []string // paths
	quoted   string   // why it is never run
	commands []*shell
}

// shell is a command of a block, and what it prints.
type shell struct{ text, output string }

// shown is the first line of the command.
func (c *shell) shown() string {
	first, _, more := strings.Cut(c.text, "\n")
	if more {
		return strings.TrimSuffix(first, "\\") + "…"
	}
	return first
}

// body is the text between the fences.
func (b *block) body() string {
	var s strings.Builder
	for _, line := range b.lines {
		s.WriteString(line)
	}
	for _, c := range b.commands {
		fmt.Fprintf(&s, "$ %s\n%s", c.text, c.output)
	}
	return s.String()
}

// String is body.
func (b *block) String() string { return b.body() }

// String is the document.
func (p *page) String() string {
	var s strings.Builder
	for _, part := range p.parts {
		s.WriteString(part.String())
	}
	return s.String()
}

const fence = "```"

// parse reads a document. An error begins with the number of its line.
func parse(document string) (*page, error) {
	p := &page{}
	section, rest := "", strings.SplitAfter(document, "\n")
	for i := 0; i < len(rest); i++ {
		p.parts = append(p.parts, text(rest[i]))
		if heading, ok := strings.CutPrefix(rest[i], "#"); ok {
			section = strings.TrimSpace(strings.TrimLeft(heading, "#"))
		}
		info, ok := strings.CutPrefix(rest[i], fence)
		if !ok {
			continue
		}
		b := &block{line: i + 1, section: section}
		writes, err := b.describe(strings.Fields(info))
		if err != nil {
			return nil, fmt.Errorf("%d: %w", b.line, err)
		}
		var body []string
		for i++; i < len(rest) && strings.TrimSpace(rest[i]) != fence; i++ {
			body = append(body, rest[i])
		}
		if i == len(rest) {
			return nil, fmt.Errorf("%d: the block has no end", b.line)
		}
		if !writes {
			p.parts = append(p.parts, text(strings.Join(body, "")+rest[i]))
			continue
		}
		if err := b.read(body); err != nil {
			return nil, fmt.Errorf("%d: %w", b.line, err)
		}
		p.parts = append(p.parts, b, text(rest[i]))
		p.blocks = append(p.blocks, b)
	}
	return p, nil
}

// describe reads the words behind the fence, and reports whether the tool writes the block.
func (b *block) describe(words []string) (writes bool, err error) {
	switch {
	case len(words) == 2 && words[0] == "go":
		b.example = words[1]
		return true, nil
	case len(words) == 0 || words[0] != "console":
		return false, nil
	}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		switch {
		case words[0] == "slow":
			b.slow = true
		case words[0] == "needs" && len(words) > 1:
			b.needs = append(b.needs, words[1])
			words = words[1:]
		case words[0] == "quoted" && len(words) > 1:
			b.quoted = strings.Join(words[1:], " ")
			return true, nil
		default:
			return false, fmt.Errorf("after console come slow, needs PATH or quoted WHY, not %q", words[0])
		}
	}
	return true, nil
}

// read takes the body apart.
func (b *block) read(body []string) error {
	if b.example != "" {
		b.lines = body
		return nil
	}
	for i := 0; i < len(body); i++ {
		line, ok := strings.CutPrefix(body[i], "$ ")
		switch {
		case ok:
			for strings.HasSuffix(line, "\\\n") && i+1 < len(body) {
				i++
				line += body[i]
			}
			b.commands = append(b.commands, &shell{text: strings.TrimSuffix(line, "\n")})
		case len(b.commands) == 0:
			return errors.New(`the first line of the block is no command, "$ …"`)
		default:
			b.commands[len(b.commands)-1].output += body[i]
		}
	}
	return nil
}

var picture = regexp.MustCompile(`\]\((lecture/[^)]*\.png)\)`)

// pictures are those below lecture/ that the page shows.
func (p *page) pictures() []string {
	var names []string
	for _, m := range picture.FindAllStringSubmatch(p.String(), -1) {
		names = append(names, filepath.FromSlash(m[1]))
	}
	return names
}

// What may differ between two runs: times, other numbers, and how wide they are.
var (
	duration = regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(m|µ|n)?s\b`)
	number   = regexp.MustCompile(`[-+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?`)
	space    = regexp.MustCompile(`[ \t]+`)
)

// alike reports whether two outputs differ in numbers alone.
func alike(a, b string) bool { return words(a) == words(b) }

func words(s string) string {
	s = number.ReplaceAllLiteralString(duration.ReplaceAllLiteralString(s, "#"), "#")
	return space.ReplaceAllLiteralString(s, " ")
}

// example is the body of a function in one of the files that a pattern names.
func example(files, name string) (string, error) {
	paths, err := filepath.Glob(files)
	if err != nil {
		return "", err
	}
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, source, parser.ParseComments)
		if err != nil {
			return "", err
		}
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Name.Name == name {
				from, to := set.Position(d.Body.Lbrace).Offset, set.Position(d.Body.Rbrace).Offset
				body := strings.TrimPrefix(string(source[from+1:to]), "\n")
				return strings.ReplaceAll("\n"+body, "\n\t", "\n")[1:], nil
			}
		}
	}
	return "", fmt.Errorf("no file %s has %s", files, name)
}
