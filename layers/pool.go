package layers

import (
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() {
	Register(func() Layer { return &Pool{Op: device.MaxPool} })
	Register(func() Layer { return &Pool{Op: device.AveragePool} })
}

// Pool is max or average pooling of images [N,C,H,W], each channel by itself.
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
}

// Type is "max-pool" or "average-pool".
func (l *Pool) Type() string {
	if l.Op == device.AveragePool {
		return "average-pool"
	}
	return "max-pool"
}

// Plan checks the geometry. Max pooling saves where each maximum lies.
func (l *Pool) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectImage(in); err != nil {
		return Spec{}, err
	}
	if l.Global && (l.Window != Size{} || l.Stride != Size{} || l.Pad != Pad{}) {
		return Spec{}, errors.New("global pooling takes no window, stride or pad")
	}
	if l.CountPad && l.Op == device.MaxPool {
		return Spec{}, errors.New("count_pad is for average pooling")
	}
	if err := bounded(
		option{"window", max(l.Window.H, l.Window.W)},
		option{"stride", max(l.Stride.H, l.Stride.W)},
		option{"pad", max(l.Pad.Top, l.Pad.Bottom, l.Pad.Left, l.Pad.Right)},
	); err != nil {
		return Spec{}, err
	}
	g := l.geometry(in[0].Shape)
	if err := g.Check(); err != nil {
		return Spec{}, err
	}
	out := floats(g.YShape()...)
	if err := checkShape("output", out.Shape); err != nil {
		return Spec{}, err
	}
	s := Spec{Out: []Input{out}}
	if l.Op == device.MaxPool && o.Train {
		if plane(in[0].Shape) > maxSize {
			return Spec{}, fmt.Errorf("images of %dx%d have more pixels than an int32 can index", g.H, g.W)
		}
		s.Saved = []Slot{{Name: "index", Shape: g.YShape(), DType: device.Int32, Batched: true}}
	}
	return s, nil
}

// Forward enqueues the pooling.
func (l *Pool) Forward(q device.Queue, c *Call) {
	q.PoolForward(l.geometry(c.In[0].Shape), c.Out[0], saved(c), c.In[0])
}

// Backward enqueues the gradient.
func (l *Pool) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.PoolBackward(l.geometry(c.In[0].Shape), c.DIn[0], c.DOut[0], saved(c), c.Modes[0])
	}
}

func (l *Pool) geometry(x tensor.Shape) device.Pool {
	window, stride := l.Window, l.Stride.or(1)
	if l.Global {
		window = Size{x[2], x[3]}
	}
	return device.Pool{
		Op: l.Op,
		N:  x[0], C: x[1], H: x[2], W: x[3],
		R: window.H, S: window.W,
		PadTop: l.Pad.Top, PadBottom: l.Pad.Bottom, PadLeft: l.Pad.Left, PadRight: l.Pad.Right,
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
