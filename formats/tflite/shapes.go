package tflite

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/layers"
)

// resolved is a shape for so many elements, in which one size may be -1.
func resolved(to []int, total int) ([]int, error) {
	to = slices.Clone(to)
	known, open := 1, -1
	for i, d := range to {
		switch {
		case d == -1 && open < 0:
			open = i
		case d < 1 || known > total/d:
			return nil, fmt.Errorf("the shape %v does not hold %d elements", to, total)
		default:
			known *= d
		}
	}
	if len(to) > mostDims || total%known != 0 || open < 0 && known != total {
		return nil, fmt.Errorf("the shape %v does not hold %d elements", to, total)
	}
	if open >= 0 {
		to[open] = total / known
	}
	return to, nil
}

// shaped is input 0 in another shape of the file, of the batch and a sample.
func (im *importer) shaped(c *call, to []int) (*value, error) {
	x, err := c.input(0)
	if err != nil {
		return nil, err
	}
	full, err := resolved(to, im.batch*device.Elements(x.Sample))
	if err != nil {
		return nil, err
	}
	if len(full) < 2 || full[0] != im.batch {
		return nil, fmt.Errorf("it makes %v of %s, and axis 0, the samples, must stay", to, im.text(c.in[0]))
	}
	if len(full) == 2 { // the order of elements is known to the layers behind
		return &value{Value: &nhwc.Value{Name: x.Name, Sample: x.Sample, Flat: len(x.Sample) > 1}}, nil
	}
	y, err := im.Reshaped(c.base, x, full[1:])
	return &value{Value: y}, err
}

// reshape reads RESHAPE.
func reshape(im *importer, c *call) (*value, error) {
	to := c.options.ints(0)
	if len(c.in) > 1 && c.in[1] != nil {
		var err error
		if to, err = c.integers(1, "shape"); err != nil {
			return nil, err
		}
	}
	return im.shaped(c, to)
}

// squeeze reads SQUEEZE.
func squeeze(im *importer, c *call) (*value, error) {
	if _, err := c.input(0); err != nil {
		return nil, err
	}
	shape, gone := c.in[0].shapeIn(im), map[int]bool{}
	for _, a := range c.options.ints(0) {
		if a < 0 {
			a += len(shape)
		}
		if a < 1 || a >= len(shape) || shape[a] != 1 {
			return nil, fmt.Errorf("it takes axis %d of %v away, which is not one of 1 of the samples", a, shape)
		}
		gone[a] = true
	}
	if len(gone) == 0 {
		if shape[0] == 1 {
			return nil, fmt.Errorf("it takes all axes of 1 of %v away, the samples too: name the axes", shape)
		}
		for a, d := range shape {
			gone[a] = d == 1
		}
	}
	var to []int
	for a, d := range shape {
		if !gone[a] {
			to = append(to, d)
		}
	}
	return im.shaped(c, to)
}

// expandDims reads EXPAND_DIMS.
func expandDims(im *importer, c *call) (*value, error) {
	if _, err := c.input(0); err != nil {
		return nil, err
	}
	axis, err := c.integers(1, "axis")
	if err != nil {
		return nil, err
	}
	shape := c.in[0].shapeIn(im)
	if len(axis) != 1 {
		return nil, fmt.Errorf("it has the axes %v, and one is wanted", axis)
	}
	a := axis[0]
	if a < 0 {
		a += len(shape) + 1
	}
	if a < 1 || a > len(shape) {
		return nil, fmt.Errorf("axis %d is none of the samples of %v", axis[0], shape)
	}
	return im.shaped(c, slices.Insert(shape, a, 1))
}

// transpose reads TRANSPOSE.
func transpose(im *importer, c *call) (*value, error) {
	x, err := c.input(0)
	if err != nil {
		return nil, err
	}
	dims, err := c.integers(1, "order of axes")
	if err != nil {
		return nil, err
	}
	if x, err = im.Solid(x); err != nil {
		return nil, err
	}
	sorted := slices.Sorted(slices.Values(dims))
	for i := range len(x.Sample) + 1 {
		if len(sorted) != len(x.Sample)+1 || sorted[i] != i {
			return nil, fmt.Errorf("the order %v must have each of the axes of %s once", dims, im.text(c.in[0]))
		}
	}
	if dims[0] != 0 {
		return nil, fmt.Errorf("the order %v moves axis 0, the samples", dims)
	}
	y, err := im.Permuted(c.base, x, dims[1:])
	return &value{Value: y}, err
}

// tile reads TILE along axes of one element.
func tile(im *importer, c *call) (*value, error) {
	x, err := c.input(0)
	if err != nil {
		return nil, err
	}
	times, err := c.integers(1, "list of multiples")
	if err != nil {
		return nil, err
	}
	if x, err = im.Solid(x); err != nil {
		return nil, err
	}
	shape := im.ToLast(x.Sample)
	if len(times) != len(shape)+1 || times[0] != 1 {
		return nil, fmt.Errorf("it repeats %s %v times; the samples stay, and each axis has a number", im.text(c.in[0]), times)
	}
	for i, n := range times[1:] {
		if n < 1 || n > largestSize || n > 1 && shape[i] != 1 {
			return nil, fmt.Errorf("it repeats %s %v times; axes of one element are repeated", im.text(c.in[0]), times)
		}
		shape[i] *= n
	}
	y, err := im.Expand(c.base, "tile", x, im.ToFirst(shape))
	return &value{Value: y}, err
}

// pad reads PAD and PADV2, of pixels.
func pad(im *importer, c *call) (*value, error) {
	x, err := im.image(c, 0, 2)
	if err != nil {
		return nil, err
	}
	p, err := c.integers(1, "pads")
	if err != nil {
		return nil, err
	}
	if len(p) != 8 || slices.Min(p) < 0 || slices.Max(p) > largestSize || p[0]+p[1]+p[6]+p[7] > 0 {
		return nil, fmt.Errorf("its pads %v are not of pixels alone, two for each axis, from 0 to %d", p, largestSize)
	}
	l := &layers.Padding{Pad: layers.Pad{Top: p[2], Bottom: p[3], Left: p[4], Right: p[5]}}
	v, err := c.constant(2, "value")
	switch {
	case err != nil:
		return nil, err
	case v != nil && v.len() != 1:
		return nil, fmt.Errorf("it pads with %d values, and one is wanted", v.len())
	case v != nil:
		l.Value = v.floats[0]
	}
	y, err := im.Emit(c.base, "", l, x)
	return &value{Value: y}, err
}

// concatenation reads CONCATENATION.
func concatenation(im *importer, c *call) (*value, error) {
	list, err := c.inputs()
	if err != nil {
		return nil, err
	}
	y, err := im.Concatenated(c.base, c.options.int(0, 0), list)
	if err != nil {
		return nil, err
	}
	return im.activated(c, 1, &value{Value: y})
}

// resize reads RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR to whole multiples of the size.
func resize(im *importer, c *call) (*value, error) {
	x, err := im.image(c, 0, 2)
	if err != nil {
		return nil, err
	}
	to, err := c.integers(1, "size")
	if err != nil {
		return nil, err
	}
	h, w := x.Sample[1], x.Sample[2]
	bilinear, options := c.name() == "RESIZE_BILINEAR", 0
	if bilinear {
		options = 2
	}
	corners, middles := c.options.bool(options), c.options.bool(options+1)
	switch {
	case len(to) != 2 || to[0] < 1 || to[1] < 1 || to[0]%h != 0 || to[1]%w != 0:
		return nil, fmt.Errorf("it makes %v pixels of %dx%d; whole multiples are read", to, h, w)
	case to[0] == h && to[1] == w:
		return c.in[0], nil
	case h == 1 && w == 1:
		bilinear = false // there is nothing between pixels
	case corners:
		return nil, errors.New("align_corners is not read; the nearest is half_pixel_centers")
	case bilinear && !middles:
		return nil, errors.New("it interpolates between the corners of pixels; with half_pixel_centers, between their middles, it is read")
	}
	l := &layers.Upsample{Scale: layers.Size{H: to[0] / h, W: to[1] / w}}
	if bilinear {
		l.Mode = "bilinear"
	}
	y, err := im.Emit(c.base, "", l, x)
	return &value{Value: y}, err
}
