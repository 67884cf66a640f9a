package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// functions are the operators that are one function of each element, without attributes.
var functions = map[string]func() layers.Layer{
	"Relu":       func() layers.Layer { return &layers.Unary{Op: device.ReLU} },
	"Sigmoid":    func() layers.Layer { return &layers.Unary{Op: device.Sigmoid} },
	"Tanh":       func() layers.Layer { return &layers.Unary{Op: device.Tanh} },
	"Softplus":   func() layers.Layer { return &layers.Activation{Function: "softplus"} },
	"Softsign":   func() layers.Layer { return &layers.Activation{Function: "softsign"} },
	"Mish":       func() layers.Layer { return &layers.Activation{Function: "mish"} },
	"HardSwish":  func() layers.Layer { return &layers.HardSwish{} },
	"Abs":        formula("abs(x)"),
	"Erf":        formula("erf(x)"),
	"Exp":        formula("exp(x)"),
	"Log":        formula("log(x)"),
	"Neg":        formula("-x"),
	"Reciprocal": formula("1 / x"),
	"Sign":       formula("select(x < 0, -1, select(0 < x, 1, x))"),
	"Sqrt":       formula("sqrt(x)"),
}

func formula(text string) func() layers.Layer {
	return func() layers.Layer { return &layers.Formula{Formula: text} }
}

// number is a number of a formula.
func number(v float32) string { return layers.FormulaNumber(v) }

// parametric are the operators that are one function of each element, with attributes.
var parametric = map[string]func(a *attributes) layers.Layer{
	"LeakyRelu": func(a *attributes) layers.Layer {
		slope := a.float("alpha", 0.01)
		if slope >= 0 && slope < 1 {
			return &layers.Unary{Op: device.LeakyReLU, Slope: &slope}
		}
		return formula("select(x < 0, " + number(slope) + " * x, x)")()
	},
	"Elu": func(a *attributes) layers.Layer {
		alpha := a.float("alpha", 1)
		if alpha >= 0 {
			return &layers.ELU{Alpha: alpha}
		}
		return formula("select(0 < x, x, " + number(alpha) + " * " + expm1 + ")")()
	},
	"Selu": func(a *attributes) layers.Layer {
		const alpha, gamma = float32(1.67326319217681884765625), float32(1.05070102214813232421875)
		x, y := alpha, gamma
		if a.opset < 6 {
			x, y = 1.6732, 1.0507
		}
		if x, y = a.float("alpha", x), a.float("gamma", y); math.Abs(float64(x-alpha)) > 1e-6 || math.Abs(float64(y-gamma)) > 1e-6 {
			return formula("select(0 < x, " + number(y) + " * x, " + number(x*y) + " * " + expm1 + ")")()
		}
		return &layers.Activation{Function: "selu"}
	},
	"Celu": func(a *attributes) layers.Layer {
		alpha := a.float("alpha", 1)
		if alpha == 1 {
			return &layers.ELU{Alpha: 1}
		}
		return formula("select(0 < x, x, " + number(alpha) + " * " + strings.ReplaceAll(expm1, "x", "(x / "+number(alpha)+")") + ")")()
	},
	"HardSigmoid": func(a *attributes) layers.Layer {
		alpha, beta := a.float("alpha", 0.2), a.float("beta", 0.5)
		if alpha == float32(1.0/6) && beta == 0.5 {
			return &layers.Activation{Function: "hard-sigmoid"}
		}
		return formula("min(max(" + number(alpha) + " * x + " + number(beta) + ", 0), 1)")()
	},
	"ThresholdedRelu": func(a *attributes) layers.Layer {
		return formula("select(" + number(a.float("alpha", 1)) + " < x, x, 0)")()
	},
	"Shrink": func(a *attributes) layers.Layer {
		bias, lambda := number(a.float("bias", 0)), number(a.float("lambd", 0.5))
		return formula("select(x < -" + lambda + ", x + " + bias + ", select(" + lambda + " < x, x - " + bias + ", 0))")()
	},
	"Swish": func(a *attributes) layers.Layer {
		if alpha := a.float("alpha", 1); alpha != 1 {
			return formula("x * sigmoid(" + number(alpha) + " * x)")()
		}
		return &layers.Activation{Function: "silu"}
	},
	"Gelu": func(a *attributes) layers.Layer {
		kind := a.text("approximate", "none")
		if kind != "none" && kind != "tanh" {
			a.err = errors.Join(a.err, fmt.Errorf("approximate is %q, want none or tanh", kind))
		}
		return &layers.GELU{Tanh: kind == "tanh"}
	},
}

// expm1 is e^x - 1 without a loss of digits near 0.
const expm1 = "(2 * tanh(0.5 * x) / (1 - tanh(0.5 * x)))"

// function reads an operator of a layer that is one function.
func function(make func(a *attributes) layers.Layer) operator {
	return func(im *importer, n *node) ([]*value, error) {
		x, err := n.numbers(0)
		if err != nil {
			return nil, err
		}
		a := n.read()
		n.ignore("consumed_inputs") // of opset 1
		l := make(a)
		if a.err != nil {
			return nil, a.err
		}
		return im.apply(n, l, x)
	}
}

// apply emits a layer that keeps shapes.
func (im *importer) apply(n *node, l layers.Layer, in ...*value) ([]*value, error) {
	y, err := im.emit(n, "", l, in...)
	if err != nil {
		return nil, err
	}
	return []*value{y}, nil
}

// clip reads Clip, whose bounds are attributes before opset 11.
func clip(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	n.ignore("consumed_inputs")
	a := n.read()
	low, high := a.float("min", -math.MaxFloat32), a.float("max", math.MaxFloat32)
	if a.err != nil {
		return nil, a.err
	}
	for i, bound := range []*float32{&low, &high} {
		c, err := n.weight(1+i, "bound")
		if err != nil {
			return nil, err
		}
		if c != nil {
			if c.len() != 1 {
				return nil, fmt.Errorf("a bound has %d elements, want 1", c.len())
			}
			*bound = c.floats[0]
		}
	}
	switch {
	case low == 0 && high == 6:
		return im.apply(n, &layers.Activation{Function: "relu6"}, x)
	case low == 0 && high == math.MaxFloat32:
		return im.apply(n, &layers.Unary{Op: device.ReLU}, x)
	case low == -math.MaxFloat32 && high == math.MaxFloat32:
		return []*value{x}, nil
	}
	text := "x"
	if low > -math.MaxFloat32 {
		text = "max(" + text + ", " + number(low) + ")"
	}
	if high < math.MaxFloat32 {
		text = "min(" + text + ", " + number(high) + ")"
	}
	return im.apply(n, &layers.Formula{Formula: text}, x)
}

// preluOf reads PRelu: its slopes are of channels, or one.
func preluOf(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	slope, err := n.weight(1, "slope")
	if err != nil {
		return nil, err
	}
	if slope == nil {
		return nil, errors.New("its slope is missing")
	}
	n.ignore("consumed_inputs")
	if slope.len() == 1 {
		y, err := im.emit(n, "", &layers.PReLU{Shared: true}, x)
		if err != nil {
			return nil, err
		}
		im.setWeight(y.name, "weight", slope.floats, 1)
		return []*value{y}, nil
	}
	shape := slope.shape
	if len(shape) == 1 && im.opset < 7 && x.rank() >= 2 { // of the channels
		shape = append(slices.Clone(shape), slices.Repeat([]int{1}, x.rank()-2)...)
	}
	x, shape, err = im.fit(n, x, &constant{kind: typeFloat, shape: shape, floats: slope.floats})
	if err != nil {
		return nil, err
	}
	if len(shape) > 0 && shape[0] == slope.len() {
		y, err := im.emit(n, "", &layers.PReLU{}, x)
		if err != nil {
			return nil, err
		}
		im.setWeight(y.name, "weight", slope.floats, slope.len())
		return []*value{y}, nil
	}
	// Of other axes: what has a slope each are the channels.
	if err := im.take(product(x.sample)); err != nil {
		return nil, err
	}
	all := product(x.sample)
	y, err := im.emit(n, "", &layers.PReLU{}, x.as(all, 1))
	if err != nil {
		return nil, err
	}
	im.setWeight(y.name, "weight", stretched(slope.floats, shape, x.sample), all)
	return []*value{y.as(x.sample...).like(x)}, nil
}

// fit stretches x to what a constant broadcasts it to, and is the shape of the constant
// with as many axes as a sample then has.
func (im *importer) fit(n *node, x *value, c *constant) (*value, []int, error) {
	shape := c.shape
	rank := x.rank()
	if len(shape) > rank || x.batch && len(shape) == rank && shape[0] != 1 {
		var err error
		if x, err = im.unbatched(x, fmt.Sprintf("a constant of the shape %v is combined with %s", c.shape, x.text())); err != nil {
			return nil, nil, err
		}
	}
	if x.batch && len(shape) == rank {
		shape = shape[1:]
	}
	if more := len(shape) - len(x.sample); more > 0 {
		x = x.as(append(slices.Repeat([]int{1}, more), x.sample...)...)
	}
	shape = append(slices.Repeat([]int{1}, len(x.sample)-len(shape)), shape...)
	target := slices.Clone(x.sample)
	for i, d := range shape {
		switch {
		case d == 1 || d == target[i]:
		case target[i] == 1 && d > 0:
			target[i] = d
		default:
			return nil, nil, fmt.Errorf("its input %s and the constant %v do not broadcast", x.text(), c.shape)
		}
	}
	x, err := im.expand(n, x, target)
	return x, shape, err
}

// together makes two values of one shape, by broadcasting.
func (im *importer) together(n *node, a, b *value) (*value, *value, error) {
	if a.batch != b.batch || a.rank() != b.rank() {
		var err error
		if a, err = im.unbatched(a, "inputs "+a.text()+" and "+b.text()+" are combined"); err != nil {
			return nil, nil, err
		}
		if b, err = im.unbatched(b, "inputs "+a.text()+" and "+b.text()+" are combined"); err != nil {
			return nil, nil, err
		}
	}
	rank := max(len(a.sample), len(b.sample))
	a = a.as(append(slices.Repeat([]int{1}, rank-len(a.sample)), a.sample...)...)
	b = b.as(append(slices.Repeat([]int{1}, rank-len(b.sample)), b.sample...)...)
	target := make([]int, rank)
	for i := range target {
		target[i] = max(a.sample[i], b.sample[i])
	}
	first, err := im.expand(n, a, target)
	if err != nil {
		return nil, nil, err
	}
	second, err := im.expand(n, b, target)
	return first, second, err
}

// uniform is the number that all elements of a constant are.
func (c *constant) uniform() (float32, bool) {
	for _, v := range c.floats {
		if v != c.floats[0] {
			return 0, false
		}
	}
	return firstFloat(c.floats), len(c.floats) > 0
}

func firstFloat(list []float32) float32 {
	if len(list) == 0 {
		return 0
	}
	return list[0]
}
