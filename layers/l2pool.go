package layers

import (
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &L2Pool{} }) }

// L2Pool makes of each window the square root of the mean of its squares (Sermanet et al.
// 2012 with a box for the Gaussian), or, with Sum, of their sum, as PyTorch's LPPool2d of
// the norm 2 does. The gradient of a window of zeros is 0. CountPad makes the mean count
// the padding.
type L2Pool struct {
	Pool
	Sum bool `json:"sum,omitempty"`
}

// l2PoolBackward is the gradient of x, from x and what comes back of its windows.
var l2PoolBackward = expr.MustNew(expr.Mul(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)))

// Type is "l2-pool".
func (*L2Pool) Type() string { return "l2-pool" }

// Plan checks the options, which are those of average pooling. A sum is the mean of whole
// windows, padding counted, times their size.
func (l *L2Pool) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if l.Switches {
		return Spec{}, errors.New("switches are for max-pool")
	}
	if l.Sum && l.CountPad {
		return Spec{}, errors.New("count_pad is for a mean, not for a sum")
	}
	out, err := l.check(device.AveragePool, in)
	if err != nil {
		return Spec{}, err
	}
	x, y := device.Elements(in[0].Shape), device.Elements(out.Shape)
	g := l.average(in[0].Shape)
	if l.Sum && ((g.OutH()-1)*g.StrideH+g.R > g.H+g.PadTop+g.PadBottom || (g.OutW()-1)*g.StrideW+g.S > g.W+g.PadLeft+g.PadRight) {
		return Spec{}, fmt.Errorf("sum wants whole windows: ceil makes some of %dx%d that leave the image of %dx%d with its padding", g.R, g.S, g.H, g.W)
	}
	s := Spec{Out: []Input{out}, Backward: NeedInputs | NeedOutputs, Temporary: temporaries(x)}
	if o.Train {
		s.Temporary = temporaries(x, y)
	}
	factor := float32(1)
	if l.Sum {
		factor = float32(g.R) * float32(g.S)
	}
	// Of the mean of squares; and of y and dy, what a window hands back.
	in0, dy, k := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole), expr.Const(factor)
	s.Programs = []*expr.Program{
		expr.MustNew(expr.Sqrt(expr.Mul(k, in0))),
		expr.MustNew(expr.Select(expr.Equal(in0, expr.Const(0)), expr.Const(0), expr.Div(expr.Mul(k, dy), in0))),
	}
	return s, nil
}

// average is the average pooling of the squares of x.
func (l *L2Pool) average(x tensor.Shape) device.Pool {
	g := l.geometry(device.AveragePool, x)
	g.CountPad = l.CountPad || l.Sum
	return g
}

// Forward enqueues the squares, their means, and the roots.
func (l *L2Pool) Forward(q device.Queue, c *Call) {
	x := c.In[0]
	args := c.Args(x, c.part(0, x.Shape...))
	q.Map(l2Square, viewOf(x.Shape), args[1:], args[:1], overwrite, device.Random{})
	q.PoolForward(l.average(x.Shape), c.Out[0], device.Tensor{}, args[1])
	q.Map(c.Programs[0], viewOf(c.Out[0].Shape), c.Out, c.Out, overwrite, device.Random{})
}

// Backward enqueues dx = x times the sum over windows of dy / y, each over what the
// window's mean divided by.
func (l *L2Pool) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	x, y := c.In[0], c.Out[0]
	back, each := c.part(0, x.Shape...), c.part(1, y.Shape...)
	args := c.Args(y, c.DOut[0], each)
	q.Map(c.Programs[1], viewOf(y.Shape), args[2:], args[:2], overwrite, device.Random{})
	q.PoolBackward(l.average(x.Shape), back, each, device.Tensor{}, device.Overwrite)
	q.Map(l2PoolBackward, viewOf(x.Shape), c.DIn, c.Args(x, back), c.Modes, device.Random{})
}
