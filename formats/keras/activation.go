package keras

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

func unary(op device.UnaryOp) func() layers.Layer {
	return func() layers.Layer { return &layers.Unary{Op: op} }
}

func function(name string) func() layers.Layer {
	return func() layers.Layer { return &layers.Activation{Function: name} }
}

func formula(text string) func() layers.Layer {
	return func() layers.Layer { return &layers.Formula{Formula: text} }
}

// functions are activations by their names, with the numbers that they have unless others are
// given. Softmax is another case, and so is the hard sigmoid of Keras 2.
var functions = map[string]func() layers.Layer{
	"relu": unary(device.ReLU), "sigmoid": unary(device.Sigmoid), "tanh": unary(device.Tanh),
	"relu6": function("relu6"), "mish": function("mish"), "selu": function("selu"), "softplus": function("softplus"),
	"softsign": function("softsign"), "silu": function("silu"), "swish": function("silu"), "hard_sigmoid": function("hard-sigmoid"),
	"leaky_relu":     func() layers.Layer { return leaky(0.2) },
	"elu":            func() layers.Layer { return &layers.ELU{Alpha: 1} },
	"celu":           func() layers.Layer { return &layers.ELU{Alpha: 1} },
	"gelu":           func() layers.Layer { return &layers.GELU{} },
	"hard_silu":      func() layers.Layer { return &layers.HardSwish{} },
	"hard_swish":     func() layers.Layer { return &layers.HardSwish{} },
	"exponential":    formula("exp(x)"),
	"hard_tanh":      formula("max(min(x, 1), -1)"),
	"log_sigmoid":    formula("-softplus(-x)"),
	"tanh_shrink":    formula("x - tanh(x)"),
	"soft_shrink":    formula("max(x - 0.5, 0) + min(x + 0.5, 0)"),
	"hard_shrink":    formula("select(abs(x) <= 0.5, 0, x)"),
	"squareplus":     formula("(x + sqrt(x * x + 4)) * 0.5"),
	"sparse_plus":    formula("select(x <= -1, 0, select(x < 1, (x + 1) * (x + 1) * 0.25, x))"),
	"sparse_sigmoid": formula("max(min((x + 1) * 0.5, 1), 0)"),
}

// oldHardSigmoid is that of Keras 2.
const oldHardSigmoid = "max(min(0.2 * x + 0.5, 1), 0)"

// leaky is x where it is positive, and else slope x.
func leaky(slope float64) layers.Layer {
	s := float32(slope)
	if s >= 0 && s < 1 {
		return &layers.Unary{Op: device.LeakyReLU, Slope: &s}
	}
	return &layers.Formula{Formula: "select(0 < x, x, x * " + layers.FormulaNumber(s) + ")"}
}

// activation adds the option activation of a layer.
func (im *importer) activation(c *call, y *value) (*value, error) {
	raw := c.raw("activation")
	if len(raw) == 0 || c.err != nil {
		return y, c.err
	}
	var name string
	if json.Unmarshal(raw, &name) != nil {
		var o object
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, fmt.Errorf("activation is %.60s, which is none", raw)
		}
		if o.Class != "function" {
			return im.activationLayer(c, &o, y)
		}
		if o.Module != "" && o.Module != "builtins" && !strings.Contains(o.Module, "keras") {
			return nil, fmt.Errorf("the activation %.60s is a function of somebody's own, whose code is not in the file", o.Config)
		}
		if err := json.Unmarshal(o.Config, &name); err != nil {
			return nil, fmt.Errorf("activation is %.60s, which is none", raw)
		}
	}
	if name == "linear" {
		return y, nil
	}
	l, err := im.function(name, y)
	if err != nil {
		return nil, err
	}
	return im.Emit(c.base, name, l, y)
}

// activationLayer adds an activation that is a layer, such as LeakyReLU.
func (im *importer) activationLayer(c *call, o *object, y *value) (*value, error) {
	inner := &call{layer: &layer{class: o.Class, name: c.name}, options: &options{used: map[string]bool{}}, place: c.place, base: c.base + "_" + snake(o.Class)}
	op, ok := operators[o.Class]
	if !ok || o.Class == "PReLU" || several[o.Class] {
		return nil, fmt.Errorf("the activation %.60q is not read; put the layer behind this one", o.Class)
	}
	if err := json.Unmarshal(o.Config, &inner.options.config); err != nil {
		return nil, fmt.Errorf("the options of the activation %.60q: %w", o.Class, err)
	}
	v, err := op(im, inner, []*value{y})
	if inner.err != nil {
		err = inner.err
	}
	return v, err
}

// function is an activation of what is computed.
func (im *importer) function(name string, x *value) (layers.Layer, error) {
	switch {
	case name == "softmax":
		return im.softmaxOver(x, []int{-1})
	case name == "hard_sigmoid" && im.old:
		return &layers.Formula{Formula: oldHardSigmoid}, nil
	case functions[name] == nil:
		return nil, fmt.Errorf("the activation %.40q is not read; there are linear, softmax, %s", name, strings.Join(slices.Sorted(maps.Keys(functions)), ", "))
	}
	return functions[name](), nil
}

// softmaxOver is a softmax over axes of Keras', which must be the channels.
func (im *importer) softmaxOver(x *value, axes []int) (layers.Layer, error) {
	if len(axes) != 1 {
		return nil, fmt.Errorf("a softmax over the axes %v is not read; one over the channels is", axes)
	}
	axis, err := im.Axis(x, axes[0])
	if err == nil && axis != 0 {
		err = fmt.Errorf("a softmax over axis %d of %v is not read; one over the channels, axis 0, is", axis, x)
	}
	return &layers.Softmax{}, err
}

// activate reads Activation, and layers that are a function without numbers of their own.
func activate(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	raw := c.raw("activation")
	var name string
	if err := json.Unmarshal(raw, &name); err != nil { // an object, as other layers may have
		return im.activation(c, x)
	}
	if name == "softmax" {
		return im.softmaxed(c, x, []int{-1})
	}
	if name == "linear" {
		return x, nil
	}
	l, err := im.function(name, x)
	if err != nil {
		return nil, err
	}
	return im.Same(c.base, "", l, x)
}

// softmax reads Softmax.
func softmax(im *importer, c *call, in []*value) (*value, error) {
	axes := c.integers("axis")
	if axes == nil {
		axes = []int{-1}
	}
	if c.err != nil {
		return nil, c.err
	}
	return im.softmaxed(c, in[0], axes)
}

func (im *importer) softmaxed(c *call, x *value, axes []int) (*value, error) {
	x, err := im.Solid(x)
	if err != nil {
		return nil, err
	}
	l, err := im.softmaxOver(x, axes)
	if err != nil {
		return nil, err
	}
	return im.Emit(c.base, "", l, x)
}

// relu reads ReLU: max_value at most, x from threshold on, and below it negative_slope times
// what is missing.
func relu(im *importer, c *call, in []*value) (*value, error) {
	slope, threshold := c.number("negative_slope", 0), c.number("threshold", 0)
	limited := len(c.raw("max_value")) > 0
	most := c.number("max_value", 0)
	if c.err != nil {
		return nil, c.err
	}
	switch {
	case threshold == 0 && !limited && slope == 0:
		return im.Same(c.base, "", &layers.Unary{Op: device.ReLU}, in[0])
	case threshold == 0 && !limited:
		return im.Same(c.base, "", leaky(slope), in[0])
	case threshold == 0 && most == 6 && slope == 0:
		return im.Same(c.base, "", &layers.Activation{Function: "relu6"}, in[0])
	}
	t := layers.FormulaNumber(float32(threshold))
	above, below := "x", "0"
	if limited {
		above = "min(x, " + layers.FormulaNumber(float32(most)) + ")"
	}
	if slope != 0 {
		below = "(x - " + t + ") * " + layers.FormulaNumber(float32(slope))
	}
	return im.Same(c.base, "", &layers.Formula{Formula: "select(" + t + " < x, " + above + ", " + below + ")"}, in[0])
}

// leakyReLU reads LeakyReLU, whose slope is called alpha in Keras 2.
func leakyReLU(im *importer, c *call, in []*value) (*value, error) {
	slope := c.number("negative_slope", c.number("alpha", 0.3))
	return im.Same(c.base, "", leaky(slope), in[0])
}

// elu reads ELU.
func elu(im *importer, c *call, in []*value) (*value, error) {
	return im.Same(c.base, "", &layers.ELU{Alpha: float32(c.number("alpha", 1))}, in[0])
}

// thresholded reads ThresholdedReLU.
func thresholded(im *importer, c *call, in []*value) (*value, error) {
	return im.Same(c.base, "", &layers.Formula{Formula: "select(" + layers.FormulaNumber(float32(c.number("theta", 1))) + " < x, x, 0)"}, in[0])
}

// prelu reads PReLU whose slopes are one for each channel, or one for all.
func prelu(im *importer, c *call, in []*value) (*value, error) {
	x, err := im.Solid(in[0])
	if err != nil {
		return nil, err
	}
	shape := im.Shape(x)
	for _, a := range c.integers("shared_axes") {
		if a < 1 || a > len(shape) {
			return nil, fmt.Errorf("shared_axes has %d, which is none of the %d of a sample", a, len(shape))
		}
		shape[a-1] = 1
	}
	n, channels := product(shape), x.Sample[0]
	l := &layers.PReLU{Shared: n == 1}
	if n != 1 && (n != channels || im.ToFirst(shape)[0] != channels) {
		return nil, fmt.Errorf("its slopes have the shape %v; hubel's prelu has one for each channel, or one for all: shared_axes=[1, 2] makes them so", shape)
	}
	y, err := im.Emit(c.base, "", l, x)
	if err != nil {
		return nil, err
	}
	arrays, err := im.take(c, wanted(shape, "alpha"))
	if err == nil && arrays != nil {
		im.Set(y, "weight", arrays[0], n)
	}
	return y, err
}

// dropout reads Dropout, and that of whole channels.
func dropout(im *importer, c *call, in []*value) (*value, error) {
	l := &layers.Dropout{P: float32(c.number("rate", 0.5))}
	if strings.HasPrefix(c.class, "Spatial") {
		if err := c.image(in[0]); err != nil {
			return nil, err
		}
		l.Channels = true
	}
	if len(c.raw("noise_shape")) > 0 {
		im.lose(c, "noise_shape: in training each element is dropped by itself")
	}
	if c.err == nil && l.P == 1 { // of which there is no such layer
		im.lose(c, "rate 1: it drops everything in training, and is left out")
		return in[0], nil
	}
	return im.Same(c.base, "", l, in[0])
}

// noise reads GaussianNoise.
func noise(im *importer, c *call, in []*value) (*value, error) {
	return im.Same(c.base, "", &layers.GaussianNoise{StdDev: float32(c.number("stddev", 0))}, in[0])
}

// identity is a layer that changes nothing.
func identity(_ *importer, _ *call, in []*value) (*value, error) { return in[0], nil }

// trainingAlone leaves out a layer that changes something in training alone.
func trainingAlone(what string, keys ...string) operator {
	return func(im *importer, c *call, in []*value) (*value, error) {
		for _, key := range keys {
			c.raw(key)
		}
		im.lose(c, what+": it is left out")
		return in[0], nil
	}
}
