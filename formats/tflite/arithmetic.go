package tflite

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/layers"
)

// mostTerms is how many inputs an element-wise layer takes at a time.
const mostTerms = 7

// pair is an operator of two tensors.
type pair struct {
	computed func() layers.Layer // of two that are computed

	// number is the formula of x and one number, which may be on the left of x.
	number func(number string, left bool) string

	// channel is x times a factor and a term, of a constant of each channel. It is nil where
	// there is no such form, and ok is false where there is none with the constant on that side.
	channel func(v float32, left bool) (factor, term float32, ok bool)
}

// between is a formula of two, the other way round if the number is on the left.
func between(op string) func(number string, left bool) string {
	return func(number string, left bool) string {
		if left {
			return number + op + "x"
		}
		return "x" + op + number
	}
}

// of is a formula of a function.
func of(name string) func(number string, left bool) string {
	return func(number string, _ bool) string { return name + "(x, " + number + ")" }
}

var (
	add = pair{func() layers.Layer { return &layers.Add{} }, between(" + "),
		func(v float32, _ bool) (float32, float32, bool) { return 1, v, true }}
	subtract = pair{func() layers.Layer { return &layers.Add{Coefficients: []float32{1, -1}} }, between(" - "),
		func(v float32, left bool) (float32, float32, bool) {
			if left {
				return -1, v, true
			}
			return 1, -v, true
		}}
	multiply = pair{func() layers.Layer { return &layers.Product{} }, between(" * "),
		func(v float32, _ bool) (float32, float32, bool) { return v, 0, true }}
	divide = pair{formula("x / x1"), between(" / "),
		func(v float32, left bool) (float32, float32, bool) { return 1 / v, 0, !left && v != 0 }}
	maximum           = pair{func() layers.Layer { return &layers.Maximum{} }, of("max"), nil}
	minimum           = pair{formula("min(x, x1)"), of("min"), nil}
	squaredDifference = pair{formula("(x - x1) * (x - x1)"), func(n string, _ bool) string { return "(x - " + n + ") * (x - " + n + ")" }, nil}
)

// arithmetic reads an operator of two tensors, of which one may be a constant: one number, or one for
// each channel.
func arithmetic(p pair) reader {
	return func(im *importer, c *call) (*value, error) {
		if len(c.in) != 2 || c.in[0] == nil || c.in[1] == nil {
			return nil, fmt.Errorf("it has %d inputs, and takes two", len(c.in))
		}
		var y *nhwc.Value
		var err error
		switch {
		case c.in[0].constant != nil:
			y, err = im.withConstant(c, p, 1, 0)
		case c.in[1].constant != nil:
			y, err = im.withConstant(c, p, 0, 1)
		default:
			y, err = im.merged(c, p.computed)
		}
		if err != nil {
			return nil, err
		}
		return im.activated(c, 0, &value{Value: y})
	}
}

// merged adds a layer of all inputs, which must be computed.
func (im *importer) merged(c *call, l func() layers.Layer) (*nhwc.Value, error) {
	in, err := c.inputs()
	if err != nil {
		return nil, err
	}
	in, err = im.Together(c.base, in)
	if err != nil {
		return nil, err
	}
	y, err := im.Emit(c.base, "", l(), in...)
	if err == nil {
		y.Flat = in[0].Flat
	}
	return y, err
}

// withConstant adds the layer of input x and a constant.
func (im *importer) withConstant(c *call, p pair, at, constant int) (*nhwc.Value, error) {
	x, err := c.input(at)
	if err != nil {
		return nil, err
	}
	k, err := c.constant(constant, "constant")
	if err != nil {
		return nil, err
	}
	left := constant == 0
	if k.len() == 1 {
		return im.Same(c.base, "", &layers.Formula{Formula: p.number(layers.FormulaNumber(k.floats[0]), left)}, x)
	}
	if x, err = im.Solid(x); err != nil {
		return nil, err
	}
	if p.channel == nil || !k.ofChannels(x.Sample[0]) {
		return nil, fmt.Errorf("a constant of the shape %v is not taken with %s: one number is, and in sums, differences and products one for each channel", k.shape, im.text(c.in[at]))
	}
	factors, terms := make([]float32, k.len()), make([]float32, k.len())
	for i, v := range k.floats {
		ok := false
		if factors[i], terms[i], ok = p.channel(v, left); !ok {
			return nil, fmt.Errorf("a constant of the shape %v, with the element %v, is not taken on this side", k.shape, v)
		}
	}
	return im.affine(c, x, k, factors, terms)
}

// affine adds a factor and a term for each channel: a convolution of 1x1 of each.
func (im *importer) affine(c *call, x *nhwc.Value, from *constant, factors, terms []float32) (*nhwc.Value, error) {
	channels, features := x.Sample[0], len(x.Sample) == 1
	var err error
	if features {
		if x, err = im.Emit(c.base, "pixel", &layers.Reshape{Shape: []int{channels, 1}}, x); err != nil {
			return nil, err
		}
	}
	suffix := ""
	if features {
		suffix = "channels"
	}
	y, err := im.Emit(c.base, suffix, &layers.Conv{Filters: channels, Groups: channels, Kernel: layers.Square(1)}, x)
	if err != nil {
		return nil, err
	}
	im.set(y, "weight", from, factors, append([]int{channels, 1}, slices.Repeat([]int{1}, len(x.Sample)-1)...)...)
	im.set(y, "bias", from, terms, channels)
	if features {
		return im.Emit(c.base, "", &layers.Flatten{}, y)
	}
	return y, nil
}

// addN reads ADD_N.
func addN(im *importer, c *call) (*value, error) {
	if len(c.in) < 2 || len(c.in) > mostTerms {
		return nil, fmt.Errorf("it has %d inputs; from 2 to %d are read", len(c.in), mostTerms)
	}
	y, err := im.merged(c, add.computed)
	return &value{Value: y}, err
}
