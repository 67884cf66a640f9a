// Package results holds what a run of training leaves for others to read: the
// lines of its log, and what its tests answered.
package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
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

// At is the iteration that the line is of.
func (l LogLine) At() int { return l.Iteration }

// ReadLog reads a run's log. A last line that was not written whole, because
// the process or the machine stopped, is left out.
func ReadLog(path string) ([]LogLine, error) { return ReadLines[LogLine](path) }

// ReadLines reads a file of JSON, a line for each, as ReadLog does.
func ReadLines[Line any](path string) ([]Line, error) {
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
