package nhwc

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Together makes values of one shape: axes of one element are repeated. Values that are all flat
// stay so, if they lie alike.
func (b *Builder) Together(base string, in []*Value) ([]*Value, error) {
	alike := true
	for _, v := range in[1:] {
		alike = alike && v.Flat == in[0].Flat && slices.Equal(v.Sample, in[0].Sample)
	}
	if alike {
		return in, nil
	}
	list, rank := make([]*Value, len(in)), 0
	for i, v := range in {
		var err error
		if list[i], err = b.Solid(v); err != nil {
			return nil, err
		}
		rank = max(rank, len(list[i].Sample))
	}
	shape := slices.Repeat([]int{1}, rank)
	for i, v := range list {
		if len(v.Sample) < rank {
			if !b.Last || len(v.Sample) != 1 {
				return nil, fmt.Errorf("its inputs %v and %v have different numbers of axes", list[0], v)
			}
			var err error // features are channels of one pixel
			if list[i], err = b.Emit(base, fmt.Sprint("in", i), &layers.Reshape{Shape: append(slices.Clone(v.Sample), slices.Repeat([]int{1}, rank-1)...)}, v); err != nil {
				return nil, err
			}
		}
		for k, d := range list[i].Sample {
			if d != 1 && shape[k] != 1 && shape[k] != d {
				return nil, fmt.Errorf("its inputs are %v and %v, which do not fit each other", list[0], v)
			}
			shape[k] = max(shape[k], d)
		}
	}
	for i, v := range list {
		var err error
		if list[i], err = b.Expand(base, fmt.Sprint("in", i), v, shape); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Expand repeats elements along axes of one element that are longer in the shape, which is that
// of a sample of the network.
func (b *Builder) Expand(base, suffix string, v *Value, shape []int) (*Value, error) {
	if len(shape) == 3 && v.Sample[0] == shape[0] && v.Sample[1] == 1 && v.Sample[2] == 1 && !slices.Equal(v.Sample, shape) {
		return b.Emit(base, suffix+"_wide", &layers.Upsample{Scale: layers.Size{H: shape[1], W: shape[2]}}, v)
	}
	var err error
	for axis, n := range shape {
		if v.Sample[axis] == n {
			continue
		}
		to := slices.Clone(v.Sample)
		to[axis] = n
		around := []int{device.Elements(v.Sample[:axis]), 1, device.Elements(v.Sample[axis+1:])}
		for _, step := range []layers.Layer{&layers.Reshape{Shape: around}, &layers.Upsample{Scale: layers.Size{H: n, W: 1}}, &layers.Reshape{Shape: to}} {
			if v, err = b.Emit(base, suffix+"_wide", step, v); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// Concatenated joins values along an axis of the file. One that is not the channels is made the
// first for it.
func (b *Builder) Concatenated(base string, a int, in []*Value) (*Value, error) {
	list := make([]*Value, len(in))
	for i, v := range in {
		var err error
		if list[i], err = b.Solid(v); err != nil {
			return nil, err
		}
	}
	axis, err := b.Axis(list[0], a)
	if err != nil {
		return nil, err
	}
	if axis == 0 {
		return b.Emit(base, "", &layers.Concat{}, list...)
	}
	order := []int{0, axis + 1}
	for i := range list[0].Sample {
		if i != axis {
			order = append(order, i+1)
		}
	}
	back := make([]int, len(order))
	for to, from := range order {
		back[from] = to
	}
	for i, v := range list {
		if len(v.Sample) != len(list[0].Sample) {
			return nil, fmt.Errorf("its inputs %v and %v have different numbers of axes", list[0], v)
		}
		if list[i], err = b.Emit(base, fmt.Sprint("in", i), &layers.Permute{Order: order}, v); err != nil {
			return nil, err
		}
	}
	y, err := b.Emit(base, "join", &layers.Concat{}, list...)
	if err != nil {
		return nil, err
	}
	return b.Emit(base, "", &layers.Permute{Order: back}, y)
}
