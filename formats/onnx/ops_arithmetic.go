package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/layers"
)

// pair is an operator of two tensors that broadcast.
type pair struct {
	computed  func() layers.Layer                         // of two that are computed, of one shape; nil if there is none
	number    func(c float32, left bool) layers.Layer     // of one and a number, which may be the left one; nil if there is none
	constants func(c []float32, left bool) ([]step, bool) // of one and a constant of several numbers
}

// step multiplies and adds what is given of each channel, and then applies a function.
type step struct {
	weight, bias []float32
	then         layers.Layer
}

var relu = &layers.Unary{Op: device.ReLU}

// each makes a constant of each number.
func each(c []float32, f func(v float32) float32) []float32 {
	out := make([]float32, len(c))
	for i, v := range c {
		out[i] = f(v)
	}
	return out
}

func negative(v float32) float32   { return -v }
func reciprocal(v float32) float32 { return 1 / v }

// ones are as many as there are numbers, each of one value.
func filled(c []float32, v float32) []float32 { return slices.Repeat([]float32{v}, len(c)) }

var binaries = map[string]pair{
	"Add": {
		computed:  func() layers.Layer { return &layers.Add{} },
		number:    func(c float32, _ bool) layers.Layer { return formula("x + " + number(c))() },
		constants: func(c []float32, _ bool) ([]step, bool) { return []step{{bias: c}}, true },
	},
	"Sub": {
		computed: formula("x - x1"),
		number: func(c float32, left bool) layers.Layer {
			if left {
				return formula(number(c) + " - x")()
			}
			return formula("x - " + number(c))()
		},
		constants: func(c []float32, left bool) ([]step, bool) {
			if left {
				return []step{{weight: filled(c, -1), bias: c}}, true
			}
			return []step{{bias: each(c, negative)}}, true
		},
	},
	"Mul": {
		computed:  func() layers.Layer { return &layers.Product{} },
		number:    func(c float32, _ bool) layers.Layer { return &layers.Scale{Factor: c} },
		constants: func(c []float32, _ bool) ([]step, bool) { return []step{{weight: c}}, true },
	},
	"Div": {
		computed: formula("x / x1"),
		number: func(c float32, left bool) layers.Layer {
			if left {
				return formula(number(c) + " / x")()
			}
			return formula("x / " + number(c))()
		},
		constants: func(c []float32, left bool) ([]step, bool) {
			if left {
				return []step{{then: formula("1 / x")()}, {weight: c}}, true
			}
			return []step{{weight: each(c, reciprocal)}}, true
		},
	},
	"Max": {
		computed: func() layers.Layer { return &layers.Maximum{} },
		number:   func(c float32, _ bool) layers.Layer { return formula("max(x, " + number(c) + ")")() },
		constants: func(c []float32, _ bool) ([]step, bool) { // relu(x - c) + c
			return []step{{bias: each(c, negative), then: relu}, {bias: c}}, true
		},
	},
	"Min": {
		computed: formula("min(x, x1)"),
		number:   func(c float32, _ bool) layers.Layer { return formula("min(x, " + number(c) + ")")() },
		constants: func(c []float32, _ bool) ([]step, bool) { // c - relu(c - x)
			return []step{{weight: filled(c, -1), bias: c, then: relu}, {weight: filled(c, -1), bias: c}}, true
		},
	},
	"Pow": {number: power, constants: exponentials},
}

// exponentials are several numbers, all above 0, to the power of x.
func exponentials(c []float32, left bool) ([]step, bool) {
	logs := each(c, func(v float32) float32 { return float32(math.Log(float64(v))) })
	return []step{{weight: logs, then: formula("exp(x)")()}}, left && !slices.ContainsFunc(c, func(v float32) bool { return !(v > 0) })
}

// powersOf is x to the powers of several numbers. What is below 0 has the powers that are
// whole alone: those that are odd are below 0 too.
func (im *importer) powersOf(n *node, suffix string, x *value, shape []int, c []float32) (*value, error) {
	kinds := each(c, func(v float32) float32 {
		switch {
		case float64(v) != math.Trunc(float64(v)):
			return 2
		case math.Mod(float64(v), 2) != 0:
			return 1
		}
		return 0
	})
	y, err := im.emit(n, "log", &layers.Formula{Formula: "select(x == 0, -1e30, log(abs(x)))"}, x)
	if err != nil {
		return nil, err
	}
	if y, err = im.affine(n, "times", y, shape, c, nil); err != nil {
		return nil, err
	}
	im.fix(im.owner(y))
	below, err := im.emit(n, "below", &layers.Formula{Formula: "select(x < 0, 1, 0)"}, x)
	if err != nil {
		return nil, err
	}
	if below, err = im.affine(n, "sign", below, shape, kinds, nil); err != nil {
		return nil, err
	}
	im.fix(im.owner(below))
	return im.emit(n, suffix, &layers.Formula{Formula: "select(x1 < 0.5, exp(x), select(x1 < 1.5, -exp(x), sqrt(-x1)))"}, y, below)
}

// power is x to the power of a number, or with left a number to the power of x.
func power(c float32, left bool) layers.Layer {
	switch {
	case left && c > 0:
		return formula("exp(" + number(float32(math.Log(float64(c)))) + " * x)")()
	case left:
		return nil
	case c == 0.5:
		return formula("sqrt(x)")()
	case c == float32(math.Trunc(float64(c))) && math.Abs(float64(c)) <= 16:
		k := int(math.Abs(float64(c)))
		text := strings.TrimSuffix(strings.Repeat("x * ", k), " * ")
		switch {
		case k == 0:
			text = "x * 0 + 1"
		case c < 0:
			text = "1 / (" + text + ")"
		}
		return formula(text)()
	}
	// Below 0 there is no such power of x; what is one is no number here either, unless c is whole.
	if c == float32(math.Trunc(float64(c))) {
		return nil
	}
	return formula("exp(" + number(c) + " * log(x))")()
}

// arithmetic reads an operator of two tensors, or of Max and Min of any number.
func arithmetic(b pair) operator {
	return func(im *importer, n *node) ([]*value, error) {
		n.ignore("consumed_inputs")
		a := n.read()
		axis, legacy := a.integer("axis", 0), n.has("axis")
		a.integer("broadcast", 0)
		if a.err != nil {
			return nil, a.err
		}
		for i, v := range n.in {
			if v == nil {
				return nil, fmt.Errorf("its input %d is missing", i)
			}
			if v.constant == nil && !v.kind.floating() {
				return nil, fmt.Errorf("its input %d is of %v, and layers compute in float", i, v.kind)
			}
		}
		y, err := n.in[0], error(nil)
		for i, v := range n.in[1:] {
			if legacy {
				if v, err = im.from(v, axis, y); err != nil {
					return nil, err
				}
			}
			suffix := ""
			if i < len(n.in)-2 {
				suffix = "part"
			}
			if y, err = im.binary(n, suffix, b, y, v); err != nil {
				return nil, err
			}
		}
		return []*value{y}, nil
	}
}

// from is v with axes that are those of x from one on, as operators before opset 7 have it.
func (im *importer) from(v *value, axis int, x *value) (*value, error) {
	behind := x.rank() - axis - v.rank()
	if axis < 0 || behind < 0 {
		return nil, fmt.Errorf("axis %d and %s do not fit %s", axis, v.text(), x.text())
	}
	if v.constant != nil {
		c, err := v.constant.from(axis, x.rank())
		return &value{constant: c, kind: v.kind}, err
	}
	if v.batch && axis > 0 {
		var err error
		if v, err = im.unbatched(v, fmt.Sprintf("%s is combined with %s from axis %d on", v.text(), x.text(), axis)); err != nil {
			return nil, err
		}
	}
	return v.as(append(slices.Clone(v.sample), slices.Repeat([]int{1}, behind)...)...), nil
}

// binary emits the layers of an operator of two tensors.
func (im *importer) binary(n *node, suffix string, b pair, x, y *value) (*value, error) {
	if x.constant == nil && y.constant == nil {
		if b.computed == nil {
			return nil, errors.New("both inputs are computed; one must be a constant number")
		}
		x, y, err := im.together(n, x, y)
		if err != nil {
			return nil, err
		}
		return im.emit(n, suffix, b.computed(), x, y)
	}
	left := x.constant != nil
	c := y.constant
	if left {
		x, c = y, x.constant
	}
	if x.constant != nil {
		return nil, errors.New("it combines constants before what is computed: simplify the model (onnxsim)")
	}
	if c.integral() {
		if !c.known() {
			return nil, &batchError{"the number of samples is computed with"}
		}
		c = castTo(c, typeFloat)
	}
	x, shape, err := im.fit(n, x, c)
	if err != nil {
		return nil, err
	}
	if v, ok := c.uniform(); ok && b.number != nil {
		if l := b.number(v, left); l != nil && !math.IsInf(float64(v), 0) && v == v {
			return im.emit(n, suffix, l, x)
		}
	}
	if n.op == "Pow" && !left {
		return im.powersOf(n, suffix, x, shape, c.floats)
	}
	if b.constants == nil {
		return nil, fmt.Errorf("a constant %v of several numbers is not taken here; one number is", c.shape)
	}
	steps, ok := b.constants(c.floats, left)
	if !ok {
		return nil, fmt.Errorf("a constant %v is not taken on this side", c.shape)
	}
	if n.op == "Add" && im.becomesBias(n, x, shape, c.floats) {
		return x, nil
	}
	for i, s := range steps {
		name := suffix
		if i < len(steps)-1 {
			name = "part"
		}
		if s.weight != nil || s.bias != nil {
			inner := name
			if s.then != nil {
				inner = "part"
			}
			if x, err = im.affine(n, inner, x, shape, s.weight, s.bias); err != nil {
				return nil, err
			}
		}
		if s.then != nil {
			if x, err = im.emit(n, name, s.then, x); err != nil {
				return nil, err
			}
		}
	}
	return x, nil
}

// becomesBias makes a constant of each channel the bias of the product that computes x, if
// that has none and nothing else reads x.
func (im *importer) becomesBias(n *node, x *value, shape []int, bias []float32) bool {
	if len(im.net.Nodes) == 0 || !slices.Equal(im.shapes[x.name], x.sample) || len(shape) == 0 || shape[0] != len(bias) {
		return false
	}
	last := &im.net.Nodes[len(im.net.Nodes)-1]
	if last.Name != x.name {
		return false
	}
	source := ""
	for i, v := range n.in {
		if v != nil && v.constant == nil {
			source = n.nodeProto.in[i]
		}
	}
	if v := im.values[source]; v == nil || v.name != x.name || im.readers[source] != 1 {
		return false
	}
	switch l := last.Layer.(type) {
	case *layers.Conv:
		if !l.NoBias || l.WeightRate != nil {
			return false
		}
		l.NoBias = false
	case *layers.Dense:
		if !l.NoBias {
			return false
		}
		l.NoBias = false
	case *layers.Deconv:
		if !l.NoBias {
			return false
		}
		l.NoBias = false
	default:
		return false
	}
	im.setWeight(x.name, "bias", bias, len(bias))
	im.hidden[source] = true
	return true
}

// sums reads Sum and Mean of any number of tensors.
func sums(mean bool) operator {
	return func(im *importer, n *node) ([]*value, error) {
		n.ignore("consumed_inputs")
		y, constants := (*value)(nil), []*value(nil)
		var terms []*value
		for _, v := range n.in {
			switch {
			case v == nil:
				return nil, errors.New("an input is missing")
			case v.constant != nil:
				constants = append(constants, v)
			case !v.kind.floating():
				return nil, fmt.Errorf("an input is of %v, and layers compute in float", v.kind)
			default:
				terms = append(terms, v)
			}
		}
		for i := range terms {
			for k := range terms {
				if i == k {
					continue
				}
				var err error
				if terms[i], terms[k], err = im.together(n, terms[i], terms[k]); err != nil {
					return nil, err
				}
			}
		}
		y = terms[0]
		if len(terms) > 1 {
			if len(terms) > expr.MaxInputs {
				return nil, fmt.Errorf("it sums %d tensors; at most %d are summed", len(terms), expr.MaxInputs)
			}
			l := &layers.Add{}
			if mean {
				l.Coefficients = slices.Repeat([]float32{1 / float32(len(n.in))}, len(terms))
			}
			var err error
			if y, err = im.emit(n, "", l, terms...); err != nil {
				return nil, err
			}
		} else if mean && len(n.in) > 1 {
			var err error
			if y, err = im.emit(n, "part", &layers.Scale{Factor: 1 / float32(len(n.in))}, y); err != nil {
				return nil, err
			}
		}
		for _, c := range constants {
			k := *castTo(c.constant, typeFloat)
			if mean {
				k.floats = each(k.floats, func(v float32) float32 { return v / float32(len(n.in)) })
			}
			var err error
			if y, err = im.binary(n, "constant", binaries["Add"], y, &value{constant: &k, kind: typeFloat}); err != nil {
				return nil, err
			}
		}
		return []*value{y}, nil
	}
}
