// Package section replaces the part of a document that a command writes. It
// stands between two lines,
//
//	<!-- make sass writes from here -->
//	<!-- to here -->
//
// of which the first names the command.
package section

import (
	"fmt"
	"os"
	"strings"
)

const end = "<!-- to here -->\n"

// Insert puts text between the lines of a command.
func Insert(document, command, text string) (string, error) {
	begin := "<!-- " + command + " writes from here -->\n"
	head, rest, ok := strings.Cut(document, begin)
	if !ok {
		return "", fmt.Errorf("has no line %q", strings.TrimSpace(begin))
	}
	_, tail, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("has no line %q", strings.TrimSpace(end))
	}
	return head + begin + "\n" + text + "\n" + end + tail, nil
}

// InsertFile is Insert for a file, and returns the document.
func InsertFile(path, command, text string) (string, error) {
	document, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s, err := Insert(string(document), command, text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Update writes a file or, to check, only says whether that would change it.
func Update(path, text, command string, check bool) error {
	old, err := os.ReadFile(path)
	switch {
	case err != nil && !os.IsNotExist(err):
		return err
	case string(old) == text:
		return nil
	case check:
		return fmt.Errorf("%s is not up to date: run %s", path, command)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
