package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Dense{} }) }

// Dense is a fully connected layer of Out units. It flattens all dimensions
// after the batch. Its parameters are weight [Out,In] and bias [Out].
type Dense struct {
	Out    int  `json:"out"`
	NoBias bool `json:"no_bias,omitempty"`

	WeightFiller Filler `json:"weight_filler,omitzero"` // Xavier unless given
	BiasFiller   Filler `json:"bias_filler,omitzero"`   // 0 unless given

	// Multipliers of the learning rate and of the weight decay, 1 unless
	// given.
	WeightRate  *float32 `json:"weight_rate,omitempty"`
	WeightDecay *float32 `json:"weight_decay,omitempty"`
	BiasRate    *float32 `json:"bias_rate,omitempty"`
	BiasDecay   *float32 `json:"bias_decay,omitempty"`
}

// Type is "dense".
func (l *Dense) Type() string { return "dense" }

// Plan makes [N,Out].
func (l *Dense) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	if l.Out < 1 {
		return Spec{}, fmt.Errorf("out %d must be at least 1", l.Out)
	}
	g := l.geometry(in[0].Shape)
	out := floats(g.N, g.Out)
	if err := checkShape("output", out.Shape); err != nil {
		return Spec{}, err
	}
	params, err := weights{l.NoBias, l.WeightFiller, l.BiasFiller, l.WeightRate, l.BiasRate, l.WeightDecay, l.BiasDecay}.
		params(tensor.Shape{g.Out, g.In}, g.Out, Fan{In: g.In, Out: g.Out})
	if err != nil {
		return Spec{}, err
	}
	if err := multiplyAdds(device.Elements(out.Shape), g.In); err != nil {
		return Spec{}, err
	}
	s := Spec{
		Out:      []Input{out},
		Params:   params,
		Backward: NeedInputs,
		Epilogue: true,
		FLOPs:    g.FLOPs(),
	}
	for _, p := range passes(o) {
		s.Scratch = max(s.Scratch, t.Needs(g.Of(p)).Scratch)
	}
	return s, nil
}

// Forward enqueues the product.
func (l *Dense) Forward(q device.Queue, c *Call) {
	e := c.Epilogue
	if !l.NoBias {
		e.Bias = c.Params[1]
	}
	q.DenseForward(l.geometry(c.In[0].Shape), c.Out[0], c.In[0], c.Params[0], e, c.Scratch)
}

// Backward enqueues the gradients of the parameters, then that of the input.
func (l *Dense) Backward(q device.Queue, c *Call) {
	g := l.geometry(c.In[0].Shape)
	if dw, dbias := dparams(c); !dw.IsNil() || !dbias.IsNil() {
		q.DenseBackwardFilter(g, dw, dbias, c.In[0], c.DOut[0], c.ParamMode, c.Scratch)
	}
	if c.WantsGradient(0) {
		q.DenseBackwardData(g, c.DIn[0], c.DOut[0], c.Params[0], c.Modes[0], c.Scratch)
	}
}

// ScaleChannels multiplies rows by the factors of their units.
func (l *Dense) ScaleChannels(weight *tensor.Dense, factors []float64) { scaleRows(weight, factors) }

func (l *Dense) geometry(x tensor.Shape) device.Dense {
	return device.Dense{N: x[0], In: sample(x), Out: l.Out}
}
