package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// longestLine is how long a line of a log may be, in bytes, and largestFile a file of one value.
// Those that train writes are far below.
const (
	longestLine = 8 << 20
	largestFile = 64 << 20
)

// tail reads a file of lines that grows.
type tail struct {
	path  string
	known os.FileInfo // of the last look; nil before the file is there
	at    int64       // read so far
	part  []byte      // of a line whose end is not written yet
	long  bool        // that line is too long, and passed over
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

var errLong = fmt.Errorf("it has more than %d bytes", longestLine)

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
	case !now.Mode().IsRegular(): // reading a pipe would wait, and a device never ends
		return fmt.Errorf("%s is not a regular file", t.path)
	case t.known != nil && (!os.SameFile(t.known, now) || now.Size() < t.at):
		t.at, t.part, t.line, t.long = 0, nil, 0, false
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
		}
	}
}

// lines gives each to every line that ends in a piece of the file.
func (t *tail) lines(piece []byte, each func(line []byte) error) (bad error) {
	for {
		line, rest, whole := bytes.Cut(piece, []byte("\n"))
		if t.long = t.long || len(t.part)+len(line) > longestLine; t.long {
			t.part = nil
		} else {
			t.part = append(t.part, line...)
		}
		if !whole {
			return bad
		}
		t.line++
		err := errLong
		if !t.long {
			err = each(t.part)
		}
		if err != nil && bad == nil {
			bad = &damaged{t.path, t.line, err}
		}
		t.long = false
		t.part, piece = t.part[:0], rest
	}
}
