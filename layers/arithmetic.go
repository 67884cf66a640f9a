package layers

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	Register(func() Layer { return &Add{} })
	Register(func() Layer { return &Scale{Factor: 1} })
}

// Add is the sum of two or more inputs of one shape.
type Add struct{}

// Type is "add".
func (l *Add) Type() string { return "add" }

// Plan checks that the shapes are the same.
func (l *Add) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectSeveral(in, 2); err != nil {
		return Spec{}, err
	}
	if len(in) > expr.MaxInputs {
		return Spec{}, fmt.Errorf("got %d inputs, want at most %d: add the others in another layer", len(in), expr.MaxInputs)
	}
	if err := expectAlike(in); err != nil {
		return Spec{}, err
	}
	sum := expr.Input(0, expr.Whole)
	for i := range in[1:] {
		sum = expr.Add(sum, expr.Input(1+i, expr.Whole))
	}
	return Spec{Out: like(in[0]), InPlace: true, Programs: []*expr.Program{expr.MustNew(sum)}}, nil
}

// Forward enqueues the sum.
func (l *Add) Forward(q device.Queue, c *Call) {
	q.Map(c.Programs[0], viewOf(c.Out[0].Shape), c.Out, c.In, overwrite, device.Random{})
}

// Backward passes the gradient on to every input, in their order. For an input
// that is listed twice, the second gradient accumulates.
func (l *Add) Backward(q device.Queue, c *Call) {
	for i := range c.DIn {
		if c.WantsGradient(i) {
			passOn(q, c, i)
		}
	}
}

// passOn makes the gradient of input i that of the output.
func passOn(q device.Queue, c *Call, i int) {
	run(q, c, identity, c.DIn[i:i+1], c.DOut, c.Modes[i:i+1])
}

var identity = expr.MustNew(expr.Input(0, expr.Whole))

// Scale multiplies by a constant.
type Scale struct {
	Elementwise `json:"-"`

	Factor float32 `json:"factor"` // 1 if the JSON has none
}

// Type is "scale".
func (l *Scale) Type() string { return "scale" }

// Plan checks the factor.
func (l *Scale) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if f := float64(l.Factor); math.IsNaN(f) || math.IsInf(f, 0) {
		return Spec{}, fmt.Errorf("factor %g must be finite", f)
	}
	return PlanElementwise(expr.MustNew(expr.Mul(expr.Const(l.Factor), expr.Input(0, expr.Whole))), 1, in)
}
