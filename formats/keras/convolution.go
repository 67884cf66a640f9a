package keras

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/layers"
)

// windows are those of a layer that slides over pixels.
type windows = nhwc.Windows

// windowsOf reads the options of windows over a value. Those that pool have 2 pixels, and lie
// side by side, unless it is given.
func (im *importer) windowsOf(c *call, v *value, kernel, stride string) (*windows, error) {
	if err := c.image(v); err != nil {
		return nil, err
	}
	n, otherwise := len(v.Sample)-1, 0
	if kernel == "pool_size" {
		otherwise = 2
	}
	w := &windows{Kernel: c.sizes(kernel, n, otherwise, 1), Before: make([]int, n), After: make([]int, n)}
	w.Stride = w.Kernel
	if kernel != "pool_size" || len(c.raw(stride)) > 0 {
		w.Stride = c.sizes(stride, n, 1, 1)
	}
	w.Dilation = c.sizes("dilation_rate", n, 1, 1)
	return w, c.err
}

// spatial is how many axes of pixels the images of a class of layers have.
func spatial(class string) int {
	if strings.Contains(class, "1D") {
		return 1
	}
	return 2
}

// pad reads the padding of windows over a value.
func (c *call) pad(w *windows, v *value) error {
	switch padding := c.text("padding", "valid"); padding {
	case "valid":
	case "same":
		w.Same(v)
	case "causal":
		if c.class != "Conv1D" {
			return errors.New("padding causal is for Conv1D")
		}
		w.Before[0] = w.Extent(0) - 1
	default:
		return fmt.Errorf("padding %.40q is neither valid nor same", padding)
	}
	return c.err
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// with is a shape with more dimensions.
func with(shape []int, more ...int) []int { return append(append([]int{}, shape...), more...) }

// convolution reads Conv1D and Conv2D.
func convolution(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	w, err := im.windowsOf(c, x, "kernel_size", "strides")
	if err != nil {
		return nil, err
	}
	if err := c.pad(w, x); err != nil {
		return nil, err
	}
	n, groups, bias := c.integer("filters", 0, 1, largestSize), c.integer("groups", 1, 1, largestSize), c.yes("use_bias", true)
	channels := x.Sample[0]
	if c.err != nil {
		return nil, c.err
	}
	if channels%groups != 0 || n%groups != 0 {
		return nil, fmt.Errorf("groups %d does not divide %d channels and %d filters", groups, channels, n)
	}
	l := w.Conv(n, groups, bias)
	y, err := im.Emit(c.base, "", &l, x)
	if err != nil {
		return nil, err
	}
	arrays, err := im.take(c, biased(bias, n, wanted(with(w.Kernel, channels/groups, n), "kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		kernel := im.weights.correlated(arrays[0], product(w.Kernel))
		im.Set(y, "weight", nhwc.Filters(kernel, product(w.Kernel), channels/groups, n), with([]int{n, channels / groups}, w.Kernel...)...)
		im.setBias(y, arrays, 1)
	}
	return im.activation(c, y)
}

// biased is arrays, and a bias behind them if there is one.
func biased(bias bool, n int, wants ...want) []want {
	if bias {
		wants = append(wants, wanted([]int{n}, "bias"))
	}
	return wants
}

// setBias keeps array i, if it is there.
func (im *importer) setBias(y *value, arrays [][]float32, i int) {
	if len(arrays) > i {
		im.Set(y, "bias", arrays[i], len(arrays[i]))
	}
}

// depthwiseConvolution reads DepthwiseConv1D and DepthwiseConv2D.
func depthwiseConvolution(im *importer, c *call, in []*value) (*value, error) {
	w, channels, many, err := im.depthwiseWindows(c, in[0])
	if err != nil {
		return nil, err
	}
	bias := c.yes("use_bias", true)
	l := w.Conv(channels*many, channels, bias)
	y, err := im.Emit(c.base, "", &l, in[0])
	if err != nil {
		return nil, err
	}
	arrays, err := im.take(c, biased(bias, channels*many, wanted(with(w.Kernel, channels, many), "kernel", "depthwise_kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		im.Set(y, "weight", nhwc.Depthwise(arrays[0], product(w.Kernel), channels, many), with([]int{channels * many, 1}, w.Kernel...)...)
		im.setBias(y, arrays, 1)
	}
	return im.activation(c, y)
}

// depthwiseWindows reads what each channel is convolved with.
func (im *importer) depthwiseWindows(c *call, x *value) (w *windows, channels, many int, err error) {
	if w, err = im.windowsOf(c, x, "kernel_size", "strides"); err != nil {
		return
	}
	if err = c.pad(w, x); err != nil {
		return
	}
	c.integer("groups", 1, 1, 1)
	channels, many = x.Sample[0], c.integer("depth_multiplier", 1, 1, largestSize)
	if c.err == nil && many > largestSize/channels {
		c.fail("depth_multiplier %d makes too many channels of %d", many, channels)
	}
	return w, channels, many, c.err
}

// separableConvolution reads SeparableConv1D and SeparableConv2D: a convolution of each
// channel, and one of 1x1.
func separableConvolution(im *importer, c *call, in []*value) (*value, error) {
	w, channels, many, err := im.depthwiseWindows(c, in[0])
	if err != nil {
		return nil, err
	}
	n, bias := c.integer("filters", 0, 1, largestSize), c.yes("use_bias", true)
	if c.err != nil {
		return nil, c.err
	}
	first := w.Conv(channels*many, channels, false)
	inner, err := im.Emit(c.base, "depthwise", &first, in[0])
	if err != nil {
		return nil, err
	}
	y, err := im.Emit(c.base, "", &layers.Conv{Filters: n, Kernel: layers.Square(1), NoBias: !bias}, inner)
	if err != nil {
		return nil, err
	}
	ones := slices.Repeat([]int{1}, len(w.Kernel))
	arrays, err := im.take(c, biased(bias, n,
		wanted(with(w.Kernel, channels, many), "depthwise_kernel"),
		wanted(with(ones, channels*many, n), "pointwise_kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		im.Set(inner, "weight", nhwc.Depthwise(arrays[0], product(w.Kernel), channels, many), with([]int{channels * many, 1}, w.Kernel...)...)
		im.Set(y, "weight", nhwc.Filters(arrays[1], 1, channels*many, n), with([]int{n, channels * many}, ones...)...)
		im.setBias(y, arrays, 2)
	}
	return im.activation(c, y)
}

// transposedConvolution reads Conv1DTranspose and Conv2DTranspose.
func transposedConvolution(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	w, err := im.windowsOf(c, x, "kernel_size", "strides")
	if err != nil {
		return nil, err
	}
	n := len(w.Kernel)
	c.integer("groups", 1, 1, 1)
	padding, k, bias := c.text("padding", "valid"), c.integer("filters", 0, 1, largestSize), c.yes("use_bias", true)
	var given []int
	if len(c.raw("output_padding")) > 0 {
		given = c.sizes("output_padding", n, 0, 0)
	}
	if c.err != nil {
		return nil, c.err
	}
	if padding != "valid" && padding != "same" {
		return nil, fmt.Errorf("padding %.40q is neither valid nor same", padding)
	}
	more := make([]int, n)
	for i, size := range x.Sample[1:] {
		all := (size-1)*w.Stride[i] + w.Extent(i) // that windows reach
		out := size*w.Stride[i] + max(w.Extent(i)-w.Stride[i], 0)
		switch {
		case padding == "same" && given == nil:
			out = size * w.Stride[i]
		case padding == "same":
			out = all - 2*(w.Extent(i)/2) + given[i]
		case given != nil:
			out = all + given[i]
		}
		if out < 1 {
			return nil, fmt.Errorf("its output has no pixels along axis %d", i+1)
		}
		more[i] = w.Transposed(i, size, out)
	}
	l := &layers.Deconv{Conv: w.Conv(k, 1, bias), OutputPad: nhwc.Size(more)}
	y, err := im.Emit(c.base, "", l, x)
	if err != nil {
		return nil, err
	}
	channels := x.Sample[0]
	arrays, err := im.take(c, biased(bias, k, wanted(with(w.Kernel, k, channels), "kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		kernel := im.weights.correlated(arrays[0], product(w.Kernel))
		im.Set(y, "weight", nhwc.Filters(kernel, product(w.Kernel), k, channels), with([]int{channels, k}, w.Kernel...)...)
		im.setBias(y, arrays, 1)
	}
	return im.activation(c, y)
}

// dense reads Dense. What it reads may be an image that Keras has flattened: then its rows are
// put into the order of channels first. Of an image that is not flattened it computes each
// pixel, as a convolution of 1x1 does.
func dense(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	n, bias := c.integer("units", 0, 1, largestSize), c.yes("use_bias", true)
	if c.err != nil {
		return nil, c.err
	}
	var y *value
	var err error
	features, pixels := x.Sample[0], 1
	switch {
	case x.Flat || len(x.Sample) == 1:
		pixels = product(x.Sample[1:])
		y, err = im.Emit(c.base, "", &layers.Dense{Out: n, NoBias: !bias}, x)
	case !im.Last:
		err = fmt.Errorf("it multiplies along the last axis of %v, and the channels are the first: put a Flatten before it", x)
	default:
		y, err = im.Emit(c.base, "", &layers.Conv{Filters: n, Kernel: layers.Square(1), NoBias: !bias}, x)
	}
	if err != nil {
		return nil, err
	}
	arrays, err := im.take(c, biased(bias, n, wanted([]int{features * pixels, n}, "kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		shape := []int{n, features * pixels}
		for range y.Sample[1:] { // of 1x1
			shape = append(shape, 1)
		}
		im.Set(y, "weight", nhwc.Filters(arrays[0], pixels, features, n), shape...)
		im.setBias(y, arrays, 1)
	}
	return im.activation(c, y)
}
