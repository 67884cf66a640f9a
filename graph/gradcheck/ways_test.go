package gradcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/layers"
)

// scaled is y = a x for each channel with a trained a [C], done right where it is not
// told to forget something.
type scaled struct{ forgets string }

var (
	times = expr.MustNew(expr.Mul(expr.Input(0, expr.Whole), expr.Input(1, expr.Channel)))
	dots  = expr.MustNew(expr.Mul(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)))
)

func (*scaled) Type() string { return "scaled" }

func (s *scaled) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	a := layers.Param{Name: "a", Shape: tensor.Shape{in[0].Shape[1]}, Filler: layers.Constant(1), Rate: 1, Decay: 1}
	if s.forgets == "rate" {
		a.Rate, a.Decay = 0, 0
	}
	return layers.Spec{
		Out: []layers.Input{in[0]}, Params: []layers.Param{a}, Backward: layers.NeedInputs,
		Saved: []layers.Slot{{Name: "x", Shape: in[0].Shape, DType: device.Float32, Batched: s.forgets != "batched"}},
	}, nil
}

func (s *scaled) view(x device.Tensor) device.View {
	return device.View{N: x.Shape[0], C: x.Shape[1], Inner: x.Shape[2]}
}

func (s *scaled) Forward(q device.Queue, c *layers.Call) {
	q.Map(times, s.view(c.In[0]), c.Out, []device.Tensor{c.In[0], c.Params[0]}, []device.Mode{device.Overwrite}, device.Random{})
	q.Copy(c.Saved[0], c.In[0])
}

func (s *scaled) Backward(q device.Queue, c *layers.Call) {
	in, v := []device.Tensor{c.Saved[0], c.DOut[0]}, s.view(c.DOut[0])
	mode, params := c.Modes[0], c.ParamMode
	if s.forgets == "modes" {
		mode = device.Overwrite
	}
	if s.forgets == "param mode" {
		params = device.Overwrite
	}
	if !c.DParams[0].IsNil() || s.forgets == "frozen" {
		q.Reduce(dots, v, device.Sum, expr.Channel, c.DParams[0], in, params, device.Random{})
	}
	if c.WantsGradient(0) || s.forgets == "wants" {
		q.Map(times, v, c.DIn, []device.Tensor{c.DOut[0], c.Params[0]}, []device.Mode{mode}, device.Random{})
	}
}

// What a layer's Backward forgets shows only in some plans; Check runs them all.
func TestCheckRunsALayerInEveryWay(t *testing.T) {
	check := func(forgets string) error {
		n := gradcheck.Layer(&scaled{forgets}, graph.Input{Name: "x", Shape: []int{3, 4}})
		return gradcheck.Check(n, gradcheck.Options{})
	}
	require.NoError(t, check(""))
	for forgets, says := range map[string]string{
		"rate":       "layer.a: it would not train: both the Rate and the Decay of its Param are 0",
		"modes":      "x: gradient, where another layer reads it too: element ",
		"param mode": "layer.a: gradient, added to itself by a second pass: element ",
		"frozen":     "where layer.a is frozen: layer: ",
		"wants":      "where the gradient of x is not wanted: layer: ",
		"batched":    "1 samples in a plan for 2: layer: ",
	} {
		require.ErrorContains(t, check(forgets), says, forgets)
	}
}

// A function whose second derivative jumps, as the square of a ReLU, has a gradient
// everywhere; steps across the jump are not held against it.
func TestJumpsOfTheSecondDerivative(t *testing.T) {
	n := &graph.Network{Name: "squares"}
	x := n.Add("conv", &layers.Conv{Filters: 2, Kernel: layers.Square(1)}, n.Input("x", device.Float32, 1, 40, 40))
	x = n.Add("square", &squaredReLU{}, x) // a bias moves 3,200 numbers, a few of them across the jump
	n.Add("loss", &layers.L2Loss{}, x, n.Input("target", device.Float32, 2, 40, 40))
	for seed := range uint64(20) {
		require.NoError(t, gradcheck.Check(n, gradcheck.Options{Seed: seed}), "seed %d", seed)
	}
}

type squaredReLU struct{ layers.Elementwise }

func (*squaredReLU) Type() string { return "squared-relu" }

func (*squaredReLU) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	x := expr.Max(expr.Input(0, expr.Whole), expr.Const(0))
	return layers.PlanElementwise(expr.MustNew(expr.Mul(x, x)), 1, in)
}
