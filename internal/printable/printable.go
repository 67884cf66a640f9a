// Package printable shows what strangers wrote: names of files, classes, networks
// and devices, and what errors quote of them. On a terminal some characters are
// commands, others are not seen or turn a line around, and a line end makes two
// lines of one.
//
// Name and Line are for where a text is put together; Writer stands in front of a
// program's outputs and lets nothing else through, whatever was forgotten.
package printable

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// longestName is how many bytes of a name are shown: more than a path may take, but
// that what strangers wrote is no flood.
const longestName = 4096

// Name is a name as it is shown: itself where all of it can be seen, and otherwise
// quoted as in Go. Of a very long one the beginning is shown, and how long it is.
func Name(name string) string {
	if n := len(name); n > longestName {
		return fmt.Sprintf("%s... (%d bytes)", Name(name[:200]), n)
	}
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return name
	}
	return strconv.QuoteToGraphic(name)
}

// mostNames is how many names of a list are shown.
const mostNames = 20

// Names are the first names of a list, as they are shown, and how many more there
// are.
func Names(names []string) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case i == mostNames && len(names) > mostNames+1:
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			return b.String()
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(Name(name))
	}
	return b.String()
}

// Line is a text of several lines, as errors may be, on one.
func Line(text string) string { return strings.ReplaceAll(text, "\n", "; ") }

// Writer writes text to where people may look at it. Characters that cannot be
// seen, but for line ends and tabs, become \u and four digits, two such for one
// beyond U+FFFF: those of JSON, so that a line of it stays the same to who
// reads it. A byte that is not UTF-8 becomes \x and two digits.
type Writer struct {
	under io.Writer

	mu   sync.Mutex
	part []byte // of a character whose other bytes the next Write has
}

// NewWriter makes a Writer.
func NewWriter(under io.Writer) *Writer { return &Writer{under: under} }

// Under is what the Writer writes to: for a progress bar, which moves the cursor,
// and for its own text only.
func (w *Writer) Under() io.Writer { return w.under }

// Write implements io.Writer.
func (w *Writer) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := append(w.part, text...)
	whole := len(all)
	for n := 1; n < utf8.UTFMax && n <= len(all); n++ {
		if at := len(all) - n; utf8.RuneStart(all[at]) {
			if !utf8.FullRune(all[at:]) {
				whole = at
			}
			break
		}
	}
	w.part = append([]byte(nil), all[whole:]...)
	if _, err := w.under.Write(escape(all[:whole])); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Flush writes what is left of a character that was cut off.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) == 0 {
		return nil
	}
	_, err := w.under.Write(escape(w.part))
	w.part = nil
	return err
}

// escape is text with every character that cannot be seen written out.
func escape(text []byte) []byte {
	var out []byte
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			out = fmt.Appendf(out, `\x%02x`, text[i])
		case r == '\n' || r == '\t' || unicode.IsGraphic(r):
			out = append(out, text[i:i+size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return out
}
