package layers

import (
	"cmp"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Conv{} }) }

// Conv is a convolution of images [N,C,H,W] with Filters filters, plus a bias
// for each: device.Conv has the equation. Its parameters are weight
// [Filters,C/Groups,R,S] and bias [Filters]. Rows of pixels [N,C,L] are images of height
// 1: sizes are one number then, the output is [N,Filters,L'], and the weight
// [Filters,C/Groups,S].
type Conv struct {
	Filters  int  `json:"filters"`
	Kernel   Size `json:"kernel"`
	Stride   Size `json:"stride,omitzero"` // 1 unless given
	Pad      Pad  `json:"pad,omitzero"`
	Dilation Size `json:"dilation,omitzero"` // 1 unless given
	Groups   int  `json:"groups,omitempty"`  // 1 unless given
	NoBias   bool `json:"no_bias,omitempty"`

	WeightFiller Filler `json:"weight_filler,omitzero"` // Xavier unless given
	BiasFiller   Filler `json:"bias_filler,omitzero"`   // 0 unless given

	// Multipliers of the learning rate and of the weight decay, 1 unless
	// given.
	WeightRate  *float32 `json:"weight_rate,omitempty"`
	WeightDecay *float32 `json:"weight_decay,omitempty"`
	BiasRate    *float32 `json:"bias_rate,omitempty"`
	BiasDecay   *float32 `json:"bias_decay,omitempty"`
}

// Type is "conv".
func (l *Conv) Type() string { return "conv" }

// Plan checks the geometry. The weights are packed for each pass for which the
// device needs it.
func (l *Conv) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := l.check(in); err != nil {
		return Spec{}, err
	}
	g := l.geometry(in[0].Shape)
	if err := g.Check(); err != nil {
		return Spec{}, err
	}
	out := floats(shapeAs(in[0].Shape, g.YShape())...)
	if err := checkShape("output", out.Shape); err != nil {
		return Spec{}, err
	}
	w := g.WShape()
	params, err := l.weights().params(shapeAs(in[0].Shape, w), g.K, Fan{In: sample(w), Out: g.K / g.Groups * g.R * g.S, Kernel: Size{g.R, g.S}})
	if err != nil {
		return Spec{}, err
	}
	if err := multiplyAdds(device.Elements(out.Shape), sample(w)); err != nil {
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
		needs := t.Needs(g.Of(p))
		s.Scratch, s.Packed[p] = max(s.Scratch, needs.Scratch), needs.Packed
	}
	return s, nil
}

// check checks the input, and that options are small enough to count with.
func (l *Conv) check(in []Input) error {
	sizes := map[string]Size{"kernel": l.Kernel, "stride": l.Stride, "dilation": l.Dilation}
	if err := expectPixels(in, sizes, l.Pad); err != nil {
		return err
	}
	return bounded(
		option{"filters", l.Filters}, option{"groups", l.Groups},
		option{"kernel", max(l.Kernel.H, l.Kernel.W)},
		option{"stride", max(l.Stride.H, l.Stride.W)},
		option{"dilation", max(l.Dilation.H, l.Dilation.W)},
		option{"pad", max(l.Pad.Top, l.Pad.Bottom, l.Pad.Left, l.Pad.Right)},
	)
}

func (l *Conv) weights() weights {
	return weights{l.NoBias, l.WeightFiller, l.BiasFiller, l.WeightRate, l.BiasRate, l.WeightDecay, l.BiasDecay}
}

// Forward enqueues the convolution.
func (l *Conv) Forward(q device.Queue, c *Call) {
	e := c.Epilogue
	if !l.NoBias {
		e.Bias = c.Params[1]
	}
	q.ConvForward(l.geometry(c.In[0].Shape), c.Out[0], c.In[0], filter(c, device.Forward), e, c.Scratch)
}

// Backward enqueues the gradients of the parameters, then that of the input.
func (l *Conv) Backward(q device.Queue, c *Call) {
	g := l.geometry(c.In[0].Shape)
	if dw, dbias := dparams(c); !dw.IsNil() || !dbias.IsNil() {
		q.ConvBackwardFilter(g, dw, dbias, c.In[0], c.DOut[0], c.ParamMode, c.Scratch)
	}
	if c.WantsGradient(0) {
		q.ConvBackwardData(g, c.DIn[0], c.DOut[0], filter(c, device.BackwardData), c.Modes[0], c.Scratch)
	}
}

// Pack refreshes the packed weights. It reads the input's shape, so c must be
// the call of Forward.
func (l *Conv) Pack(q device.Queue, c *Call) {
	g := l.geometry(c.In[0].Shape)
	for p, packed := range c.Packed {
		if packed != nil {
			q.ConvPack(g, device.Pass(p), packed, c.Params[0])
		}
	}
}

// ScaleChannels multiplies filters by the factors of their channels.
func (l *Conv) ScaleChannels(weight *tensor.Dense, factors []float64) { scaleRows(weight, factors) }

// filter is the weights with the packed copy of a pass.
func filter(c *Call, p device.Pass) device.Filter {
	return device.Filter{Tensor: c.Params[0], Packed: c.Packed[p]}
}

// passes are those that a plan is for.
func passes(o Options) []device.Pass {
	if o.Train {
		return []device.Pass{device.Forward, device.BackwardData, device.BackwardFilter}
	}
	return []device.Pass{device.Forward}
}

// dparams is the gradients of weight and bias, each absent where it is
// frozen or not there.
func dparams(c *Call) (dw, dbias device.Tensor) {
	if len(c.DParams) > 1 {
		dbias = c.DParams[1]
	}
	return c.DParams[0], dbias
}

func (l *Conv) geometry(x tensor.Shape) device.Conv {
	n, c, h, w := image(x)
	kernel, stride, dilation, pad := l.Kernel.of(x), l.Stride.or(1).of(x), l.Dilation.or(1).of(x), l.Pad.of(x)
	return device.Conv{
		N: n, C: c, H: h, W: w,
		K: l.Filters, R: kernel.H, S: kernel.W,
		PadTop: pad.Top, PadBottom: pad.Bottom, PadLeft: pad.Left, PadRight: pad.Right,
		StrideH: stride.H, StrideW: stride.W,
		DilationH: dilation.H, DilationW: dilation.W,
		Groups: cmp.Or(l.Groups, 1),
	}
}
