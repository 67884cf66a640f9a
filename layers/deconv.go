package layers

import (
	"cmp"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &Deconv{} }) }

// Deconv is a transposed convolution (Zeiler et al. 2010; Long et al. 2015), the gradient
// of the data of a convolution of its options: each pixel of x [N,C,H,W] adds its filters,
// times its value, to y [N,Filters,OutH,OutW]:
//
//	y[n,k, StrideH*i + DilationH*r - PadTop, StrideW*j + DilationW*s - PadLeft] +=
//	    w[c,k-g(c),r,s] x[n,c,i,j]
//
// where g(c) is the first filter of channel c's group, and then a bias for each filter.
// OutH is StrideH*(H-1) + DilationH*(R-1) + 1 - PadTop - PadBottom + OutputPad.H: the pad
// is cut off y, and OutputPad, below the stride, are rows and columns more at its end,
// which the convolution of y to x would leave out. The parameters are as PyTorch and Caffe
// have them: weight [C,Filters/Groups,R,S] and bias [Filters]; fans too are counted from
// the weight's shape as there.
type Deconv struct {
	Conv
	OutputPad Size `json:"output_pad,omitzero"`
}

// Type is "deconv".
func (l *Deconv) Type() string { return "deconv" }

// Plan checks the geometry. The passes of the convolution exchange their parts.
func (l *Deconv) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := l.check(in); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if err := l.checkOptions(x); err != nil {
		return Spec{}, err
	}
	g := l.geometry(x)
	if g.H < 1 || g.W < 1 {
		return Spec{}, fmt.Errorf("output is %dx%d: pad %d,%d,%d,%d takes all of it away", g.H, g.W, g.PadTop, g.PadBottom, g.PadLeft, g.PadRight)
	}
	out := floats(shapeAs(x, g.XShape())...)
	if err := checkShape("output", out.Shape); err != nil {
		return Spec{}, err
	}
	if err := g.Check(); err != nil {
		return Spec{}, err
	}
	w := g.WShape()
	params, err := l.weights().params(shapeAs(x, w), l.Filters, Fan{In: sample(w), Out: g.K / g.Groups * g.R * g.S, Kernel: Size{g.R, g.S}})
	if err != nil {
		return Spec{}, err
	}
	if err := multiplyAdds(device.Elements(x), sample(w)); err != nil {
		return Spec{}, err
	}
	s := Spec{
		Out:       []Input{out},
		Params:    params,
		Temporary: []Slot{{Name: "slope", Shape: tensor.Shape{1}}},
		Backward:  NeedInputs,
		Epilogue:  true,
		FLOPs:     g.FLOPs(),
		Programs:  l.epilogues(),
	}
	if o.Train { // for a gradient that is added
		s.Temporary = append(s.Temporary, Slot{Name: "dx", Shape: x, Batched: true})
	}
	for _, p := range passes(o) {
		needs := t.Needs(g.Of(transposed(p)))
		s.Scratch, s.Packed[p] = max(s.Scratch, needs.Scratch), needs.Packed
	}
	return s, nil
}

// checkOptions checks what the convolution of y to x cannot be asked.
func (l *Deconv) checkOptions(x tensor.Shape) error {
	n, c, h, w := image(x)
	kernel, stride, dilation, pad, more := l.Kernel.of(x), l.Stride.or(1).of(x), l.Dilation.or(1).of(x), l.Pad.of(x), l.outputPad(x)
	groups := cmp.Or(l.Groups, 1)
	switch {
	case len(x) == 3 && l.OutputPad.H != l.OutputPad.W && l.OutputPad.H != 0:
		return fmt.Errorf("output_pad %v is for images; of input %s, [N,C,L], it is one number", l.OutputPad, dims(x))
	case l.Filters < 1 || kernel.H < 1 || kernel.W < 1:
		return fmt.Errorf("%d filters of %v: each number must be at least 1", l.Filters, kernel)
	case stride.H < 1 || stride.W < 1:
		return fmt.Errorf("stride %v must be at least 1", stride)
	case dilation.H < 1 || dilation.W < 1:
		return fmt.Errorf("dilation %v must be at least 1", dilation)
	case min(pad.Top, pad.Bottom, pad.Left, pad.Right) < 0:
		return fmt.Errorf("pad %d,%d,%d,%d must not be negative", pad.Top, pad.Bottom, pad.Left, pad.Right)
	case more.H < 0 || more.W < 0 || more.H >= stride.H || more.W >= stride.W:
		return fmt.Errorf("output_pad %v must be in 0 to %v, below the stride", more, Size{stride.H - 1, stride.W - 1})
	case groups < 1 || c%groups != 0:
		return fmt.Errorf("groups %d does not divide %d channels", groups, c)
	case l.Filters%groups != 0:
		return fmt.Errorf("groups %d does not divide %d filters", groups, l.Filters)
	}
	if h == 1 {
		stride.H = 1 // nothing is that far apart
	}
	if w == 1 {
		stride.W = 1
	}
	// As one axis for each factor, so that no product leaves an int.
	return checkShape("output", tensor.Shape{n, l.Filters, max(h-1, 1), stride.H, max(w-1, 1), stride.W})
}

// geometry is the convolution of y to an input x.
func (l *Deconv) geometry(x tensor.Shape) device.Conv {
	g := l.Conv.geometry(x)
	more := l.outputPad(x)
	g.K, g.C = g.C, l.Filters
	g.H = g.StrideH*(g.H-1) + device.Extent(g.R, g.DilationH) - g.PadTop - g.PadBottom + more.H
	g.W = g.StrideW*(g.W-1) + device.Extent(g.S, g.DilationW) - g.PadLeft - g.PadRight + more.W
	return g
}

// outputPad is that of an input: none has a height where x is [N,C,L].
func (l *Deconv) outputPad(x tensor.Shape) Size {
	if len(x) == 3 {
		return Size{0, l.OutputPad.W}
	}
	return l.OutputPad
}

// transposed is the convolution's pass that a pass of the layer is.
func transposed(p device.Pass) device.Pass {
	switch p {
	case device.Forward:
		return device.BackwardData
	case device.BackwardData:
		return device.Forward
	}
	return p
}

// epilogues are the programs of what follows the product, in place: of y, the bias and a
// slope. The first is no activation, and the others are each activation of
// device.UnaryOps.
func (l *Deconv) epilogues() []*expr.Program {
	x := expr.Input(0, expr.Whole)
	if !l.NoBias {
		x = expr.Add(x, expr.Input(1, expr.Channel))
	}
	list := []*expr.Program{expr.MustNew(x)}
	for _, op := range device.UnaryOps() {
		list = append(list, expr.MustNew(value(op, x, expr.Input(2, expr.One))))
	}
	return list
}

// Forward enqueues the convolution's gradient of data, and then the epilogue.
func (l *Deconv) Forward(q device.Queue, c *Call) {
	g := l.geometry(c.In[0].Shape)
	q.ConvBackwardData(g, c.Out[0], c.In[0], filter(c, device.Forward), device.Overwrite, c.Scratch)
	l.biasAndActivation(q, c)
	for i := range c.Epilogue.Maps {
		m := &c.Epilogue.Maps[i]
		q.Map(m.Program, viewOf(c.Out[0].Shape), c.Out, m.In, overwrite, device.Random{})
	}
}

// biasAndActivation enqueues the first part of the epilogue.
func (l *Deconv) biasAndActivation(q device.Queue, c *Call) {
	p, a := c.Programs[0], c.Epilogue.Activation
	if a.On {
		p = c.Programs[1+int(a.Op)]
	} else if l.NoBias {
		return
	}
	in := c.Args(c.Out[0], device.Tensor{}, device.Tensor{})
	if !l.NoBias {
		in[1] = c.Params[1]
	}
	if a.On && a.Op == device.LeakyReLU {
		in[2] = c.Temporary[0]
		q.Fill(in[2], a.Slope)
	}
	q.Map(p, viewOf(c.Out[0].Shape), c.Out, in, overwrite, device.Random{})
}

// Backward enqueues the gradients of the parameters, then that of the input.
func (l *Deconv) Backward(q device.Queue, c *Call) {
	x, dy := c.In[0], c.DOut[0]
	g := l.geometry(x.Shape)
	dw, dbias := dparams(c)
	if !dw.IsNil() {
		q.ConvBackwardFilter(g, dw, device.Tensor{}, dy, x, c.ParamMode, c.Scratch)
	}
	if !dbias.IsNil() {
		q.Reduce(identity, viewOf(dy.Shape), device.Sum, expr.Channel, dbias, c.Args(dy), c.ParamMode, device.Random{})
	}
	if !c.WantsGradient(0) {
		return
	}
	w := filter(c, device.BackwardData)
	if c.Modes[0] == device.Overwrite {
		q.ConvForward(g, c.DIn[0], dy, w, device.Epilogue{}, c.Scratch)
		return
	}
	dx := c.Temporary[1]
	q.ConvForward(g, dx, dy, w, device.Epilogue{}, c.Scratch)
	q.Map(identity, viewOf(dx.Shape), c.DIn, c.Args(dx), c.Modes, device.Random{})
}

// Pack refreshes the packed weights, as Conv's does.
func (l *Deconv) Pack(q device.Queue, c *Call) {
	g := l.geometry(c.In[0].Shape)
	for p, packed := range c.Packed {
		if packed != nil {
			q.ConvPack(g, transposed(device.Pass(p)), packed, c.Params[0])
		}
	}
}

// ScaleChannels multiplies filters by the factors of their channels. Those of a group are
// axis 1 of the weight.
func (l *Deconv) ScaleChannels(weight *tensor.Dense, factors []float64) {
	w, shape := weight.Float32s(), weight.Shape()
	inputs := shape[0] / cmp.Or(l.Groups, 1) // of a group
	filter := len(w) / (shape[0] * shape[1])
	for i := range w {
		c, k := i/filter/shape[1], i/filter%shape[1]
		w[i] = float32(float64(w[i]) * factors[c/inputs*shape[1]+k])
	}
}
