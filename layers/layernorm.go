package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &LayerNorm{} }) }

// LayerNorm normalises each sample by mean and variance over all of it (Ba et al. 2016),
// by BatchNorm's equation. Its parameters are weight and bias, of the shape of a sample.
// With Channels it normalises each pixel over its channels, as ConvNeXt does (Liu et al.
// 2022), and they are [C].
type LayerNorm struct {
	Channels bool     `json:"channels,omitempty"`
	Eps      *float32 `json:"eps,omitempty"` // 1e-5 unless given
	Affine            // on unless given
}

// Type is "layer-norm".
func (l *LayerNorm) Type() string { return "layer-norm" }

// Plan takes inputs with more than one element to normalise together.
func (l *LayerNorm) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectChannels(in); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	shape, together := x[1:], sample(x)
	if l.Channels {
		shape, together = shape[:1], x[1]
	}
	if together == 1 {
		return Spec{}, fmt.Errorf("input is %s, which has one element in each group that is normalised: nothing would be left of it", dims(x))
	}
	params, err := l.params(true, tensor.Shape(shape).Clone())
	if err != nil {
		return Spec{}, err
	}
	return l.norm(x).plan(in[0], o, or(l.Eps, 1e-5), params)
}

// Forward enqueues the normalisation.
func (l *LayerNorm) Forward(q device.Queue, c *Call) { l.norm(c.In[0].Shape).forward(q, c) }

// Backward enqueues the gradients.
func (l *LayerNorm) Backward(q device.Queue, c *Call) { l.norm(c.In[0].Shape).backward(q, c, nil) }

func (l *LayerNorm) norm(x tensor.Shape) norm {
	n := norm{view: device.View{N: x[0], C: 1, Inner: sample(x)}, stats: expr.N, affine: expr.Inner}
	if v := viewOf(x); l.Channels && v.Inner > 1 {
		n = norm{view: v, stats: expr.Pixel, affine: expr.C}
	}
	if l.on(true) {
		n.params = n.view.Elements(n.affine)
	}
	return n
}
