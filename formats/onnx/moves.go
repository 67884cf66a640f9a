package onnx

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// These move the elements of samples. Axes are those of a sample.

// permuteBack undoes permute with an order.
func (im *importer) permuteBack(n *node, v *value, order []int) (*value, error) {
	back := make([]int, len(order))
	for i, axis := range order {
		back[axis] = i
	}
	return im.permute(n, "back", v, back...)
}

// permute puts the axes in another order: axis i of the result is axis order[i] of v. Axes
// that stay together move as one, and those of length 1 are not moved.
func (im *importer) permute(n *node, suffix string, v *value, order ...int) (*value, error) {
	out := make([]int, len(order))
	var moved []int // axes that are longer than 1, in the new order
	for i, axis := range order {
		out[i] = v.sample[axis]
		if out[i] != 1 {
			moved = append(moved, axis)
		}
	}
	if slices.IsSorted(moved) {
		return v.as(out...), nil
	}
	sorted := slices.Sorted(slices.Values(moved))
	var runs [][]int // axes that follow one another before and after
	for i, axis := range moved {
		if i > 0 && slices.Index(sorted, axis) == slices.Index(sorted, moved[i-1])+1 {
			runs[len(runs)-1] = append(runs[len(runs)-1], axis)
			continue
		}
		runs = append(runs, []int{axis})
	}
	before := slices.Clone(runs)
	slices.SortFunc(before, func(a, b []int) int { return a[0] - b[0] })
	if len(runs) >= device.MaxAxes {
		return nil, fmt.Errorf("it moves %d axes of a sample; a permute layer moves at most %d", len(runs), device.MaxAxes-1)
	}
	merged := make([]int, len(runs))
	for i, run := range before {
		merged[i] = 1
		for _, axis := range run {
			merged[i] *= v.sample[axis]
		}
	}
	layerOrder := []int{0}
	for _, run := range runs {
		layerOrder = append(layerOrder, 1+slices.IndexFunc(before, func(r []int) bool { return r[0] == run[0] }))
	}
	y, err := im.emit(n, suffix, &layers.Permute{Order: layerOrder}, v.as(merged...))
	if err != nil {
		return nil, err
	}
	return y.as(out...).like(v), nil
}

// toFront moves an axis before all others, and toPlace the first axis to a place.
func (im *importer) toFront(n *node, v *value, axis int) (*value, error) {
	order := []int{axis}
	for i := range v.sample {
		if i != axis {
			order = append(order, i)
		}
	}
	return im.permute(n, "front", v, order...)
}

func (im *importer) toPlace(n *node, suffix string, v *value, axis int) (*value, error) {
	order := make([]int, 0, len(v.sample))
	for i := 1; i < len(v.sample); i++ {
		order = append(order, i)
	}
	return im.permute(n, suffix, v, slices.Insert(order, axis, 0)...)
}

// three is v as what lies before an axis, the axis, and what lies behind.
func (v *value) three(axis int) *value {
	return v.as(product(v.sample[:axis]), v.sample[axis], product(v.sample[axis+1:]))
}

// with is a shape with another length of an axis.
func with(shape []int, axis, length int) []int {
	shape = slices.Clone(shape)
	shape[axis] = length
	return shape
}

// linear multiplies the elements along an axis by a matrix [rows, length of the axis], as
// a convolution of 1x1 whose weights are not trained.
func (im *importer) linear(n *node, suffix string, v *value, axis, rows int, matrix []float32) (*value, error) {
	length := v.sample[axis]
	front, err := im.toFront(n, v, axis)
	if err != nil {
		return nil, err
	}
	fixed := float32(0)
	l := &layers.Conv{Filters: rows, Kernel: layers.Square(1), NoBias: true, WeightRate: &fixed, WeightDecay: &fixed}
	y, err := im.emit(n, suffix, l, front.as(length, product(v.sample)/max(length, 1)))
	if err != nil {
		return nil, err
	}
	im.setWeight(y.name, "weight", matrix, rows, length, 1)
	y, err = im.toPlace(n, suffix+"_back", y.as(with(front.sample, 0, rows)...), axis)
	if err != nil {
		return nil, err
	}
	return y.like(v), nil
}

// concat joins values along an axis.
func (im *importer) concat(n *node, suffix string, list []*value, axis int) (*value, error) {
	if len(list) == 1 {
		return list[0], nil
	}
	shape, length := list[0].sample, 0
	parts := make([]*value, len(list))
	for i, v := range list {
		if len(v.sample) != len(shape) || !slices.Equal(with(v.sample, axis, 0), with(shape, axis, 0)) {
			return nil, fmt.Errorf("its inputs %s and %s differ in more than axis %d", list[0].text(), v.text(), axis)
		}
		front, err := im.toFront(n, v, axis)
		if err != nil {
			return nil, err
		}
		length += v.sample[axis]
		parts[i] = front
		if len(front.sample) != 3 { // images stay images
			parts[i] = front.as(v.sample[axis], product(front.sample[1:]))
		}
	}
	y, err := im.emit(n, suffix, &layers.Concat{}, parts...)
	if err != nil {
		return nil, err
	}
	rest := slices.Delete(slices.Clone(shape), axis, axis+1)
	y, err = im.toPlace(n, suffix+"_back", y.as(append([]int{length}, rest...)...), axis)
	if err != nil {
		return nil, err
	}
	return y.like(list[0]), nil
}

// expand repeats elements along the axes of length 1 that are longer in the shape.
func (im *importer) expand(n *node, v *value, shape []int) (*value, error) {
	y := v
	for axis := range shape {
		if y.sample[axis] == shape[axis] {
			continue
		}
		if y.sample[axis] != 1 {
			return nil, fmt.Errorf("its input %s does not stretch to %v", v.text(), shape)
		}
		up, err := im.enlarge(n, "expand", y, axis, &layers.Upsample{Scale: layers.Size{H: shape[axis], W: 1}})
		if err != nil {
			return nil, err
		}
		y = up.like(v)
	}
	return y, nil
}

// padAxis puts constant elements before and behind those along an axis.
func (im *importer) padAxis(n *node, v *value, axis, before, after int, fill float32) (*value, error) {
	y, err := im.emit(n, "pad", &layers.Padding{Pad: layers.Pad{Top: before, Bottom: after}, Value: fill}, v.three(axis))
	if err != nil {
		return nil, err
	}
	return y.as(with(v.sample, axis, v.sample[axis]+before+after)...).like(v), nil
}

// affine multiplies by weights and adds biases, either of which may be nil. They are of a
// shape that broadcasts to a sample. It is a convolution of 1x1 of each channel; where they
// are no channels, elements are seen as such.
func (im *importer) affine(n *node, suffix string, v *value, shape []int, weight, bias []float32) (*value, error) {
	last := 0
	for i, d := range shape {
		if d != 1 {
			last = i
		}
	}
	channels := product(v.sample[:last+1])
	if err := im.take(2 * channels); err != nil {
		return nil, err
	}
	l := &layers.Conv{Filters: channels, Groups: channels, Kernel: layers.Square(1), NoBias: bias == nil}
	if weight == nil {
		fixed := float32(0)
		l.WeightRate, l.WeightDecay = &fixed, &fixed
	}
	in := v
	kernel := []int{channels, 1, 1}
	if last == 0 && len(v.sample) == 3 {
		kernel = append(kernel, 1)
	} else {
		in = v.as(channels, product(v.sample[last+1:]))
	}
	y, err := im.emit(n, suffix, l, in)
	if err != nil {
		return nil, err
	}
	target := v.sample[:last+1]
	ones := slices.Repeat([]float32{1}, channels)
	if weight != nil {
		ones = stretched(weight, shape[:last+1], target)
	}
	im.setWeight(y.name, "weight", ones, kernel...)
	if bias != nil {
		im.setWeight(y.name, "bias", stretched(bias, shape[:last+1], target), channels)
	}
	return y.as(v.sample...).like(v), nil
}

// fix keeps the weight of a convolution as it is in training.
func (im *importer) fix(name string) {
	fixed := float32(0)
	for i := range im.net.Nodes {
		if l, ok := im.net.Nodes[i].Layer.(*layers.Conv); ok && im.net.Nodes[i].Name == name {
			l.WeightRate, l.WeightDecay = &fixed, &fixed
		}
	}
}

// stretched repeats elements of a shape to another that it broadcasts to.
func stretched[T any](list []T, from, to []int) []T {
	out := make([]T, product(to))
	strides := stridesOf(from, to)
	index := make([]int, len(to))
	at := 0
	for i := range out {
		out[i] = list[at]
		for a := len(to) - 1; a >= 0; a-- {
			index[a]++
			at += strides[a]
			if index[a] < to[a] {
				break
			}
			at -= index[a] * strides[a]
			index[a] = 0
		}
	}
	return out
}

// stridesOf are those of a tensor of a shape, seen as one of the shape that it broadcasts
// to, of as many axes: 0 where it is stretched.
func stridesOf(from, to []int) []int {
	strides := make([]int, len(to))
	step := 1
	for a := len(to) - 1; a >= 0; a-- {
		if from[a] != 1 {
			strides[a] = step
		}
		step *= from[a]
	}
	return strides
}
