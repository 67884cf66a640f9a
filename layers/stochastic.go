package layers

import (
	"errors"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &StochasticPool{} }) }

// StochasticPool is stochastic pooling (Zeiler and Fergus 2013): in training it takes one
// pixel of each window by chance, a with the probability a / sum of a, and in inference
// what that is on average, sum of a² / sum of a. Pixels below 0 count as 0, and a window
// without others makes 0.
//
// The chance is a race: of a / -log u, with a uniform draw u for each pixel, the largest
// wins, and it is that of a pixel with the probability a / sum of a (the exponential
// numbers -log u / a have these rates). Windows that overlap share the draws. The gradient
// goes to the pixel that won. The output jumps where another one wins (Spec.Jumps).
type StochasticPool struct{ Pool }

// The programs: of x, and in the gradient of y and dy.
var (
	stochasticRace     = expr.MustNew(expr.Div(positive, expr.Neg(expr.Log(expr.Draw(0)))))
	stochasticPositive = expr.MustNew(positive)
	stochasticMoments  = expr.MustNew(expr.Mul(positive, positive), positive)
	stochasticMean     = expr.MustNew(expr.Select(expr.Equal(expr.Input(1, expr.Whole), expr.Const(0)),
		expr.Const(0), expr.Div(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole))))
	stochasticGradient = expr.MustNew(expr.Select(expr.Less(expr.Const(0), expr.Input(0, expr.Whole)), expr.Input(1, expr.Whole), expr.Const(0)))

	positive = expr.Max(expr.Input(0, expr.Whole), expr.Const(0))
)

var overwriteBoth = []device.Mode{device.Overwrite, device.Overwrite}

// Type is "stochastic-pool".
func (*StochasticPool) Type() string { return "stochastic-pool" }

// Plan checks the options, which are those of max pooling but for the switches.
func (l *StochasticPool) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if l.Switches {
		return Spec{}, errors.New("switches are for max-pool")
	}
	out, err := l.check(device.MaxPool, in)
	if err != nil {
		return Spec{}, err
	}
	x, y := device.Elements(in[0].Shape), device.Elements(out.Shape)
	s := Spec{Out: []Input{out}, Backward: NeedOutputs, Streams: 1, Jumps: o.Train}
	if !o.Train {
		s.Temporary = temporaries(x, x, y)
		return s, nil
	}
	if err := indexable(in[0].Shape); err != nil {
		return Spec{}, err
	}
	s.Saved = []Slot{poolIndex(out.Shape)}
	s.Temporary = temporaries(max(x, y))
	return s, nil
}

// Forward enqueues the race, or the moments and their quotient.
func (l *StochasticPool) Forward(q device.Queue, c *Call) {
	x, y := c.In[0], c.Out[0]
	v := viewOf(x.Shape)
	if index := saved(c); !index.IsNil() {
		g := l.geometry(device.MaxPool, x.Shape)
		args := c.Args(x, c.part(0, x.Shape...))
		q.Map(stochasticRace, v, args[1:], args[:1], overwrite, c.Random)
		q.PoolForward(g, y, index, args[1]) // y is no more than a place to put it
		q.PoolGather(g, y, index, x, device.Overwrite)
		q.Map(stochasticPositive, viewOf(y.Shape), c.Out, c.Out, overwrite, device.Random{})
		return
	}
	g := l.geometry(device.AveragePool, x.Shape)
	args := c.Args(x, c.part(0, x.Shape...), c.part(1, x.Shape...))
	q.Map(stochasticMoments, v, args[1:], args[:1], overwriteBoth, device.Random{})
	mean := c.part(2, y.Shape...)
	q.PoolForward(g, y, device.Tensor{}, args[1])
	q.PoolForward(g, mean, device.Tensor{}, args[2])
	q.Map(stochasticMean, viewOf(y.Shape), c.Out, c.Args(y, mean), overwrite, device.Random{})
}

// Backward hands the gradient to the pixels that won.
func (l *StochasticPool) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	y := c.Out[0]
	args := c.Args(y, c.DOut[0], c.part(0, y.Shape...))
	q.Map(stochasticGradient, viewOf(y.Shape), args[2:], args[:2], overwrite, device.Random{})
	q.PoolBackward(l.geometry(device.MaxPool, c.DIn[0].Shape), c.DIn[0], args[2], saved(c), c.Modes[0])
}
