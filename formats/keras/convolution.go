package keras

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/layers"
)

// windows are those of a layer that slides over pixels, for each of their axes.
type windows struct{ kernel, stride, dilation, before, after []int }

// windowsOf reads the options of windows over a value. Those that pool have 2 pixels, and lie
// side by side, unless it is given.
func (im *importer) windowsOf(c *call, v *value, kernel, stride string) (*windows, error) {
	if err := c.image(v); err != nil {
		return nil, err
	}
	n, otherwise := len(v.sample)-1, 0
	if kernel == "pool_size" {
		otherwise = 2
	}
	w := &windows{kernel: c.sizes(kernel, n, otherwise, 1), before: make([]int, n), after: make([]int, n)}
	w.stride = w.kernel
	if kernel != "pool_size" || len(c.raw(stride)) > 0 {
		w.stride = c.sizes(stride, n, 1, 1)
	}
	w.dilation = c.sizes("dilation_rate", n, 1, 1)
	return w, c.err
}

// spatial is how many axes of pixels the images of a class of layers have.
func spatial(class string) int {
	if strings.Contains(class, "1D") {
		return 1
	}
	return 2
}

// extent is how many pixels of an axis a window reaches over.
func (w *windows) extent(i int) int { return (w.kernel[i]-1)*w.dilation[i] + 1 }

// pad reads the padding of windows over a value. With "same" there is an output for each
// stride, and if what that needs is odd, the pixel more is at the end.
func (w *windows) pad(c *call, v *value) error {
	switch padding := c.text("padding", "valid"); padding {
	case "valid":
	case "same":
		for i, size := range v.sample[1:] {
			out := (size + w.stride[i] - 1) / w.stride[i]
			all := max((out-1)*w.stride[i]+w.extent(i)-size, 0)
			w.before[i], w.after[i] = all/2, all-all/2
		}
	case "causal":
		if c.class != "Conv1D" {
			return errors.New("padding causal is for Conv1D")
		}
		w.before[0] = w.extent(0) - 1
	default:
		return fmt.Errorf("padding %.40q is neither valid nor same", padding)
	}
	return c.err
}

// size is a size for each axis as layers have it.
func size(n []int) layers.Size { return layers.Size{H: n[0], W: n[len(n)-1]} }

// option is size, or nothing where it is 1, which is the default.
func option(n []int) layers.Size {
	if s := size(n); s != layers.Square(1) {
		return s
	}
	return layers.Size{}
}

// padding is what is put around the image.
func (w *windows) padding() layers.Pad {
	p := layers.Pad{Left: w.before[len(w.before)-1], Right: w.after[len(w.after)-1]}
	if len(w.before) == 2 {
		p.Top, p.Bottom = w.before[0], w.after[0]
	}
	return p
}

// conv is that of these windows, with filters and groups.
func (w *windows) conv(filters, groups int, bias bool) layers.Conv {
	l := layers.Conv{Filters: filters, Kernel: size(w.kernel), Stride: option(w.stride), Dilation: option(w.dilation), Pad: w.padding(), NoBias: !bias}
	if groups > 1 {
		l.Groups = groups
	}
	return l
}

// filters turns filters [..., a, b], which are pixels x a x b, to [b, a, ...].
func filters(x []float32, pixels, a, b int) []float32 {
	y := make([]float32, len(x))
	for p := range pixels {
		for i := range a {
			for j := range b {
				y[(j*a+i)*pixels+p] = x[(p*a+i)*b+j]
			}
		}
	}
	return y
}

// depthwise turns filters [..., a, b] to [a, b, ...].
func depthwise(x []float32, pixels, a, b int) []float32 {
	y := make([]float32, len(x))
	for p := range pixels {
		for i := range a * b {
			y[i*pixels+p] = x[p*a*b+i]
		}
	}
	return y
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
	if err := w.pad(c, x); err != nil {
		return nil, err
	}
	n, groups, bias := c.integer("filters", 0, 1, largestSize), c.integer("groups", 1, 1, largestSize), c.yes("use_bias", true)
	channels := x.sample[0]
	if c.err != nil {
		return nil, c.err
	}
	if channels%groups != 0 || n%groups != 0 {
		return nil, fmt.Errorf("groups %d does not divide %d channels and %d filters", groups, channels, n)
	}
	l := w.conv(n, groups, bias)
	y, err := im.emit(c.base, "", &l, x)
	if err != nil {
		return nil, err
	}
	arrays, err := im.take(c, biased(bias, n, wanted(with(w.kernel, channels/groups, n), "kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		kernel := im.weights.correlated(arrays[0], product(w.kernel))
		im.set(y, "weight", filters(kernel, product(w.kernel), channels/groups, n), with([]int{n, channels / groups}, w.kernel...)...)
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
		im.set(y, "bias", arrays[i], len(arrays[i]))
	}
}

// depthwiseConvolution reads DepthwiseConv1D and DepthwiseConv2D.
func depthwiseConvolution(im *importer, c *call, in []*value) (*value, error) {
	w, channels, many, err := im.depthwiseWindows(c, in[0])
	if err != nil {
		return nil, err
	}
	bias := c.yes("use_bias", true)
	l := w.conv(channels*many, channels, bias)
	y, err := im.emit(c.base, "", &l, in[0])
	if err != nil {
		return nil, err
	}
	arrays, err := im.take(c, biased(bias, channels*many, wanted(with(w.kernel, channels, many), "kernel", "depthwise_kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		im.set(y, "weight", depthwise(arrays[0], product(w.kernel), channels, many), with([]int{channels * many, 1}, w.kernel...)...)
		im.setBias(y, arrays, 1)
	}
	return im.activation(c, y)
}

// depthwiseWindows reads what each channel is convolved with.
func (im *importer) depthwiseWindows(c *call, x *value) (w *windows, channels, many int, err error) {
	if w, err = im.windowsOf(c, x, "kernel_size", "strides"); err != nil {
		return
	}
	if err = w.pad(c, x); err != nil {
		return
	}
	c.integer("groups", 1, 1, 1)
	channels, many = x.sample[0], c.integer("depth_multiplier", 1, 1, largestSize)
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
	first := w.conv(channels*many, channels, false)
	inner, err := im.emit(c.base, "depthwise", &first, in[0])
	if err != nil {
		return nil, err
	}
	y, err := im.emit(c.base, "", &layers.Conv{Filters: n, Kernel: layers.Square(1), NoBias: !bias}, inner)
	if err != nil {
		return nil, err
	}
	ones := slices.Repeat([]int{1}, len(w.kernel))
	arrays, err := im.take(c, biased(bias, n,
		wanted(with(w.kernel, channels, many), "depthwise_kernel"),
		wanted(with(ones, channels*many, n), "pointwise_kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		im.set(inner, "weight", depthwise(arrays[0], product(w.kernel), channels, many), with([]int{channels * many, 1}, w.kernel...)...)
		im.set(y, "weight", filters(arrays[1], 1, channels*many, n), with([]int{n, channels * many}, ones...)...)
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
	n := len(w.kernel)
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
	for i, size := range x.sample[1:] {
		all := (size-1)*w.stride[i] + w.extent(i) // that windows reach
		out := size*w.stride[i] + max(w.extent(i)-w.stride[i], 0)
		switch {
		case padding == "same" && given == nil:
			out = size * w.stride[i]
		case padding == "same":
			out = all - 2*(w.extent(i)/2) + given[i]
		case given != nil:
			out = all + given[i]
		}
		if out < 1 {
			return nil, fmt.Errorf("its output has no pixels along axis %d", i+1)
		}
		if out < all {
			w.before[i] = (all - out) / 2
			w.after[i] = all - out - w.before[i]
		}
		more[i] = max(out-all, 0)
	}
	l := &layers.Deconv{Conv: w.conv(k, 1, bias), OutputPad: size(more)}
	y, err := im.emit(c.base, "", l, x)
	if err != nil {
		return nil, err
	}
	channels := x.sample[0]
	arrays, err := im.take(c, biased(bias, k, wanted(with(w.kernel, k, channels), "kernel"))...)
	if err != nil {
		return nil, err
	}
	if arrays != nil {
		kernel := im.weights.correlated(arrays[0], product(w.kernel))
		im.set(y, "weight", filters(kernel, product(w.kernel), k, channels), with([]int{channels, k}, w.kernel...)...)
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
	features, pixels := x.sample[0], 1
	switch {
	case x.flat || len(x.sample) == 1:
		pixels = product(x.sample[1:])
		y, err = im.emit(c.base, "", &layers.Dense{Out: n, NoBias: !bias}, x)
	case !im.last:
		err = fmt.Errorf("it multiplies along the last axis of %v, and the channels are the first: put a Flatten before it", x)
	default:
		y, err = im.emit(c.base, "", &layers.Conv{Filters: n, Kernel: layers.Square(1), NoBias: !bias}, x)
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
		for range y.sample[1:] { // of 1x1
			shape = append(shape, 1)
		}
		im.set(y, "weight", filters(arrays[0], pixels, features, n), shape...)
		im.setBias(y, arrays, 1)
	}
	return im.activation(c, y)
}
