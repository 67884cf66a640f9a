package layers_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// everyDevice is the names of the devices that layers are tried on.
var everyDevice = []string{"reference", "cpu", "ptxsim"}

// normal is a tensor of normal numbers, the same for a stream.
func normal(stream uint32, shape ...int) *tensor.Dense {
	x := make([]float32, device.Elements(shape))
	layers.Gaussian(1).Fill(x, layers.Fan{}, device.Random{Stream: stream})
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

// pass is a pass of one layer on a device.
type pass struct {
	t        *testing.T
	executor *graph.Executor
}

// newPass makes a pass of a layer alone, or in training of the layer and a loss of its
// first output, with parameters by name.
func newPass(t *testing.T, name string, l layers.Layer, mode graph.Mode, params map[string]*tensor.Dense, in ...*tensor.Dense) pass {
	d, err := device.Open(name, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	n := &graph.Network{Name: "one"}
	var names []string
	var inputs []layers.Input
	for i, x := range in {
		dtype := device.Float32
		if x.Dtype() == tensor.Int32 {
			dtype = device.Int32
		}
		names = append(names, n.Input(fmt.Sprintf("in%d", i), dtype, x.Shape()[1:]...))
		inputs = append(inputs, layers.Input{Shape: x.Shape(), DType: dtype})
	}
	spec, err := l.Plan(d.Traits(), inputs, layers.Options{})
	require.NoError(t, err)
	y := n.Add("layer", l, names...)
	o := graph.PlanOptions{Mode: mode, Batch: in[0].Shape()[0], Keep: []string{y}}
	for i := range spec.Out[1:] {
		o.Keep = append(o.Keep, fmt.Sprintf("layer:%d", 1+i))
	}
	if mode == graph.Train {
		target := n.Input("target", device.Float32, spec.Out[0].Shape[1:]...)
		n.Add("loss", &layers.L2Loss{}, y, target)
		for i, x := range in {
			if x.Dtype() == tensor.Float32 && !slices.Contains(spec.NoGradient, i) {
				o.InputGrad = append(o.InputGrad, names[i])
			}
		}
	}
	p, err := n.Plan(d.Traits(), o)
	require.NoError(t, err)
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	require.NoError(t, w.Fill(1))
	for name, x := range params {
		require.NoError(t, w.Set("layer."+name, x))
	}
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	made := pass{t, e}
	target := tensor.New(tensor.WithShape(spec.Out[0].Shape...), tensor.Of(tensor.Float32))
	made.forward(target, in)
	return made
}

// number is that of the passes: what is drawn is the same in all.
var number = graph.Pass{Seed: 5, Iteration: 3}

func (p pass) forward(target *tensor.Dense, in []*tensor.Dense) {
	for i, x := range in {
		require.NoError(p.t, p.executor.Upload(fmt.Sprintf("in%d", i), x))
	}
	if p.executor.Plan().Options.Mode == graph.Train {
		require.NoError(p.t, p.executor.Upload("target", target))
	}
	p.executor.Forward(number)
}

// backward is the gradients of the inputs in another pass, where that of the first output
// is (y-target)/N.
func (p pass) backward(target *tensor.Dense, in ...*tensor.Dense) [][]float32 {
	p.forward(target, in)
	p.executor.Backward(number, device.Overwrite)
	var gradients [][]float32
	for i := range in {
		if _, err := p.executor.Tensor(fmt.Sprintf("in%d/d", i)); err == nil {
			gradients = append(gradients, p.float32s(fmt.Sprintf("in%d/d", i)))
		}
	}
	return gradients
}

func (p pass) float32s(name string) []float32 {
	t, err := p.executor.Tensor(name)
	require.NoError(p.t, err)
	return p.download(t)
}

// gradient is that of a parameter.
func (p pass) gradient(name string) []float32 { return p.download(p.executor.Gradient(name)) }

func (p pass) download(t device.Tensor) []float32 {
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(t.Len()))
	p.executor.Queue().Download(x, t)
	require.NoError(p.t, p.executor.Sync())
	return x.Float32s()
}

// out is the first output.
func (p pass) out() []float32 { return p.float32s("layer") }

// near requires numbers to be within a tolerance of what they should be, relative to the
// largest of these; NaN and infinities the same.
func near(t *testing.T, want []float64, got []float32, tolerance float64, message ...any) {
	t.Helper()
	require.Len(t, got, len(want), message...)
	largest := 0.0
	for _, w := range want {
		largest = max(largest, w, -w)
	}
	for i, w := range want {
		require.InDelta(t, w, float64(got[i]), tolerance*largest, append([]any{"element", i}, message...)...)
	}
}
