package program

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/hubel-go/hubel/internal/atomicfile"
)

// accuracy is the metric of every classifier in models.
const accuracy = "accuracy"

// column is a column of an example's table.
type column struct {
	title  string
	format string // of a number
	value  func(o outcome) (x float64, ok bool)
}

// lossColumn is the last test's loss.
func lossColumn() column {
	return column{"test loss", "%.4f", func(o outcome) (float64, bool) {
		l, ok := o.last()
		if !ok {
			return 0, false
		}
		return *l.TestLoss, true
	}}
}

// accuracyColumn is the last test's accuracy, in percent.
func accuracyColumn() column {
	return column{"accuracy, %", "%.2f", func(o outcome) (float64, bool) {
		l, _ := o.last()
		x, ok := l.Test.Get(accuracy)
		return 100 * x, ok
	}}
}

// errorColumn is what the last test has wrong, in percent.
func errorColumn() column {
	right := accuracyColumn().value
	return column{"test error, %", "%.2f", func(o outcome) (float64, bool) {
		x, ok := right(o)
		return 100 - x, ok
	}}
}

// table writes rows of outcomes, each with its seeds, as a table in Markdown: on standard
// output, and into the file table.md. A cell is the number, or with several seeds their
// mean and deviation.
func (s *study) table(rows [][]outcome, columns ...column) error {
	var b bytes.Buffer
	head, rule := "| training |", "|---|"
	for _, c := range columns {
		head += " " + c.title + " |"
		rule += "---|"
	}
	fmt.Fprintf(&b, "%s\n%s\n", head, rule)
	for _, seeds := range rows {
		fmt.Fprintf(&b, "| %s |", seeds[0].name)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.cell(seeds))
		}
		fmt.Fprintln(&b)
	}
	if s.seeds > 1 {
		fmt.Fprintf(&b, "\nMeans of %d seeds ± their standard deviation.\n", s.seeds)
	}
	fmt.Fprintf(s.stdout, "\n%s", &b)
	return atomicfile.Write(filepath.Join(s.out, "table.md"), func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	})
}

// cell is the text of a cell.
func (c column) cell(seeds []outcome) string {
	var all []float64
	for _, o := range seeds {
		if x, ok := c.value(o); ok {
			all = append(all, x)
		}
	}
	switch {
	case len(all) == 0:
		return "-"
	case len(all) < len(seeds):
		return fmt.Sprintf(c.format+" (%d of %d)", stat.Mean(all, nil), len(all), len(seeds))
	case len(all) == 1:
		return fmt.Sprintf(c.format, all[0])
	}
	mean, deviation := stat.MeanStdDev(all, nil)
	return strings.Join([]string{fmt.Sprintf(c.format, mean), fmt.Sprintf(c.format, deviation)}, " ± ")
}
