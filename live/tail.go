package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// longestLine is how long a line of a log may be.
const longestLine = 64 << 20

// tail reads a file of lines that grows.
type tail struct {
	path  string
	known os.FileInfo // of the last look; nil before the file is there
	at    int64       // read so far
	part  []byte      // of a line whose end is not written yet
	line  int         // whole ones so far
}

// damaged is a line that cannot be read.
type damaged struct {
	path string
	line int
	err  error
}

func (d *damaged) Error() string { return fmt.Sprintf("%s: line %d: %v", d.path, d.line, d.err) }

// Unwrap is for errors.Is.
func (d *damaged) Unwrap() error { return d.err }

// more gives each to every line that was written since the last time. A file that is another
// one now, or shorter, begins anew: again is called first. It goes on after damaged lines, and
// returns the first of them as a *damaged.
func (t *tail) more(again func(), each func(line []byte) error) error {
	now, err := os.Stat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case t.known != nil && (!os.SameFile(t.known, now) || now.Size() < t.at):
		t.at, t.part, t.line = 0, nil, 0
		again()
	case t.known != nil && now.Size() == t.at:
		t.known = now
		return nil
	}
	t.known = now
	f, err := os.Open(t.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(t.at, io.SeekStart); err != nil {
		return err
	}
	var bad error
	chunk := make([]byte, 256<<10)
	for {
		n, err := f.Read(chunk)
		t.at += int64(n)
		if first := t.lines(chunk[:n], each); bad == nil {
			bad = first
		}
		switch {
		case errors.Is(err, io.EOF):
			return bad
		case err != nil:
			return err
		case len(t.part) > longestLine:
			return fmt.Errorf("%s: line %d has more than %d bytes", t.path, t.line+1, longestLine)
		}
	}
}

// lines gives each to every line that ends in a piece of the file.
func (t *tail) lines(piece []byte, each func(line []byte) error) (bad error) {
	for {
		line, rest, whole := bytes.Cut(piece, []byte("\n"))
		t.part = append(t.part, line...)
		if !whole {
			return bad
		}
		t.line++
		if err := each(t.part); err != nil && bad == nil {
			bad = &damaged{t.path, t.line, err}
		}
		t.part, piece = t.part[:0], rest
	}
}
