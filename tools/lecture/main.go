// Lecture runs the commands of docs/lecture.md and writes their outputs and pictures
// behind them. It also copies the examples in Go into the page. `make lecture` runs it.
//
//	go run ./tools/lecture [-check] [-section HEADING] docs/lecture.md
//
// A command is a line of a block of the language console that begins with "$ ". What
// follows it, up to the next command, is its standard output. Words after console say more:
//
//	console                       a command of seconds
//	console slow                  of more: -check leaves it out
//	console needs PATH            left out if PATH is not there, also PATH in runs/
//	console quoted WHY            never run: the output is from another time
//
// A block "go Example_name" is the body of that function in docs/lecture.
//
// Commands run in a temporary folder with an empty runs/lecture and links to bin, data sets
// and docs. A picture lecture/NAME.png that the page shows is runs/lecture/NAME.png of them.
//
// With -check nothing is written. An output that differs in more than its numbers is an
// error, and so are an example that differs and a picture that is missing.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
)

func main() {
	command.Main(func(ctx context.Context, stdout, stderr io.Writer) int {
		t := tool{stdout: stdout}
		flag.BoolVar(&t.check, "check", false, "write nothing: fail if an output differs in more than numbers")
		flag.StringVar(&t.section, "section", "", "run only the commands below this `heading`")
		flag.Parse()
		if flag.NArg() != 1 {
			fmt.Fprintln(stderr, "usage: lecture [-check] [-section HEADING] docs/lecture.md")
			return command.Wrong
		}
		return command.Exit(ctx, stderr, "lecture", t.run(ctx, flag.Arg(0)), true)
	})
}

// tool is one call.
type tool struct {
	check   bool
	section string
	stdout  io.Writer

	path   string   // of the page
	folder string   // where commands run
	left   []string // commands that were not run, and why
	failed int      // how much
}

// linked are the folders that commands find as they are in the folder that the tool is
// called in.
var linked = []string{"bin", "datasets", "docs"}

// run brings a page up to date, or checks it.
func (t *tool) run(ctx context.Context, path string) (err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	t.path = path
	p, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("%s:%w", path, err)
	}
	if t.folder, err = os.MkdirTemp("", "lecture"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.folder)) }()
	if err := os.MkdirAll(filepath.Join(t.folder, "runs", "lecture"), 0o777); err != nil {
		return err
	}
	for _, name := range linked {
		target, err := filepath.Abs(name)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, filepath.Join(t.folder, name)); err != nil {
			return err
		}
	}
	for _, b := range p.blocks {
		switch {
		case b.example != "":
			t.quote(b)
		case t.section == "" || b.section == t.section:
			t.perform(ctx, b)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := t.pictures(p); err != nil {
		return err
	}
	if len(t.left) > 0 {
		fmt.Fprintf(t.stdout, "\nNot run\n%s", strings.Join(t.left, ""))
	}
	if after := p.String(); !t.check && after != string(text) {
		t.fails(atomicfile.Write(path, func(w io.Writer) error {
			_, err := io.WriteString(w, after)
			return err
		}))
	}
	if t.failed > 0 {
		return fmt.Errorf("%s: %d failed, see above", path, t.failed)
	}
	return nil
}

// fails prints an error. The other blocks go on.
func (t *tool) fails(err error) {
	if err != nil {
		t.failed++
		fmt.Fprintln(t.stdout, err)
	}
}

// quote brings the example of a block up to date.
func (t *tool) quote(b *block) {
	body, err := example(filepath.Join(strings.TrimSuffix(t.path, ".md"), "*_test.go"), b.example)
	switch {
	case err != nil:
		t.fails(fmt.Errorf("%s:%d: %w", t.path, b.line, err))
	case t.check && body != b.body():
		t.fails(fmt.Errorf("%s:%d: %s is another one now: run make lecture", t.path, b.line, b.example))
	default:
		b.lines = strings.SplitAfter(body, "\n")
	}
}

// perform runs the commands of a block and takes their outputs.
func (t *tool) perform(ctx context.Context, b *block) {
	if why := t.leaves(b); why != "" {
		for _, c := range b.commands {
			t.left = append(t.left, fmt.Sprintf("  %s:%d: $ %s: %s\n", t.path, b.line, c.shown(), why))
		}
		return
	}
	for _, c := range b.commands {
		start := time.Now()
		output, err := t.call(ctx, c.text)
		if err != nil {
			t.fails(fmt.Errorf("%s:%d: %w", t.path, b.line, err))
			return
		}
		fmt.Fprintf(t.stdout, "%s:%d: $ %s: %.1f s\n", t.path, b.line, c.shown(), time.Since(start).Seconds())
		if t.check && !alike(c.output, output) {
			t.fails(fmt.Errorf("%s:%d: the output of\n$ %s\nis now\n%s", t.path, b.line, c.text, output))
		}
		c.output = output
	}
}

// leaves says why a block is not run, if it is not.
func (t *tool) leaves(b *block) string {
	if b.quoted != "" {
		return b.quoted
	}
	if b.slow && t.check {
		return "slow"
	}
	for _, path := range b.needs {
		if _, err := os.Stat(filepath.Join(t.folder, path)); err != nil {
			return "needs " + path + ", which is not there"
		}
	}
	return ""
}

// call runs a command line and returns its standard output.
func (t *tool) call(ctx context.Context, line string) (string, error) {
	c := exec.CommandContext(ctx, "sh", "-e", "-c", line)
	c.Dir = t.folder
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("$ %s: %w\n%s", line, err, &errs)
	}
	output := out.String()
	if output != "" && !strings.HasSuffix(output, "\n") {
		output += "\n"
	}
	return output, nil
}

// pictures copies what the commands drew beside the page, where the page shows it.
func (t *tool) pictures(p *page) error {
	for _, name := range p.pictures() {
		to := filepath.Join(filepath.Dir(t.path), name)
		from, err := os.Open(filepath.Join(t.folder, "runs", name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			if _, err := os.Stat(to); err != nil {
				t.fails(fmt.Errorf("%s shows %s, which no command drew", t.path, name))
			}
			continue
		case err != nil:
			return err
		}
		if !t.check {
			if err = os.MkdirAll(filepath.Dir(to), 0o777); err == nil {
				err = atomicfile.Write(to, func(w io.Writer) error {
					_, err := io.Copy(w, from)
					return err
				})
			}
		}
		if err := errors.Join(err, from.Close()); err != nil {
			return err
		}
	}
	return nil
}
