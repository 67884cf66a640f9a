package layers

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() {
	Register(func() Layer { return &Concat{} })
	Register(func() Layer { return &Split{} })
}

// Concat joins inputs [N,C,...] along the channels, in their order.
type Concat struct{}

// Type is "concat".
func (l *Concat) Type() string { return "concat" }

// Plan checks that the inputs differ only in their channels.
func (l *Concat) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectSeveral(in, 1); err != nil {
		return Spec{}, err
	}
	first, channels := in[0].Shape, 0
	for i := range in {
		x := in[i].Shape
		if len(x) < 2 {
			return Spec{}, fmt.Errorf("input %d is %s, which has no channels", i, dims(x))
		}
		if len(x) != len(first) || x[0] != first[0] || !slices.Equal(x[2:], first[2:]) {
			return Spec{}, fmt.Errorf("input %d is %s, want %s to match input 0 in all but the channels", i, dims(x), dims(first))
		}
		channels += x[1]
	}
	y := withChannels(first, channels)
	if err := checkShape("output", y); err != nil {
		return Spec{}, err
	}
	return Spec{Out: []Input{floats(y...)}}, nil
}

// Forward enqueues one copy for each input.
func (l *Concat) Forward(q device.Queue, c *Call) {
	offset := 0
	for _, x := range c.In {
		q.CopyStrided(part(c.Out[0], x, offset), c.Out[0], x, device.Overwrite)
		offset += sample(x.Shape)
	}
}

// Backward enqueues one copy for each input.
func (l *Concat) Backward(q device.Queue, c *Call) {
	offset := 0
	for i, x := range c.In {
		if c.WantsGradient(i) {
			q.CopyStrided(part(c.Out[0], x, offset).Reversed(), c.DIn[i], c.DOut[0], c.Modes[i])
		}
		offset += sample(x.Shape)
	}
}

// part is the copy of each sample of x to the elements from offset on of the same
// sample of whole.
func part(whole, x device.Tensor, offset int) device.Strided {
	return device.Strided{Axes: [device.MaxAxes]device.Axis{
		{Len: x.Shape[0], Dst: sample(whole.Shape), Src: sample(x.Shape)},
		{Len: sample(x.Shape), Dst: 1, Src: 1},
	}, Dst: offset}
}

// Split divides one input [N,C,...] along the channels into several outputs.
type Split struct {
	Channels []int `json:"channels"` // of each output; they add up to C
}

// Type is "split".
func (l *Split) Type() string { return "split" }

// Plan checks that the parts add up to the number of channels.
func (l *Split) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if len(x) < 2 {
		return Spec{}, fmt.Errorf("input is %s, which has no channels", dims(x))
	}
	var s Spec
	left := x[1]
	for _, n := range l.Channels {
		if n < 1 || n > left {
			return Spec{}, fmt.Errorf("channels %v: each must be at least 1 and all add up to the %d of input %s", l.Channels, x[1], dims(x))
		}
		left -= n
		s.Out = append(s.Out, floats(withChannels(x, n)...))
	}
	if left != 0 {
		return Spec{}, fmt.Errorf("channels %v leave out %d of the %d of input %s", l.Channels, left, x[1], dims(x))
	}
	return s, nil
}

// Forward enqueues one copy for each output.
func (l *Split) Forward(q device.Queue, c *Call) {
	offset := 0
	for _, y := range c.Out {
		q.CopyStrided(part(c.In[0], y, offset).Reversed(), y, c.In[0], device.Overwrite)
		offset += sample(y.Shape)
	}
}

// Backward enqueues one copy for each output.
func (l *Split) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	offset := 0
	for _, dy := range c.DOut {
		q.CopyStrided(part(c.DIn[0], dy, offset), c.DIn[0], dy, c.Modes[0])
		offset += sample(dy.Shape)
	}
}

func withChannels(s tensor.Shape, n int) tensor.Shape {
	s = slices.Clone(s)
	s[1] = n
	return s
}
