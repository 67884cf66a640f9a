// Package layerstest has layers that tests of several packages train with.
package layerstest

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/layers"
)

// RunningMean subtracts the mean of earlier passes: y = x - m. It then updates its
// state: m += (mean of x - m) / 2, and one call more. So every output depends on the
// micro-batches before it and on their order.
type RunningMean struct{}

func init() { layers.Register(func() layers.Layer { return &RunningMean{} }) }

// The programs. The mean is the sum of x over the sum of 1, because a pass may have
// fewer samples than planned.
var (
	value    = expr.MustNew(expr.Input(0, expr.Whole))
	one      = expr.MustNew(expr.Const(1))
	subtract = expr.MustNew(expr.Sub(expr.Input(0, expr.Whole), expr.Input(1, expr.One)))
	update   = func() *expr.Program { // of the mean, the calls, the sum of x and that of 1
		m, calls, sum, count := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole), expr.Input(2, expr.Whole), expr.Input(3, expr.Whole)
		step := expr.Div(expr.Sub(expr.Div(sum, count), m), expr.Const(2))
		return expr.MustNew(expr.Add(m, step), expr.Add(calls, expr.Const(1)))
	}()
)

var overwrite = []device.Mode{device.Overwrite, device.Overwrite}

// Type is "running-mean".
func (*RunningMean) Type() string { return "running-mean" }

// Plan takes any input.
func (*RunningMean) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	number := tensor.Shape{1}
	return layers.Spec{
		Out:       []layers.Input{in[0]},
		State:     []layers.Slot{{Name: "mean", Shape: number, Init: 0.25}, {Name: "calls", Shape: number, Init: 3}},
		Temporary: []layers.Slot{{Name: "sum", Shape: number}, {Name: "count", Shape: number}},
	}, nil
}

// view sees a tensor as one row.
func view(t device.Tensor) device.View { return device.View{N: 1, C: 1, Inner: t.Len()} }

// Forward enqueues the difference, and then the new state.
func (*RunningMean) Forward(q device.Queue, c *layers.Call) {
	x, mean, calls := c.In[0], c.State[0], c.State[1]
	q.Map(subtract, view(x), c.Out, c.Args(x, mean), overwrite[:1], device.Random{})
	if !c.UpdateState {
		return
	}
	sum, count := c.Temporary[0], c.Temporary[1]
	q.Reduce(value, view(x), device.Sum, expr.One, sum, c.In, device.Overwrite, device.Random{})
	q.Reduce(one, view(x), device.Sum, expr.One, count, nil, device.Overwrite, device.Random{})
	q.Map(update, view(mean), c.State, c.Args(mean, calls, sum, count), overwrite, device.Random{})
}

// Backward enqueues the gradient, which is that of y.
func (*RunningMean) Backward(q device.Queue, c *layers.Call) {
	if c.WantsGradient(0) {
		q.Map(value, view(c.DOut[0]), c.DIn, c.DOut, c.Modes, device.Random{})
	}
}
