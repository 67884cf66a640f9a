package solver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// A run within less memory, one that is resumed with another limit, and one without a limit
// write the same weights. A limit that is too small says what is needed, before memory is taken.
func TestMemoryLimit(t *testing.T) {
	run := func(change func(c *Config)) (string, error) {
		c := smallConfig(t)
		c.Network = normedNet()
		c.Batch, c.Iterations, c.Dir = 32, 6, filepath.Join(t.TempDir(), "run")
		change(&c)
		_, err := Train(t.Context(), c)
		return c.Dir, err
	}
	weights := func(dir string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, WeightsFile))
		require.NoError(t, err)
		return b
	}
	plain, err := run(func(c *Config) {})
	require.NoError(t, err)

	var scarce int64
	dir, err := run(func(c *Config) {
		tr := trainer{c: *c}
		p, err := tr.planBatch(c.Batch)
		require.NoError(t, err)
		scarce = tr.bytes(p) * 3 / 4
		c.Memory = scarce
		_, err = tr.limited(p, c.Batch)
		require.NoError(t, err, "without a limit")
		tr.c.Memory = scarce
		small, err := tr.limited(p, c.Batch)
		require.NoError(t, err)
		steps, _ := small.Recomputed()
		require.Positive(t, steps)
	})
	require.NoError(t, err)
	require.Equal(t, weights(plain), weights(dir))

	resumed, err := run(func(c *Config) { c.Memory, c.Iterations = scarce, 3; c.Optimiser.Schedule.Max = 6 })
	require.NoError(t, err)
	_, err = run(func(c *Config) { c.Dir, c.Resume = resumed, true; c.Optimiser.Schedule.Max = 6 })
	require.NoError(t, err)
	require.Equal(t, weights(plain), weights(resumed))

	_, err = run(func(c *Config) { c.Memory, c.Device = 1000, sealed{c.Device} })
	require.ErrorContains(t, err, "needs at least")
	require.ErrorContains(t, err, "the limit is 0.0 MiB: not even a batch of 1 fits")
}

// normedNet has running statistics and dropout, and keeps much for the backward pass.
func normedNet() *graph.Network {
	n := &graph.Network{Name: "normed"}
	x, label := n.Image("data", 1, 12, 12), n.Label("label")
	for i := range 4 {
		x = n.Add(fmt.Sprint("conv", i), &layers.Conv{Filters: 8, Kernel: layers.Square(3), Pad: layers.Around(1)}, x)
		x = n.Add(fmt.Sprint("norm", i), &layers.BatchNorm{}, x)
		x = n.Add(fmt.Sprint("relu", i), &layers.Unary{Op: device.ReLU}, x)
	}
	x = n.Add("drop", &layers.Dropout{P: 0.3}, x)
	x = n.Add("fc", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	return n
}
