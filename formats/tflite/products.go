package tflite

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/layers"
)

// windowsOf are windows of a kernel, with the strides and, unless their fields are 0, the
// dilations that fields of the options give: those of the width, and behind them those of the height.
func (c *call) windowsOf(kernel []int, stride, dilation int) (*nhwc.Windows, error) {
	w := &nhwc.Windows{
		Kernel: kernel, Stride: []int{c.options.int(stride+1, 0), c.options.int(stride, 0)}, Dilation: []int{1, 1},
		Before: make([]int, 2), After: make([]int, 2),
	}
	if dilation > 0 {
		w.Dilation = []int{c.options.int(dilation+1, 1), c.options.int(dilation, 1)}
	}
	for _, list := range [][]int{w.Kernel, w.Stride, w.Dilation} {
		if slices.Min(list) < 1 || slices.Max(list) > largestSize {
			return nil, fmt.Errorf("windows of %v, strides %v and dilations %v must be from 1 to %d", w.Kernel, w.Stride, w.Dilation, largestSize)
		}
	}
	return w, nil
}

// pad sets the pads that field 0 of the options asks for.
func (c *call) pad(w *nhwc.Windows, x *nhwc.Value) error {
	switch p := c.options.byte(0); p {
	case 0:
		w.Same(x)
	case 1: // VALID
	default:
		return fmt.Errorf("padding %d is neither SAME nor VALID", p)
	}
	return nil
}

// weight is input i, a constant with four axes.
func (c *call) weight(i int) (*constant, error) {
	w, err := c.constant(i, "weight")
	if err == nil && (w == nil || len(w.shape) != 4) {
		err = fmt.Errorf("its weight has the shape %v, and four axes are wanted", w.size())
	}
	return w, err
}

// bias is input i, a constant of n elements, or nil.
func (c *call) bias(i, n int) (*constant, error) {
	b, err := c.constant(i, "bias")
	if err == nil && b != nil && b.len() != n {
		err = fmt.Errorf("its bias has the shape %v, and there are %d filters", b.shape, n)
	}
	return b, err
}

// weighted adds a layer with its weight and, if there is one, its bias.
func (im *importer) weighted(c *call, l layers.Layer, x *nhwc.Value, from *constant, weight []float32, shape []int, bias *constant) (*nhwc.Value, error) {
	y, err := im.Emit(c.base, "", l, x)
	if err != nil {
		return nil, err
	}
	im.set(y, "weight", from, weight, shape...)
	if bias != nil {
		im.set(y, "bias", bias, slices.Clone(bias.floats), bias.len())
	}
	return y, nil
}

// rows turns each of n rows of pixels x channels to channels x pixels.
func rows(x []float32, n, pixels, channels int) []float32 {
	y := make([]float32, 0, len(x))
	for i := range n {
		y = append(y, nhwc.Depthwise(x[i*pixels*channels:(i+1)*pixels*channels], pixels, channels, 1)...)
	}
	return y
}

// conv reads CONV_2D. Its weight is [K,R,S,C/groups].
func conv(im *importer, c *call) (*value, error) {
	x, in, err := im.convolved(c)
	if err != nil {
		return nil, err
	}
	weight, err := c.weight(1)
	if err != nil {
		return nil, err
	}
	n, kernel, inner, channels := weight.shape[0], weight.shape[1:3], weight.shape[3], x.Sample[0]
	if n < 1 || inner < 1 || channels%inner != 0 || n%(channels/inner) != 0 {
		return nil, fmt.Errorf("its weight has the shape %v, which does not fit %d channels", weight.shape, channels)
	}
	bias, err := c.bias(2, n)
	if err != nil {
		return nil, err
	}
	w, err := c.windowsOf(kernel, 1, 4)
	if err != nil {
		return nil, err
	}
	if err := c.pads(w, x, in); err != nil {
		return nil, err
	}
	l := w.Conv(n, channels/inner, bias != nil)
	y, err := im.weighted(c, &l, x, weight, rows(weight.floats, n, kernel[0]*kernel[1], inner), []int{n, inner, kernel[0], kernel[1]}, bias)
	if err != nil {
		return nil, err
	}
	return in.in(im.activated(c, 3, &value{Value: y}))
}

// depthwiseConv reads DEPTHWISE_CONV_2D. Its weight is [1,R,S,C m], for m filters of each channel.
func depthwiseConv(im *importer, c *call) (*value, error) {
	x, in, err := im.convolved(c)
	if err != nil {
		return nil, err
	}
	weight, err := c.weight(1)
	if err != nil {
		return nil, err
	}
	kernel, n, channels := weight.shape[1:3], weight.shape[3], x.Sample[0]
	if weight.shape[0] != 1 || n < 1 || n%channels != 0 {
		return nil, fmt.Errorf("its weight has the shape %v, which does not fit %d channels", weight.shape, channels)
	}
	bias, err := c.bias(2, n)
	if err != nil {
		return nil, err
	}
	w, err := c.windowsOf(kernel, 1, 5)
	if err != nil {
		return nil, err
	}
	if err := c.pads(w, x, in); err != nil {
		return nil, err
	}
	l := w.Conv(n, channels, bias != nil)
	y, err := im.weighted(c, &l, x, weight, nhwc.Depthwise(weight.floats, kernel[0]*kernel[1], channels, n/channels), []int{n, 1, kernel[0], kernel[1]}, bias)
	if err != nil {
		return nil, err
	}
	return in.in(im.activated(c, 4, &value{Value: y}))
}

// transposedConv reads TRANSPOSE_CONV, of the shape of its output, a weight [K,R,S,C] and an image.
func transposedConv(im *importer, c *call) (*value, error) {
	x, err := im.image(c, 2, 2)
	if err != nil {
		return nil, err
	}
	to, err := c.integers(0, "shape")
	if err != nil {
		return nil, err
	}
	weight, err := c.weight(1)
	if err != nil {
		return nil, err
	}
	n, kernel, channels := weight.shape[0], weight.shape[1:3], weight.shape[3]
	if len(to) != 4 || to[3] != n || n < 1 || channels != x.Sample[0] {
		return nil, fmt.Errorf("its weight has the shape %v, and it makes %v of %s, which do not fit", weight.shape, to, im.text(c.in[2]))
	}
	bias, err := c.bias(3, n)
	if err != nil {
		return nil, err
	}
	w, err := c.windowsOf(kernel, 1, 0)
	if err != nil {
		return nil, err
	}
	more := make([]int, 2)
	for i, size := range x.Sample[1:] {
		if to[1+i] < 1 || to[1+i] > largestSize {
			return nil, fmt.Errorf("it makes %v, whose sizes must be from 1 to %d", to, largestSize)
		}
		more[i] = w.Transposed(i, size, to[1+i])
	}
	l := &layers.Deconv{Conv: w.Conv(n, 1, bias != nil), OutputPad: nhwc.Size(more)}
	pixels := kernel[0] * kernel[1]
	turned := make([]float32, len(weight.floats))
	for k := range n {
		for p := range pixels {
			for i := range channels {
				turned[(i*n+k)*pixels+p] = weight.floats[(k*pixels+p)*channels+i]
			}
		}
	}
	y, err := im.weighted(c, l, x, weight, turned, []int{channels, n, kernel[0], kernel[1]}, bias)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(y.Sample[1:], to[1:3]) {
		return nil, fmt.Errorf("it makes %v, and its windows make %v of %s", to, y, im.text(c.in[2]))
	}
	return im.activated(c, 3, &value{Value: y})
}

// fullyConnected reads FULLY_CONNECTED. Its weight is [units,inputs]; what it reads may be an
// image that is flattened. With keep_num_dims it computes each pixel, as a convolution of 1x1.
func fullyConnected(im *importer, c *call) (*value, error) {
	x, err := c.input(0)
	if err != nil {
		return nil, err
	}
	weight, err := c.constant(1, "weight")
	if err != nil {
		return nil, err
	}
	switch {
	case weight == nil || len(weight.shape) != 2 || weight.shape[0] < 1:
		return nil, fmt.Errorf("its weight has the shape %v, and two axes are wanted", weight.size())
	case c.options.byte(1) != 0:
		return nil, errors.New("its weight is shuffled, as quantised ones are, which is not read")
	}
	n, inputs := weight.shape[0], weight.shape[1]
	bias, err := c.bias(2, n)
	if err != nil {
		return nil, err
	}
	var y *nhwc.Value
	switch features := x.Sample[0]; {
	case c.options.bool(2) && len(x.Sample) > 1 && !x.Flat && inputs == features:
		shape := append([]int{n, inputs}, slices.Repeat([]int{1}, len(x.Sample)-1)...)
		l := &layers.Conv{Filters: n, Kernel: layers.Square(1), NoBias: bias == nil}
		y, err = im.weighted(c, l, x, weight, slices.Clone(weight.floats), shape, bias)
	case inputs == device.Elements(x.Sample) && !(c.options.bool(2) && len(x.Sample) > 1 && !x.Flat):
		l := &layers.Dense{Out: n, NoBias: bias == nil}
		y, err = im.weighted(c, l, x, weight, rows(weight.floats, n, inputs/features, features), []int{n, inputs}, bias)
	default:
		err = fmt.Errorf("its weight has the shape %v, which does not fit the samples of %s", weight.shape, im.text(c.in[0]))
	}
	if err != nil {
		return nil, err
	}
	return im.activated(c, 0, &value{Value: y})
}

// pool reads MAX_POOL_2D and AVERAGE_POOL_2D. Averages do not count the padding.
func pool(op device.PoolOp) reader {
	return func(im *importer, c *call) (*value, error) {
		x, err := im.image(c, 0, 2)
		if err != nil {
			return nil, err
		}
		w, err := c.windowsOf([]int{c.options.int(4, 0), c.options.int(3, 0)}, 1, 0)
		if err != nil {
			return nil, err
		}
		if err := c.pad(w, x); err != nil {
			return nil, err
		}
		l := w.Pool()
		l.Op = op
		y, err := im.Emit(c.base, "", &l, x)
		if err != nil {
			return nil, err
		}
		return im.activated(c, 5, &value{Value: y})
	}
}

// globalPool reads MEAN and REDUCE_MAX over all pixels. Without keep_dims what it makes is flat.
func globalPool(op device.PoolOp) reader {
	return func(im *importer, c *call) (*value, error) {
		x, err := c.input(0)
		if err != nil {
			return nil, err
		}
		axes, err := c.integers(1, "list of axes")
		if err != nil {
			return nil, err
		}
		var list []int
		for _, a := range axes {
			if a < 0 {
				a += len(x.Sample) + 1
			}
			list = append(list, a)
		}
		slices.Sort(list)
		var pixels []int
		for i := range x.Sample[1:] {
			pixels = append(pixels, i+1)
		}
		if x.Flat || len(pixels) == 0 || !slices.Equal(slices.Compact(list), pixels) {
			return nil, fmt.Errorf("it reduces the axes %v of %s; all axes of pixels are read, as a global pooling", axes, im.text(c.in[0]))
		}
		y, err := im.Emit(c.base, "", &layers.Pool{Op: op, Global: true}, x)
		if err != nil {
			return nil, err
		}
		y.Flat = !c.options.bool(0)
		return &value{Value: y}, nil
	}
}
