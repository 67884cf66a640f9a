package solver

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// Confusion counts what a classifier answered: its highest score, the first of
// equals. A score that is NaN is no answer; a sample that has no other is not
// counted.
type Confusion struct {
	Classes []string // a name for each score of the network
	Counts  [][]int  // [class of the sample][answer]
}

// newConfusion makes room for a network's scores. Those that the data set has
// no class for are called by their number.
func newConfusion(classes []string, scores int) *Confusion {
	c := &Confusion{Classes: slices.Clone(classes), Counts: make([][]int, scores)}
	for i := len(classes); i < scores; i++ {
		c.Classes = append(c.Classes, "#"+strconv.Itoa(i))
	}
	for i := range c.Counts {
		c.Counts[i] = make([]int, scores)
	}
	return c
}

// add counts the answers to a batch: scores [N,C] and labels [N].
func (c *Confusion) add(scores []float32, labels []int32) {
	n := len(c.Counts)
	for i, label := range labels {
		c.count(label, highest(scores[i*n:(i+1)*n]))
	}
}

// count counts an answer, if it is one.
func (c *Confusion) count(label int32, answer int) {
	if answer >= 0 {
		c.Counts[label][answer]++
	}
}

// highest is the place of the highest score, the first of equals, or -1 where all
// are NaN.
func highest[T float32 | float64](scores []T) int {
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

// scoresNode is the value whose highest element is a classifier's answer: what
// its first softmax loss reads. It is empty where there is none.
func scoresNode(n *graph.Network) string {
	for _, node := range n.Nodes {
		if _, ok := node.Layer.(*layers.SoftmaxLoss); ok && len(node.In) > 0 {
			return node.In[0]
		}
	}
	return ""
}
