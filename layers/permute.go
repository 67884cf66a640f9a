package layers

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Permute{} }) }

// Permute changes the order of the axes: [N,C,H,W] becomes [N,H,W,C] with Order
// 0, 2, 3, 1.
type Permute struct {
	Order []int `json:"order"` // axis i of the output is axis Order[i] of the input; the first is 0, the batch
}

// Type is "permute".
func (l *Permute) Type() string { return "permute" }

// Plan checks that the order has every axis.
func (l *Permute) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if len(x) > device.MaxAxes {
		return Spec{}, fmt.Errorf("input %s has %d axes, at most %d can be permuted", dims(x), len(x), device.MaxAxes)
	}
	sorted := slices.Sorted(slices.Values(l.Order))
	for i := range x {
		if len(sorted) != len(x) || sorted[i] != i || l.Order[0] != 0 {
			return Spec{}, fmt.Errorf("order %v must have each of the axes 0 to %d of input %s once, and 0, the batch, first", l.Order, len(x)-1, dims(x))
		}
	}
	y := make(tensor.Shape, len(x))
	for i, axis := range l.Order {
		y[i] = x[axis]
	}
	return Spec{Out: []Input{floats(y...)}}, nil
}

// copy is that of x to y.
func (l *Permute) copy(y, x device.Tensor) device.Strided {
	s := device.Box(y.Shape, y.Shape, y.Shape)
	for i, axis := range l.Order {
		s.Axes[i].Src = device.Elements(x.Shape[axis+1:])
	}
	return s
}

// Forward enqueues the copy.
func (l *Permute) Forward(q device.Queue, c *Call) {
	q.CopyStrided(l.copy(c.Out[0], c.In[0]), c.Out[0], c.In[0], device.Overwrite)
}

// Backward enqueues the copy back.
func (l *Permute) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.CopyStrided(l.copy(c.DOut[0], c.DIn[0]).Reversed(), c.DIn[0], c.DOut[0], c.Modes[0])
	}
}
