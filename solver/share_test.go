package solver

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// sharedConfig is smallConfig with a convolution, and a batch-norm, that are used twice in a row.
func sharedConfig(t *testing.T) Config {
	c := smallConfig(t)
	n := &graph.Network{Name: "twice"}
	label := n.Label("label")
	conv := &layers.Conv{Filters: 2, Kernel: layers.Square(3), Pad: layers.Around(1)}
	x := n.Add("first", &layers.Conv{Filters: 2, Kernel: layers.Square(3), Stride: layers.Square(2)}, n.Image("data", 1, 12, 12))
	x = n.Add("norm_a", &layers.BatchNorm{}, n.Add("a", conv, x))
	x = n.Add("norm_b", &layers.BatchNorm{}, n.Add("b", conv, x))
	n.Nodes[3].Share = map[string]string{"weight": "a.weight", "bias": "a.bias"}
	n.Nodes[4].Share = map[string]string{"weight": "norm_a.weight", "bias": "norm_a.bias", "running_mean": "norm_a.running_mean", "running_var": "norm_a.running_var"}
	x = n.Add("fc", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	c.Network = n
	return c
}

// A name of a layer that uses weights of another one, or of such a weight, must not change less
// than it says.
func TestNamesOfSharedWeights(t *testing.T) {
	c := sharedConfig(t)
	for _, name := range []string{"b", "b.weight", "norm_b.running_var"} {
		c.Optimiser.LayerRates = map[string]float32{name: 0.5}
		_, err := Train(t.Context(), c)
		require.ErrorContains(t, err, "rates of layers: ")
		require.ErrorContains(t, err, ", which layers share: name that, or what ")
	}
	delete(c.Network.Nodes[3].Share, "bias") // b has a bias of its own
	c.Optimiser.LayerRates = map[string]float32{"b": 0.5}
	_, err := Train(t.Context(), c)
	require.ErrorContains(t, err, "rates of layers: weight of layer b is a.weight, which layers share: name that, or what b has itself")
	c.Optimiser.LayerRates = map[string]float32{"a": 0.5, "b.bias": 2}
	_, err = Train(t.Context(), c)
	require.NoError(t, err)
}

// The filters that are shown are those of a layer that has them.
func TestFirstFiltersAreALayersOwn(t *testing.T) {
	n := sharedConfig(t).Network
	n.Nodes[0], n.Nodes[1] = n.Nodes[3], n.Nodes[0]
	layer, ok := FirstFilters(n)
	require.True(t, ok)
	require.Equal(t, "first", layer)
}

// Weights that layers share are trained, stored and resumed once, with the same bytes for any
// number of workers.
func TestSharedWeightsInTraining(t *testing.T) {
	c := sharedConfig(t)
	for _, passes := range []int{1, 2} {
		c.Batch, c.Accumulate = 8/passes, passes
		straight := trainIn(t, c)
		m, err := modelfile.Read(filepath.Join(straight, WeightsFile))
		require.NoError(t, err)
		require.Len(t, m.Weights, 2+2+4+2)
		require.Contains(t, m.Weights, "a.weight")
		require.Equal(t, c.Network.Nodes[3].Share, m.Network.Nodes[3].Share)
		tensors, _, err := modelfile.ReadVerified(filepath.Join(straight, CheckpointFile))
		require.NoError(t, err)
		require.Contains(t, tensors, "momentum/a.weight")
		for _, name := range []string{"b.weight", "momentum/b.weight", "norm_b.running_mean"} {
			require.NotContains(t, tensors, name)
		}
		dir := stopAfter(t, c, 4)
		resume(t, dir, c)
		requireSameFiles(t, straight, dir)

		d, err := device.Open("cpu", device.Options{Threads: 3})
		require.NoError(t, err)
		other := c
		other.Device = d
		require.Equal(t, weightsOf(t, straight), weightsOf(t, trainIn(t, other)))
		require.NoError(t, d.Close())
	}
	c.DebugEvery = 1 // the probe reads every weight and gradient
	trainIn(t, c)
}
