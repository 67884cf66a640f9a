package results

import (
	"cmp"
	"math"
	"slices"
)

// AnswersFile is the name, in a run's folder, of the file with the Answers of the last test,
// in JSON.
const AnswersFile = "answers.json"

// What Answers name of a test's samples.
const (
	cellSamples  = 12    // of a cell, the worst first
	worstSamples = 60    // mistakes
	allSamples   = 6_000 // of all cells together, about
)

// Answers are what a classifier answered in a test, and to which samples. Samples are
// named by their index in the test set.
type Answers struct {
	Iteration int      `json:"iteration"` // updates done, for the caller to fill in
	Samples   int      `json:"samples"`   // that were answered
	Classes   []string `json:"classes"`
	Cells     []Cell   `json:"cells"` // of the confusion matrix that are not 0, row by row
	Worst     []Answer `json:"worst"` // mistakes, the least probable class first
}

// Cell is one of a confusion matrix.
type Cell struct {
	Class   int      `json:"class"`  // of the samples
	Answer  int      `json:"answer"` // to them
	Count   int      `json:"count"`
	Samples []Answer `json:"samples"` // a few, the least probable class first
}

// Answer is the answer to a sample.
type Answer struct {
	Sample      int     `json:"sample"`
	Name        string  `json:"name,omitempty"` // of the sample, if it has one
	Class       int     `json:"class"`
	Answer      int     `json:"answer"`
	Probability float64 `json:"probability"` // of the answer
	OfClass     float64 `json:"of_class"`    // the probability of the class
}

// AnswerTally gathers Answers.
type AnswerTally struct {
	counts  map[[2]int]int
	samples map[[2]int][]Answer
	worst   []Answer
	n       int
}

// Add takes the answer to a sample of a class into account, and the probabilities of both. It
// ignores an answer of -1, as Confusion.Count does. A probability that is not finite is 0.
func (t *AnswerTally) Add(sample, class, answer int, probability, ofClass float64) {
	if answer < 0 {
		return
	}
	if t.counts == nil {
		t.counts, t.samples = map[[2]int]int{}, map[[2]int][]Answer{}
	}
	cell := [2]int{class, answer}
	a := Answer{Sample: sample, Class: class, Answer: answer, Probability: finite(probability), OfClass: finite(ofClass)}
	t.n++
	t.counts[cell]++
	t.samples[cell] = insert(t.samples[cell], a, cellSamples)
	if answer != class {
		t.worst = insert(t.worst, a, worstSamples)
	}
}

// finite is a probability that JSON can have.
func finite(p float64) float64 {
	if math.IsNaN(p) || math.IsInf(p, 0) {
		return 0
	}
	return p
}

// worse orders answers by the probability of the class, and then by the sample.
func worse(a, b Answer) int {
	return cmp.Or(cmp.Compare(a.OfClass, b.OfClass), cmp.Compare(a.Sample, b.Sample))
}

// insert keeps the worst of a sorted list and one more.
func insert(list []Answer, a Answer, most int) []Answer {
	at, _ := slices.BinarySearchFunc(list, a, worse)
	if at >= most {
		return list
	}
	if len(list) == most {
		list = list[:most-1]
	}
	return slices.Insert(list, at, a)
}

// Answers are those so far. The classes are named as in a Confusion; name is the name of a
// sample, or nil.
func (t *AnswerTally) Answers(classes []string, name func(sample int) string) *Answers {
	a := &Answers{Samples: t.n, Classes: classes, Cells: []Cell{}, Worst: slices.Clone(t.worst)}
	each := max(1, min(cellSamples, allSamples/max(1, len(t.counts))))
	for cell, count := range t.counts {
		samples := t.samples[cell]
		a.Cells = append(a.Cells, Cell{cell[0], cell[1], count, slices.Clone(samples[:min(each, len(samples))])})
	}
	slices.SortFunc(a.Cells, func(x, y Cell) int {
		return cmp.Or(cmp.Compare(x.Class, y.Class), cmp.Compare(x.Answer, y.Answer))
	})
	if name != nil {
		for i := range a.Worst {
			a.Worst[i].Name = name(a.Worst[i].Sample)
		}
		for _, c := range a.Cells {
			for i := range c.Samples {
				c.Samples[i].Name = name(c.Samples[i].Sample)
			}
		}
	}
	return a
}
