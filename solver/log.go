package solver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/results"
)

// ReadDebug reads a run's DebugFile as results.ReadLog reads its log.
func ReadDebug(path string) ([]DebugLine, error) { return results.ReadLines[DebugLine](path) }

// logWriter appends lines to a log.
type logWriter struct{ file *os.File }

// newLog starts a log, which must not be there yet.
func newLog(path string) (*logWriter, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &logWriter{f}, nil
}

// resumeLog goes on with a log after its lines up to an iteration. The lines
// behind it, which a run that goes on from there will write again, are cut.
func resumeLog[Line interface{ At() int }](path string, iteration int) (*logWriter, error) {
	log, err := results.ReadLines[Line](path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; the run goes on without that file, so move it away", err)
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		for _, l := range log {
			if l.At() > iteration {
				continue
			}
			if err := e.Encode(l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	return &logWriter{f}, nil
}

// write appends a line, in one piece.
func (w *logWriter) write(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("%s: %w", w.file.Name(), err)
	}
	_, err = w.file.Write(append(text, '\n'))
	return err
}

// Close closes the file.
func (w *logWriter) Close() error { return w.file.Close() }
