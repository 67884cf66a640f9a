package caffe

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// concat joins along the channels, or another axis behind the batch.
func concat(b *builder, l *layer, in []*value) ([]value, error) {
	p := l.param("concat_param")
	if p.has("axis") && p.has("concat_dim") {
		return nil, l.fail("axis and its old name concat_dim contradict each other: give one")
	}
	axis, err := l.behindBatch(in[0], "axis", p.int("axis", p.int("concat_dim", 1)))
	if err != nil {
		return nil, err
	}
	var back func(*value) (*value, error)
	parts := make([]*value, len(in))
	for i, x := range in {
		if len(x.shape) != len(in[0].shape) {
			return nil, l.fail("its bottoms have %d and %d axes", len(in[0].shape), len(x.shape))
		}
		if parts[i], back, err = b.toChannels(l, fmt.Sprintf("_in%d", i), x, axis); err != nil {
			return nil, err
		}
	}
	suffix := ""
	if axis != 1 {
		suffix = "_joined"
	}
	y, err := b.one(l, suffix, &layers.Concat{}, parts...)
	if err == nil {
		y, err = back(y)
	}
	if err != nil {
		return nil, err
	}
	return []value{*y}, nil
}

// slice cuts along the channels, or another axis behind the batch.
func slice(b *builder, l *layer, in []*value) ([]value, error) {
	p, x := l.param("slice_param"), in[0]
	if p.has("axis") && p.has("slice_dim") {
		return nil, l.fail("axis and its old name slice_dim contradict each other: give one")
	}
	axis, err := l.behindBatch(x, "axis", p.int("axis", p.int("slice_dim", 1)))
	if err != nil {
		return nil, err
	}
	length, points := x.shape[axis], p.ints("slice_point")
	switch {
	case len(points) == 0 && length%len(l.top) != 0:
		return nil, l.fail("%d elements along axis %d are not %d equal parts", length, axis, len(l.top))
	case len(points) == 0:
		for i := range len(l.top) - 1 {
			points = append(points, int64((i+1)*(length/len(l.top))))
		}
	case len(points) != len(l.top)-1:
		return nil, l.fail("there are %d slice_point for %d tops; there must be one less", len(points), len(l.top))
	}
	var parts []int
	before := int64(0)
	for _, point := range append(points, int64(length)) {
		if point <= before || point > int64(length) {
			return nil, l.fail("slice_point %v must rise from 1 to %d", points, length-1)
		}
		parts = append(parts, int(point-before))
		before = point
	}
	if axis == 1 {
		return b.node(l, "", &layers.Split{Channels: parts}, x)
	}
	var out []value
	begin := 0
	for i, n := range parts {
		y, err := b.one(l, fmt.Sprintf("_%d", i), &layers.Slice{Axis: axis, Begin: begin, End: begin + n}, x)
		if err != nil {
			return nil, err
		}
		out, begin = append(out, *y), begin+n
	}
	return out, nil
}

// split gives a value more names: any number of hubel's layers reads one.
func split(_ *builder, l *layer, in []*value) ([]value, error) {
	out := make([]value, len(l.top))
	for i := range out {
		out[i] = *in[0]
		out[i].alias = len(out) > 1
	}
	return out, nil
}

// silence reads what nobody needs.
func silence(b *builder, l *layer, _ []*value) ([]value, error) {
	if l.typ == "HDF5Output" {
		b.facts = append(b.facts, fmt.Sprintf("%v wrote a file, which hubel does not", l))
	}
	return nil, nil
}

// flatten joins the axes from one to another.
func flatten(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("flatten_param")
	first, err := l.behindBatch(x, "axis", p.int("axis", 1))
	if err != nil {
		return nil, err
	}
	last, err := l.behindBatch(x, "end_axis", p.int("end_axis", -1))
	if err != nil {
		return nil, err
	}
	if last < first {
		return nil, l.fail("end_axis %d is before axis %d", last, first)
	}
	if first == 1 && last == len(x.shape)-1 {
		return b.one(l, "", &layers.Flatten{}, x)
	}
	shape := append(slices.Clone([]int(x.shape[1:first])), device.Elements(x.shape[first:last+1]))
	return b.one(l, "", &layers.Reshape{Shape: append(shape, x.shape[last+1:]...)}, x)
}

// reshape changes the shape of each sample. The batch must stay.
func reshape(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("reshape_param")
	dims := p.sub("shape").ints("dim")
	first := p.int("axis", 0)
	if first < 0 {
		first += int64(len(x.shape)) + 1
	}
	count := p.int("num_axes", -1)
	end := int64(len(x.shape))
	if count >= 0 {
		end = first + count
	}
	if first < 0 || first > int64(len(x.shape)) || count < -1 || end > int64(len(x.shape)) {
		return nil, l.fail("axis %d and num_axes %d are not within the %d axes of its bottom", p.int("axis", 0), count, len(x.shape))
	}
	const most = 1 << 31
	var shape []int
	open := -1
	for _, d := range x.shape[:first] {
		shape = append(shape, d)
	}
	for i, d := range dims {
		at := int(first) + i
		switch {
		case d == 0 && at >= len(x.shape):
			return nil, l.fail("dim 0 copies axis %d of its bottom, which has %d axes", at, len(x.shape))
		case d == 0:
			d = int64(x.shape[at])
		case d == -1 && open >= 0:
			return nil, l.fail("only one dim may be -1")
		case d == -1:
			open = at
		case d < 0 || d > most:
			return nil, l.fail("dim %d must be -1, 0 or the length of an axis", d)
		}
		shape = append(shape, int(d))
	}
	shape = append(shape, x.shape[end:]...)
	if len(shape) == 0 {
		return nil, l.fail("its top has no axes")
	}
	sample, each := shape[1:], device.Elements(x.shape[1:])
	switch batch := int64(shape[0]); {
	case open == 0: // the batch follows from the rest: the samples must stay samples
		if product(sample) != each {
			return nil, l.fail("its dims make other samples of the batch: hubel's layers see one sample each")
		}
	case first == 0 && len(dims) > 0 && dims[0] != 0 && batch != b.batch:
		return nil, l.fail("dim %d in place of the batch, which is %d: hubel's layers see one sample each; write 0", batch, b.batch)
	}
	return b.one(l, "", &layers.Reshape{Shape: sample}, x)
}

// product multiplies lengths of axes, as long as they are no more than can be counted.
func product(dims []int) int {
	n := 1
	for _, d := range dims {
		if d > 0 && n > (1<<40)/d {
			return -1
		}
		n *= d
	}
	return n
}

// crop cuts the first bottom to the size of the second.
func crop(b *builder, l *layer, in []*value) ([]value, error) {
	p := l.param("crop_param")
	axis, err := l.behindBatch(in[0], "axis", p.int("axis", 2))
	if err != nil {
		return nil, err
	}
	var offset []int
	for _, o := range p.ints("offset") {
		n, err := l.number("offset", o)
		if err != nil {
			return nil, err
		}
		offset = append(offset, n)
	}
	return b.node(l, "", &layers.Crop{Axis: axis, Offset: offset}, in...)
}

// tile joins copies along an axis.
func tile(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("tile_param")
	axis, err := l.behindBatch(x, "axis", p.int("axis", 1))
	if err != nil {
		return nil, err
	}
	const most = 1000
	tiles := p.int("tiles", 0)
	if tiles < 1 || tiles > most {
		return nil, l.fail("tiles %d must be from 1 to %d", tiles, most)
	}
	y, back, err := b.toChannels(l, "", x, axis)
	if err != nil {
		return nil, err
	}
	if y, err = b.one(l, "_tiles", &layers.Concat{}, slices.Repeat([]*value{y}, int(tiles))...); err != nil {
		return nil, err
	}
	return back(y)
}

// softmax is along the channels, or another axis behind the batch.
func softmax(b *builder, l *layer, x *value) (*value, error) {
	axis, err := l.behindBatch(x, "axis", l.param("softmax_param").int("axis", 1))
	if err != nil {
		return nil, err
	}
	y, back, err := b.toChannels(l, "", x, axis)
	if err != nil {
		return nil, err
	}
	if y, err = b.one(l, "", &layers.Softmax{}, y); err != nil {
		return nil, err
	}
	return back(y)
}

// argMax is the place of the largest value along the channels, or in a whole sample.
func argMax(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("argmax_param")
	if p.bool("out_max_val", false) || p.int("top_k", 1) != 1 {
		return nil, l.fail("hubel's argmax has the place of the largest value alone: top_k is 1, and there is no out_max_val")
	}
	if p.has("axis") {
		axis, err := l.behindBatch(x, "axis", p.int("axis", 1))
		if err != nil {
			return nil, err
		}
		y, back, err := b.toChannels(l, "", x, axis)
		if err != nil {
			return nil, err
		}
		if y, err = b.one(l, "", &layers.ArgMax{}, y); err != nil {
			return nil, err
		}
		return back(y)
	}
	flat, err := b.one(l, "_flat", &layers.Flatten{}, x)
	if err != nil {
		return nil, err
	}
	y, err := b.one(l, "", &layers.ArgMax{}, flat)
	if err != nil {
		return nil, err
	}
	return b.reshaped(l, "_shape", y, 1, 1) // as in Caffe, [N,1,1]
}

// reduction adds up what is behind an axis: values, their magnitudes or squares.
func reduction(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("reduction_param")
	axis, err := l.behindBatch(x, "axis", p.int("axis", 0))
	if err != nil {
		return nil, err
	}
	if axis == 1 {
		return nil, l.fail("axis 1 leaves one number of each sample: hubel's layers of pixels leave a channel at least; axis 2 or more is read")
	}
	count := device.Elements(x.shape[axis:])
	factor := p.float("coeff", 1)
	operation := p.enum("operation", "SUM")
	switch operation {
	case "ASUM":
		x, err = b.one(l, "_abs", &layers.Formula{Formula: "abs(x)"}, x)
	case "SUMSQ":
		x, err = b.one(l, "_square", &layers.Formula{Formula: "x * x"}, x)
	}
	if err != nil {
		return nil, err
	}
	if operation != "MEAN" {
		factor *= float32(count)
	}
	rest := slices.Clone([]int(x.shape[1:axis]))
	if x, err = b.reshaped(l, "_rows", x, product(rest), 1, count); err != nil {
		return nil, err
	}
	if x, err = b.one(l, "_mean", &layers.Pool{Op: device.AveragePool, Global: true}, x); err != nil {
		return nil, err
	}
	if x, err = b.one(l, "_factor", &layers.Scale{Factor: factor}, x); err != nil {
		return nil, err
	}
	return b.reshaped(l, "", x, rest...)
}
