package solver

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/results"
)

// A test set of ten crops is tested in training as by Evaluate: in batches that
// hold all views of their pictures.
func TestTrainTestsOnTenCrops(t *testing.T) {
	c := smallConfig(t)
	_, large := synthetic(t, 1, 25, 1, 14, 14)
	crops, _, err := data.Augmented(large, data.Augment{{Op: data.Crop, H: 12, P: 1}}, nil)
	require.NoError(t, err)
	c.Test, c.Dir = crops.(*data.Photos).TenCrops(), t.TempDir()
	result, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, 25, result.Test.Samples)

	m, err := modelfile.Read(filepath.Join(c.Dir, WeightsFile))
	require.NoError(t, err)
	w, err := graph.NewWeights(m.Network, c.Device)
	require.NoError(t, err)
	require.NoError(t, m.Set(w))
	again, err := Evaluate(t.Context(), c.Device, w, c.Test, c.Preprocess, c.Batch)
	require.NoError(t, err)
	require.Equal(t, again.Loss, result.Test.Loss)
	require.Equal(t, again.Confusion, result.Test.Confusion)

	c.Dir, c.Network = "", autoencoder()
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "the mean of 10 views needs a network with a softmax loss")
}

// twice is a set of two views of each picture.
type twice struct{ data.Dataset }

func (twice) Views() int { return 2 }

func TestViewsAreAveraged(t *testing.T) {
	require.Equal(t, 1, views(nil))
	require.Equal(t, 2, views(twice{}))
	require.Equal(t, []int{20, 60, 10}, []int{wholeViews(29, 10), wholeViews(60, 10), wholeViews(3, 10)})
	require.ErrorContains(t, checkViews(twice{}, autoencoder()), "the mean of 2 views needs a network with a softmax loss")
	require.NoError(t, checkViews(twice{}, smallConfig(t).Network))

	// One view is sure of class 0, the other of class 1 by a little less; then
	// a picture that both get wrong, in six classes.
	log := func(p ...float64) (scores []float32) {
		for _, v := range p {
			scores = append(scores, float32(math.Log(v)+3))
		}
		return scores
	}
	n := smallConfig(t).Network
	s := sums{metrics: newMetrics(n), confusion: results.NewConfusion(make([]string, 6), 6), answers: &results.AnswerTally{}}
	scores := append(log(.70, .10, .05, .05, .05, .05), log(.20, .60, .05, .05, .05, .05)...)
	scores = append(scores, log(.30, .25, .20, .15, .07, .03)...)
	scores = append(scores, log(.30, .25, .20, .15, .07, .03)...)
	s.addViews(n, scores, 6, []int32{0, 0, 5, 5}, []int{6, 7, 8, 9}, 2)
	require.InDelta(t, -math.Log(.45)-math.Log(.03), s.loss, 1e-5)
	require.Equal(t, results.Metrics{{Name: "accuracy", Value: 1, Share: true}, {Name: "top5", Value: 1, Share: true}}, s.metrics)
	require.Equal(t, 1, s.confusion.Counts[0][0])
	require.Equal(t, 1, s.confusion.Counts[5][0])
	worst := s.answers.Answers(nil, nil).Worst
	require.Len(t, worst, 1)
	require.InDelta(t, .03, worst[0].OfClass, 1e-6)
	require.InDelta(t, .30, worst[0].Probability, 1e-6)
	require.Equal(t, []int{8, 5, 0}, []int{worst[0].Sample, worst[0].Class, worst[0].Answer}, "the first view stands for the picture")

	// A NaN in one view is one in the mean: neither right, nor an answer.
	before := slices.Clone(s.metrics)
	scores[3] = float32(math.NaN())
	s.addViews(n, scores[:12], 6, []int32{0, 0}, []int{6, 7}, 2)
	require.Equal(t, before, s.metrics)
	require.Equal(t, 1, s.confusion.Counts[0][0])
	require.True(t, math.IsNaN(s.loss))
}
