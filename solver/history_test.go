package solver

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/results"
)

func TestHistory(t *testing.T) {
	var h history
	higher := []graph.Metric{{Value: "hits", Better: graph.Higher}}
	improves := func(iteration int, loss, accuracy float64) bool {
		return h.add(&Test{Iteration: iteration, Loss: loss, Metrics: results.Metrics{{Name: "hits", Value: accuracy}}}, higher, 2)
	}
	require.True(t, improves(1, 2, 0.5), "the first")
	require.False(t, improves(2, 2, 0.5), "of equals the first")
	require.True(t, improves(2, 1, 0.5), "of the same accuracy, that with the lower loss")
	require.True(t, improves(3, 3, 0.6))
	require.Equal(t, 3, h.Best.Iteration)
	for i, want := range []struct{ drops, since int }{{0, 1}, {1, 2}, {1, 3}, {2, 4}} {
		require.False(t, improves(4+i, 1, 0.55))
		require.Equal(t, want.drops, h.Drops)
		require.Equal(t, want.since, h.Since)
		require.Equal(t, want.since >= 3, h.exhausts(3))
		require.False(t, h.exhausts(0), "endless")
	}
	require.True(t, improves(8, 1, 0.61))
	require.Equal(t, history{Best: &score{8, 1, results.Metrics{{Name: "hits", Value: 0.61}}}, Drops: 2}, h)

	h = history{}
	require.True(t, h.add(&Test{Iteration: 1, Loss: 2}, nil, 0))
	require.False(t, h.add(&Test{Iteration: 2, Loss: 2}, nil, 0))
	require.True(t, h.add(&Test{Iteration: 3, Loss: 1.5}, nil, 0), "without an accuracy, the loss")
}

// worsening is a configuration whose tests stop getting better soon: the rate
// is too high.
func worsening(t *testing.T) Config {
	c := smallConfig(t)
	c.Optimiser = Optimiser{Schedule: Schedule{Policy: Plateau, Rate: 0.4, Gamma: 0.25, Step: 1}, Momentum: 0.9}
	c.Iterations = 48 // 8 epochs
	return c
}

func TestPlateauLowersTheRate(t *testing.T) {
	c := worsening(t)
	var rates []float32
	var tests []Test
	c.Observers = []Observer{watch(func(p Progress) { rates = append(rates, p.Rate) }), watch(func(test Test) { tests = append(tests, test) })}
	dir := trainIn(t, c)
	want, best := float32(0.4), (*score)(nil)
	for epoch, test := range tests {
		for k := 6 * epoch; k < 6*(epoch+1); k++ {
			require.InDelta(t, want, rates[k], 1e-7, "iteration %d", k)
		}
		if best.better(&test, c.Network.Metrics) {
			best = &score{Loss: test.Loss, Metrics: test.Metrics}
		} else {
			want /= 4
		}
	}
	require.Less(t, want, float32(0.4), "the rate dropped")

	// And a run that was stopped anywhere goes on to the same bytes.
	c.Observers = nil
	for _, iteration := range []int{13, 24, 32, 47} {
		stopped := stopAfter(t, c, iteration)
		resume(t, stopped, c)
		requireSameFiles(t, dir, stopped)
	}
}

func TestTheBestWeightsAreKept(t *testing.T) {
	c := worsening(t)
	var tests []Test
	c.Observers = []Observer{watch(func(test Test) { tests = append(tests, test) })}
	c.Dir = filepath.Join(t.TempDir(), "run")
	result, err := Train(t.Context(), c)
	require.NoError(t, err)
	best := tests[0]
	for _, test := range tests {
		if accuracyOf(t, test) > accuracyOf(t, best) || accuracyOf(t, test) == accuracyOf(t, best) && test.Loss < best.Loss {
			best = test
		}
	}
	require.Less(t, best.Iteration, c.Iterations, "or nothing is tested here")
	require.Equal(t, best.Iteration, result.Best)

	evaluate := func(file string) Test {
		m, err := modelfile.Read(filepath.Join(c.Dir, file))
		require.NoError(t, err)
		w, err := graph.NewWeights(m.Network, c.Device)
		require.NoError(t, err)
		require.NoError(t, m.Set(w))
		test, err := Evaluate(t.Context(), c.Device, w, c.Test, m.Preprocess, 16)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return test
	}
	require.Equal(t, best.Loss, evaluate(BestFile).Loss)
	last := evaluate(WeightsFile)
	require.Equal(t, tests[7].Loss, last.Loss)

	// The confusion matrix counts what the accuracy is the share of.
	right, all := 0, 0
	for i, row := range last.Confusion.Counts {
		right += row[i]
		for _, n := range row {
			all += n
		}
	}
	require.Equal(t, 25, all)
	require.InDelta(t, accuracyOf(t, last), float64(right)/25, 1e-9)
	require.Equal(t, tests[7].Confusion, last.Confusion)
}

func TestPatienceEndsTheRun(t *testing.T) {
	c := worsening(t)
	c.Patience = 2
	c.CheckpointEvery = 1000
	c.Dir = filepath.Join(t.TempDir(), "run")
	result, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.True(t, result.Early)
	require.Less(t, result.Iteration, 48)
	require.Equal(t, result.Best+12, result.Iteration, "two tests after the best")
	checkpoint, err := ReadCheckpoint(c.Dir)
	require.NoError(t, err)
	require.Equal(t, result.Iteration, checkpoint.Iteration)
	require.Equal(t, 2, checkpoint.Config.Patience)

	c.Resume = true
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "the run ended early, since none of the 2 tests after iteration ")
	c.Patience = 0
	result, err = Train(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, 48, result.Iteration)
	require.False(t, result.Early)
	c.Resume = false
	straight := trainIn(t, c)
	requireSameFiles(t, straight, c.Dir)
}

func TestCheckpointsByTheClock(t *testing.T) {
	c := smallConfig(t)
	c.CheckpointTime = time.Nanosecond
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.Observers = []Observer{watch(func(p Progress) {
		if p.Iteration < 2 {
			return
		}
		checkpoint, err := ReadCheckpoint(c.Dir)
		require.NoError(t, err)
		require.Equal(t, p.Iteration-1, checkpoint.Iteration)
	})}
	_, err := Train(t.Context(), c)
	require.NoError(t, err)

	c.CheckpointTime = time.Hour
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.Observers = []Observer{watch(func(p Progress) {
		checkpoint, err := ReadCheckpoint(c.Dir)
		require.NoError(t, err)
		require.Zero(t, checkpoint.Iteration, "the one that a run begins with")
	})}
	_, err = Train(t.Context(), c)
	require.NoError(t, err)
	checkpoint, err := ReadCheckpoint(c.Dir)
	require.NoError(t, err)
	require.Equal(t, 10, checkpoint.Iteration)
}

func TestBestWithoutAnAccuracy(t *testing.T) {
	c := smallConfig(t)
	c.Network.Nodes, c.Network.Metrics = c.Network.Nodes[:7], nil
	require.Equal(t, "loss", c.Network.Nodes[6].Name)
	dir := trainIn(t, c)
	require.FileExists(t, filepath.Join(dir, BestFile))
	c.Test = nil
	dir = trainIn(t, c)
	require.NoFileExists(t, filepath.Join(dir, BestFile), "where nothing was tested")
}

func TestScoresNode(t *testing.T) {
	require.Equal(t, "fc2", scoresNode(smallNet()))
	require.Empty(t, scoresNode(autoencoder()))
}
