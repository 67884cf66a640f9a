package layers

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Slice{} }) }

// Slice takes the elements Begin, Begin+Step and so on, below End, along one axis.
type Slice struct {
	Axis  int `json:"axis"` // 0 means 1, the channels; axis 0 is the batch
	Begin int `json:"begin"`
	End   int `json:"end"`  // 0 means the axis's length
	Step  int `json:"step"` // 0 means 1
}

// Type is "slice".
func (l *Slice) Type() string { return "slice" }

// Plan checks that the slice is not empty.
func (l *Slice) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	axis, step := max(l.Axis, 1), max(l.Step, 1)
	if l.Axis < 0 || axis >= len(x) {
		return Spec{}, fmt.Errorf("axis %d must be in 1 to %d, the axes of input %s behind the batch", l.Axis, len(x)-1, dims(x))
	}
	end := l.end(x[axis])
	if l.Begin < 0 || l.Begin >= end || end > x[axis] || l.Step < 0 {
		return Spec{}, fmt.Errorf("begin %d, end %d and step %d take nothing of axis %d of input %s, or what it does not have", l.Begin, l.End, l.Step, axis, dims(x))
	}
	y := slices.Clone(x)
	y[axis] = (end-l.Begin-1)/step + 1
	return Spec{Out: []Input{floats(y...)}}, nil
}

// end is where the slice of an axis of that length ends.
func (l *Slice) end(length int) int {
	if l.End == 0 {
		return length
	}
	return l.End
}

// copy is that of the slice to y.
func (l *Slice) copy(y, x device.Tensor) device.Strided {
	axis, step := max(l.Axis, 1), max(l.Step, 1)
	inner := device.Elements(x.Shape[axis+1:])
	return device.Strided{Axes: [device.MaxAxes]device.Axis{
		{Len: device.Elements(x.Shape[:axis]), Dst: y.Shape[axis] * inner, Src: x.Shape[axis] * inner},
		{Len: y.Shape[axis], Dst: inner, Src: step * inner},
		{Len: inner, Dst: 1, Src: 1},
	}, Src: l.Begin * inner}
}

// Forward enqueues the copy.
func (l *Slice) Forward(q device.Queue, c *Call) {
	q.CopyStrided(l.copy(c.Out[0], c.In[0]), c.Out[0], c.In[0], device.Overwrite)
}

// Backward copies the gradient to the elements that were taken. The gradient of
// the others is 0.
func (l *Slice) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		giveBack(q, l.copy(c.DOut[0], c.DIn[0]), c.DIn[0], c.DOut[0], c.Modes[0])
	}
}

// giveBack is the gradient of a copy that takes a part of x.
func giveBack(q device.Queue, s device.Strided, dx, dy device.Tensor, m device.Mode) {
	if m == device.Overwrite {
		q.Fill(dx, 0)
	}
	q.CopyStrided(s.Reversed(), dx, dy, m)
}
