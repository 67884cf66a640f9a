package layers

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &ArgMax{} }) }

// ArgMax is the number of the channel with the largest value, as a float32: [N,C,...] becomes
// [N,1,...]. Of equals it is the first. Where a value is NaN the result is NaN. It has no
// gradient.
type ArgMax struct{}

// The programs: of x and the largest value, what is largest for the first of those channels
// that have it; and of that the channel.
var (
	argMaxPlace = expr.MustNew(expr.Select(expr.Equal(expr.Input(0, expr.Whole), expr.Input(1, expr.Pixel)),
		expr.Neg(expr.Index(expr.C)), expr.Const(-math.MaxFloat32)))
	argMaxIndex = expr.MustNew(expr.Select(expr.Less(expr.Input(0, expr.Whole), expr.Const(-mostClasses)),
		expr.Const(float32(math.NaN())), expr.Sub(zero, expr.Input(0, expr.Whole))))
)

// Type is "argmax".
func (*ArgMax) Type() string { return "argmax" }

// Plan makes one channel of all.
func (*ArgMax) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if len(x) < 2 || x[1] > mostClasses {
		return Spec{}, fmt.Errorf("input is %s, want channels, at most %d", dims(x), mostClasses)
	}
	v := viewOf(x)
	return Spec{
		Out:        []Input{floats(withChannels(x, 1)...)},
		NoGradient: []int{0},
		Temporary: []Slot{
			{Name: "largest", Shape: tensor.Shape{v.N, v.Inner}, Batched: true},
			{Name: "place", Shape: tensor.Shape{v.N, v.Inner}, Batched: true},
		},
	}, nil
}

// Forward enqueues the search for the largest value, and then for its place.
func (*ArgMax) Forward(q device.Queue, c *Call) {
	v := viewOf(c.In[0].Shape)
	largest, place := c.Temporary[0], c.Temporary[1]
	args := c.Args(c.In[0], largest)
	q.Reduce(identity, v, device.Max, expr.Pixel, largest, args, device.Overwrite, device.Random{})
	q.Reduce(argMaxPlace, v, device.Max, expr.Pixel, place, args, device.Overwrite, device.Random{})
	q.Map(argMaxIndex, viewOf(place.Shape), c.Out, c.Args(place), overwrite, device.Random{})
}

// Backward does nothing.
func (*ArgMax) Backward(device.Queue, *Call) {}
