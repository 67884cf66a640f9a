package graph_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/layers"
)

// siamese has two branches of the same weights, of which the second has a bias of its own, a
// batch-norm that is called twice, and a dense layer that is called twice in a row.
func siamese() *graph.Network {
	n := &graph.Network{Name: "siamese", Outputs: []string{"fc_b"}}
	add := func(name string, l layers.Layer, share map[string]string, in ...string) string {
		n.Nodes = append(n.Nodes, graph.Node{Name: name, Layer: l, In: in, Share: share})
		return name
	}
	conv := &layers.Conv{Filters: 3, Kernel: layers.Square(3), Pad: layers.Around(1)}
	a := add("conv", conv, nil, n.Input("left", device.Float32, 2, 4, 4))
	b := add("conv_b", conv, map[string]string{"weight": "conv.weight"}, n.Input("right", device.Float32, 2, 4, 4))
	a = add("norm", &layers.BatchNorm{}, nil, a)
	b = add("norm_b", &layers.BatchNorm{}, map[string]string{"weight": "norm.weight", "bias": "norm.bias",
		"running_mean": "norm.running_mean", "running_var": "norm.running_var"}, b)
	sum := add("sum", &layers.Add{}, nil, a, b)
	fc := &layers.Dense{Out: 48}
	y := add("fc", fc, nil, add("flat", &layers.Flatten{}, nil, add("tanh", &layers.Unary{Op: device.Tanh}, nil, sum)))
	y = add("fc_b", fc, map[string]string{"weight": "fc.weight", "bias": "fc.bias"}, y)
	add("loss", &layers.L2Loss{}, nil, y, n.Input("target", device.Float32, 48))
	return n
}

func TestSharedGradients(t *testing.T) {
	require.NoError(t, gradcheck.Check(siamese(), gradcheck.Options{Batch: 3}))
	for _, frozen := range []string{"conv", "conv_b", "norm_b", "fc", "fc.bias"} {
		require.NoError(t, gradcheck.Check(siamese(), gradcheck.Options{Batch: 3, Frozen: []string{frozen}}), frozen)
	}
	sim, err := device.Open("ptxsim", device.Options{})
	require.NoError(t, err)
	defer sim.Close()
	for _, d := range []device.Device{openCPU(t, 2), sim} {
		require.NoError(t, gradcheck.Compare(siamese(), d, gradcheck.Options{Batch: 3}), d.Name())
	}
}

// A tensor that layers share is there once, for the update and in files too.
func TestSharedIsOnce(t *testing.T) {
	n := siamese()
	d := openCPU(t, 1)
	own := []string{"conv.weight", "conv.bias", "conv_b.bias", "norm.weight", "norm.bias", "fc.weight", "fc.bias"}
	p, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 2})
	require.NoError(t, err)
	var names []string
	for _, q := range p.Params {
		names = append(names, q.Name)
	}
	require.ElementsMatch(t, own, names)
	require.Len(t, p.Segments(), len(own))
	names = nil
	for _, q := range p.ParamsOf(1) {
		names = append(names, q.Name)
	}
	require.Equal(t, []string{"conv.weight", "conv_b.bias"}, names)

	e := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 2})
	require.Equal(t, append(own, "norm.running_mean", "norm.running_var"), e.Weights().Names())
	told, end := []string(nil), int64(-1)
	e.OnGradient(func(p *graph.Param, g device.Tensor) {
		told = append(told, p.Name)
		require.Greater(t, p.Grad, end, "%s is not in the order of the slab", p.Name)
		require.False(t, g.IsNil())
		end = p.Grad
	})
	upload(t, e, 0)
	step(e, graph.Pass{})
	require.NoError(t, e.Sync())
	require.ElementsMatch(t, own, told)

	text, err := n.Summary(d.Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	require.Contains(t, text, "2,418", "57 of conv, 3 of conv_b, 6 of norm, 2,352 of fc")
}

// Both calls of a batch-norm update its running statistics, in their order.
func TestSharedState(t *testing.T) {
	n := siamese()
	after := func(n *graph.Network, frozen ...string) map[string]*tensor.Dense {
		e := newExecutor(t, openCPU(t, 1), n, graph.PlanOptions{Mode: graph.Train, Batch: 2, Frozen: frozen})
		upload(t, e, 0)
		step(e, graph.Pass{})
		require.NoError(t, e.Sync())
		state, err := e.Weights().State()
		require.NoError(t, err)
		return state
	}
	both := after(n)["norm.running_mean"].Float32s()
	apart := siamese()
	apart.Nodes[3].Share = nil
	alone := after(apart)
	for i, m := range alone["norm.running_mean"].Float32s() {
		require.InDelta(t, 0.9*m+alone["norm_b.running_mean"].Float32s()[i], both[i], 1e-6)
	}
	for _, name := range []string{"norm", "norm_b", "norm.running_var"} {
		require.Equal(t, []float32{0, 0, 0}, after(n, name)["norm.running_mean"].Float32s(), "both calls are frozen by %s", name)
	}
}

// The bits of gradients that are added up do not depend on the number of workers.
func TestSharedBits(t *testing.T) {
	gradients := func(workers int) []float32 {
		e := newExecutor(t, openCPU(t, workers), siamese(), graph.PlanOptions{Mode: graph.Train, Batch: 5})
		upload(t, e, 0)
		step(e, graph.Pass{})
		x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(e.Gradients().Len()))
		e.Queue().Download(x, e.Gradients())
		require.NoError(t, e.Sync())
		return x.Float32s()
	}
	want := gradients(1)
	for _, workers := range []int{2, 3, 8} {
		require.Equal(t, want, gradients(workers), workers)
	}
}

// A layer that has a tensor need not run itself.
func TestSharedWithLayerThatDoesNotRun(t *testing.T) {
	n := siamese()
	n.Nodes[4] = graph.Node{Name: "sum", Layer: &layers.Unary{Op: device.Tanh}, In: []string{"norm_b"}}
	for _, s := range mustPlan(t, n).Steps {
		require.NotContains(t, []string{"conv", "norm"}, n.Nodes[s.Node].Name)
	}
	n.Inputs = slices.Delete(n.Inputs, 0, 1)
	n.Nodes[0].In[0] = "right" // gradcheck gives every input values
	require.NoError(t, gradcheck.Check(n, gradcheck.Options{Frozen: []string{"conv.bias"}}))
}

func mustPlan(t *testing.T, n *graph.Network) *graph.Plan {
	t.Helper()
	p, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 2})
	require.NoError(t, err)
	return p
}

// Layers that share are not folded: one of them would lose what the other one needs.
func TestSharedIsNotFolded(t *testing.T) {
	n := siamese()
	p, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	weights := map[string]*tensor.Dense{}
	for _, q := range p.Params {
		weights[q.Name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(q.Shape...))
	}
	for _, name := range []string{"norm.running_mean", "norm.running_var"} {
		weights[name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(3))
	}
	folded, left := p.Fold(weights)
	require.Equal(t, n.Nodes, folded.Nodes)
	require.Equal(t, weights, left)

	// The same network without sharing is folded.
	for i := range n.Nodes {
		for name, of := range n.Nodes[i].Share {
			weights[n.Nodes[i].Name+"."+name] = weights[of]
		}
		n.Nodes[i].Share = nil
	}
	p, err = n.Plan(reference.New().Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	folded, _ = p.Fold(maps.Clone(weights))
	require.Len(t, folded.Nodes, len(n.Nodes)-2)
}

func TestSharedInJSON(t *testing.T) {
	text, err := json.Marshal(siamese())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), `{"version":2,"name":"siamese",`))
	require.Contains(t, string(text), `"share":{"bias":"fc.bias","weight":"fc.weight"}`)
	n, err := graph.ReadJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Equal(t, siamese(), n)

	for _, version := range []string{"", `"version":1,`} {
		_, err = graph.ReadJSON(strings.NewReader(strings.Replace(string(text), `"version":2,`, version, 1)))
		require.ErrorContains(t, err, `conv_b shares weights, which version 2 of the format has: put "version": 2 before the network's name`)
	}
	text, err = json.Marshal(small())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), `{"version":1,`), "older programs read what shares nothing")
}

func TestSharedInWords(t *testing.T) {
	for _, c := range []struct {
		node  int
		share map[string]string
		want  string
	}{
		{1, map[string]string{"weight": "conv9.weight"}, `conv_b: its weight is to be "conv9.weight", which no layer before it has itself: name a parameter or state of such a layer, such as "conv1.weight"`},
		{0, map[string]string{"weight": "conv_b.weight"}, `conv: its weight is to be "conv_b.weight", which no layer before it has itself`},
		{1, map[string]string{"weight": "conv_b.weight"}, `conv_b: its weight is to be "conv_b.weight", which no layer before it has itself`},
		{1, map[string]string{"weight": "conv"}, `conv_b: its weight is to be "conv", which no layer before it has itself`},
		{1, map[string]string{"wieght": "conv.weight"}, `conv_b: it shares "wieght" with "conv.weight", and a layer of the type conv with these options has weight, bias`},
		{2, map[string]string{"weight": "conv.weight"}, `norm: its weight has the shape [3], and conv.weight, which it is to be, [3 2 3 3]`},
		{3, map[string]string{"running_mean": "norm.weight"}, `norm_b: its running_mean is to be norm.weight: one is a parameter and the other state, or their types differ`},
		{3, map[string]string{"weight": "conv.bias", "bias": "conv.bias"}, `norm_b: both its bias and its weight are to be conv.bias: a layer has each tensor once`},
		{3, map[string]string{"a\nb": "\x1b"}, `norm_b: it shares "a\nb" with "\x1b", and`},
	} {
		n := siamese()
		n.Nodes[c.node].Share = c.share
		_, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Batch: 1})
		require.ErrorContains(t, err, c.want)
		_, err = graph.NewWeights(n, reference.New())
		require.ErrorContains(t, err, c.want)
	}
	n := siamese() // a tensor has one place: that of the layer that has it itself
	n.Nodes = slices.Insert(n.Nodes, 2, graph.Node{Name: "third", Layer: n.Nodes[1].Layer, In: []string{"left"}, Share: map[string]string{"weight": "conv_b.weight"}})
	_, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Batch: 1})
	require.ErrorContains(t, err, `third: its weight is to be "conv_b.weight", which no layer before it has itself`)
}
