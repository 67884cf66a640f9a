package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Upsample{} }) }

// Upsample enlarges images Scale times. By nearest-neighbour upsampling each pixel becomes
// a block of Scale equal pixels. The Mode "bilinear" interpolates between the middles of
// pixels, and keeps the value of edge pixels beyond their middles: PyTorch's Upsample
// without align_corners.
type Upsample struct {
	Scale Size   `json:"scale"`
	Mode  string `json:"mode,omitempty"` // "nearest" unless given, or "bilinear"
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
	if l.Mode != "" && l.Mode != "nearest" && l.Mode != "bilinear" {
		return Spec{}, fmt.Errorf("mode %q is neither nearest nor bilinear", l.Mode)
	}
	x := in[0].Shape
	// As one axis for each factor, so that no product leaves an int.
	if err := checkShape("output", tensor.Shape{x[0], x[1], x[2], l.Scale.H, x[3], l.Scale.W}); err != nil {
		return Spec{}, err
	}
	s := Spec{Out: []Input{floats(x[0], x[1], x[2]*l.Scale.H, x[3]*l.Scale.W)}}
	if l.bilinear() {
		box, pair := l.boxes(x)
		s.Temporary = temporaries(device.Elements(box.XShape()), device.Elements(pair.XShape()))
	}
	return s, nil
}

func (l *Upsample) bilinear() bool { return l.Mode == "bilinear" }

// boxes are the two average poolings that make blocks of equal pixels into what is
// interpolated between them bilinearly. A box as large as a block, around a pixel, holds
// as much of the next block as the pixel is off the middle of its own. Where the scale is
// even there is no box around a pixel, but two that are half a pixel off, and the mean of
// these is right. At the edges a box lies in its block where the image ends, and is clipped.
func (l *Upsample) boxes(x tensor.Shape) (box, pair device.Pool) {
	h, w := l.Scale.H, l.Scale.W
	box = device.Pool{
		Op: device.AveragePool, N: x[0], C: x[1], H: x[2] * h, W: x[3] * w, R: h, S: w, StrideH: 1, StrideW: 1,
		PadTop: h / 2, PadBottom: h / 2, PadLeft: w / 2, PadRight: w / 2,
	}
	pair = device.Pool{
		Op: device.AveragePool, N: x[0], C: x[1], H: box.OutH(), W: box.OutW(), R: 2 - h%2, S: 2 - w%2, StrideH: 1, StrideW: 1,
	}
	return box, pair
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

// Forward enqueues the copy, and where it interpolates the means.
func (l *Upsample) Forward(q device.Queue, c *Call) {
	x, y := c.In[0], c.Out[0]
	if !l.bilinear() {
		q.CopyStrided(l.copy(x), y, x, device.Overwrite)
		return
	}
	box, pair := l.boxes(x.Shape)
	blocks, means := l.parts(c, box, pair)
	q.CopyStrided(l.copy(x), blocks, x, device.Overwrite)
	q.PoolForward(box, means, device.Tensor{}, blocks)
	q.PoolForward(pair, y, device.Tensor{}, means)
}

// parts are the scratch memory: blocks of equal pixels, and the means over boxes.
func (l *Upsample) parts(c *Call, box, pair device.Pool) (blocks, means device.Tensor) {
	return c.part(0, box.N, box.C, box.H, box.W), c.part(1, pair.N, pair.C, pair.H, pair.W)
}

// Backward adds up each block.
func (l *Upsample) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	dx, dy := c.DIn[0], c.DOut[0]
	if l.bilinear() {
		box, pair := l.boxes(dx.Shape)
		blocks, means := l.parts(c, box, pair)
		q.PoolBackward(pair, means, dy, device.Tensor{}, device.Overwrite)
		q.PoolBackward(box, blocks, means, device.Tensor{}, device.Overwrite)
		dy = blocks
	}
	q.CopyStrided(l.copy(dx).Reversed(), dx, dy, c.Modes[0])
}
