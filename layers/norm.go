package layers

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// Affine has the options of weight and bias. A layer multiplies by the weight what it has
// normalised, and adds the bias.
type Affine struct {
	On *bool `json:"affine,omitempty"` // whether there are weight and bias

	WeightFiller Filler `json:"weight_filler,omitzero"` // 1 unless given
	BiasFiller   Filler `json:"bias_filler,omitzero"`   // 0 unless given

	// Multipliers of the learning rate and of the weight decay, 1 unless
	// given.
	WeightRate  *float32 `json:"weight_rate,omitempty"`
	WeightDecay *float32 `json:"weight_decay,omitempty"`
	BiasRate    *float32 `json:"bias_rate,omitempty"`
	BiasDecay   *float32 `json:"bias_decay,omitempty"`
}

// on reports whether there are weight and bias. If the options do not say, the answer is
// otherwise.
func (a Affine) on(otherwise bool) bool { return a.On == nil && otherwise || a.On != nil && *a.On }

// params makes weight and bias of one shape, or neither.
func (a Affine) params(on bool, shape tensor.Shape) ([]Param, error) {
	if !a.on(on) {
		return nil, nil
	}
	if a.WeightFiller == (Filler{}) {
		a.WeightFiller = Constant(1)
	}
	fan := Fan{In: 1, Out: 1}
	weight, err := param("weight", shape, fan, a.WeightFiller, a.WeightRate, a.WeightDecay)
	if err != nil {
		return nil, err
	}
	bias, err := param("bias", shape.Clone(), fan, a.BiasFiller, a.BiasRate, a.BiasDecay)
	return []Param{weight, bias}, err
}

// norm is the common part of the layers that normalise. A mean and a variance are those of
// all elements along the axes that they lack, of which there are count:
//
//	mean   = sum x / count
//	invstd = 1 / sqrt(sum (x - mean)^2 / count + eps)
//	y      = z weight + bias, with z = (x - mean) invstd
//
// and the gradients, with g = dy weight,
//
//	dx      = invstd (g - sum g / count - z (sum g z) / count)
//	dweight = sum dy z
//	dbias   = sum dy
//
// The mean is subtracted before anything is squared or multiplied, so that numbers that are
// large compared with their deviation keep their digits.
type norm struct {
	view   device.View
	stats  expr.Axes // of mean and invstd
	affine expr.Axes // of weight and bias

	params    int  // elements of the weight, 0 if there is none
	perSample bool // the affine axes have the weight once for each sample
	running   bool // there are running statistics, which inference uses
}

// What programs read, by number. Those that a program writes together lie together.
const (
	normX = iota
	normMean
	normInvStd // the variance, until it is turned into invstd
	normRunningMean
	normRunningVar
	normScaleFactor
	normWeight
	normBias
	normDY
	normSum   // of g, then divided by the count
	normInner // of g z, then multiplied by invstd and divided by the count
	normSums  // of dy, along the affine axes
	normInners
	normCount
)

// The programs of a Spec.
const (
	normMeanOf = iota
	normVarianceOf
	normInvStdOf
	normForward
	normGradientOfWeight
	normSumOf
	normInnerOf
	normMeansOf // of the sums
	normBackward
	normPrograms
)

var (
	normSpread = expr.MustNew(expr.Input(0, expr.Inner), expr.Input(1, expr.Inner)) // weight and bias
	normModes  = make([]device.Mode, expr.MaxOutputs)                               // device.Overwrite each

	normNames = [...]string{normMean: "mean", normInvStd: "invstd", normWeight: "weight", normBias: "bias",
		normSum: "sum", normInner: "inner", normSums: "sums", normInners: "inners", normCount: "count"}
)

// invStd is 1 / sqrt(variance + eps).
func invStd(variance expr.Expr, eps float32) expr.Expr {
	return expr.Div(expr.Const(1), expr.Sqrt(expr.Add(variance, expr.Const(eps))))
}

// factor is the weight along some axes, 1 if there is none, and summand the bias, or 0.
func (n norm) factor(axes expr.Axes) expr.Expr {
	if n.params == 0 {
		return expr.Const(1)
	}
	return expr.Input(normWeight, axes)
}

func (n norm) summand() expr.Expr {
	if n.params == 0 {
		return expr.Const(0)
	}
	return expr.Input(normBias, n.affine)
}

// normalised is y of these statistics.
func (n norm) normalised(mean, invstd expr.Expr) expr.Expr {
	z := expr.Sub(expr.Input(normX, expr.Whole), mean)
	return expr.Add(expr.Mul(z, expr.Mul(invstd, n.factor(n.affine))), n.summand())
}

// programs are those of a Spec.
func (n norm) programs(eps float32) []*expr.Program {
	x, dy := expr.Input(normX, expr.Whole), expr.Input(normDY, expr.Whole)
	mean, invstd := expr.Input(normMean, n.stats), expr.Input(normInvStd, n.stats)
	each := expr.Div(expr.Const(1), expr.Input(normCount, expr.One))
	centred := expr.Sub(x, mean)
	z := expr.Mul(centred, invstd)
	g := expr.Mul(dy, n.factor(n.affine))
	sum, inner := g, expr.Mul(g, z)
	if n.fromSums() {
		sum = expr.Mul(expr.Input(normSums, expr.Whole), n.factor(expr.Whole))
		inner = expr.Mul(expr.Input(normInners, expr.Whole), n.factor(expr.Whole))
	}
	allOf := [2]expr.Expr{expr.Input(normSum, expr.Whole), expr.Input(normInner, expr.Whole)}
	if n.oneWeight() {
		allOf = [2]expr.Expr{sum, inner}
	}
	meanOf := func(x expr.Expr) expr.Expr { return expr.Div(x, expr.Input(normCount, expr.One)) }
	ofMeans := expr.Add(expr.Input(normSum, n.stats), expr.Mul(centred, expr.Input(normInner, n.stats)))
	p := make([]*expr.Program, normPrograms)
	p[normMeanOf] = expr.MustNew(expr.Mul(x, each))
	p[normVarianceOf] = expr.MustNew(expr.Mul(expr.Mul(centred, centred), each))
	p[normInvStdOf] = expr.MustNew(invStd(expr.Input(normInvStd, expr.Whole), eps))
	p[normForward] = expr.MustNew(n.normalised(mean, invstd))
	p[normGradientOfWeight] = expr.MustNew(expr.Mul(dy, z))
	p[normSumOf] = expr.MustNew(sum)
	p[normInnerOf] = expr.MustNew(inner)
	p[normMeansOf] = expr.MustNew(meanOf(allOf[0]), meanOf(expr.Mul(allOf[1], expr.Input(normInvStd, expr.Whole))))
	p[normBackward] = expr.MustNew(expr.Mul(expr.Sub(g, ofMeans), invstd))
	return p
}

// fromSums reports whether the sums of g and g z can be computed from the sums of dy and
// dy z along the affine axes, each times its weight. Then two passes over memory serve the
// gradients of the parameters and of the input. If pixels have their own statistics, they
// cannot.
func (n norm) fromSums() bool { return n.params > 0 && n.stats&^n.affine == 0 }

// oneWeight reports whether all elements with the same statistics have the same weight, and
// the other way round: then the sums of g and g z are those of dy and dy z times it.
func (n norm) oneWeight() bool { return n.params > 0 && n.stats == n.affine }

// temporaries calls each with the numbers of the temporary tensors, in order. Mean and
// invstd are saved in training, and inference with running statistics needs neither.
func (n norm) temporaries(train bool, each func(i int)) {
	if !train && n.running {
		return
	}
	if !train {
		each(normMean)
		each(normInvStd)
	}
	each(normCount)
	if n.params > 0 && n.perSample {
		each(normWeight)
		each(normBias)
	}
	if train {
		each(normSum)
		each(normInner)
		if n.fromSums() {
			each(normSums)
			each(normInners)
		}
	}
}

// slot is a tensor by number. It is batched unless its axes are those of running
// statistics.
func (n norm) slot(i, batch int) Slot {
	s := Slot{Name: normNames[i], DType: device.Float32}
	elements := n.view.Elements(n.stats)
	switch i {
	case normCount:
		s.Shape = tensor.Shape{1}
		return s
	case normWeight, normBias, normSums, normInners:
		elements = n.view.Elements(n.affine)
	}
	if n.running {
		s.Shape = tensor.Shape{elements}
		return s
	}
	s.Shape, s.Batched = tensor.Shape{batch, elements / batch}, true
	return s
}

// plan is the Spec.
func (n norm) plan(in Input, o Options, eps float32, params []Param) (Spec, error) {
	if !(eps > 0 && eps <= math.MaxFloat32) {
		return Spec{}, fmt.Errorf("eps %g must be positive and finite", eps)
	}
	s := Spec{Out: like(in), Params: params, Backward: NeedInputs, InPlace: true, Repeats: o.Train, Programs: n.programs(eps)}
	batch := in.Shape[0]
	if o.Train {
		s.Saved = []Slot{n.slot(normMean, batch), n.slot(normInvStd, batch)}
	}
	n.temporaries(o.Train, func(i int) { s.Temporary = append(s.Temporary, n.slot(i, batch)) })
	return s, nil
}

// args is what programs read.
func (n norm) args(c *Call) []device.Tensor {
	var of [normCount + 1]device.Tensor
	of[normX] = c.In[0]
	copy(of[normMean:], c.Saved)
	copy(of[normRunningMean:], c.State)
	copy(of[normWeight:], c.Params)
	copy(of[normDY:], c.DOut)
	next := 0
	n.temporaries(len(c.Saved) > 0, func(i int) {
		of[i] = c.Temporary[next]
		next++
	})
	return c.Args(of[:]...)
}

// forward enqueues the whole pass.
func (n norm) forward(q device.Queue, c *Call) {
	in := n.args(c)
	if c.Again {
		n.normalise(q, c, in)
		return
	}
	n.moments(q, c, in)
	q.Map(c.Programs[normInvStdOf], flat(in[normInvStd]), in[normInvStd:][:1], in, normModes[:1], device.Random{})
	n.normalise(q, c, in)
}

// moments computes mean and variance.
func (n norm) moments(q device.Queue, c *Call, in []device.Tensor) {
	n.count(q, c, in)
	q.Reduce(c.Programs[normMeanOf], n.view, device.Sum, n.stats, in[normMean], in, device.Overwrite, device.Random{})
	n.sum(c, in[normMean:][:1])
	q.Reduce(c.Programs[normVarianceOf], n.view, device.Sum, n.stats, in[normInvStd], in, device.Overwrite, device.Random{})
	n.sum(c, in[normInvStd:][:1])
}

// count writes the number of elements with the same statistics. It depends on the number
// of samples, so that programs read it as an input.
func (n norm) count(q device.Queue, c *Call, in []device.Tensor) {
	count := n.view.Elements(expr.Whole) / n.view.Elements(n.stats)
	if n.across(c) {
		count = count / c.Samples() * c.Across.Samples
	}
	q.Fill(in[normCount], float32(count))
}

// across reports whether the statistics are those of a batch that is spread over devices.
func (n norm) across(c *Call) bool { return n.running && c.UpdateState && c.Across != nil }

// sum makes this device's sums those of all devices, over which the batch is spread.
func (n norm) sum(c *Call, sums []device.Tensor) {
	if n.across(c) {
		c.Across.Sum(sums...)
	}
}

// sums are the tensors of which norm.backward makes the input's gradient.
func (n norm) sums(in []device.Tensor) []device.Tensor {
	if n.oneWeight() {
		return in[normSums:][:2]
	}
	return in[normSum:][:2]
}

// normalise computes y.
func (n norm) normalise(q device.Queue, c *Call, in []device.Tensor) {
	n.spread(q, c, in)
	q.Map(c.Programs[normForward], n.view, c.Out, in, normModes[:1], device.Random{})
}

// spread writes weight and bias once for each sample, if they are needed so.
func (n norm) spread(q device.Queue, c *Call, in []device.Tensor) {
	if n.params > 0 && n.perSample {
		v := device.View{N: c.Samples(), C: 1, Inner: n.params}
		q.Map(normSpread, v, in[normWeight:][:2], c.Params, normModes[:2], device.Random{})
	}
}

// backward enqueues the gradients. constant is the program of the input's gradient if the
// statistics are constants, and nil otherwise.
func (n norm) backward(q device.Queue, c *Call, constant *expr.Program) {
	var dw, dbias device.Tensor
	if n.params > 0 {
		dw, dbias = dparams(c)
	}
	if dw.IsNil() && dbias.IsNil() && !c.WantsGradient(0) {
		return
	}
	in := n.args(c)
	wantsSums := n.fromSums() && c.WantsGradient(0) && constant == nil
	n.parameter(q, c, identity, dbias, c.DOut, in[normSums:][:1], wantsSums)
	n.parameter(q, c, c.Programs[normGradientOfWeight], dw, in, in[normInners:][:1], wantsSums)
	if !c.WantsGradient(0) {
		return
	}
	n.spread(q, c, in)
	if constant != nil {
		q.Map(constant, n.view, c.DIn, in, c.Modes, device.Random{})
		return
	}
	n.count(q, c, in)
	if !n.oneWeight() {
		v := n.view
		if n.fromSums() {
			v = n.along(n.affine)
		}
		q.Reduce(c.Programs[normSumOf], v, device.Sum, n.stats, in[normSum], in, device.Overwrite, device.Random{})
		q.Reduce(c.Programs[normInnerOf], v, device.Sum, n.stats, in[normInner], in, device.Overwrite, device.Random{})
	}
	n.sum(c, n.sums(in))
	q.Map(c.Programs[normMeansOf], flat(in[normSum]), in[normSum:][:2], in, normModes[:2], device.Random{})
	q.Map(c.Programs[normBackward], n.view, c.DIn, in, c.Modes, device.Random{})
}

// parameter sums a program to the gradient d of a parameter, if there is one. If there are
// sums, it sums to them first.
func (n norm) parameter(q device.Queue, c *Call, p *expr.Program, d device.Tensor, in, sums []device.Tensor, wantsSums bool) {
	if !n.fromSums() {
		if !d.IsNil() {
			q.Reduce(p, n.view, device.Sum, n.affine, d, in, c.ParamMode, device.Random{})
		}
		return
	}
	if d.IsNil() && !wantsSums {
		return
	}
	q.Reduce(p, n.view, device.Sum, n.affine, sums[0], in, device.Overwrite, device.Random{})
	if !d.IsNil() {
		v := device.View{N: sums[0].Len() / n.params, C: 1, Inner: n.params}
		q.Reduce(identity, v, device.Sum, expr.Inner, d, sums, c.ParamMode, device.Random{})
	}
}

// along is the view of a tensor that has these axes of the norm's.
func (n norm) along(axes expr.Axes) device.View {
	v := n.view
	if axes&expr.N == 0 {
		v.N = 1
	}
	if axes&expr.C == 0 {
		v.C = 1
	}
	if axes&expr.Inner == 0 {
		v.Inner = 1
	}
	return v
}

// flat is the view of a tensor whose elements are all alike.
func flat(t device.Tensor) device.View { return device.View{N: 1, C: 1, Inner: t.Len()} }

// expectChannels checks that a layer has one input, [N,C,...].
func expectChannels(in []Input) error {
	if err := expect(in, input); err != nil {
		return err
	}
	if in[0].Shape.Dims() < 2 {
		return fmt.Errorf("input is %s, which has no channels", dims(in[0].Shape))
	}
	return nil
}
