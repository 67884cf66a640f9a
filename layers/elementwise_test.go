package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/layers"
)

// Gate is x sigmoid(g), with some noise on g: two inputs and a draw.
type Gate struct{}

var gate = func() *layers.Elementwise {
	x, g := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	noise := expr.Mul(expr.Const(0.1), expr.Sub(expr.Draw(0), expr.Const(0.5)))
	e := expr.Exp(expr.Neg(expr.Add(g, noise)))
	return layers.NewElementwise(expr.MustNew(expr.Div(x, expr.Add(expr.Const(1), e))))
}()

func (*Gate) Type() string { return "gate" }
func (*Gate) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return gate.Plan(in)
}
func (*Gate) Forward(q device.Queue, c *layers.Call)  { gate.Forward(q, c) }
func (*Gate) Backward(q device.Queue, c *layers.Call) { gate.Backward(q, c) }

// A layer of programs runs on every device, which needs nothing of it but these.
func TestProgramsOnEveryDevice(t *testing.T) {
	image := []int{3, 5, 7}
	for _, n := range []*graph.Network{
		gradcheck.Layer(&Gate{}, graph.Input{Name: "x", Shape: image}, graph.Input{Name: "g", Shape: image}),
		gradcheck.Layer(&layers.HardSwish{}, graph.Input{Name: "x", Shape: image}),
		gradcheck.Layer(&layers.HardSwish{}, graph.Input{Name: "x", Shape: []int{9}}),
		gradcheck.Layer(&layers.L2Norm{}, graph.Input{Name: "x", Shape: image}),
	} {
		require.NoError(t, gradcheck.Check(n, gradcheck.Options{}))
		for _, name := range []string{"cpu", "ptxsim"} {
			d, err := device.Open(name, device.Options{})
			require.NoError(t, err)
			require.NoError(t, gradcheck.Compare(n, d, gradcheck.Options{}), name)
			require.NoError(t, d.Close())
		}
	}
}

func TestElementwisePlan(t *testing.T) {
	x := layers.Input{Shape: []int{2, 3, 4, 4}}
	s, err := (&Gate{}).Plan(nil, []layers.Input{x, x}, layers.Options{})
	require.NoError(t, err)
	require.Equal(t, layers.Spec{Out: []layers.Input{x}, Backward: layers.NeedInputs, Streams: 1}, s)
	_, err = (&Gate{}).Plan(nil, []layers.Input{x}, layers.Options{})
	require.EqualError(t, err, "got 1 inputs, want 2: input, input")
	_, err = (&Gate{}).Plan(nil, []layers.Input{x, {Shape: []int{2, 3}}}, layers.Options{})
	require.EqualError(t, err, "input 1 is [2,3], want [2,3,4,4] to match input 0")
	linear := layers.NewElementwise(expr.MustNew(expr.Mul(expr.Const(3), expr.Input(0, expr.Whole))))
	s, err = linear.Plan([]layers.Input{x})
	require.NoError(t, err)
	require.Equal(t, layers.Spec{Out: []layers.Input{x}, InPlace: true}, s, "its gradient reads neither input nor output")

	require.Panics(t, func() { layers.NewElementwise(expr.MustNew(expr.Input(0, expr.Channel))) })
	require.Panics(t, func() { layers.NewElementwise(expr.MustNew(expr.Const(1))) })
	require.Panics(t, func() {
		layers.NewElementwise(expr.MustNew(expr.Input(0, expr.Whole), expr.Input(0, expr.Whole)))
	})
}
