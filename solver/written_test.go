package solver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/results"
)

// writtenConfig is that of the run in testdata/run.
func writtenConfig(t *testing.T) Config {
	train, test, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 8, 8}, Classes: 3, Train: 20, Test: 9, Seed: 4})
	require.NoError(t, err)
	n := &graph.Network{Name: "old"}
	in, label := n.Image("data", 1, 8, 8), n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 2, Kernel: layers.Square(3), BiasRate: new(float32(2))}, in)
	x = n.Add("pool1", &layers.Pool{Op: device.MaxPool, Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("drop1", &layers.Dropout{P: 0.3}, x)
	x = n.Add("fc2", &layers.Dense{Out: 3}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	return Config{
		Network: n, Device: reference.New(), Train: train, Test: test,
		Preprocess: data.Preprocess{Mean: []float32{128}, Scale: 1.0 / 64},
		Data:       "synthetic:20,9",
		Optimiser:  Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 0.05}, Momentum: 0.9, Decay: 1e-3},
		Batch:      5, Accumulate: 1, Iterations: 9, Seed: 7, LogEvery: 2, CheckpointEvery: 3,
	}
}

// A run that was written before networks had a version is read, and goes on to
// those of one that never stopped.
func TestRunOfBefore(t *testing.T) {
	c := writtenConfig(t)
	written, err := ReadCheckpoint(filepath.Join("testdata", "run"))
	require.NoError(t, err)
	require.NoError(t, written.Damaged)
	require.Equal(t, 6, written.Iteration)
	require.Equal(t, 20, written.Samples)
	require.Equal(t, []string{"0", "1", "2"}, written.Classes)
	require.Equal(t, c.Network, written.Config.Network)
	require.Equal(t, c.Preprocess, written.Config.Preprocess)
	require.Equal(t, c.Optimiser, written.Config.Optimiser)
	require.Equal(t, uint64(7), written.Config.Seed)
	require.Equal(t, &score{6, 0.9547314312722948, results.Metrics{{Name: "accuracy", Value: 0.6666666666666666}}}, written.history.Best)
	last := (&trainer{c: written.Config}).ofNetwork(written.history.Last)
	require.Equal(t, reading{1.0995277523994447, results.Metrics{{Name: "accuracy", Value: 0.4, Share: true}}}, last)

	want := weightsOf(t, trainIn(t, c))
	c.Dir, c.Resume = filepath.Join(t.TempDir(), "run"), true
	require.NoError(t, os.CopyFS(c.Dir, os.DirFS(filepath.Join("testdata", "run"))))
	_, err = Train(t.Context(), c)
	require.NoError(t, err)
	require.Less(t, distance(t, want, weightsOf(t, c.Dir)), 1e-6, "the reference computes in float64, and a file has float32")
}
