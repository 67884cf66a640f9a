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

// pooled is the input of a pooling, with a batch and channels.
func (im *importer) pooled(n *node) (*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	if x, err = im.batched(x); err != nil {
		return nil, err
	}
	if len(x.sample) < 2 {
		return nil, fmt.Errorf("its input is %s, which has no pixels", x.text())
	}
	return x, nil
}

// global reads GlobalAveragePool, GlobalMaxPool and GlobalLpPool.
func global(pool func(a *attributes) (layers.Layer, error)) operator {
	return func(im *importer, n *node) ([]*value, error) {
		x, err := im.pooled(n)
		if err != nil {
			return nil, err
		}
		a := n.read()
		l, err := pool(a)
		if err = errors.Join(err, a.err); err != nil {
			return nil, err
		}
		in := x
		if len(x.sample) > 3 {
			in = x.as(x.sample[0], product(x.sample[1:]))
		}
		y, err := im.emit(n, "", l, in)
		if err != nil {
			return nil, err
		}
		out := slices.Repeat([]int{1}, len(x.sample))
		out[0] = x.sample[0]
		return []*value{y.as(out...)}, nil
	}
}

// squares checks that a norm is that of squares.
func squares(a *attributes) error {
	if p := a.integer("p", 2); p != 2 {
		return fmt.Errorf("p is %d; an l2-pool layer has 2", p)
	}
	return nil
}

// pool reads MaxPool, AveragePool and LpPool.
func pool(im *importer, n *node) ([]*value, error) {
	x, err := im.pooled(n)
	if err != nil {
		return nil, err
	}
	a := n.read()
	ceil, countPad := a.integer("ceil_mode", 0) != 0, a.integer("count_include_pad", 0) != 0
	n.ignore("storage_order") // of the indices
	p := 2
	if n.op == "LpPool" {
		p = a.integer("p", 2)
	}
	if a.err != nil {
		return nil, a.err
	}
	w, err := n.windowsOf(x.sample[1:], nil)
	if err != nil {
		return nil, err
	}
	for i := range w.kernel {
		if max(w.before[i], w.after[i]) >= w.kernel[i] && w.dilation[i] == 1 {
			return nil, fmt.Errorf("its pads %v %v are not smaller than the window %v", w.before, w.after, w.kernel)
		}
	}
	if n.op == "LpPool" && (p != 2 || len(x.sample) > 3 || slices.ContainsFunc(w.dilation, func(d int) bool { return d > 1 })) {
		return im.powerPool(n, x, w, p, ceil)
	}
	if len(x.sample) > 3 || slices.ContainsFunc(w.dilation, func(d int) bool { return d > 1 }) {
		return im.poolByAxis(n, x, w, ceil, countPad)
	}
	if n.op == "LpPool" && ceil {
		for i, pixels := range x.sample[1:] {
			out := pooledSize(pixels+w.before[i]+w.after[i], w.kernel[i], w.stride[i], true, pixels+w.before[i])
			w.after[i] += max((out-1)*w.stride[i]+w.kernel[i]-pixels-w.before[i]-w.after[i], 0)
		}
		ceil = false
	}
	window := layers.Pool{Window: size(w.kernel), Stride: option(w.stride), Pad: w.pad(), Ceil: ceil}
	var l layers.Layer = &window
	switch n.op {
	case "AveragePool":
		window.Op, window.CountPad = device.AveragePool, countPad
	case "LpPool":
		l = &layers.L2Pool{Pool: window, Sum: true}
	}
	return im.apply(n, l, x)
}

// pooledSize is how many windows there are along an axis. With ceil one more begins, if it
// does so before real, where the pixels and the padding before them end.
func pooledSize(padded, extent, stride int, ceil bool, real int) int {
	span := padded - extent
	if span < 0 && !ceil {
		return 0
	}
	if !ceil {
		return span/stride + 1
	}
	out := (span+stride-1)/stride + 1
	if (out-1)*stride >= real {
		out--
	}
	return out
}

// powerPool is the root of the sum of powers of each window.
func (im *importer) powerPool(n *node, x *value, w windows, p int, ceil bool) ([]*value, error) {
	before, after, err := powers(p)
	if err != nil {
		return nil, err
	}
	y, err := im.emit(n, "each", &layers.Formula{Formula: before}, x)
	if err != nil {
		return nil, err
	}
	for i := range w.kernel {
		if w.trivial(i) {
			continue
		}
		out, err := w.pooled(i, y, ceil)
		if err != nil {
			return nil, err
		}
		if y, err = im.sumAlong(n, y, w, i, out, 1); err != nil {
			return nil, err
		}
	}
	return im.apply(n, &layers.Formula{Formula: after}, y)
}

// trivial reports whether windows of an axis are its elements.
func (w windows) trivial(i int) bool {
	return w.kernel[i] == 1 && w.stride[i] == 1 && w.before[i]+w.after[i] == 0
}

// pooled is how many windows there are along axis i of the pixels.
func (w windows) pooled(i int, x *value, ceil bool) (int, error) {
	length := x.sample[1+i]
	out := pooledSize(length+w.before[i]+w.after[i], (w.kernel[i]-1)*w.dilation[i]+1, w.stride[i], ceil, length+w.before[i])
	if out < 1 {
		return 0, fmt.Errorf("a window of %d with dilation %d does not fit axis %d of %s", w.kernel[i], w.dilation[i], 2+i, x.text())
	}
	return out, nil
}

// sumAlong is the sum of each window along axis i of the pixels, times a factor: a convolution
// of each channel, whose weights are not trained.
func (im *importer) sumAlong(n *node, x *value, w windows, i, out int, factor float32) (*value, error) {
	axis := 1 + i
	in := x.three(axis)
	if err := im.takeMatrix(in.sample[0], w.kernel[i]); err != nil {
		return nil, err
	}
	fixed := float32(0)
	end := (out-1)*w.stride[i] + (w.kernel[i]-1)*w.dilation[i] + 1 // of the last window
	l := &layers.Conv{
		Filters: in.sample[0], Groups: in.sample[0], Kernel: layers.Size{H: w.kernel[i], W: 1}, Stride: layers.Size{H: w.stride[i], W: 1},
		Dilation: layers.Size{H: w.dilation[i], W: 1}, Pad: layers.Pad{Top: w.before[i], Bottom: max(end-w.before[i]-in.sample[1], 0)},
		NoBias: true, WeightRate: &fixed, WeightDecay: &fixed,
	}
	y, err := im.emit(n, "sum", l, in)
	if err != nil {
		return nil, err
	}
	im.setWeight(y.name, "weight", slices.Repeat([]float32{factor}, in.sample[0]*w.kernel[i]), in.sample[0], 1, w.kernel[i], 1)
	return y.as(with(x.sample, axis, y.sample[1])...).like(x), nil
}

// powers are the formulas of the power of a magnitude, and of the root.
func powers(p int) (before, after string, err error) {
	if p < 1 || p > 16 {
		return "", "", fmt.Errorf("p is %d; 1 to 16 are read", p)
	}
	before = strings.TrimSuffix(strings.Repeat("abs(x) * ", p), " * ")
	switch p {
	case 1:
		return before, "x", nil
	case 2:
		return before, "sqrt(x)", nil
	}
	return before, "exp(log(x) / " + number(float32(p)) + ")", nil
}

// poolByAxis pools one axis after another: images of more axes than two, and windows with
// holes.
func (im *importer) poolByAxis(n *node, x *value, w windows, ceil, countPad bool) ([]*value, error) {
	y := x
	for i := range w.kernel {
		if w.trivial(i) {
			continue
		}
		axis := 1 + i
		length := y.sample[axis]
		out, err := w.pooled(i, y, ceil)
		if err != nil {
			return nil, err
		}
		taps := func(o, k int) int { return o*w.stride[i] + k*w.dilation[i] - w.before[i] }
		inside := w.before[i] == 0 && taps(out-1, w.kernel[i]-1) < length // all windows have all elements
		switch {
		case n.op == "MaxPool":
			y, err = im.maxAlong(n, y, axis, out, w.kernel[i], w.stride[i], w.dilation[i], w.before[i])
		case inside:
			y, err = im.sumAlong(n, y, w, i, out, 1/float32(w.kernel[i]))
		default:
			if err = errors.Join(im.takeMatrix(out, length), im.takeMatrix(out, w.kernel[i])); err != nil {
				return nil, err
			}
			matrix := make([]float32, out*length)
			for o := range out {
				count := 0
				for k := range w.kernel[i] {
					p := taps(o, k)
					inside := p >= 0 && p < length
					if inside || countPad && p < length+w.after[i] {
						count++
					}
					if inside {
						matrix[o*length+p] = 1
					}
				}
				for p := range length {
					matrix[o*length+p] /= float32(max(count, 1))
				}
			}
			y, err = im.linear(n, "axis", y, axis, out, matrix)
		}
		if err != nil {
			return nil, err
		}
	}
	return []*value{y}, nil
}

// maxAlong is the largest of so many elements, a dilation apart, along an axis: the maximum
// of slices of it.
func (im *importer) maxAlong(n *node, x *value, axis, out, kernel, stride, dilation, before int) (*value, error) {
	length := x.sample[axis]
	if err := im.takeMatrix(out, 64*kernel); err != nil { // each tap is a layer
		return nil, err
	}
	end := (out-1)*stride + (kernel-1)*dilation + 1 // of the last window
	y, err := im.padAxis(n, x, axis, before, max(end-before-length, 0), -math.MaxFloat32)
	if err != nil {
		return nil, err
	}
	var parts []*value
	for k := range kernel {
		places := make([]int, out)
		for o := range places {
			places[o] = o*stride + k*dilation
		}
		part, err := im.pick(n, "tap", y, axis, places)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	for len(parts) > 1 {
		some := min(len(parts), expr.MaxInputs-1)
		most, err := im.emit(n, "max", &layers.Maximum{}, parts[:some]...)
		if err != nil {
			return nil, err
		}
		parts = append([]*value{most}, parts[some:]...)
	}
	return parts[0], nil
}
