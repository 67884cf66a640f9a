package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Upsample{} }) }

// Upsample makes a block of Scale equal pixels from each pixel of an image:
// nearest-neighbour upsampling.
type Upsample struct {
	Scale Size `json:"scale"`
}

// Type is "upsample".
func (l *Upsample) Type() string { return "upsample" }

// Plan checks the scale.
func (l *Upsample) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expectImage(in); err != nil {
		return Spec{}, err
	}
	if l.Scale.H < 1 || l.Scale.W < 1 {
		return Spec{}, fmt.Errorf("scale %v must be at least 1", l.Scale)
	}
	x := in[0].Shape
	// As one axis for each factor, so that no product leaves an int.
	if err := checkShape("output", tensor.Shape{x[0], x[1], x[2], l.Scale.H, x[3], l.Scale.W}); err != nil {
		return Spec{}, err
	}
	return Spec{Out: []Input{floats(x[0], x[1], x[2]*l.Scale.H, x[3]*l.Scale.W)}}, nil
}

// copy is that of x to the output.
func (l *Upsample) copy(x device.Tensor) device.Strided {
	h, w := l.Scale.H, l.Scale.W
	rows, width := device.Elements(x.Shape[:3]), x.Shape[3]
	return device.Strided{Axes: [device.MaxAxes]device.Axis{
		{Len: rows, Dst: h * width * w, Src: width},
		{Len: h, Dst: width * w},
		{Len: width, Dst: w, Src: 1},
		{Len: w, Dst: 1},
	}}
}

// Forward enqueues the copy.
func (l *Upsample) Forward(q device.Queue, c *Call) {
	q.CopyStrided(l.copy(c.In[0]), c.Out[0], c.In[0], device.Overwrite)
}

// Backward adds up each block.
func (l *Upsample) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.CopyStrided(l.copy(c.DIn[0]).Reversed(), c.DIn[0], c.DOut[0], c.Modes[0])
	}
}
