package layers

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &L2Norm{} }) }

// L2Norm divides the channels of each pixel by their Euclidean norm, or by
// 1e-12 if the norm is smaller, as PyTorch's normalize does (Liu et al. 2016,
// "ParseNet", section 3.3, without the scale).
type L2Norm struct{}

// The programs, of x, the sum of its squares, and in the gradient dy and the sum of
// dy y. Where the norm is the smallest there is, it does not depend on x.
var (
	l2Square   = expr.MustNew(expr.Mul(expr.Input(0, expr.Whole), expr.Input(0, expr.Whole)))
	l2Inner    = expr.MustNew(expr.Div(expr.Mul(expr.Input(0, expr.Whole), expr.Input(2, expr.Whole)), l2Root))
	l2Root     = expr.Max(expr.Sqrt(expr.Input(1, expr.Pixel)), l2Smallest)
	l2Smallest = expr.Const(1e-12)

	l2Forward  = expr.MustNew(expr.Div(expr.Input(0, expr.Whole), l2Root))
	l2Backward = func() *expr.Program {
		x, dy, inner := expr.Input(0, expr.Whole), expr.Input(2, expr.Whole), expr.Input(3, expr.Pixel)
		along := expr.Select(expr.Less(l2Smallest, l2Root), expr.Div(expr.Mul(x, inner), l2Root), expr.Const(0))
		return expr.MustNew(expr.Div(expr.Sub(dy, along), l2Root))
	}()
)

// Type is "l2-norm".
func (*L2Norm) Type() string { return "l2-norm" }

// Plan takes one input. The sums of squares are saved for the gradient.
func (*L2Norm) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	v := viewOf(in[0].Shape)
	s := Spec{Out: like(in[0]), Backward: NeedInputs}
	sums := tensor.Shape{v.N, v.Inner}
	s.keep(o, sums, "squares")
	if o.Train {
		s.Temporary = []Slot{{Name: "inner", Shape: sums, Batched: true}}
	}
	return s, nil
}

// Forward enqueues the sums and the division.
func (*L2Norm) Forward(q device.Queue, c *Call) {
	v := viewOf(c.In[0].Shape)
	squares := c.kept()[0]
	q.Reduce(l2Square, v, device.Sum, expr.Pixel, squares, c.In, device.Overwrite, device.Random{})
	q.Map(l2Forward, v, c.Out, c.Args(c.In[0], squares), overwrite, device.Random{})
}

// Backward enqueues the gradient.
func (*L2Norm) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	v := viewOf(c.In[0].Shape)
	inner := c.Temporary[0]
	in := c.Args(c.In[0], saved(c), c.DOut[0], inner)
	q.Reduce(l2Inner, v, device.Sum, expr.Pixel, inner, in[:3], device.Overwrite, device.Random{})
	q.Map(l2Backward, v, c.DIn, in, c.Modes, device.Random{})
}
