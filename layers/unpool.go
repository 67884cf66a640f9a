package layers

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Unpool{} }) }

// Unpool puts each pixel of its first input where its second, the switches of a max
// pooling of the same window, stride and pad, says that the maximum was; all others are 0
// (Zeiler and Fergus 2014, section 2.1; PyTorch's MaxUnpool2d). Where windows overlap,
// several pixels may go to one place, and add up. It restores the size of its third input,
// which is read for nothing else, or Size, or else that of an image which the windows
// just cover.
//
// A switch outside of the image goes nowhere. One that is not of this window is a mistake
// of the network's: it goes to its place or nowhere, which depends on the device.
type Unpool struct {
	Window Size `json:"window,omitzero"`
	Stride Size `json:"stride,omitzero"` // 1 unless given
	Pad    Pad  `json:"pad,omitzero"`
	Ceil   bool `json:"ceil,omitempty"`
	Size   Size `json:"size,omitzero"`
}

// Type is "unpool".
func (l *Unpool) Type() string { return "unpool" }

// Plan checks that the pooling makes the input's size of what is restored.
func (l *Unpool) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	operands := []operand{input, {"switches", device.Int32}, {"size", device.Float32}}
	if len(in) != 3 {
		operands = operands[:2]
	}
	if err := expect(in, operands...); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if err := expectPixels(in[:1], map[string]Size{"window": l.Window, "stride": l.Stride, "size": l.Size}, l.Pad); err != nil {
		return Spec{}, err
	}
	if !slices.Equal(x, in[1].Shape) {
		return Spec{}, fmt.Errorf("switches are %s, want the input's %s", dims(in[1].Shape), dims(x))
	}
	if err := bounded(
		option{"window", max(l.Window.H, l.Window.W)},
		option{"stride", max(l.Stride.H, l.Stride.W)},
		option{"pad", max(l.Pad.Top, l.Pad.Bottom, l.Pad.Left, l.Pad.Right)},
		option{"size", max(l.Size.H, l.Size.W)},
	); err != nil {
		return Spec{}, err
	}
	if err := indexable(x); err != nil { // so that no product leaves an int
		return Spec{}, err
	}
	y, err := l.restored(in)
	if err != nil {
		return Spec{}, err
	}
	out := floats(shapeAs(x, y)...)
	if err := checkShape("output", out.Shape); err != nil {
		return Spec{}, err
	}
	if err := indexable(out.Shape); err != nil {
		return Spec{}, err
	}
	g := l.geometry(out.Shape)
	if err := g.Check(); err != nil {
		return Spec{}, err
	}
	if _, _, h, w := image(x); g.OutH() != h || g.OutW() != w {
		return Spec{}, fmt.Errorf("size %v: its pooling by window %v and stride %v is %v, but the input is %v",
			Size{g.H, g.W}, Size{g.R, g.S}, Size{g.StrideH, g.StrideW}, Size{g.OutH(), g.OutW()}, Size{h, w})
	}
	s := Spec{Out: []Input{out}, Backward: NeedInputs, NoGradient: []int{1}}
	if len(in) == 3 {
		s.NoGradient = append(s.NoGradient, 2)
	}
	return s, nil
}

// restored is the output's shape, of images.
func (l *Unpool) restored(in []Input) (tensor.Shape, error) {
	x := in[0].Shape
	n, c, h, w := image(x)
	if len(in) == 3 {
		size := in[2].Shape
		if l.Size != (Size{}) {
			return nil, fmt.Errorf("size %v is given, and so is the input that says it", l.Size)
		}
		if len(size) != len(x) || size[0] != n {
			return nil, fmt.Errorf("size is %s, want as many axes and samples as input %s", dims(size), dims(x))
		}
		_, _, h, w = image(size)
		return tensor.Shape{n, c, h, w}, nil
	}
	if l.Size != (Size{}) {
		size := l.Size.of(x)
		return tensor.Shape{n, c, size.H, size.W}, nil
	}
	window, stride, pad := l.Window.of(x), l.Stride.or(1).of(x), l.Pad.of(x)
	return tensor.Shape{n, c, (h-1)*stride.H + window.H - pad.Top - pad.Bottom, (w-1)*stride.W + window.W - pad.Left - pad.Right}, nil
}

// geometry is the max pooling of an output y, whose switches the layer reads.
func (l *Unpool) geometry(y tensor.Shape) device.Pool {
	p := Pool{Window: l.Window, Stride: l.Stride, Pad: l.Pad, Ceil: l.Ceil}
	return p.geometry(device.MaxPool, y)
}

// Forward scatters, as the gradient of max pooling does.
func (l *Unpool) Forward(q device.Queue, c *Call) {
	q.PoolBackward(l.geometry(c.Out[0].Shape), c.Out[0], c.In[0], c.In[1], device.Overwrite)
}

// Backward gathers.
func (l *Unpool) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.PoolGather(l.geometry(c.Out[0].Shape), c.DIn[0], c.In[1], c.DOut[0], c.Modes[0])
	}
}
