package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// explained are changes that no test can see, or none should, with the reason.
// The key is change's.
type explained map[string]string

// change names a change by what it does, not by where: code around it may move.
func (m *mutant) change() string { return m.file + "\n- " + m.before + "\n+ " + m.now }

// readExplained reads blocks of lines with an empty line between: the file, "- "
// and the line as it is, "+ " and the line as it would be, if anything is left of
// it, and then the reason.
// Lines that begin with # say nothing.
func readExplained(r io.Reader) (explained, error) {
	e := explained{}
	lines := bufio.NewScanner(r)
	n := 0
	var block []string
	end := func() error {
		defer func() { block = nil }()
		switch {
		case len(block) == 0:
			return nil
		case len(block) < 4 || !strings.HasPrefix(block[1], "- ") || !strings.HasPrefix(block[2], "+ "):
			return fmt.Errorf("line %d: a block is a file, a line with - before it, one with +, and a reason", n-len(block)+1)
		}
		e[strings.Join(block[:3], "\n")] = strings.Join(block[3:], " ")
		return nil
	}
	for ; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "+": // a statement that stood alone on its line is gone
			block = append(block, "+ ")
		case strings.HasPrefix(line, "#"):
		case line != "":
			block = append(block, line)
		default:
			if err := end(); err != nil {
				return nil, err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return e, end()
}
