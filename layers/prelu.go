package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &PReLU{} }) }

// PReLU is x > 0 ? x : a x with a trained slope a for each channel (He et al. 2015). Its
// parameter is weight [C], or [1] where it is shared. As in the paper the slopes start as
// 0.25, and weight decay does not pull at them unless it is asked to.
type PReLU struct {
	Shared bool `json:"shared,omitempty"` // one slope for all channels

	WeightFiller Filler `json:"weight_filler,omitzero"` // 0.25 unless given

	// Multipliers of the learning rate, 1 unless given, and of the weight decay, 0 unless
	// given.
	WeightRate  *float32 `json:"weight_rate,omitempty"`
	WeightDecay *float32 `json:"weight_decay,omitempty"`
}

// The programs, of x and the slope, and in the gradients dy besides.
var preluPrograms = func() (list [2][3]*expr.Program) {
	x, dy := expr.Input(0, expr.Whole), expr.Input(2, expr.Whole)
	positive := expr.Less(zero, x)
	for i, axes := range []expr.Axes{expr.Channel, expr.One} {
		a := expr.Input(1, axes)
		list[i] = [3]*expr.Program{
			expr.MustNew(expr.Select(positive, x, expr.Mul(a, x))),
			expr.MustNew(expr.Select(positive, dy, expr.Mul(a, dy))),
			expr.MustNew(expr.Select(positive, zero, expr.Mul(x, dy))),
		}
	}
	return list
}()

// Type is "prelu".
func (l *PReLU) Type() string { return "prelu" }

// axes are those of the slope, and programs go with them.
func (l *PReLU) axes() expr.Axes {
	if l.Shared {
		return expr.One
	}
	return expr.Channel
}

func (l *PReLU) programs() *[3]*expr.Program {
	if l.Shared {
		return &preluPrograms[1]
	}
	return &preluPrograms[0]
}

// Plan makes the slopes.
func (l *PReLU) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if len(x) < 2 && !l.Shared {
		return Spec{}, fmt.Errorf("input is %s, which has no channels", dims(x))
	}
	f, decay := l.WeightFiller, or(l.WeightDecay, 0)
	if f == (Filler{}) {
		f = Constant(0.25)
	}
	weight, err := param("weight", tensor.Shape{viewOf(x).Elements(l.axes())}, Fan{In: 1, Out: 1}, f, l.WeightRate, &decay)
	if err != nil {
		return Spec{}, err
	}
	return Spec{Out: like(in[0]), Params: []Param{weight}, Backward: NeedInputs}, nil
}

// Forward enqueues the function.
func (l *PReLU) Forward(q device.Queue, c *Call) {
	q.Map(l.programs()[0], viewOf(c.In[0].Shape), c.Out, c.Args(c.In[0], c.Params[0]), overwrite, device.Random{})
}

// Backward enqueues the gradients of the slopes, and of the input.
func (l *PReLU) Backward(q device.Queue, c *Call) {
	p, v := l.programs(), viewOf(c.In[0].Shape)
	args := c.Args(c.In[0], c.Params[0], c.DOut[0])
	if da := c.DParams[0]; !da.IsNil() {
		q.Reduce(p[2], v, device.Sum, l.axes(), da, args, c.ParamMode, device.Random{})
	}
	if c.WantsGradient(0) {
		q.Map(p[1], v, c.DIn, args, c.Modes, device.Random{})
	}
}
