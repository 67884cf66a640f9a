package layers

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &ChannelShuffle{} }) }

// ChannelShuffle interleaves the channels of [N,C,...], so that each group of
// the next convolution sees some of every group (Zhang et al. 2018,
// "ShuffleNet"): channel k of group g becomes channel k*Groups+g.
type ChannelShuffle struct {
	Groups int `json:"groups"`
}

// Type is "channel-shuffle".
func (l *ChannelShuffle) Type() string { return "channel-shuffle" }

// Plan checks that the groups are of one size.
func (l *ChannelShuffle) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if len(x) < 2 {
		return Spec{}, fmt.Errorf("input is %s, which has no channels", dims(x))
	}
	if l.Groups < 1 || x[1]%l.Groups != 0 {
		return Spec{}, fmt.Errorf("groups %d does not divide %d channels", l.Groups, x[1])
	}
	return Spec{Out: like(in[0])}, nil
}

// copy is that of x to y, which have one shape.
func (l *ChannelShuffle) copy(x device.Tensor) device.Strided {
	each, inner := x.Shape[1]/l.Groups, plane(x.Shape)
	return device.Strided{Axes: [device.MaxAxes]device.Axis{
		{Len: x.Shape[0], Dst: sample(x.Shape), Src: sample(x.Shape)},
		{Len: each, Dst: l.Groups * inner, Src: inner},
		{Len: l.Groups, Dst: inner, Src: each * inner},
		{Len: inner, Dst: 1, Src: 1},
	}}
}

// Forward enqueues the copy.
func (l *ChannelShuffle) Forward(q device.Queue, c *Call) {
	q.CopyStrided(l.copy(c.In[0]), c.Out[0], c.In[0], device.Overwrite)
}

// Backward enqueues the copy back.
func (l *ChannelShuffle) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.CopyStrided(l.copy(c.DIn[0]).Reversed(), c.DIn[0], c.DOut[0], c.Modes[0])
	}
}
