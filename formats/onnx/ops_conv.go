package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// windows are the attributes that convolutions and poolings share, a number for each axis
// of pixels.
type windows struct {
	kernel, stride, dilation []int
	before, after            []int // pads
}

// windowsOf reads them for an image of these axes of pixels. kernel is that of the weights,
// nil for a pooling.
func (n *node) windowsOf(pixels, kernel []int) (w windows, err error) {
	a, axes := n.read(), len(pixels)
	w.kernel = a.each("kernel_shape", axes, 0)
	if kernel != nil {
		if n.has("kernel_shape") && !slices.Equal(w.kernel, kernel) {
			return w, fmt.Errorf("kernel_shape is %v and its weights have kernels of %v", w.kernel, kernel)
		}
		w.kernel = kernel
	}
	w.stride, w.dilation = a.each("strides", axes, 1), a.each("dilations", axes, 1)
	auto := a.text("auto_pad", "NOTSET")
	pads := a.integers("pads")
	switch {
	case a.err != nil:
		return w, a.err
	case slices.Contains(w.kernel, 0) || slices.Contains(w.stride, 0) || slices.Contains(w.dilation, 0):
		return w, fmt.Errorf("kernel %v, strides %v and dilations %v must be at least 1", w.kernel, w.stride, w.dilation)
	case pads == nil:
		pads = make([]int, 2*axes)
	case len(pads) != 2*axes:
		return w, fmt.Errorf("pads %v has %d numbers, want %d", pads, len(pads), 2*axes)
	}
	w.before, w.after = slices.Clone(pads[:axes]), slices.Clone(pads[axes:])
	switch auto {
	case "", "NOTSET":
	case "VALID":
		w.before, w.after = make([]int, axes), make([]int, axes)
	case "SAME_UPPER", "SAME_LOWER":
		for i, size := range pixels {
			out := (size + w.stride[i] - 1) / w.stride[i]
			all := max((out-1)*w.stride[i]+(w.kernel[i]-1)*w.dilation[i]+1-size, 0)
			w.before[i], w.after[i] = all/2, all-all/2
			if auto == "SAME_LOWER" {
				w.before[i], w.after[i] = w.after[i], w.before[i]
			}
		}
	default:
		return w, fmt.Errorf("auto_pad %q is none of NOTSET, VALID, SAME_UPPER and SAME_LOWER", auto)
	}
	for _, p := range slices.Concat(w.before, w.after) {
		if p < 0 || p > 1<<31-1 {
			return w, fmt.Errorf("pads %v: a pad of a layer is not negative; nearest is slice", pads)
		}
	}
	return w, nil
}

// size is a number for each axis of pixels as a layer has it.
func size(list []int) layers.Size {
	if len(list) == 1 {
		return layers.Square(list[0])
	}
	return layers.Size{H: list[0], W: list[1]}
}

// option is size for an option that is 1 unless it is given.
func option(list []int) layers.Size {
	if s := size(list); s != layers.Square(1) {
		return s
	}
	return layers.Size{}
}

func (w windows) pad() layers.Pad {
	if len(w.before) == 1 {
		return layers.Pad{Left: w.before[0], Right: w.after[0]}
	}
	return layers.Pad{Top: w.before[0], Bottom: w.after[0], Left: w.before[1], Right: w.after[1]}
}

// convolved are the operands of a convolution: an image, weights and biases.
func (im *importer) convolved(n *node) (x *value, weight, bias *constant, err error) {
	if x, err = n.numbers(0); err != nil {
		return
	}
	if weight, err = n.weight(1, "weight"); err != nil {
		return
	}
	if bias, err = n.weight(2, "bias"); err != nil {
		return
	}
	if x, err = im.batched(x); err != nil {
		return
	}
	switch {
	case weight == nil:
		err = errors.New("its weight is missing")
	case len(x.sample) != 2 && len(x.sample) != 3:
		err = fmt.Errorf("its input is %s; a conv layer takes [N,C,H,W] and [N,C,L]", x.text())
	case len(weight.shape) != 1+len(x.sample):
		err = fmt.Errorf("its weight %v does not fit the input %s", weight.shape, x.text())
	case slices.Contains(weight.shape, 0):
		err = fmt.Errorf("its weight %v is empty", weight.shape)
	}
	return
}

// conv reads Conv.
func conv(im *importer, n *node) ([]*value, error) {
	x, weight, bias, err := im.convolved(n)
	if err != nil {
		return nil, err
	}
	w, err := n.windowsOf(x.sample[1:], weight.shape[2:])
	if err != nil {
		return nil, err
	}
	a := n.read()
	groups := a.integer("group", 1)
	if a.err != nil {
		return nil, a.err
	}
	if groups < 1 || weight.shape[1] > x.sample[0]/groups || weight.shape[1]*groups != x.sample[0] {
		return nil, fmt.Errorf("its weight %v of %d groups does not fit the %d channels of %s", weight.shape, groups, x.sample[0], x.text())
	}
	l := &layers.Conv{
		Filters: weight.shape[0], Kernel: size(w.kernel), Stride: option(w.stride), Dilation: option(w.dilation),
		Pad: w.pad(), NoBias: bias == nil,
	}
	if groups > 1 {
		l.Groups = groups
	}
	return im.weighted(n, l, x, weight, bias, l.Filters)
}

// weighted emits a convolution with its weights.
func (im *importer) weighted(n *node, l layers.Layer, x *value, weight, bias *constant, filters int) ([]*value, error) {
	if bias != nil && bias.len() != filters {
		return nil, fmt.Errorf("its bias %v does not fit %d filters", bias.shape, filters)
	}
	y, err := im.emit(n, "", l, x)
	if err != nil {
		return nil, err
	}
	im.setWeight(y.name, "weight", weight.floats, weight.shape...)
	if bias != nil {
		im.setWeight(y.name, "bias", bias.floats, filters)
	}
	return []*value{y}, nil
}

// convTranspose reads ConvTranspose.
func convTranspose(im *importer, n *node) ([]*value, error) {
	x, weight, bias, err := im.convolved(n)
	if err != nil {
		return nil, err
	}
	pixels, axes := x.sample[1:], len(x.sample)-1
	a := n.read()
	groups, auto := a.integer("group", 1), a.text("auto_pad", "NOTSET")
	more, want := a.each("output_padding", axes, 0), a.integers("output_shape")
	if a.err != nil {
		return nil, a.err
	}
	w, err := n.windowsOf(pixels, weight.shape[2:])
	if err != nil {
		return nil, err
	}
	same := auto == "SAME_UPPER" || auto == "SAME_LOWER"
	if want != nil && len(want) != axes {
		if len(want) != axes+2 {
			return nil, fmt.Errorf("output_shape %v has %d numbers, want %d", want, len(want), axes)
		}
		want = want[2:]
	}
	if want != nil || same {
		for i, size := range pixels {
			to := size * w.stride[i]
			if want != nil {
				to = want[i]
			}
			// What the windows cover beyond that is cut off; what they lack is added behind.
			all := w.stride[i]*(size-1) + more[i] + (w.kernel[i]-1)*w.dilation[i] + 1 - to
			if all < 0 {
				more[i], all = more[i]-all, 0
			}
			w.before[i], w.after[i] = all-all/2, all/2
			if auto == "SAME_UPPER" {
				w.before[i], w.after[i] = w.after[i], w.before[i]
			}
		}
	}
	if groups < 1 || x.sample[0] != weight.shape[0] || x.sample[0]%groups != 0 {
		return nil, fmt.Errorf("its weight %v of %d groups does not fit the %d channels of %s", weight.shape, groups, x.sample[0], x.text())
	}
	extra := make([]int, axes) // rows that are 0 and the bias, which no window reaches
	for i := range more {
		if limit := w.stride[i] - 1; more[i] > limit {
			cut := min(w.after[i], more[i]-limit)
			w.after[i], more[i] = w.after[i]-cut, more[i]-cut
			if more[i] > limit {
				extra[i] = more[i] - limit
			}
		}
		if extra[i] > 0 {
			return nil, fmt.Errorf("its output has %d elements behind the last window, of axis %d; a deconv layer has at most %d", more[i], 2+i, w.stride[i]-1)
		}
	}
	l := &layers.Deconv{Conv: layers.Conv{
		Filters: weight.shape[1] * groups, Kernel: size(w.kernel), Stride: option(w.stride), Dilation: option(w.dilation),
		Pad: w.pad(), NoBias: bias == nil,
	}, OutputPad: size(more)}
	if groups > 1 {
		l.Groups = groups
	}
	return im.weighted(n, l, x, weight, bias, l.Filters)
}
