package results

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Confusion counts what a classifier answered: its Highest score, the first of
// equals. A score that is NaN is no answer; a sample that has no other is not
// counted.
type Confusion struct {
	Classes []string // a name for each score of the network
	Counts  [][]int  // [class of the sample][answer]
}

// NewConfusion makes room for a network's scores. Those that the data set has
// no class for are called by their number.
func NewConfusion(classes []string, scores int) *Confusion {
	c := &Confusion{Classes: slices.Clone(classes), Counts: make([][]int, scores)}
	for i := len(classes); i < scores; i++ {
		c.Classes = append(c.Classes, "#"+strconv.Itoa(i))
	}
	for i := range c.Counts {
		c.Counts[i] = make([]int, scores)
	}
	return c
}

// Add counts the answers to a batch: scores [N,C] and labels [N].
func (c *Confusion) Add(scores []float32, labels []int32) {
	n := len(c.Counts)
	for i, label := range labels {
		c.Count(label, Highest(scores[i*n:(i+1)*n]))
	}
}

// Count counts an answer to a sample of a class, if it is one: -1 is none.
func (c *Confusion) Count(label int32, answer int) {
	if answer >= 0 {
		c.Counts[label][answer]++
	}
}

// Highest is the place of the Highest score, the first of equals, or -1 where all
// are NaN.
func Highest[T float32 | float64](scores []T) int {
	best := -1
	for k, v := range scores {
		if v == v && (best < 0 || v > scores[best]) {
			best = k
		}
	}
	return best
}

// WriteCSV writes a table: a row for each class of the samples, a column for
// each answer, the names of both in front, quoted as RFC 4180 says. A name that a
// spreadsheet would take for a formula gets an apostrophe in front (OWASP's CSV
// injection).
func (c *Confusion) WriteCSV(w io.Writer) error {
	table := csv.NewWriter(w)
	if err := table.Write(append([]string{"class \\ answer"}, cells(c.Classes)...)); err != nil {
		return err
	}
	for i, counts := range c.Counts {
		row := cells(c.Classes[i : i+1])
		for _, n := range counts {
			row = append(row, strconv.Itoa(n))
		}
		if err := table.Write(row); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

// cells are names that no spreadsheet computes.
func cells(names []string) []string {
	list := slices.Clone(names)
	for i, name := range list {
		if r, _ := utf8.DecodeRuneInString(name); name != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", r) {
			list[i] = "'" + name
		}
	}
	return list
}
