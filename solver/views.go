package solver

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/results"
)

// views are how many consecutive samples of a set show one picture.
func views(set data.Dataset) int {
	if m, ok := set.(data.Multiview); ok {
		return m.Views()
	}
	return 1
}

// addViews adds the pictures of a batch that shows each one several times:
// what counts is the mean of the probabilities over its views (Krizhevsky et
// al. 2012, section 4.1). One that is NaN is no hit, as in layers.Accuracy.
func (s *sums) addViews(n *graph.Network, scores []float32, classes int, labels []int32, samples []int, views int) {
	mean := make([]float64, classes)
	for first := 0; first < len(labels); first += views {
		clear(mean)
		for v := range views {
			addProbabilities(mean, scores[(first+v)*classes:][:classes])
		}
		label := labels[first]
		better := 0 // classes that are likelier
		for k, p := range mean {
			if p > mean[label] || p == mean[label] && k < int(label) {
				better++
			}
		}
		s.loss -= math.Log(max(mean[label]/float64(views), math.SmallestNonzeroFloat64))
		for i, m := range n.Metrics {
			if hits, _ := n.Hits(m); better < cmp.Or(hits.TopK, 1) && !math.IsNaN(mean[label]) {
				s.metrics[i].Value++
			}
		}
		answer := results.Highest(mean)
		s.confusion.Count(label, answer)
		if s.answers != nil && answer >= 0 {
			s.answers.Add(samples[first], int(label), answer, mean[answer]/float64(views), mean[label]/float64(views))
		}
	}
}

// addProbabilities adds the softmax of scores.
func addProbabilities(sum []float64, scores []float32) {
	largest := math.Inf(-1)
	for _, v := range scores {
		largest = max(largest, float64(v))
	}
	total := 0.
	for _, v := range scores {
		total += math.Exp(float64(v) - largest)
	}
	for k, v := range scores {
		sum[k] += math.Exp(float64(v)-largest) / total
	}
}

// testBatch is the batch that a set is tested with where another is asked for.
func testBatch(set data.Dataset, batch int) int {
	return min(wholeViews(batch, views(set)), set.Len())
}

// wholeViews is the batch nearest to the one asked for that holds all views of
// its pictures.
func wholeViews(batch, views int) int {
	if views == 1 {
		return batch
	}
	return max(1, batch/views) * views
}

// checkViews says whether a network's answers to the views of a set can be put
// together.
func checkViews(set data.Dataset, n *graph.Network) error {
	if views(set) == 1 {
		return nil
	}
	scores := scoresNode(n)
	if scores == "" {
		return fmt.Errorf("the mean of %d views needs a network with a softmax loss", views(set))
	}
	for _, m := range n.Metrics {
		if hits, in := n.Hits(m); hits == nil || !slices.Contains(in, scores) {
			return fmt.Errorf("the mean of %d views does not say what the metric %s of %v is: only an accuracy of %s, which the loss reads, can be told", views(set), m.Value, n, scores)
		}
	}
	return nil
}
