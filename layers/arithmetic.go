package layers

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	Register(func() Layer { return &Add{} })
	Register(func() Layer { return &Product{} })
	Register(func() Layer { return &Maximum{} })
	Register(func() Layer { return &Scale{Factor: 1} })
}

// Add is the sum of two or more inputs of one shape, each times its coefficient if there
// are any.
type Add struct {
	Coefficients []float32 `json:"coefficients,omitempty"` // one for each input; 1 unless given
}

// Type is "add".
func (l *Add) Type() string { return "add" }

// Plan checks that the shapes are the same. The gradients of all inputs are of dy, which
// the first may take the place of if it is dy.
func (l *Add) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectTerms(in, expr.MaxInputs, "add the others in another layer"); err != nil {
		return Spec{}, err
	}
	if l.Coefficients != nil && len(l.Coefficients) != len(in) {
		return Spec{}, fmt.Errorf("coefficients %v: there are %d for %d inputs", l.Coefficients, len(l.Coefficients), len(in))
	}
	programs := make([]*expr.Program, 1, 1+len(in))
	sum := zero
	for i := range in {
		k := float32(1)
		if l.Coefficients != nil {
			k = l.Coefficients[i]
		}
		if !isFactor(max(k, -k)) {
			return Spec{}, fmt.Errorf("coefficients %v must be finite", l.Coefficients)
		}
		sum = expr.Add(sum, expr.Mul(expr.Const(k), expr.Input(i, expr.Whole)))
		programs = append(programs, expr.MustNew(expr.Mul(expr.Const(k), expr.Input(0, expr.Whole))))
	}
	programs[0] = expr.MustNew(sum)
	return Spec{Out: like(in[0]), InPlace: l.Coefficients == nil || l.Coefficients[0] == 1, Elementwise: true, Programs: programs}, nil
}

// expectTerms checks that there are two inputs or more, all of one shape, and what to do
// with those that are too many.
func expectTerms(in []Input, limit int, others string) error {
	if err := expectSeveral(in, 2); err != nil {
		return err
	}
	if len(in) > limit {
		return fmt.Errorf("takes at most %d inputs, not %d: %s", limit, len(in), others)
	}
	return expectAlike(in)
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
			run(q, c, c.Programs[1+i], c.DIn[i:i+1], c.DOut, c.Modes[i:i+1])
		}
	}
}

// Product is the product of two or more inputs of one shape, and Maximum the largest: of
// equals the last, which alone has a gradient.
type (
	Product struct{ Elementwise }
	Maximum struct{ Elementwise }
)

// Type is "multiply".
func (*Product) Type() string { return "multiply" }

// Type is "maximum".
func (*Maximum) Type() string { return "maximum" }

// Plan checks that the shapes are the same.
func (*Product) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	return planTerms(in, expr.Mul)
}

// Plan checks that the shapes are the same.
func (*Maximum) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	return planTerms(in, expr.Max)
}

// planTerms is the Spec of an operation on all inputs. A gradient has one input more.
func planTerms(in []Input, op func(a, b expr.Expr) expr.Expr) (Spec, error) {
	if err := expectTerms(in, expr.MaxInputs-1, "take the others in another layer"); err != nil {
		return Spec{}, err
	}
	y := expr.Input(0, expr.Whole)
	for i := range in[1:] {
		y = op(y, expr.Input(1+i, expr.Whole))
	}
	return PlanElementwise(expr.MustNew(y), len(in), in)
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
