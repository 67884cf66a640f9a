package gradcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
)

// wrong is a layer whose gradient is off.
type wrong struct {
	layers.Unary
	factor float32
}

func (w *wrong) Backward(q device.Queue, c *layers.Call) {
	w.Unary.Backward(q, c)
	p := expr.MustNew(expr.Mul(expr.Const(w.factor), expr.Input(0, expr.Whole)))
	q.Map(p, device.View{N: 1, C: 1, Inner: c.DIn[0].Len()}, c.DIn, c.DIn, []device.Mode{device.Overwrite}, device.Random{})
}

func image(c, h, w int) graph.Input {
	return graph.Input{Name: "x", DType: device.Float32, Shape: []int{c, h, w}}
}

func TestCheckFindsWrongGradients(t *testing.T) {
	l := layers.Unary{Op: device.Tanh}
	require.NoError(t, gradcheck.Check(gradcheck.Layer(&l, image(2, 3, 3)), gradcheck.Options{}))
	for _, factor := range []float32{0.99999, 1.00001, 0, -1} {
		err := gradcheck.Check(gradcheck.Layer(&wrong{l, factor}, image(2, 3, 3)), gradcheck.Options{})
		require.ErrorContains(t, err, "x: gradient of element", "factor %g", factor)
	}
}

func TestCompareFindsWrongGradients(t *testing.T) {
	d, err := cpu.New(2)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	n := gradcheck.Layer(&layers.Conv{Filters: 4, Kernel: layers.Square(3)}, image(3, 8, 8))
	require.NoError(t, gradcheck.Compare(n, d, gradcheck.Options{}))
	require.Error(t, gradcheck.Compare(n, d, gradcheck.Options{Tolerance: 1e-12}), "float32 cannot be that good")
}

func TestNames(t *testing.T) {
	n := gradcheck.Layer(&layers.Conv{Filters: 4, Kernel: layers.Square(3)}, image(3, 8, 8))
	names, err := gradcheck.Names(n, gradcheck.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"layer.bias", "layer.weight", "x"}, names)
}

func TestPlanErrorsComeThrough(t *testing.T) {
	n := gradcheck.Layer(&layers.Conv{Filters: 4, Kernel: layers.Square(9)}, image(3, 8, 8))
	require.ErrorContains(t, gradcheck.Check(n, gradcheck.Options{}), "window of 9x9 does not fit")
}

// The square root has no value for what is drawn below 0. Values keep it in its domain, and too
// few of them are an error.
func TestValues(t *testing.T) {
	n := gradcheck.Layer(&layers.Formula{Formula: "sqrt(x)"}, image(1, 2, 2))
	require.Error(t, gradcheck.Check(n, gradcheck.Options{Batch: 1}))
	o := gradcheck.Options{Batch: 1, Values: map[string][]float32{"x": {1, 2, 3, 4}}}
	require.NoError(t, gradcheck.Check(n, o))
	o.Values["x"] = o.Values["x"][:3]
	require.ErrorContains(t, gradcheck.Check(n, o), "x: there are 3 values for its 4 elements")
}

// A whole small network: everything AlexNet has, with fan-out and two losses.
func TestWholeNetwork(t *testing.T) {
	n := &graph.Network{Name: "small"}
	x, label := n.Input("data", device.Float32, 4, 9, 9), n.Input("label", device.Int32)
	x = n.Add("conv1", &layers.Conv{Filters: 6, Kernel: layers.Square(3), Pad: layers.Around(1), Groups: 2}, x)
	x = n.Add("tanh1", &layers.Unary{Op: device.Tanh}, x)
	x = n.Add("norm1", &layers.LRN{Alpha: new(float32(0.5))}, x)
	x = n.Add("pool1", &layers.Pool{Window: layers.Square(3), Stride: layers.Square(2)}, x)
	y := n.Add("conv2", &layers.Conv{Filters: 6, Kernel: layers.Square(3), Pad: layers.Around(1)}, x)
	x = n.Add("sum", &layers.Add{}, x, y)
	x = n.Add("relu2", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("drop", &layers.Dropout{P: 0.3}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, n.Add("scores", &layers.Dense{Out: 3}, x), label)
	n.Add("loss2", &layers.SoftmaxLoss{Weight: new(float32(0.3))}, n.Add("early", &layers.Dense{Out: 3}, y), label)

	d, err := cpu.New(2)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	for seed := range uint64(5) {
		o := gradcheck.Options{Seed: seed, Classes: 3, Batch: 3}
		require.NoError(t, gradcheck.Check(n, o), "seed %d", seed)
		require.NoError(t, gradcheck.Compare(n, d, o), "seed %d", seed)
	}
}
