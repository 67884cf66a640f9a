package program

import (
	"io"
	"os"
	"path/filepath"

	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// csvLog writes the log of a run as a table too. What is in the log before its first line
// of this session is written first, so that the table has the whole run.
type csvLog struct {
	c     solver.Config
	table results.LogTable
	file  *os.File // nil before the first line
	name  string   // of the file; empty before the first line
}

// Observe writes the lines.
func (l *csvLog) Observe(e solver.Event) error {
	switch e := e.(type) {
	case solver.Logged:
		if l.table.Fit(e.LogLine) || l.file == nil {
			return l.rewrite()
		}
		return l.table.WriteRow(l.file, e.LogLine)
	case solver.Ended:
		return l.close()
	}
	return nil
}

// rewrite writes the table anew from the log, which has the newest line already.
func (l *csvLog) rewrite() (err error) {
	if err := l.close(); err != nil {
		return err
	}
	lines, err := results.ReadLog(filepath.Join(l.c.Dir, results.LogFile))
	if err != nil {
		return err
	}
	l.table.Fit(l.expected())
	l.table.Fit(lines...)
	path := filepath.Join(l.c.Dir, results.CSVFile)
	err = atomicfile.Write(path, func(w io.Writer) error {
		err := l.table.WriteHeader(w)
		for i := 0; i < len(lines) && err == nil; i++ {
			err = l.table.WriteRow(w, lines[i])
		}
		return err
	})
	if err != nil {
		return err
	}
	l.name = results.CSVFile
	l.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return err
}

// expected is a line with all numbers that the run may log: those of the tests come later
// than the first lines.
func (l *csvLog) expected() results.LogLine {
	var metrics results.Metrics
	for _, m := range l.c.Network.Metrics {
		metrics = append(metrics, results.Metric{Name: m.Value})
	}
	line := results.LogLine{Train: metrics, InputPerSecond: 1}
	if l.c.Test != nil {
		line.TestLoss, line.Test = new(float64), metrics
		if l.c.Optimiser.EMA > 0 || l.c.Optimiser.SWA > 0 {
			line.AverageLoss, line.Average = new(float64), metrics
		}
	}
	return line
}

func (l *csvLog) files() []string {
	if l.name == "" {
		return nil
	}
	return []string{l.name}
}

func (l *csvLog) close() (err error) {
	if l.file != nil {
		command.Close(l.file, &err)
		l.file = nil
	}
	return err
}
