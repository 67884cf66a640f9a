package nhwc

import (
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Solid is a value whose elements lie as in the file's flat one, if it is flat.
func (b *Builder) Solid(v *Value) (*Value, error) {
	if !v.Flat {
		return v, nil
	}
	if y := b.solids[v.Name]; y != nil {
		return y, nil
	}
	y, err := b.inOrder(v, v.Name)
	if err == nil {
		y, err = b.Emit(v.Name, "flat", &layers.Flatten{}, y)
	}
	if b.solids == nil {
		b.solids = map[string]*Value{}
	}
	b.solids[v.Name] = y
	return y, err
}

// inOrder moves the channels of a value behind its pixels, if that moves anything.
func (b *Builder) inOrder(v *Value, base string) (*Value, error) {
	rank := len(v.Sample)
	if rank < 2 || v.Sample[0] == 1 || device.Elements(v.Sample[1:]) == 1 {
		return v, nil
	}
	order := []int{0}
	for i := 2; i <= rank; i++ {
		order = append(order, i)
	}
	return b.Emit(base, "channels_last", &layers.Permute{Order: append(order, 1)}, v)
}

// Reshaped is a value in another shape of the file's, of as many elements. Where the channels
// stay, only pixels are counted in another way; otherwise all elements are put into the file's
// order first.
func (b *Builder) Reshaped(base string, x *Value, to []int) (*Value, error) {
	was := b.ToLast(x.Sample) // flattening does not change the order
	if slices.Equal(to, b.Shape(x)) {
		return x, nil
	}
	if b.Last && len(was) > 1 && len(to) > 1 && was[len(was)-1] == to[len(to)-1] {
		return b.Emit(base, "", &layers.Reshape{Shape: b.ToFirst(to)}, x)
	}
	if !b.Last {
		y, err := b.Solid(x)
		if err != nil {
			return nil, err
		}
		return b.Emit(base, "", &layers.Reshape{Shape: to}, y)
	}
	y, err := b.inOrder(x, base)
	if err != nil {
		return nil, err
	}
	sample := b.ToFirst(to)
	if len(to) == 1 || sample[0] == 1 || device.Elements(sample[1:]) == 1 { // the order is the same
		return b.Emit(base, "", &layers.Reshape{Shape: sample}, y)
	}
	if y, err = b.Emit(base, "reshape", &layers.Reshape{Shape: to}, y); err != nil {
		return nil, err
	}
	order := []int{0, len(to)}
	for i := 1; i < len(to); i++ {
		order = append(order, i)
	}
	return b.Emit(base, "", &layers.Permute{Order: order}, y)
}

// Permuted moves the axes of the file: axis i+1 of the result is axis dims[i], and axis 0 is the
// batch. dims must have each axis of a sample once.
func (b *Builder) Permuted(base string, x *Value, dims []int) (*Value, error) {
	order := make([]int, len(dims)+1)
	for i, from := range dims {
		to, err := b.Axis(x, i+1)
		if err != nil {
			return nil, err
		}
		if from, err = b.Axis(x, from); err != nil {
			return nil, err
		}
		order[to+1] = from + 1
	}
	if slices.IsSorted(order) {
		return x, nil
	}
	return b.Emit(base, "", &layers.Permute{Order: order}, x)
}
