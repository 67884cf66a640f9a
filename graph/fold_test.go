package graph_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
)

// foldNet has batch-norms that can be folded, n1 to n4, and others, k1 to k5.
func foldNet() *graph.Network {
	n := &graph.Network{Name: "folds"}
	add := func(name string, l layers.Layer, in ...string) string { return n.Add(name, l, in...) }
	off := layers.Affine{On: new(false)}
	x := n.Image("data", 3, 9, 8)
	x = add("k1", &layers.BatchNorm{}, x) // of an input
	x = add("conv1", &layers.Conv{Filters: 4, Kernel: layers.Square(3), NoBias: true}, x)
	x = add("n1", &layers.BatchNorm{}, x)
	x = add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = add("conv2", &layers.Conv{Filters: 6, Kernel: layers.Size{H: 2, W: 1}, Groups: 2}, x)
	x = add("n2", &layers.BatchNorm{Convention: "caffe"}, x)
	x = add("k2", &layers.BatchNorm{Affine: off}, x) // of n2, and then of what n2 is folded into
	both := add("conv3", &layers.Conv{Filters: 6, Kernel: layers.Square(1)}, x)
	x = add("k3", &layers.BatchNorm{}, both) // conv3 has another reader
	x = add("sum", &layers.Add{}, x, both)
	asked := add("conv4", &layers.Conv{Filters: 3, Kernel: layers.Square(2)}, x)
	x = add("k4", &layers.BatchNorm{}, asked) // conv4 is an output
	x = add("fc1", &layers.Dense{Out: 7}, x)
	x = add("n3", &layers.BatchNorm{Convention: "matconvnet", Eps: new(float32(0.5))}, x)
	x = add("tanh", &layers.Unary{Op: device.Tanh}, x)
	x = add("fc2", &layers.Dense{Out: 5, NoBias: true}, x)
	x = add("n4", &layers.BatchNorm{Affine: off}, x)
	n.Outputs = []string{x, asked}
	add("loss", &layers.L2Loss{}, x, n.Target("target", 5))
	metric := add("score", &layers.Dense{Out: 1}, x)
	n.Metric(metric, graph.Lower)
	add("k5", &layers.BatchNorm{}, metric)
	return n
}

// inferencePlan is a plan that keeps values.
func inferencePlan(t testing.TB, n *graph.Network, d device.Device, keep ...string) *graph.Plan {
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Batch: 4, Keep: keep})
	require.NoError(t, err)
	return p
}

// valuesOf has numbers like those of a trained network for all weights.
func valuesOf(t testing.TB, n *graph.Network, d device.Device) map[string]*tensor.Dense {
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	values := map[string]*tensor.Dense{}
	for i, name := range w.Names() {
		x := make([]float32, w.Shape(name).TotalSize())
		layers.Gaussian(0.4).Fill(x, layers.Fan{}, device.Random{Seed: 3, Stream: uint32(i)})
		if strings.HasSuffix(name, "_var") || strings.HasSuffix(name, "_std") || strings.HasSuffix(name, "_factor") {
			for k, v := range x {
				x[k] = 0.2 + 3*v*v
			}
		}
		values[name] = tensor.New(tensor.WithShape(w.Shape(name)...), tensor.WithBacking(x))
	}
	require.NoError(t, w.Close())
	return values
}

// infer is the values that the plan keeps.
func infer(t testing.TB, p *graph.Plan, d device.Device, values map[string]*tensor.Dense) map[string][]float32 {
	w, err := graph.NewWeights(p.Network, d)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	require.ElementsMatch(t, w.Names(), slices.Collect(maps.Keys(values)))
	for name, x := range values {
		require.NoError(t, w.Set(name, x))
	}
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	x := make([]float32, 4*3*9*8)
	layers.Gaussian(1).Fill(x, layers.Fan{}, device.Random{Seed: 5})
	require.NoError(t, e.Upload("data", tensor.New(tensor.WithShape(4, 3, 9, 8), tensor.WithBacking(x))))
	e.Forward(graph.Pass{})
	out := map[string][]float32{}
	for _, name := range p.Options.Keep {
		y, err := e.Read(name)
		require.NoError(t, err)
		out[name] = slices.Clone(y.Float32s())
	}
	return out
}

func TestFold(t *testing.T) {
	n := foldNet()
	for _, d := range []device.Device{reference.New(), openCPU(t, 2)} {
		values := valuesOf(t, n, d)
		for _, k := range []struct{ keep, left []string }{
			{[]string{"n4", "k5", "conv4"}, []string{"k1", "k3", "k4", "k5"}},
			{[]string{"n4", "conv1", "n2", "k2", "fc1"}, []string{"k1", "n1", "k2", "k3", "k4", "n3", "k5"}},
			{[]string{"n4", "n1", "relu1", "n3"}, []string{"k1", "k3", "k4", "k5"}},
		} {
			p := inferencePlan(t, n, d, k.keep...)
			folded, weights := p.Fold(values)
			var left []string
			for _, node := range folded.Nodes {
				if _, ok := node.Layer.(*layers.BatchNorm); ok {
					left = append(left, node.Name)
				}
			}
			require.Equal(t, k.left, left)
			want := infer(t, p, d, values)
			for name, y := range infer(t, inferencePlan(t, folded, d, k.keep...), d, weights) {
				for i := range y {
					require.InDelta(t, want[name][i], y[i], 2e-5*math.Max(1, math.Abs(float64(want[name][i]))), "%s %d", name, i)
				}
			}
		}
	}
	require.Equal(t, foldNet(), n, "the network is as it was")
}

// What nobody can fold is given back as it is, for an error that names what is in the
// file.
func TestFoldOfWeightsThatAreNotThere(t *testing.T) {
	n, d := foldNet(), reference.New()
	p := inferencePlan(t, n, d)
	for name, bad := range map[string]*tensor.Dense{
		"conv1.weight":     nil,
		"n1.running_mean":  nil,
		"n1.running_var":   tensor.New(tensor.WithShape(5), tensor.WithBacking(make([]float32, 5))),
		"conv2.bias":       tensor.New(tensor.WithShape(6), tensor.WithBacking(make([]int32, 6))),
		"n2.scale_factor":  tensor.New(tensor.WithShape(1), tensor.WithBacking(make([]float64, 1))),
		"fc1.weight":       tensor.New(tensor.WithShape(3, 7), tensor.WithBacking(make([]float32, 21))),
		"n3.running_std":   tensor.New(tensor.WithShape(7, 1), tensor.WithBacking(make([]float32, 7))),
		"conv4.no_weights": nil,
	} {
		values := valuesOf(t, n, d)
		values[name] = bad
		if bad == nil {
			delete(values, name)
		}
		folded, weights := p.Fold(values)
		if name == "conv4.no_weights" { // all is there
			require.NotSame(t, n, folded)
			continue
		}
		require.Same(t, n, folded, name)
		require.Equal(t, values, weights)
	}
	// One that is not finite stays, the others do not.
	for name, bad := range map[string]float32{"n1.running_var": -1, "n1.weight": float32(math.Inf(1)), "conv1.weight": float32(math.NaN()), "n1.running_mean": float32(math.NaN())} {
		values := valuesOf(t, n, d)
		values[name].Float32s()[0] = bad
		folded, weights := p.Fold(values)
		require.Contains(t, weights, "n1.running_mean", name)
		require.Equal(t, values["conv1.weight"], weights["conv1.weight"])
		require.Len(t, folded.Nodes, len(n.Nodes)-4, name)
	}
}

// BenchmarkFold is inference of a small network, of convolutions with batch-norm and ReLU,
// as it is and folded.
func BenchmarkFold(b *testing.B) {
	n := &graph.Network{Name: "small"}
	x := n.Image("data", 3, 32, 32)
	for i, filters := range []int{32, 32, 64, 64} {
		x = n.Add(fmt.Sprintf("conv%d", i), &layers.Conv{Filters: filters, Kernel: layers.Square(3), Pad: layers.Around(1), Stride: layers.Square(1 + i/2), NoBias: true}, x)
		x = n.Add(fmt.Sprintf("bn%d", i), &layers.BatchNorm{}, x)
		x = n.Add(fmt.Sprintf("relu%d", i), &layers.Unary{Op: device.ReLU}, x)
	}
	n.Outputs = []string{n.Add("fc", &layers.Dense{Out: 10}, x)}
	d, err := cpu.New(1)
	require.NoError(b, err)
	defer func() { require.NoError(b, d.Close()) }()
	values := valuesOf(b, n, d)
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Batch: 32})
	require.NoError(b, err)
	folded, weights := p.Fold(values)
	run := func(name string, n *graph.Network, values map[string]*tensor.Dense) {
		b.Run(name, func(b *testing.B) {
			p, err := n.Plan(d.Traits(), graph.PlanOptions{Batch: 32})
			require.NoError(b, err)
			w, err := graph.NewWeights(n, d)
			require.NoError(b, err)
			for name, x := range values {
				require.NoError(b, w.Set(name, x))
			}
			e, err := graph.NewExecutor(p, w)
			require.NoError(b, err)
			x := tensor.New(tensor.WithShape(32, 3, 32, 32), tensor.WithBacking(make([]float32, 32*3*32*32)))
			for b.Loop() {
				require.NoError(b, e.Upload("data", x))
				e.Forward(graph.Pass{})
				require.NoError(b, e.Sync())
			}
			require.NoError(b, e.Close())
			require.NoError(b, w.Close())
		})
	}
	run("as it is", n, values)
	run("folded", folded, weights)
}
