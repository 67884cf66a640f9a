package keras

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/layers"
)

// axes reads the axes that a layer normalises over or for, as those of samples.
func (im *importer) axes(c *call, v *value, otherwise int) ([]int, error) {
	list := c.integers("axis")
	if list == nil {
		list = []int{otherwise}
	}
	if c.err != nil {
		return nil, c.err
	}
	for i, a := range list {
		var err error
		if list[i], err = im.Axis(v, a); err != nil {
			return nil, err
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// affine is the options of weight and bias, of which the file may have one, both or none. One
// that the file does not have is 1 or 0, and not trained.
func affine(scale, center bool) layers.Affine {
	var a layers.Affine
	none, never := false, float32(0)
	switch {
	case !scale && !center:
		a.On = &none
	case !scale:
		a.WeightRate, a.WeightDecay = &never, &never
	case !center:
		a.BiasRate, a.BiasDecay = &never, &never
	}
	return a
}

// setAffine keeps weight and bias, of arrays that begin with those that the file has. It
// returns the arrays behind them.
func (im *importer) setAffine(y *value, scale, center bool, arrays [][]float32, shape []int, turn func([]float32) []float32) [][]float32 {
	weight, bias := slices.Repeat([]float32{1}, product(shape)), make([]float32, product(shape))
	if scale {
		weight, arrays = turn(arrays[0]), arrays[1:]
	}
	if center {
		bias, arrays = turn(arrays[0]), arrays[1:]
	}
	if scale || center {
		im.Set(y, "weight", weight, shape...)
		im.Set(y, "bias", bias, shape...)
	}
	return arrays
}

func unturned(x []float32) []float32 { return x }

// norms are the arrays that scale and center have.
func norms(scale, center bool, shape []int) (wants []want) {
	if scale {
		wants = append(wants, wanted(shape, "gamma"))
	}
	if center {
		wants = append(wants, wanted(shape, "beta"))
	}
	return wants
}

// epsilon is an option, 0.001 unless it is given.
func epsilon(c *call) *float32 {
	eps := float32(c.number("epsilon", 1e-3))
	if !(eps >= 0) {
		c.fail("epsilon is %v, and must not be negative", eps)
	}
	return &eps
}

// batchNormalization reads BatchNormalization of channels.
func batchNormalization(im *importer, c *call, in []*value) (*value, error) {
	x, err := im.Solid(in[0])
	if err != nil {
		return nil, err
	}
	axes, err := im.axes(c, x, -1)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(axes, []int{0}) {
		return nil, fmt.Errorf("it normalises axis %v of %v, and hubel's batch-norm channels, axis 0", axes, x)
	}
	scale, center := c.yes("scale", true), c.yes("center", true)
	momentum := float32(1 - c.number("momentum", 0.99))
	renorm := c.yes("renorm", false)
	if renorm {
		im.lose(c, "renorm: batches are normalised by their own mean and variance in training")
	}
	if n := c.integer("virtual_batch_size", 0, 0, math.MaxInt32); n > 0 {
		im.lose(c, "virtual_batch_size: batches are normalised as a whole in training")
	}
	y, err := im.Emit(c.base, "", &layers.BatchNorm{Eps: epsilon(c), Momentum: &momentum, Affine: affine(scale, center)}, x)
	if err != nil {
		return nil, err
	}
	shape := []int{x.Sample[0]}
	wants := append(norms(scale, center, shape), wanted(shape, "moving_mean"), wanted(shape, "moving_variance"))
	if renorm { // which training alone reads
		wants = append(wants, wanted(shape, "moving_stddev"), wanted(shape, "renorm_mean"), wanted(shape, "renorm_stddev"))
	}
	arrays, err := im.take(c, wants...)
	if err != nil || arrays == nil {
		return y, err
	}
	rest := im.setAffine(y, scale, center, arrays, shape, unturned)
	im.Set(y, "running_mean", rest[0], shape...)
	im.Set(y, "running_var", rest[1], shape...)
	return y, nil
}

// layerNormalization reads LayerNormalization over channels, or over the whole of a sample.
func layerNormalization(im *importer, c *call, in []*value) (*value, error) {
	x, err := im.Solid(in[0])
	if err != nil {
		return nil, err
	}
	axes, err := im.axes(c, x, -1)
	if err != nil {
		return nil, err
	}
	if c.yes("rms_scaling", false) {
		return nil, errors.New("rms_scaling divides by the root of the mean square, and hubel's layer-norm by the deviation")
	}
	scale, center := c.yes("scale", true), c.yes("center", true)
	l := &layers.LayerNorm{Eps: epsilon(c), Affine: affine(scale, center)}
	rank := len(x.Sample)
	shape, turn := x.Sample, unturned
	switch {
	case len(axes) == rank:
		if im.Last && rank > 1 {
			turn = func(w []float32) []float32 { return nhwc.Filters(w, product(x.Sample[1:]), x.Sample[0], 1) }
		}
	case slices.Equal(axes, []int{0}):
		l.Channels, shape = true, x.Sample[:1]
	default:
		return nil, fmt.Errorf("it normalises over the axes %v of %v; hubel's layer-norm does so over the channels, axis 0, or over all", axes, x)
	}
	y, err := im.Emit(c.base, "", l, x)
	if err != nil {
		return nil, err
	}
	inFile := shape
	if !l.Channels {
		inFile = im.ToLast(shape)
	}
	return y, im.takeAffine(c, y, scale, center, inFile, shape, turn)
}

// takeAffine gives a layer the scale and the centre of the file, which have the shape inFile
// there.
func (im *importer) takeAffine(c *call, y *value, scale, center bool, inFile, shape []int, turn func([]float32) []float32) error {
	arrays, err := im.take(c, norms(scale, center, inFile)...)
	if err == nil && arrays != nil {
		im.setAffine(y, scale, center, arrays, shape, turn)
	}
	return err
}

// groupNormalization reads GroupNormalization of channels.
func groupNormalization(im *importer, c *call, in []*value) (*value, error) {
	x, err := im.Solid(in[0])
	if err != nil {
		return nil, err
	}
	axes, err := im.axes(c, x, -1)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(axes, []int{0}) {
		return nil, fmt.Errorf("its groups are of axis %v of %v, and those of hubel's group-norm of channels, axis 0", axes, x)
	}
	groups := c.integer("groups", 32, -1, largestSize)
	if groups == -1 {
		groups = x.Sample[0]
	}
	scale, center := c.yes("scale", true), c.yes("center", true)
	y, err := im.Emit(c.base, "", &layers.GroupNorm{Groups: groups, Eps: epsilon(c), Affine: affine(scale, center)}, x)
	if err != nil {
		return nil, err
	}
	shape := []int{x.Sample[0]}
	return y, im.takeAffine(c, y, scale, center, shape, shape, unturned)
}

// rescaling reads Rescaling: x scale + offset, of numbers for all or for each channel.
func rescaling(im *importer, c *call, in []*value) (*value, error) {
	scale, offset := c.numbers("scale"), c.numbers("offset")
	if len(scale) == 0 {
		c.fail("scale is missing")
	}
	if offset == nil {
		offset = []float64{0}
	}
	if c.err != nil {
		return nil, c.err
	}
	return im.channelwise(c, in[0], scale, offset)
}

// channelwise is x scale + offset, each one number or one for each channel: a layer scale or
// formula, or a convolution of 1x1 that is not trained.
func (im *importer) channelwise(c *call, x *value, scale, offset []float64) (*value, error) {
	if len(scale) == 1 && len(offset) == 1 {
		if offset[0] == 0 {
			return im.Same(c.base, "", &layers.Scale{Factor: float32(scale[0])}, x)
		}
		return im.Same(c.base, "", &layers.Formula{Formula: "x * " + layers.FormulaNumber(float32(scale[0])) + " + " + layers.FormulaNumber(float32(offset[0]))}, x)
	}
	x, err := im.Solid(x)
	if err != nil {
		return nil, err
	}
	channels, features := x.Sample[0], len(x.Sample) == 1
	for _, list := range [][]float64{scale, offset} {
		if len(list) != 1 && len(list) != channels {
			return nil, fmt.Errorf("it has %d numbers for %d channels", len(list), channels)
		}
	}
	suffix := ""
	switch {
	case features: // they are channels of one pixel
		suffix = "each"
		if x, err = im.Emit(c.base, "pixel", &layers.Reshape{Shape: []int{channels, 1}}, x); err != nil {
			return nil, err
		}
	case !im.Last:
		return nil, errors.New("it has numbers for each element of the last axis, and the channels are the first")
	}
	never := float32(0)
	y, err := im.Emit(c.base, suffix, &layers.Conv{
		Filters: channels, Groups: channels, Kernel: layers.Square(1),
		WeightRate: &never, WeightDecay: &never, BiasRate: &never, BiasDecay: &never,
	}, x)
	if err != nil {
		return nil, err
	}
	if im.weights == nil {
		im.lose(c, "its numbers for each channel are weights here, and no file of weights is given")
	} else {
		weight, bias, shape := make([]float32, channels), make([]float32, channels), []int{channels, 1}
		for i := range channels {
			weight[i], bias[i] = float32(scale[i%len(scale)]), float32(offset[i%len(offset)])
		}
		for range y.Sample[1:] {
			shape = append(shape, 1)
		}
		im.Set(y, "weight", weight, shape...)
		im.Set(y, "bias", bias, channels)
	}
	if features {
		return im.Emit(c.base, "", &layers.Flatten{}, y)
	}
	return y, nil
}

// normalization reads Normalization: less the mean, divided by the deviation. These are options
// or, where it was adapted to data, arrays.
func normalization(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	shape := []int{} // of one number for all
	if given := c.raw("axis"); len(given) > 0 && string(given) != "[]" {
		axes, err := im.axes(c, x, -1)
		if err != nil {
			return nil, err
		}
		at, err := im.Axis(x, -1)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(axes, []int{at}) {
			return nil, fmt.Errorf("it has a mean for each element of the axes %v of %v; one for all, or for each channel, is read", axes, x)
		}
		shape = append(shape, im.Shape(x)[len(im.Shape(x))-1])
	}
	mean, variance, invert := c.numbers("mean"), c.numbers("variance"), c.yes("invert", false)
	if c.err != nil {
		return nil, c.err
	}
	if mean == nil && variance == nil {
		arrays, err := im.take(c, wanted(shape, "mean"), wanted(shape, "variance"), wanted([]int{}, "count"))
		if err != nil {
			return nil, err
		}
		if arrays == nil {
			im.lose(c, "its mean and variance are in the file of weights, and none is given: here it changes nothing")
			arrays = [][]float32{{0}, {1}}
		}
		mean, variance = doubles(arrays[0]), doubles(arrays[1])
	}
	if len(mean) == 0 || len(mean) != len(variance) {
		return nil, fmt.Errorf("it has %d means and %d variances", len(mean), len(variance))
	}
	scale, offset := make([]float64, len(mean)), make([]float64, len(mean))
	for i, m := range mean {
		deviation := max(math.Sqrt(variance[i]), 1e-7)
		if invert {
			scale[i], offset[i] = deviation, m
		} else {
			scale[i], offset[i] = 1/deviation, -m/deviation
		}
	}
	return im.channelwise(c, x, scale, offset)
}

func doubles(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
