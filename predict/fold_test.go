package predict

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// normed is a network y = 3 ((x - 2) / 0.5 2 + 1) of two pixels, by a convolution with the
// factor 1, a batch-norm and a scale, and its weights.
func normed() *modelfile.Model {
	n := &graph.Network{Name: "normed"}
	x := n.Add("conv", &layers.Conv{Filters: 1, Kernel: layers.Square(1), NoBias: true}, n.Image("data", 1, 1, 2))
	x = n.Add("bn", &layers.BatchNorm{Convention: "matconvnet"}, x)
	n.Outputs = []string{n.Add("scale", &layers.Scale{Factor: 3}, x)}
	m := &modelfile.Model{Network: n, Weights: map[string]*tensor.Dense{}}
	for name, v := range map[string]float32{"bn.weight": 2, "bn.bias": 1, "bn.running_mean": 2, "bn.running_std": 0.5} {
		m.Weights[name] = tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{v}))
	}
	m.Weights["conv.weight"] = tensor.New(tensor.WithShape(1, 1, 1, 1), tensor.WithBacking([]float32{1}))
	return m
}

// A batch-norm is folded, unless what is before it was asked for, and every value is what
// it is in the network of the file.
func TestBatchNormIsFolded(t *testing.T) {
	m := normed()
	for _, k := range []struct {
		features []string
		nodes    int
		want     [][]float32
	}{
		{nil, 2, nil},
		{[]string{"bn"}, 2, [][]float32{{5, -3}}},
		{[]string{"conv", "bn"}, 3, [][]float32{{3, 1}, {5, -3}}},
	} {
		p := newPredictor(t, m, Options{Features: k.features})
		require.Len(t, p.plan.Network.Nodes, k.nodes)
		all, err := p.Predict(t.Context(), []float32{3, 1})
		require.NoError(t, err)
		require.Equal(t, []Prediction{{Output: []float32{15, -9}, Features: k.want}}, all)
	}
	require.Len(t, m.Network.Nodes, 3)
	require.Len(t, m.Weights, 5)
}

// Errors are of the network in the file.
func TestErrorsOfAFoldedNetwork(t *testing.T) {
	_, err := New(reference.New(), normed(), Options{Features: []string{"conv1"}})
	require.EqualError(t, err, `keep: network normed has no value "conv1"; it has data, conv, bn, scale`)
	m := normed()
	delete(m.Weights, "bn.running_std")
	_, err = New(reference.New(), m, Options{})
	require.ErrorContains(t, err, "weights of network normed are missing: bn.running_std")
	m = normed()
	m.Weights["bn.running_std"].Float32s()[0] = 0
	p := newPredictor(t, m, Options{})
	require.Len(t, p.plan.Network.Nodes, 3, "1/0 cannot be folded")
}
