package layers

import (
	"cmp"
	"fmt"

	"github.com/hubel-go/hubel/device"
)

func init() {
	for _, op := range device.UnaryOps() {
		Register(func() Layer { return &Unary{Op: op} })
	}
}

// Unary is an element-wise function: ReLU, LeakyReLU, Sigmoid or Tanh.
type Unary struct {
	Op device.UnaryOp `json:"-"` // the layer's type says which

	// Slope is a leaky ReLU's on the negative side; 0 means 0.01.
	Slope float32 `json:"slope,omitempty"`
}

// Type is the function's name: "relu", "leaky-relu", "sigmoid" or "tanh".
func (l *Unary) Type() string { return l.Op.String() }

// Function is the device's function, complete with its parameter. A graph
// reads it to fuse the layer into the one before.
func (l *Unary) Function() device.Unary {
	u := device.Unary{Op: l.Op, Slope: l.Slope}
	if l.Op == device.LeakyReLU {
		u.Slope = cmp.Or(l.Slope, 0.01)
	}
	return u
}

// Plan checks the slope. The function may work in place, for its gradient
// follows from its outputs.
func (l *Unary) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	if l.Op != device.LeakyReLU && l.Slope != 0 {
		return Spec{}, fmt.Errorf("slope %g is for leaky-relu, not for %s", l.Slope, l.Op)
	}
	if !(l.Slope >= 0 && l.Slope < 1) {
		return Spec{}, fmt.Errorf("slope %g must be in [0,1)", l.Slope)
	}
	return Spec{Out: like(in[0]), Backward: NeedOutputs, InPlace: true}, nil
}

// Forward enqueues the function.
func (l *Unary) Forward(q device.Queue, c *Call) {
	q.UnaryForward(l.Function(), c.Out[0], c.In[0])
}

// Backward enqueues the gradient.
func (l *Unary) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.UnaryBackward(l.Function(), c.DIn[0], c.Out[0], c.DOut[0], c.Modes[0])
	}
}
