package caffe

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// formula is an element-wise function as hubel's formula layer has it, of x.
func (b *builder) formula(l *layer, x *value, format string, numbers ...float32) (*value, error) {
	args := make([]any, len(numbers))
	for i, v := range numbers {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, l.fail("its option %g is not finite", v)
		}
		args[i] = layers.FormulaNumber(v)
	}
	return b.one(l, "", &layers.Formula{Formula: fmt.Sprintf(format, args...)}, x)
}

func relu(b *builder, l *layer, x *value) (*value, error) {
	slope := l.param("relu_param").float("negative_slope", 0)
	switch {
	case slope == 0:
		return b.one(l, "", &layers.Unary{Op: device.ReLU}, x)
	case slope > 0 && slope < 1:
		return b.one(l, "", &layers.Unary{Op: device.LeakyReLU, Slope: new(slope)}, x)
	}
	return b.formula(l, x, "select(0 < x, x, %s * x)", slope)
}

// prelu is PReLU, whose slope decays in Caffe unless the file says otherwise.
func prelu(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("prelu_param")
	n := &layers.PReLU{
		Shared: p.bool("channel_shared", false), WeightFiller: b.filler(l, p.sub("filler")),
		WeightRate: l.spec(0).rate, WeightDecay: l.spec(0).decay,
	}
	if n.WeightDecay == nil {
		n.WeightDecay = new(float32(1))
	}
	y, err := b.one(l, "", n, x)
	if err != nil {
		return nil, err
	}
	return y, b.weights(l, x, 0)
}

func elu(b *builder, l *layer, x *value) (*value, error) {
	alpha := l.param("elu_param").float("alpha", 1)
	if alpha < 0 {
		return b.formula(l, x, "select(0 < x, x, %s * (exp(x) - 1))", alpha)
	}
	return b.one(l, "", &layers.ELU{Alpha: alpha}, x)
}

func sigmoid(b *builder, l *layer, x *value) (*value, error) {
	return b.one(l, "", &layers.Unary{Op: device.Sigmoid}, x)
}

func tanh(b *builder, l *layer, x *value) (*value, error) {
	return b.one(l, "", &layers.Unary{Op: device.Tanh}, x)
}

// bnll is log(1 + e^x).
func bnll(b *builder, l *layer, x *value) (*value, error) {
	return b.one(l, "", &layers.Activation{Function: "softplus"}, x)
}

func absVal(b *builder, l *layer, x *value) (*value, error) { return b.formula(l, x, "abs(x)") }

// power is (shift + scale x)^power, which as in C is defined below 0 for whole powers alone.
func power(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("power_param")
	e, scale, shift := p.float("power", 1), p.float("scale", 1), p.float("shift", 0)
	if e == 1 && shift == 0 {
		return b.one(l, "", &layers.Scale{Factor: scale}, x)
	}
	base := fmt.Sprintf("(%s + %s * x)", layers.FormulaNumber(shift), layers.FormulaNumber(scale))
	const most = 8
	whole := math.Trunc(float64(e)) == float64(e)
	text := ""
	switch {
	case e == 0 || scale == 0:
		return b.formula(l, x, "%s + 0 * x", float32(math.Pow(float64(shift), float64(e))))
	case whole && math.Abs(float64(e)) <= most:
		text = base
		for range int(math.Abs(float64(e))) - 1 {
			text += " * " + base
		}
		if e < 0 {
			text = "1 / (" + text + ")"
		}
	case e == 0.5:
		text = "sqrt(" + base + ")"
	case whole:
		text = fmt.Sprintf("exp(%s * log(abs(%s)))", layers.FormulaNumber(e), base)
		if math.Mod(float64(e), 2) != 0 {
			text = fmt.Sprintf("select(%s < 0, -1, 1) * %s", base, text)
		}
	default:
		text = fmt.Sprintf("exp(%s * log(%s))", layers.FormulaNumber(e), base)
	}
	for _, v := range []float32{e, scale, shift} {
		if v != v || math.IsInf(float64(v), 0) {
			return nil, l.fail("its option %g is not finite", v)
		}
	}
	return b.one(l, "", &layers.Formula{Formula: text}, x)
}

// base is the natural logarithm of that of Exp and Log: e where it is -1.
func (l *layer) logOfBase(p *message) (float64, error) {
	base := p.float("base", -1)
	if base == -1 {
		return 1, nil
	}
	if !(base > 0) || base == 1 {
		return 0, l.fail("base %g must be above 0 and not 1, or -1 for e", base)
	}
	return math.Log(float64(base)), nil
}

// exp is base^(shift + scale x).
func exp(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("exp_param")
	k, err := l.logOfBase(p)
	if err != nil {
		return nil, err
	}
	scale, shift := float64(p.float("scale", 1)), float64(p.float("shift", 0))
	return b.formula(l, x, "exp(%s + %s * x)", float32(k*shift), float32(k*scale))
}

// log is the logarithm of shift + scale x to the base.
func log(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("log_param")
	k, err := l.logOfBase(p)
	if err != nil {
		return nil, err
	}
	return b.formula(l, x, "%s * log(%s + %s * x)", float32(1/k), p.float("shift", 0), p.float("scale", 1))
}

// threshold is 1 above the threshold, and 0 elsewhere. It has no gradient.
func threshold(b *builder, l *layer, x *value) (*value, error) {
	return b.formula(l, x, "select(%s < x, 1, 0)", l.param("threshold_param").float("threshold", 0))
}

func clip(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("clip_param")
	low, high := p.get("min"), p.get("max")
	if low == nil || high == nil {
		return nil, l.fail("clip_param needs min and max")
	}
	return b.formula(l, x, "min(max(x, %s), %s)", float32(low.real), float32(high.real))
}

// swish is x times the sigmoid of beta x.
func swish(b *builder, l *layer, x *value) (*value, error) {
	return b.formula(l, x, "x * sigmoid(%s * x)", l.param("swish_param").float("beta", 1))
}

// eltwise is the sum of bottoms, each times its coefficient, their product or the largest. More
// than a layer of hubel's takes are taken one after another.
func eltwise(b *builder, l *layer, in []*value) ([]value, error) {
	const most = 8 // inputs of a layer
	p := l.param("eltwise_param")
	var coefficients []float32
	for _, f := range p.all("coeff") {
		coefficients = append(coefficients, float32(f.real))
	}
	operation := p.enum("operation", "SUM")
	switch {
	case coefficients != nil && len(coefficients) != len(in):
		return nil, l.fail("there are %d coeff for %d bottoms", len(coefficients), len(in))
	case coefficients != nil && operation != "SUM":
		return nil, l.fail("coeff is for the operation SUM")
	}
	make := func(k []float32) layers.Layer {
		switch operation {
		case "PROD":
			return &layers.Product{}
		case "MAX":
			return &layers.Maximum{}
		}
		for _, v := range k {
			if v != 1 {
				return &layers.Add{Coefficients: k}
			}
		}
		return &layers.Add{}
	}
	for step := 1; len(in) > most; step++ {
		var k []float32
		if coefficients != nil {
			k = coefficients[:most:most]
			coefficients = append([]float32{1}, coefficients[most:]...)
		}
		first, err := b.one(l, fmt.Sprintf("_%d", step), make(k), in[:most]...)
		if err != nil {
			return nil, err
		}
		in = append([]*value{first}, in[most:]...)
	}
	return b.node(l, "", make(coefficients), in...)
}
