package results

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Confusion is a confusion matrix. The answer of a classifier is its Highest
// score. A score that is NaN is no answer; a sample without any other score is
// not counted.
type Confusion struct {
	Classes []string // a name for each score of the network
	Counts  [][]int  // [class of the sample][answer]
}

// NewConfusion returns an empty matrix for the given number of scores. A score
// without a class in the data set is named by its number.
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

// Count counts one answer to a sample of a class. An answer of -1 is not
// counted.
func (c *Confusion) Count(label int32, answer int) {
	if answer >= 0 {
		c.Counts[label][answer]++
	}
}

// Highest is the index of the highest score, the first among equals, or -1 if
// all are NaN.
func Highest[T float32 | float64](scores []T) int {
	best := -1
	for k, v := range scores {
		if v == v && (best < 0 || v > scores[best]) {
			best = k
		}
	}
	return best
}

// WriteCSV writes a table with a row for each class of the samples and a column
// for each answer, and the names of both, quoted as in RFC 4180. A name that a
// spreadsheet would read as a formula gets an apostrophe in front (OWASP's CSV
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
