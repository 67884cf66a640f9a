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
type Gate struct{ layers.Elementwise }

func (*Gate) Type() string { return "gate" }
func (*Gate) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	x, g := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	noise := expr.Mul(expr.Const(0.1), expr.Sub(expr.Draw(0), expr.Const(0.5)))
	e := expr.Exp(expr.Neg(expr.Add(g, noise)))
	return layers.PlanElementwise(expr.MustNew(expr.Div(x, expr.Add(expr.Const(1), e))), 2, in)
}

// First is 3 times the first of two inputs.
type First struct{ layers.Elementwise }

func (*First) Type() string { return "first" }
func (*First) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return layers.PlanElementwise(expr.MustNew(expr.Mul(expr.Const(3), expr.Input(0, expr.Whole))), 2, in)
}

// A layer of programs of one's own runs on every device, which needs nothing of it but
// these, as do some odd ones.
func TestProgramsOnEveryDevice(t *testing.T) {
	image := []int{3, 5, 7}
	for _, n := range []*graph.Network{
		gradcheck.Layer(&Gate{}, graph.Input{Name: "x", Shape: image}, graph.Input{Name: "g", Shape: image}),
		gradcheck.Layer(&First{}, graph.Input{Name: "x", Shape: image}, graph.Input{Name: "unused", Shape: image}),
		gradcheck.Layer(&layers.Scale{}, graph.Input{Name: "x", Shape: image}),
		gradcheck.Layer(&layers.L2Loss{}, graph.Input{Name: "x"}, graph.Input{Name: "target"}),
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
	require.Len(t, s.Programs, 3, "the function and two gradients")
	s.Programs = nil
	require.Equal(t, layers.Spec{Out: []layers.Input{x}, Backward: layers.NeedInputs, Streams: 1}, s)
	_, err = (&Gate{}).Plan(nil, []layers.Input{x}, layers.Options{})
	require.EqualError(t, err, "takes 2 inputs, not 1")
	_, err = (&Gate{}).Plan(nil, []layers.Input{x, {Shape: []int{2, 3}}}, layers.Options{})
	require.EqualError(t, err, "input 1 is [2,3], want [2,3,4,4] to match input 0")
	s, err = (&First{}).Plan(nil, []layers.Input{x, x}, layers.Options{})
	require.NoError(t, err)
	s.Programs = nil
	require.Equal(t, layers.Spec{Out: []layers.Input{x}, Elementwise: true}, s, "its gradient reads neither input nor output")

	in := expr.Input(0, expr.Whole)
	long, wide := in, expr.Input(0, expr.Whole)
	for i := range 200 {
		long = expr.Tanh(long)
		if i > 0 && i < expr.MaxInputs {
			wide = expr.Add(wide, expr.Input(i, expr.Whole))
		}
	}
	for want, outputs := range map[string][]expr.Expr{
		"the program in0 reads input 0 with the axes [C]; those of an element-wise layer are expr.Whole, of float32":         {expr.Input(0, expr.Channel)},
		"the program in0 reads input 0 with the axes [N,C,Inner]; those of an element-wise layer are expr.Whole, of float32": {expr.Integer(0, expr.Whole)},
		"the program (in0 + in2) reads input 2, but the layer has 1: inputs count from 0":                                    {expr.Add(in, expr.Input(2, expr.Whole))},
		"the program (in0 + in1) reads input 1, but the layer has 1: inputs count from 0":                                    {expr.Add(in, expr.Input(1, expr.Whole))},
		"the program in0; in0 has 2 outputs; that of an element-wise layer has 1":                                            {in, in},
	} {
		_, err := layers.PlanElementwise(expr.MustNew(outputs...), 1, []layers.Input{x})
		require.EqualError(t, err, want)
	}
	_, err = layers.PlanElementwise(expr.MustNew(long), 1, []layers.Input{x})
	require.ErrorContains(t, err, "gradient of input 0: a program of more than 256 instructions")
	many := make([]layers.Input, expr.MaxInputs)
	for i := range many {
		many[i] = x
	}
	_, err = layers.PlanElementwise(expr.MustNew(wide), len(many), many)
	require.ErrorContains(t, err, "gradient of input 0: input 16: a program has inputs 0 to 15")
	s, err = layers.PlanElementwise(expr.MustNew(expr.Input(1, expr.Whole)), 2, many[:2])
	require.NoError(t, err, "the first of them unused")
	require.Len(t, s.Programs, 3)
}
