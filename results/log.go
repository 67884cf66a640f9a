// Package results has the results of a training run that other programs read:
// the lines of its log, and the confusion matrix of its tests.
package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// LogFile is the name of the log in a run's folder: JSON, a line for each
// LogLine.
const LogFile = "log.jsonl"

// LogLine is one entry of a run's log. In its JSON a metric of the test has its
// own name as the key, after the test's loss. A metric of the training batch
// has the key "train_" and its name, after that batch's loss, and a metric of
// averaged weights "averaged_" and its name. Numbers that are not finite are
// left out.
type LogLine struct {
	Iteration       int      // updates done
	Epoch           float64  // passes over the training set done
	Loss            float64  // of the batch of this iteration
	Train           Metrics  // of that batch
	TestLoss        *float64 // nil where there was no test
	Test            Metrics  // on the test set
	AverageLoss     *float64 // of averages of the weights, on the test set; nil if there are none
	Average         Metrics
	Rate            float32
	ImagesPerSecond float64
	InputPerSecond  float64 // images that could be read, decoded and augmented; 0 if not known
}

// trainPrefix is that of the key of a training batch's metric.
const trainPrefix = "train_"

// averagePrefix is that of the keys of averages' loss and metrics.
const averagePrefix = "averaged_"

// logKeys are those of a line besides metrics.
var logKeys = []string{"iteration", "epoch", "loss", "test_loss", "rate", "images_per_second", "input_per_second"}

// CheckMetric returns an error if a line of the log cannot have a metric of
// this name.
func CheckMetric(name string) error {
	if slices.Contains(logKeys, name) || strings.HasPrefix(name, trainPrefix) || strings.HasPrefix(name, averagePrefix) {
		return fmt.Errorf("the metric %s is called as something else in the log, which has %s and what begins with %s or %s: call its layer otherwise",
			name, strings.Join(logKeys, ", "), trainPrefix, averagePrefix)
	}
	return nil
}

// MarshalJSON writes the metrics as keys of the line itself.
func (l LogLine) MarshalJSON() ([]byte, error) {
	var w objectWriter
	l.each(w.add)
	return w.end()
}

// each calls add for the numbers of the line, in the order in which they are written,
// without metrics that are not finite.
func (l LogLine) each(add func(key string, value any)) {
	metrics := func(prefix string, list Metrics) {
		for _, m := range list {
			if m.isFinite() {
				add(prefix+m.Name, m.Value)
			}
		}
	}
	add("iteration", l.Iteration)
	add("epoch", l.Epoch)
	add("loss", l.Loss)
	metrics(trainPrefix, l.Train)
	if l.TestLoss != nil {
		add("test_loss", *l.TestLoss)
	}
	metrics("", l.Test)
	if l.AverageLoss != nil {
		metrics(averagePrefix, append(Metrics{{Name: "test_loss", Value: *l.AverageLoss}}, l.Average...))
	}
	add("rate", l.Rate)
	add("images_per_second", l.ImagesPerSecond)
	if l.InputPerSecond > 0 {
		add("input_per_second", l.InputPerSecond)
	}
}

// UnmarshalJSON reads a line; numbers with other keys are metrics, in their
// order.
func (l *LogLine) UnmarshalJSON(b []byte) error {
	*l = LogLine{}
	return readObject(b, func(key string, value json.RawMessage) error {
		switch key {
		case "iteration":
			return json.Unmarshal(value, &l.Iteration)
		case "epoch":
			return json.Unmarshal(value, &l.Epoch)
		case "loss":
			return json.Unmarshal(value, &l.Loss)
		case "test_loss":
			return json.Unmarshal(value, &l.TestLoss)
		case averagePrefix + "test_loss":
			return json.Unmarshal(value, &l.AverageLoss)
		case "rate":
			return json.Unmarshal(value, &l.Rate)
		case "images_per_second":
			return json.Unmarshal(value, &l.ImagesPerSecond)
		case "input_per_second":
			return json.Unmarshal(value, &l.InputPerSecond)
		}
		m := Metric{Name: key}
		if json.Unmarshal(value, &m.Value) != nil { // of a later hubel
			return nil
		}
		if name, ok := strings.CutPrefix(key, trainPrefix); ok {
			l.Train = append(l.Train, Metric{Name: name, Value: m.Value})
			return nil
		}
		if name, ok := strings.CutPrefix(key, averagePrefix); ok {
			l.Average = append(l.Average, Metric{Name: name, Value: m.Value})
			return nil
		}
		l.Test = append(l.Test, m)
		return nil
	})
}

// At is the iteration of the line.
func (l LogLine) At() int { return l.Iteration }

// ReadLog reads a run's log. It leaves out an incomplete last line, which is
// left if the process or the machine stopped.
func ReadLog(path string) ([]LogLine, error) { return ReadLines[LogLine](path) }

// ReadLines reads a file with one JSON value per line, as ReadLog does.
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
