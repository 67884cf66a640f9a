package keras

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/layers"
)

// flatten reads Flatten. What it makes is the image still: the layers behind know that Keras
// has its elements in another order.
func flatten(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	format := c.text("data_format", "channels_last")
	switch {
	case x.Flat || len(x.Sample) == 1:
		return x, nil
	case im.Last && format == "channels_first":
		return nil, errors.New("its data_format is channels_first, and that of the network channels_last: it would turn images around")
	case !im.Last && format != "channels_first": // in the order C, H, W
		return im.Emit(c.base, "", &layers.Flatten{}, x)
	}
	return &value{Name: x.Name, Sample: x.Sample, Flat: true}, nil
}

// reshape reads Reshape.
func reshape(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	to := c.integers("target_shape")
	if c.err != nil {
		return nil, c.err
	}
	total, known, open := device.Elements(x.Sample), 1, -1
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
	return im.Reshaped(c.base, x, to)
}

// permute reads Permute.
func permute(im *importer, c *call, in []*value) (*value, error) {
	x, err := im.Solid(in[0])
	if err != nil {
		return nil, err
	}
	dims := c.integers("dims")
	if c.err != nil {
		return nil, c.err
	}
	rank := len(x.Sample)
	sorted := slices.Sorted(slices.Values(dims))
	for i := range rank {
		if len(sorted) != rank || sorted[i] != i+1 {
			return nil, fmt.Errorf("dims %v must have each of the %d axes once", dims, rank)
		}
	}
	return im.Permuted(c.base, x, dims)
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
	if want := spatial(c.class); x.Flat || len(x.Sample)-1 != want {
		return fmt.Errorf("its input is %v, and it takes %d axes of pixels and one of channels", x, want)
	}
	return nil
}

// alongPixels checks that a layer of rows of pixels works along them: those that have no option
// data_format do so along the first axis always, which may be the channels.
func (im *importer) alongPixels(c *call) error {
	if spatial(c.class) == 1 && !im.Last && c.text("data_format", "channels_last") != "channels_first" {
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
	sides := c.sides("padding", len(x.Sample)-1)
	if c.err != nil {
		return nil, c.err
	}
	if len(sides) == 2 {
		return im.Emit(c.base, "", &layers.Padding{Pad: layers.Pad{Top: sides[0][0], Bottom: sides[0][1], Left: sides[1][0], Right: sides[1][1]}}, x)
	}
	return im.asImage(c, x, &layers.Padding{Pad: layers.Pad{Left: sides[0][0], Right: sides[0][1]}})
}

// asImage applies a layer of images to rows of pixels, as images of height 1.
func (im *importer) asImage(c *call, x *value, l layers.Layer) (*value, error) {
	y, err := im.Emit(c.base, "image", &layers.Reshape{Shape: []int{x.Sample[0], 1, x.Sample[1]}}, x)
	if err == nil {
		y, err = im.Emit(c.base, "wide", l, y)
	}
	if err != nil {
		return nil, err
	}
	return im.Emit(c.base, "", &layers.Reshape{Shape: []int{y.Sample[0], y.Sample[2]}}, y)
}

// cropping reads Cropping1D, Cropping2D and CenterCrop.
func cropping(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	if c.class == "CenterCrop" {
		height, width := c.integer("height", 0, 1, largestSize), c.integer("width", 0, 1, largestSize)
		if c.err != nil {
			return nil, c.err
		}
		if x.Flat || len(x.Sample) != 3 || height > x.Sample[1] || width > x.Sample[2] {
			return nil, fmt.Errorf("it cuts %dx%d out of %v; what is smaller Keras resizes, which is not read", height, width, x)
		}
		top, left := (x.Sample[1]-height)/2, (x.Sample[2]-width)/2
		return im.cut(c, x, [][2]int{{top, x.Sample[1] - height - top}, {left, x.Sample[2] - width - left}})
	}
	if err := c.image(x); err != nil {
		return nil, err
	}
	if err := im.alongPixels(c); err != nil {
		return nil, err
	}
	sides := c.sides("cropping", len(x.Sample)-1)
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
		length := x.Sample[1+i]
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
		if y, err = im.Emit(c.base, suffix, l, y); err != nil {
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
	n := c.sizes("size", len(x.Sample)-1, 2, 1)
	mode := c.text("interpolation", "nearest")
	if c.err != nil {
		return nil, c.err
	}
	l := &layers.Upsample{Scale: nhwc.Size(n)}
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
	return im.Emit(c.base, "", l, x)
}
