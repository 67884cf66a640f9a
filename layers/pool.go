package layers

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() {
	Register(func() Layer { return &Pool{Op: device.MaxPool} })
	Register(func() Layer { return &Pool{Op: device.AveragePool} })
}

// Pool is max or average pooling of images [N,C,H,W], each channel by itself. Rows of
// pixels [N,C,L] are images of height 1: sizes are one number then.
type Pool struct {
	Op     device.PoolOp `json:"-"` // the layer's type says which
	Window Size          `json:"window,omitzero"`
	Stride Size          `json:"stride,omitzero"` // 1 unless given
	Pad    Pad           `json:"pad,omitzero"`

	// Ceil rounds the output's size up, as Caffe does, instead of down. A window
	// may then be larger than the padded image, by less than the stride.
	Ceil bool `json:"ceil,omitempty"`

	// CountPad makes an average count the padding, as Caffe does.
	CountPad bool `json:"count_pad,omitempty"`

	// Global pools each channel to one number. It takes no window, stride
	// or pad.
	Global bool `json:"global,omitempty"`

	// Switches makes a second output, int32: where in its image each maximum lies, for
	// Unpool.
	Switches bool `json:"switches,omitempty"`
}

// Type is "max-pool" or "average-pool".
func (l *Pool) Type() string {
	if l.Op == device.AveragePool {
		return "average-pool"
	}
	return "max-pool"
}

// Plan checks the geometry. Max pooling saves where each maximum lies, unless that is an
// output.
func (l *Pool) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if l.Switches && l.Op != device.MaxPool {
		return Spec{}, errors.New("switches are for max pooling")
	}
	out, err := l.check(l.Op, in)
	if err != nil {
		return Spec{}, err
	}
	s := Spec{Out: []Input{out}}
	if !l.Switches && (l.Op != device.MaxPool || !o.Train) {
		return s, nil
	}
	if err := indexable(in[0].Shape); err != nil {
		return Spec{}, err
	}
	if l.Switches {
		s.Out = append(s.Out, Input{Shape: slices.Clone(out.Shape), DType: device.Int32})
		s.Backward = NeedOutputs
	} else {
		s.Saved = []Slot{poolIndex(out.Shape)}
	}
	return s, nil
}

// check checks the options of a pooling, and makes its output.
func (l *Pool) check(op device.PoolOp, in []Input) (Input, error) {
	if err := expectPixels(in, map[string]Size{"window": l.Window, "stride": l.Stride}, l.Pad); err != nil {
		return Input{}, err
	}
	if l.Global && (l.Window != Size{} || l.Stride != Size{} || l.Pad != Pad{}) {
		return Input{}, errors.New("global pooling takes no window, stride or pad")
	}
	if l.CountPad && op == device.MaxPool {
		return Input{}, errors.New("count_pad is for average pooling")
	}
	if err := bounded(
		option{"window", max(l.Window.H, l.Window.W)},
		option{"stride", max(l.Stride.H, l.Stride.W)},
		option{"pad", max(l.Pad.Top, l.Pad.Bottom, l.Pad.Left, l.Pad.Right)},
	); err != nil {
		return Input{}, err
	}
	g := l.geometry(op, in[0].Shape)
	if err := g.Check(); err != nil {
		return Input{}, err
	}
	out := floats(shapeAs(in[0].Shape, g.YShape())...)
	return out, checkShape("output", out.Shape)
}

// poolIndex is a saved slot for where maxima lie.
func poolIndex(out tensor.Shape) Slot {
	return Slot{Name: "index", Shape: slices.Clone(out), DType: device.Int32, Batched: true}
}

// indexable checks that an int32 can name each pixel of an image.
func indexable(x tensor.Shape) error {
	if _, _, h, w := image(x); plane(x) > maxSize {
		return fmt.Errorf("images of %dx%d have more pixels than an int32 can index", h, w)
	}
	return nil
}

// index is where maxima lie, absent where it is not known.
func (l *Pool) index(c *Call) device.Tensor {
	if l.Switches {
		return c.Out[1]
	}
	return saved(c)
}

// Forward enqueues the pooling.
func (l *Pool) Forward(q device.Queue, c *Call) {
	q.PoolForward(l.geometry(l.Op, c.In[0].Shape), c.Out[0], l.index(c), c.In[0])
}

// Backward enqueues the gradient.
func (l *Pool) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.PoolBackward(l.geometry(l.Op, c.In[0].Shape), c.DIn[0], c.DOut[0], l.index(c), c.Modes[0])
	}
}

func (l *Pool) geometry(op device.PoolOp, x tensor.Shape) device.Pool {
	n, c, h, w := image(x)
	window, stride, pad := l.Window.of(x), l.Stride.or(1).of(x), l.Pad.of(x)
	if l.Global {
		window = Size{h, w}
	}
	return device.Pool{
		Op: op,
		N:  n, C: c, H: h, W: w,
		R: window.H, S: window.W,
		PadTop: pad.Top, PadBottom: pad.Bottom, PadLeft: pad.Left, PadRight: pad.Right,
		StrideH: stride.H, StrideW: stride.W,
		Ceil: l.Ceil, CountPad: l.CountPad,
	}
}

// saved is a layer's only Saved slot, absent where the plan has none.
func saved(c *Call) device.Tensor {
	if len(c.Saved) == 0 {
		return device.Tensor{}
	}
	return c.Saved[0]
}
