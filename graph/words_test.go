package graph_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// What is wrong with a network is said of the network, the layer and the name
// that it is wrong with.
func TestCheckInWords(t *testing.T) {
	for want, spoil := range map[string]func(n *graph.Network){
		"network net: input 1 has no name":                                                 func(n *graph.Network) { n.Inputs[1].Name = "" },
		"network net: layer 1 has no name":                                                 func(n *graph.Network) { n.Nodes[1].Name = "" },
		`network net: the name "a/b" holds a colon, slash, space or control character`:     func(n *graph.Network) { n.Nodes[1].Name = "a/b" },
		`network net: the name "a b" holds a colon, slash, space or control character`:     func(n *graph.Network) { n.Inputs[0].Name = "a b" },
		`network net: the name "a\nb" holds a colon, slash, space or control character`:    func(n *graph.Network) { n.Nodes[0].Name = "a\nb" },
		`network net: the name "conv" is taken twice`:                                      func(n *graph.Network) { n.Nodes[1].Name = "conv" },
		`network net: the name "data" is taken twice`:                                      func(n *graph.Network) { n.Nodes[1].Name = "data" },
		"network net: input data has the shape [1 0 4]; each dimension must be at least 1": func(n *graph.Network) { n.Inputs[0].Shape = []int{1, 0, 4} },
		"network net: layer relu has no type":                                              func(n *graph.Network) { n.Nodes[1].Layer = nil },
		"network net: layer relu has no inputs":                                            func(n *graph.Network) { n.Nodes[1].In = nil },
		"network net: there are no layers":                                                 func(n *graph.Network) { n.Nodes = nil },
	} {
		n := small()
		require.NoError(t, n.Check())
		spoil(n)
		require.EqualError(t, n.Check(), want)
	}
}

// small is a network of a convolution and its activation; label is not read.
func small() *graph.Network {
	n := &graph.Network{Name: "net", Outputs: []string{"relu"}}
	n.Input("data", device.Float32, 1, 3, 4)
	n.Input("label", device.Int32)
	n.Add("conv", &layers.Conv{Filters: 2, Kernel: layers.Size{H: 1, W: 3}}, "data")
	n.Add("relu", &layers.Unary{}, "conv")
	return n
}

func TestReadFileNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.json")
	_, err := graph.ReadFile(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	const text = `{"name":"net","inputs":[{"name":"data","dtype":"float32","shape":[1]}],"layers":[{"name":"a","type":"relu","in":["data"]}]}`
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	n, err := graph.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "net", n.Name)
	require.NoError(t, os.WriteFile(path, []byte(text+"x"), 0o666))
	_, err = graph.ReadFile(path)
	require.EqualError(t, err, path+": network in JSON: something follows the network")
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(text, "relu", "rely", 1)), 0o666))
	_, err = graph.ReadFile(path)
	require.ErrorContains(t, err, path+`: network in JSON: a: layer type "rely" is unknown; there are`)
}

func TestSummaryInFull(t *testing.T) {
	n := small()
	n.Add("flat", &layers.Flatten{}, "relu")
	n.Add("fc", &layers.Dense{Out: 70_000}, "flat")
	n.Add("loss", &layers.SoftmaxLoss{}, "fc", "label")
	s, err := n.Summary(plainTraits, graph.PlanOptions{Mode: graph.Train, Batch: 8})
	require.NoError(t, err)
	require.Equal(t, strings.TrimPrefix(`
  layer          type  output  parameters  MFLOPs
   data         input   1x3x4                    
  label         input  scalar                    
   conv          conv   2x3x2           8    0.00
   relu          relu   2x3x2                0.00
   flat       flatten      12                0.00
     fc         dense   70000     910,000    1.68
   loss  softmax-loss  scalar                0.00
  total                           910,008    1.68

memory to train at batch 8: 14.7 MiB
  activations 4.3 MiB (4.3 MiB if nothing were shared), weights 3.5 MiB, gradients 3.5 MiB, optimiser 3.5 MiB
`, "\n"), s)
}

func TestMemoryAddsUp(t *testing.T) {
	m := graph.Memory{Activations: 1, Weights: 20, Gradients: 300, Optimiser: 4000}
	require.Equal(t, int64(4321), m.Total())
	p := &graph.Plan{Arena: 1, WeightBytes: 20, PackedBytes: 300, StateBytes: 4000, ConstantBytes: 600000, GradientBytes: 50000}
	require.Equal(t, graph.Memory{Activations: 1, Weights: 604320, Gradients: 50000, Optimiser: 50000}, p.Memory())
	require.Equal(t, "1.5 MiB", graph.MiB(3<<19))
}

// Segments are in elements, and leave out what is not trained.
func TestSegments(t *testing.T) {
	param := func(weight, grad int64, rate, decay float32, shape ...int) graph.Param {
		return graph.Param{Param: layers.Param{Shape: tensor.Shape(shape), Rate: rate, Decay: decay}, Weight: weight, Grad: grad}
	}
	p := &graph.Plan{Params: []graph.Param{param(0, 0, 1, 2, 3, 5), param(64, -1, 3, 4, 7), param(128, 256, 5, 6, 2)}}
	require.Equal(t, []device.Segment{
		{Weight: 0, Grad: 0, Len: 15},
		{Weight: 32, Grad: 64, Len: 2},
	}, p.Segments())
}
