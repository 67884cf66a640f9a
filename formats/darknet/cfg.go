package darknet

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/internal/plain"
	"github.com/hubel-go/hubel/internal/printable"
)

// The bounds of a description, which may come from anywhere.
const (
	largestText = 16 << 20 // bytes
	mostOptions = 1000     // of a section
)

// section is a part of a description.
type section struct {
	name    string // without brackets
	line    int
	options []option
}

// option is a line "key=value".
type option struct {
	key, value string
	line       int
	read       bool
}

// strip takes all spaces out of a line, as Darknet does.
func strip(line []byte) []byte {
	return bytes.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n':
			return -1
		}
		return r
	}, line)
}

// parse reads a description into sections. Comments begin with # or ;.
func parse(path string) ([]*section, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if s.Size() > largestText {
		return nil, fmt.Errorf("%s: a description of %d bytes is too large: at most %d are read", path, s.Size(), largestText)
	}
	text, err := plain.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var sections []*section
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = strip(line)
		if len(line) == 0 || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			name, rest, ok := strings.Cut(string(line[1:]), "]")
			if !ok || rest != "" {
				return nil, fmt.Errorf("%s:%d: %.40q is not the name of a section, such as [convolutional]", path, number, line)
			}
			sections = append(sections, &section{name: name, line: number})
			continue
		}
		key, value, ok := strings.Cut(string(line), "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%s:%d: %.40q is neither an option, such as filters=32, nor a section, such as [convolutional]", path, number, line)
		}
		if len(sections) == 0 {
			return nil, fmt.Errorf("%s:%d: the option %.40q is in no section: a description begins with [net]", path, number, key)
		}
		last := sections[len(sections)-1]
		if len(last.options) == mostOptions {
			return nil, fmt.Errorf("%s:%d: section %.40q has more than %d options", path, number, last.name, mostOptions)
		}
		last.options = append(last.options, option{key: key, value: value, line: number})
	}
	if len(sections) == 0 || sections[0].name != "net" && sections[0].name != "network" {
		return nil, fmt.Errorf("%s: a description of Darknet begins with the section [net]", path)
	}
	return sections, nil
}

// find is the first option of a key, which counts if there are several, and notes that it is
// read.
func (s *section) find(key string) *option {
	var found *option
	for i := range s.options {
		if o := &s.options[i]; o.key == key {
			o.read = true
			if found == nil {
				found = o
			}
		}
	}
	return found
}

// problems collects the first error of a section's options.
type problems struct {
	path string
	s    *section
	err  error
}

// fail notes an error at a line.
func (p *problems) fail(line int, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%s:%d: [%s] %s", p.path, line, shown(p.s.name), fmt.Sprintf(format, args...))
	}
}

// integer is an option from least to most, or what it is where it is not given.
func (p *problems) integer(key string, otherwise, least, most int) int {
	o := p.s.find(key)
	if o == nil {
		return otherwise
	}
	n, err := strconv.Atoi(o.value)
	if err != nil || n < least || n > most {
		p.fail(o.line, "%s is %.40q, and must be a whole number from %d to %d", key, o.value, least, most)
		return otherwise
	}
	return n
}

// number is an option that may have a fraction.
func (p *problems) number(key string, otherwise float64) float64 {
	o := p.s.find(key)
	if o == nil {
		return otherwise
	}
	x, err := strconv.ParseFloat(o.value, 32)
	if err != nil || x != x || x-x != 0 {
		p.fail(o.line, "%s is %.40q, and must be a number", key, o.value)
		return otherwise
	}
	return x
}

// text is an option of letters.
func (p *problems) text(key, otherwise string) string {
	if o := p.s.find(key); o != nil {
		return o.value
	}
	return otherwise
}

// integers is an option of whole numbers with commas between; nil if it is not given.
func (p *problems) integers(key string) []int {
	o := p.s.find(key)
	if o == nil {
		return nil
	}
	var list []int
	for part := range strings.SplitSeq(strings.TrimSuffix(o.value, ","), ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			p.fail(o.line, "%s is %.40q, and must be whole numbers with commas between", key, o.value)
			return nil
		}
		list = append(list, n)
	}
	return list
}

// refuse makes an option an error that asks for something that there is no layer for, unless
// it has the value that asks for nothing.
func (p *problems) refuse(key, nothing, why string) {
	if o := p.s.find(key); o != nil && o.value != nothing {
		p.fail(o.line, "%s=%s is not supported: %s", key, shown(o.value), why)
	}
}

// training are options that matter only when Darknet trains, or that say how to draw boxes.
var training = map[string]bool{
	"stopbackward": true, "onlyforward": true, "dontload": true, "dontloadscales": true, "learning_rate": true, "reverse": true, "dontsave": true,
	"burnin_update": true, "train_only_bn": true,
}

// unread lists the options that nothing has read.
func (s *section) unread() (list []string) {
	for _, o := range s.options {
		if !o.read && !training[o.key] {
			list = append(list, fmt.Sprintf("line %d: [%s] %s=%s is not known", o.line, shown(s.name), shown(o.key), shown(o.value)))
		}
	}
	return list
}

// shown is a word of the file as messages have it.
func shown(word string) string { return printable.Name(fmt.Sprintf("%.200s", word)) }
