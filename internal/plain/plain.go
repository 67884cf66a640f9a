// Package plain reads text files that others wrote.
package plain

import (
	"io"
	"os"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Text is what a file of text says: behind a byte-order mark, which is taken
// away, the UTF-8 or UTF-16 that the mark announces, as UTF-8, and otherwise
// byte by byte.
func Text(r io.Reader) io.Reader {
	return transform.NewReader(r, unicode.BOMOverride(transform.Nop))
}

// ReadFile reads a whole file as Text.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(Text(f))
}
