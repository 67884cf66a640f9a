package keras

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// flatten reads Flatten. What it makes is the image still: the layers behind know that Keras
// has its elements in another order.
func flatten(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	format := c.text("data_format", "channels_last")
	switch {
	case x.flat || len(x.sample) == 1:
		return x, nil
	case im.last && format == "channels_first":
		return nil, errors.New("its data_format is channels_first, and that of the network channels_last: it would turn images around")
	case !im.last && format != "channels_first": // in the order C, H, W
		return im.emit(c.base, "", &layers.Flatten{}, x)
	}
	return &value{name: x.name, sample: x.sample, flat: true}, nil
}

// reshape reads Reshape.
func reshape(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	to := c.integers("target_shape")
	if c.err != nil {
		return nil, c.err
	}
	total, known, open := device.Elements(x.sample), 1, -1
	for i, d := range to {
		switch {
		case d == -1 && open < 0:
			open = i
		case d < 1 || d > largestSize || known > total/d:
			return nil, fmt.Errorf("target_shape %v does not hold the %d elements of %v", to, total, x)
		default:
			known *= d
		}
	}
	if len(to) == 0 || len(to) > mostDims || total%known != 0 || open < 0 && known != total {
		return nil, fmt.Errorf("target_shape %v does not hold the %d elements of %v", to, total, x)
	}
	if open >= 0 {
		to[open] = total / known
	}
	return im.reshaped(c.base, x, to)
}

// reshaped is a value in another shape of Keras'. Where the channels stay, only pixels are
// counted in another way; otherwise all elements are put into Keras' order first.
func (im *importer) reshaped(base string, x *value, to []int) (*value, error) {
	was := im.toLast(x.sample) // flattening does not change the order
	if slices.Equal(to, im.shape(x)) {
		return x, nil
	}
	if !im.last || len(was) > 1 && len(to) > 1 && was[len(was)-1] == to[len(to)-1] {
		y, err := im.solidIf(!im.last, x)
		if err != nil {
			return nil, err
		}
		return im.emit(base, "", &layers.Reshape{Shape: im.toFirst(to)}, y)
	}
	y, err := im.inOrder(x, base)
	if err != nil {
		return nil, err
	}
	sample := im.toFirst(to)
	if len(to) == 1 || sample[0] == 1 || product(sample[1:]) == 1 { // the order is the same
		return im.emit(base, "", &layers.Reshape{Shape: sample}, y)
	}
	if y, err = im.emit(base, "reshape", &layers.Reshape{Shape: to}, y); err != nil {
		return nil, err
	}
	order := []int{0, len(to)}
	for i := 1; i < len(to); i++ {
		order = append(order, i)
	}
	return im.emit(base, "", &layers.Permute{Order: order}, y)
}

// solidIf is solid, if that is wanted.
func (im *importer) solidIf(wanted bool, x *value) (*value, error) {
	if !wanted {
		return x, nil
	}
	return im.solid(x)
}

// permute reads Permute.
func permute(im *importer, c *call, in []*value) (*value, error) {
	x, err := im.solid(in[0])
	if err != nil {
		return nil, err
	}
	dims := c.integers("dims")
	if c.err != nil {
		return nil, c.err
	}
	rank := len(x.sample)
	sorted := slices.Sorted(slices.Values(dims))
	for i := range rank {
		if len(sorted) != rank || sorted[i] != i+1 {
			return nil, fmt.Errorf("dims %v must have each of the %d axes once", dims, rank)
		}
	}
	order := make([]int, rank+1)
	for i, from := range dims {
		to, err := im.axis(x, i+1)
		if err != nil {
			return nil, err
		}
		if from, err = im.axis(x, from); err != nil {
			return nil, err
		}
		order[to+1] = from + 1
	}
	if slices.IsSorted(order) {
		return x, nil
	}
	return im.emit(c.base, "", &layers.Permute{Order: order}, x)
}

// sides reads an option of what is put or cut at both ends of each axis of pixels: a number, one
// for each axis, or two for each.
func (c *call) sides(key string, axes int) [][2]int {
	list := c.integers(key)
	out := make([][2]int, axes)
	if list == nil {
		c.fail("%s is missing", key)
		return out
	}
	for i := range out {
		switch {
		case len(list) == 1:
			out[i] = [2]int{list[0], list[0]}
		case len(list) == axes && axes > 1:
			out[i] = [2]int{list[i], list[i]}
		case len(list) == 2*axes:
			out[i] = [2]int{list[2*i], list[2*i+1]}
		default:
			c.fail("%s has %d numbers, want 1, %d or %d", key, len(list), axes, 2*axes)
		}
		if min(out[i][0], out[i][1]) < 0 || max(out[i][0], out[i][1]) > largestSize {
			c.fail("%s is %v, and must be whole numbers from 0 to %d", key, list, largestSize)
		}
	}
	return out
}

// image checks that a layer reads pixels and channels, of the axes that it has.
func (c *call) image(x *value) error {
	if want := spatial(c.class); x.flat || len(x.sample)-1 != want {
		return fmt.Errorf("its input is %v, and it takes %d axes of pixels and one of channels", x, want)
	}
	return nil
}

// alongPixels checks that a layer of rows of pixels works along them: those that have no option
// data_format do so along the first axis always, which may be the channels.
func (im *importer) alongPixels(c *call) error {
	if spatial(c.class) == 1 && !im.last && c.text("data_format", "channels_last") != "channels_first" {
		return errors.New("it works along the first axis, and that are the channels of this network, which has them first: put Permute((2, 1)) before and behind it, or make the network with the channels last")
	}
	return c.err
}

// zeroPadding reads ZeroPadding1D and ZeroPadding2D.
func zeroPadding(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	if err := c.image(x); err != nil {
		return nil, err
	}
	if err := im.alongPixels(c); err != nil {
		return nil, err
	}
	sides := c.sides("padding", len(x.sample)-1)
	if c.err != nil {
		return nil, c.err
	}
	if len(sides) == 2 {
		return im.emit(c.base, "", &layers.Padding{Pad: layers.Pad{Top: sides[0][0], Bottom: sides[0][1], Left: sides[1][0], Right: sides[1][1]}}, x)
	}
	return im.asImage(c, x, &layers.Padding{Pad: layers.Pad{Left: sides[0][0], Right: sides[0][1]}})
}

// asImage applies a layer of images to rows of pixels, as images of height 1.
func (im *importer) asImage(c *call, x *value, l layers.Layer) (*value, error) {
	y, err := im.emit(c.base, "image", &layers.Reshape{Shape: []int{x.sample[0], 1, x.sample[1]}}, x)
	if err == nil {
		y, err = im.emit(c.base, "wide", l, y)
	}
	if err != nil {
		return nil, err
	}
	return im.emit(c.base, "", &layers.Reshape{Shape: []int{y.sample[0], y.sample[2]}}, y)
}

// cropping reads Cropping1D, Cropping2D and CenterCrop.
func cropping(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	if c.class == "CenterCrop" {
		height, width := c.integer("height", 0, 1, largestSize), c.integer("width", 0, 1, largestSize)
		if c.err != nil {
			return nil, c.err
		}
		if x.flat || len(x.sample) != 3 || height > x.sample[1] || width > x.sample[2] {
			return nil, fmt.Errorf("it cuts %dx%d out of %v; what is smaller Keras resizes, which is not read", height, width, x)
		}
		top, left := (x.sample[1]-height)/2, (x.sample[2]-width)/2
		return im.cut(c, x, [][2]int{{top, x.sample[1] - height - top}, {left, x.sample[2] - width - left}})
	}
	if err := c.image(x); err != nil {
		return nil, err
	}
	if err := im.alongPixels(c); err != nil {
		return nil, err
	}
	sides := c.sides("cropping", len(x.sample)-1)
	if c.err != nil {
		return nil, c.err
	}
	return im.cut(c, x, sides)
}

// cut takes pixels off at both ends of each axis.
func (im *importer) cut(c *call, x *value, sides [][2]int) (*value, error) {
	y := x
	var cuts []*layers.Slice
	for i, s := range sides {
		length := x.sample[1+i]
		if s[0] > length-s[1]-1 {
			return nil, fmt.Errorf("it cuts %d and %d pixels off axis %d of %v, which has %d", s[0], s[1], i+1, x, length)
		}
		if s != [2]int{} {
			cuts = append(cuts, &layers.Slice{Axis: 2 + i, Begin: s[0], End: length - s[1]})
		}
	}
	for i, l := range cuts {
		suffix := ""
		if i < len(cuts)-1 {
			suffix = "rows"
		}
		var err error
		if y, err = im.emit(c.base, suffix, l, y); err != nil {
			return nil, err
		}
	}
	return y, nil
}

// upSampling reads UpSampling1D and UpSampling2D.
func upSampling(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	if err := c.image(x); err != nil {
		return nil, err
	}
	if err := im.alongPixels(c); err != nil {
		return nil, err
	}
	n := c.sizes("size", len(x.sample)-1, 2, 1)
	mode := c.text("interpolation", "nearest")
	if c.err != nil {
		return nil, c.err
	}
	l := &layers.Upsample{Scale: size(n)}
	switch mode {
	case "nearest":
	case "bilinear":
		l.Mode = mode
	default:
		return nil, fmt.Errorf("interpolation %.40q is not read; nearest and bilinear are", mode)
	}
	if len(n) == 1 {
		l.Scale.H = 1
		return im.asImage(c, x, l)
	}
	return im.emit(c.base, "", l, x)
}
