package layers

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Crop{} }) }

// Crop cuts its first input to the size of its second, as in Caffe. The values
// of the second are not read.
type Crop struct {
	Axis   int   `json:"axis"`             // the first that is cut, with all axes after it; 0 means 2, the rows
	Offset []int `json:"offset,omitempty"` // of the part that is kept: one number for all axes that are cut, or one for each; 0 unless given
}

// Type is "crop".
func (l *Crop) Type() string { return "crop" }

func (l *Crop) axis() int {
	if l.Axis == 0 {
		return 2
	}
	return l.Axis
}

// offset is that of an axis that is cut.
func (l *Crop) offset(axis int) int {
	switch len(l.Offset) {
	case 0:
		return 0
	case 1:
		return l.Offset[0]
	}
	return l.Offset[axis-l.axis()]
}

// Plan checks that the part lies inside the input.
func (l *Crop) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expect(in, input, operand{"size", device.Float32}); err != nil {
		return Spec{}, err
	}
	x, size := in[0].Shape, in[1].Shape
	if len(size) != len(x) || len(x) > device.MaxAxes || size[0] != x[0] {
		return Spec{}, fmt.Errorf("input is %s and size %s: they must have the same batch and the same number of axes, at most %d", dims(x), dims(size), device.MaxAxes)
	}
	if l.axis() < 1 || l.axis() >= len(x) {
		return Spec{}, fmt.Errorf("axis %d must be in 1 to %d, the axes of input %s behind the batch", l.axis(), len(x)-1, dims(x))
	}
	if n := len(x) - l.axis(); len(l.Offset) > 1 && len(l.Offset) != n {
		return Spec{}, fmt.Errorf("offset %v has %d numbers, want 1 or %d, for the axes of input %s from %d on", l.Offset, len(l.Offset), n, dims(x), l.axis())
	}
	y := slices.Clone(x)
	for i := l.axis(); i < len(x); i++ {
		y[i] = size[i]
		if o := l.offset(i); o < 0 || o > x[i]-size[i] {
			return Spec{}, fmt.Errorf("axis %d: %d from %d on is not within the %d of input %s", i, size[i], o, x[i], dims(x))
		}
	}
	return Spec{Out: []Input{floats(y...)}, NoGradient: []int{1}}, nil
}

// copy is that of the part to y.
func (l *Crop) copy(y, x device.Tensor) device.Strided {
	s := device.Box(y.Shape, y.Shape, x.Shape)
	for i := l.axis(); i < len(x.Shape); i++ {
		s.Src += l.offset(i) * s.Axes[i].Src
	}
	return s
}

// Forward enqueues the copy.
func (l *Crop) Forward(q device.Queue, c *Call) {
	q.CopyStrided(l.copy(c.Out[0], c.In[0]), c.Out[0], c.In[0], device.Overwrite)
}

// Backward copies the gradient to the part that was kept. The gradient of the
// rest is 0.
func (l *Crop) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		giveBack(q, l.copy(c.DOut[0], c.DIn[0]), c.DIn[0], c.DOut[0], c.Modes[0])
	}
}
