package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	Register(func() Layer { return &GroupNorm{} })
	Register(func() Layer { return &InstanceNorm{} })
}

// GroupNorm normalises the channels of a sample in groups of neighbours, by mean and
// variance over a group's channels and pixels (Wu and He 2018), by BatchNorm's equation.
// Its parameters are weight and bias [C].
type GroupNorm struct {
	Groups int      `json:"groups"`
	Eps    *float32 `json:"eps,omitempty"` // 1e-5 unless given
	Affine          // on unless given
}

// Type is "group-norm".
func (l *GroupNorm) Type() string { return "group-norm" }

// Plan checks that the groups divide the channels.
func (l *GroupNorm) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectChannels(in); err != nil {
		return Spec{}, err
	}
	if channels := in[0].Shape[1]; l.Groups < 1 || channels%l.Groups != 0 {
		return Spec{}, fmt.Errorf("groups %d does not divide %d channels", l.Groups, channels)
	}
	return planGroups(in[0], o, l.Groups, or(l.Eps, 1e-5), l.Affine, true)
}

// Forward enqueues the normalisation.
func (l *GroupNorm) Forward(q device.Queue, c *Call) { l.norm(c.In[0].Shape).forward(q, c) }

// Backward enqueues the gradients.
func (l *GroupNorm) Backward(q device.Queue, c *Call) { l.norm(c.In[0].Shape).backward(q, c, nil) }

func (l *GroupNorm) norm(x tensor.Shape) norm { return groupsOf(x, l.Groups, l.on(true)) }

// InstanceNorm normalises each channel of a sample by mean and variance over its pixels
// (Ulyanov et al. 2016), by BatchNorm's equation. Its parameters are weight and bias [C].
type InstanceNorm struct {
	Eps    *float32 `json:"eps,omitempty"` // 1e-5 unless given
	Affine          // off unless given
}

// Type is "instance-norm".
func (l *InstanceNorm) Type() string { return "instance-norm" }

// Plan takes images, or other inputs with more than one element per channel.
func (l *InstanceNorm) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectChannels(in); err != nil {
		return Spec{}, err
	}
	return planGroups(in[0], o, in[0].Shape[1], or(l.Eps, 1e-5), l.Affine, false)
}

// Forward enqueues the normalisation.
func (l *InstanceNorm) Forward(q device.Queue, c *Call) { l.norm(c.In[0].Shape).forward(q, c) }

// Backward enqueues the gradients.
func (l *InstanceNorm) Backward(q device.Queue, c *Call) { l.norm(c.In[0].Shape).backward(q, c, nil) }

func (l *InstanceNorm) norm(x tensor.Shape) norm { return groupsOf(x, x[1], l.on(false)) }

// planGroups is the Spec of groups of channels.
func planGroups(in Input, o Options, groups int, eps float32, a Affine, on bool) (Spec, error) {
	if sample(in.Shape) == groups {
		return Spec{}, fmt.Errorf("input is %s, which has one element in each group that is normalised: nothing would be left of it", dims(in.Shape))
	}
	params, err := a.params(on, tensor.Shape{in.Shape[1]})
	if err != nil {
		return Spec{}, err
	}
	return groupsOf(in.Shape, groups, a.on(on)).plan(in, o, eps, params)
}

// groupsOf treats each group of a sample as a sample.
func groupsOf(x tensor.Shape, groups int, affine bool) norm {
	v := viewOf(x)
	n := norm{view: device.View{N: v.N * groups, C: v.C / groups, Inner: v.Inner}, stats: expr.N, affine: expr.N | expr.C, perSample: true}
	if v.C == groups {
		n.affine = expr.N
	}
	if affine {
		n.params = v.C
	}
	return n
}
