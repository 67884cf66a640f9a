package layers

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Padding{} }) }

// Padding surrounds images with rows and columns of one value.
type Padding struct {
	Pad   Pad     `json:"pad"`
	Value float32 `json:"value"`
}

// Type is "pad".
func (l *Padding) Type() string { return "pad" }

// Plan checks the sizes.
func (l *Padding) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expectImage(in); err != nil {
		return Spec{}, err
	}
	p := l.Pad
	if min(p.Top, p.Bottom, p.Left, p.Right) < 0 {
		return Spec{}, fmt.Errorf("pad %d,%d,%d,%d must not be negative", p.Top, p.Bottom, p.Left, p.Right)
	}
	if err := bounded(option{"pad", p.Top}, option{"pad", p.Bottom}, option{"pad", p.Left}, option{"pad", p.Right}); err != nil {
		return Spec{}, err
	}
	if v := float64(l.Value); math.IsNaN(v) || math.IsInf(v, 0) {
		return Spec{}, fmt.Errorf("value %v must be finite", l.Value)
	}
	x := in[0].Shape
	y := floats(x[0], x[1], p.Top+x[2]+p.Bottom, p.Left+x[3]+p.Right)
	if err := checkShape("output", y.Shape); err != nil {
		return Spec{}, err
	}
	return Spec{Out: []Input{y}}, nil
}

// copy is that of the image into its place in y.
func (l *Padding) copy(y, x device.Tensor) device.Strided {
	s := device.Box(x.Shape, y.Shape, x.Shape)
	s.Dst = l.Pad.Top*y.Shape[3] + l.Pad.Left
	return s
}

// Forward enqueues a fill of the whole output and then the copy. Writing the
// inner pixels twice costs less than filling the four sides one by one.
func (l *Padding) Forward(q device.Queue, c *Call) {
	if l.Pad != (Pad{}) {
		q.Fill(c.Out[0], l.Value)
	}
	q.CopyStrided(l.copy(c.Out[0], c.In[0]), c.Out[0], c.In[0], device.Overwrite)
}

// Backward copies the gradient of the image, without the padding.
func (l *Padding) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.CopyStrided(l.copy(c.DOut[0], c.DIn[0]).Reversed(), c.DIn[0], c.DOut[0], c.Modes[0])
	}
}
