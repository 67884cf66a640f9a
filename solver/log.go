package solver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/hubel-go/hubel/internal/atomicfile"
)

// LogFile is the name of the log in a run's folder: JSON, a line for each
// LogLine.
const LogFile = "log.jsonl"

// LogLine is one entry of a run's log.
type LogLine struct {
	Iteration       int      `json:"iteration"` // updates done
	Epoch           float64  `json:"epoch"`     // passes over the training set done
	Loss            float64  `json:"loss"`      // of the batch of this iteration
	TrainAccuracy   *float64 `json:"train_accuracy,omitempty"`
	TrainTop5       *float64 `json:"train_top5,omitempty"`
	TestLoss        *float64 `json:"test_loss,omitempty"`
	Accuracy        *float64 `json:"accuracy,omitempty"` // on the test set, 0 to 1
	Top5            *float64 `json:"top5,omitempty"`
	Rate            float32  `json:"rate"`
	ImagesPerSecond float64  `json:"images_per_second"`
}

// at is for cutting a log where a run goes on.
func (l LogLine) at() int { return l.Iteration }

// DebugFile is the name, in a run's folder, of what Config.DebugEvery writes:
// JSON, a line for each DebugLine.
const DebugFile = "debug.jsonl"

// DebugLine is the numbers of every layer in one update.
type DebugLine struct {
	Iteration int          `json:"iteration"` // counted from 1
	Layers    []LayerStats `json:"layers"`
}

func (l DebugLine) at() int { return l.Iteration }

// ReadLog reads a run's log. A last line that was not written whole, because
// the process or the machine stopped, is left out.
func ReadLog(path string) ([]LogLine, error) { return readLines[LogLine](path) }

// ReadDebug reads a run's DebugFile like its log.
func ReadDebug(path string) ([]DebugLine, error) { return readLines[DebugLine](path) }

func readLines[Line any](path string) ([]Line, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var log []Line
	for n := 1; len(content) > 0; n++ {
		line, rest, whole := bytes.Cut(content, []byte("\n"))
		var l Line
		err := json.Unmarshal(line, &l)
		switch {
		case err == nil:
			log = append(log, l)
		case whole:
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		content = rest
	}
	return log, nil
}

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
func resumeLog[Line interface{ at() int }](path string, iteration int) (*logWriter, error) {
	log, err := readLines[Line](path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; the run goes on without that file, so move it away", err)
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		for _, l := range log {
			if l.at() > iteration {
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
