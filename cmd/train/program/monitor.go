package program

import (
	"errors"
	"path/filepath"
	"strconv"

	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
)

// monitorEvery is the flag -monitor: in the first of so many iterations. 0 is never, and
// monitorSome, the flag alone, is monitored times in a run.
type monitorEvery int

const (
	monitorSome = -1
	monitored   = 50
)

// Set implements flag.Value.
func (m *monitorEvery) Set(text string) error {
	if text == "true" {
		*m = monitorSome
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("it is a number of iterations, at least 1, such as -monitor=100")
	}
	*m = monitorEvery(n)
	return nil
}

// String implements flag.Value.
func (m *monitorEvery) String() string {
	switch *m {
	case 0:
		return ""
	case monitorSome:
		return "true"
	}
	return strconv.Itoa(int(*m))
}

// IsBoolFlag says that the flag stands alone, too.
func (m *monitorEvery) IsBoolFlag() bool { return true }

// every is how many iterations there are from one look to the next, in a run of so many.
func (m monitorEvery) every(iterations int) int {
	if m == monitorSome {
		return max(1, iterations/monitored)
	}
	return int(m)
}

// drawMonitor draws what -monitor has seen of a run, if anything, and returns its files,
// and what it and the curves say.
func drawMonitor(dir string, log []results.LogLine, metric results.Metric) (files, advice []string, err error) {
	lines, err := results.ReadLines[results.MonitorLine](filepath.Join(dir, results.MonitorFile))
	if err != nil || len(lines) == 0 { // the rest of a run may be too short
		return nil, nil, err
	}
	if err := report.Monitor(filepath.Join(dir, monitorFile), lines); err != nil {
		return nil, nil, err
	}
	files = []string{results.MonitorFile, monitorFile}
	advice = results.GradientAdvice(lines)
	if text := results.CurveAdvice(log, metric); text != "" {
		advice = append(advice, "curves: "+text)
	}
	return files, advice, nil
}
