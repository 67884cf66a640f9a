package solver

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/results"
)

// Averages are tested beside the weights, which they do not change by a bit, and what was
// tested is in the file of averages.
func TestAverages(t *testing.T) {
	for name, average := range map[string]func(o *Optimiser){
		"ema": func(o *Optimiser) { o.EMA = 0.75 },
		"swa": func(o *Optimiser) { o.SWA = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			c := smallConfig(t)
			c.Frozen = []string{"fc2.bias"}
			without := trainIn(t, c)
			require.NoFileExists(t, filepath.Join(without, AverageFile))
			average(&c.Optimiser)
			var tests []Test
			c.Observers = []Observer{watch(func(e Test) { tests = append(tests, e) })}
			with := trainIn(t, c)
			require.Equal(t, weightsOf(t, without), weightsOf(t, with))

			m, err := modelfile.Read(filepath.Join(with, AverageFile))
			require.NoError(t, err)
			w, err := graph.NewWeights(c.Network, c.Device)
			require.NoError(t, err)
			require.NoError(t, m.Set(w))
			again, err := Evaluate(t.Context(), c.Device, w, c.Test, c.Preprocess, 16)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			last := tests[len(tests)-1]
			require.Equal(t, 10, last.Average.Iteration)
			require.Equal(t, again.Loss, last.Average.Loss)
			require.Equal(t, again.Metrics, last.Average.Metrics)
			require.NotEqual(t, last.Loss, last.Average.Loss)
			require.Equal(t, weightsOf(t, with)["fc2.bias"], m.Weights["fc2.bias"].Float32s())

			log, err := results.ReadLog(filepath.Join(with, results.LogFile))
			require.NoError(t, err)
			line := log[len(log)-1]
			require.Equal(t, last.Average.Loss, *line.AverageLoss)
			accuracy, ok := line.Average.Get("accuracy")
			require.True(t, ok)
			require.Equal(t, accuracyOf(t, *last.Average), accuracy)
		})
	}
}

// A test that is cut short among the averages leaves the weights as they were.
func TestStoppingAmongAverages(t *testing.T) {
	c := smallConfig(t)
	c.Optimiser.EMA = 0.75
	straight := trainIn(t, c)
	for _, reads := range []int64{0, int64(c.Test.Len()), 2*int64(c.Test.Len()) - 1} { // of the first test, of that of its averages
		ctx, cancel := context.WithCancel(t.Context())
		with := c
		with.Dir = filepath.Join(t.TempDir(), "run")
		test := &cancellingAfter{cancelling: cancelling{c.Test, cancel}}
		test.left.Store(reads)
		with.Test = test
		_, err := Train(ctx, with)
		require.ErrorIs(t, err, context.Canceled)
		resume(t, with.Dir, c)
		requireSameFiles(t, straight, with.Dir)
	}
}

// cancellingAfter cancels after so many samples that are read.
type cancellingAfter struct {
	cancelling
	left atomic.Int64
}

func (c *cancellingAfter) Read(dst []float32, i int) (int32, error) {
	if c.left.Add(-1) < 0 {
		return c.cancelling.Read(dst, i)
	}
	return c.Dataset.Read(dst, i)
}
