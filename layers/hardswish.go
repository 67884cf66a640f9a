package layers

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &HardSwish{} }) }

// HardSwish is x min(max(x+3, 0), 6) / 6 (Howard et al. 2019, "Searching for
// MobileNetV3").
type HardSwish struct{ Elementwise }

// Type is "hard-swish".
func (*HardSwish) Type() string { return "hard-swish" }

// Plan takes one input.
func (*HardSwish) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	x := expr.Input(0, expr.Whole)
	ramp := expr.Min(expr.Max(expr.Add(x, expr.Const(3)), expr.Const(0)), expr.Const(6))
	return PlanElementwise(expr.MustNew(expr.Div(expr.Mul(x, ramp), expr.Const(6))), 1, in)
}
