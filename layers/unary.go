package layers

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	for _, op := range device.UnaryOps() {
		Register(func() Layer { return &Unary{Op: op} })
	}
}

// Unary is an element-wise function: ReLU, LeakyReLU, Sigmoid or Tanh.
type Unary struct {
	Op device.UnaryOp `json:"-"` // the layer's type says which

	Slope *float32 `json:"slope,omitempty"` // of a leaky ReLU where x is negative; 0.01 unless given
}

// Type is the function's name: "relu", "leaky-relu", "sigmoid" or "tanh".
func (l *Unary) Type() string { return l.Op.String() }

// Function is the device's function with its parameter. The graph reads it to
// fuse the layer into the one before.
func (l *Unary) Function() device.Unary {
	u := device.Unary{Op: l.Op}
	if l.Op == device.LeakyReLU {
		u.Slope = or(l.Slope, 0.01)
	}
	return u
}

// Plan checks the slope. The function may work in place, because its gradient
// follows from its outputs.
func (l *Unary) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	if slope := or(l.Slope, 0); slope != 0 && l.Op != device.LeakyReLU {
		return Spec{}, fmt.Errorf("slope %g is for leaky-relu, not for %s", slope, l.Op)
	}
	u := l.Function()
	if !(u.Slope >= 0 && u.Slope < 1) {
		return Spec{}, fmt.Errorf("slope %g must be in [0,1)", u.Slope)
	}
	forward, backward := programs(u)
	return Spec{Out: like(in[0]), Backward: NeedOutputs, InPlace: true, Elementwise: true, Programs: []*expr.Program{forward, backward}}, nil
}

// programs are the function of x, and its gradient from y and dy: dy (y > 0 ? 1 :
// slope) for the two ReLUs, dy y (1-y) for a sigmoid, and dy (1-y²) for tanh.
func programs(u device.Unary) (forward, backward *expr.Program) {
	y, dy := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	one, slope := expr.Const(1), expr.Const(u.Slope)
	var gradient expr.Expr
	switch u.Op {
	case device.ReLU, device.LeakyReLU:
		gradient = expr.Select(expr.Less(expr.Const(0), y), dy, expr.Mul(slope, dy))
	case device.Sigmoid:
		gradient = expr.Mul(expr.Mul(dy, y), expr.Sub(one, y))
	case device.Tanh:
		gradient = expr.Mul(dy, expr.Sub(one, expr.Mul(y, y)))
	}
	return expr.MustNew(value(u.Op, expr.Input(0, expr.Whole), slope)), expr.MustNew(gradient)
}

// value is the function of x. A slope is read by a leaky ReLU alone.
func value(op device.UnaryOp, x, slope expr.Expr) expr.Expr {
	switch op {
	case device.ReLU:
		return expr.Select(expr.Less(x, zero), zero, x)
	case device.LeakyReLU:
		return expr.Select(expr.Less(x, zero), expr.Mul(slope, x), x)
	case device.Sigmoid:
		return expr.Sigmoid(x)
	}
	return expr.Tanh(x)
}

// Forward enqueues the function.
func (l *Unary) Forward(q device.Queue, c *Call) {
	q.Map(c.Programs[0], viewOf(c.Out[0].Shape), c.Out, c.In, overwrite, device.Random{})
}

// Backward enqueues the gradient.
func (l *Unary) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.Map(c.Programs[1], viewOf(c.Out[0].Shape), c.DIn, c.Args(c.Out[0], c.DOut[0]), c.Modes, device.Random{})
	}
}
