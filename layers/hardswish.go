package layers

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &HardSwish{} }) }

// HardSwish is x min(max(x+3, 0), 6) / 6 (Howard et al. 2019, "Searching for
// MobileNetV3").
type HardSwish struct{}

var hardSwish = func() *Elementwise {
	x := expr.Input(0, expr.Whole)
	ramp := expr.Min(expr.Max(expr.Add(x, expr.Const(3)), expr.Const(0)), expr.Const(6))
	return NewElementwise(expr.MustNew(expr.Div(expr.Mul(x, ramp), expr.Const(6))))
}()

// Type is "hard-swish".
func (*HardSwish) Type() string { return "hard-swish" }

// Plan takes one input.
func (*HardSwish) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	return hardSwish.Plan(in)
}

// Forward enqueues the function.
func (*HardSwish) Forward(q device.Queue, c *Call) { hardSwish.Forward(q, c) }

// Backward enqueues the gradient.
func (*HardSwish) Backward(q device.Queue, c *Call) { hardSwish.Backward(q, c) }
