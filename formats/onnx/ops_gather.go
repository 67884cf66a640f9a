package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// gather reads Gather of constant indices.
func gather(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	axis := a.integer("axis", 0)
	if a.err != nil {
		return nil, a.err
	}
	if axis, err = axisOf(axis, x.rank()); err != nil {
		return nil, err
	}
	places, err := n.integersAt(1, "indices")
	if err != nil {
		return nil, err
	}
	if x.batch && axis == 0 {
		if x, err = im.unbatched(x, "samples are picked"); err != nil {
			return nil, err
		}
	}
	at := x.axis(axis)
	for i, p := range places {
		if p < 0 {
			places[i] += x.sample[at]
		}
	}
	y, err := im.pick(n, "", x, at, places)
	if err != nil {
		return nil, err
	}
	shape := slices.Concat(x.sample[:at], n.in[1].shape, x.sample[at+1:])
	if x.batch {
		return []*value{y.as(shape...)}, nil
	}
	return []*value{im.shaped(y, shape)}, nil
}

// expandOp reads Expand to a constant shape.
func expandOp(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	v := n.input(1)
	if v == nil || v.constant == nil || !v.integral() {
		return nil, errors.New("its shape must be constant integers, or follow from shapes")
	}
	c := v.constant
	shape := make([]int, len(c.ints))
	for i, d := range c.ints {
		if d < 1 || d > math.MaxInt32 {
			return nil, fmt.Errorf("its shape %v is out of range", c.ints)
		}
		shape[i] = int(d)
		if c.ofBatch(i) {
			if shape[i] != 1 || !x.batch || i != len(shape)-x.rank() {
				return nil, &batchError{"samples are repeated"}
			}
		}
	}
	if x.batch && !im.single && im.batch > 1 && len(shape) == x.rank() && shape[0] == im.batch {
		shape[0] = 1 // each sample stays one
	}
	x, _, err = im.fit(n, x, &constant{kind: typeFloat, shape: shape})
	if err != nil {
		return nil, err
	}
	if !x.batch {
		x = im.shaped(x, x.sample)
	}
	return []*value{x}, nil
}

// tile reads Tile by constant numbers.
func tile(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	repeats, err := n.integersAt(1, "repeats")
	if err != nil {
		return nil, err
	}
	if len(repeats) != x.rank() {
		return nil, fmt.Errorf("repeats %v are not those of %s", repeats, x.text())
	}
	if x.batch && repeats[0] != 1 {
		if x, err = im.unbatched(x, "samples are repeated"); err != nil {
			return nil, err
		}
	}
	for axis, k := range repeats {
		if k < 1 || k > math.MaxInt32 {
			return nil, fmt.Errorf("repeats %v are out of range", repeats)
		}
		if k == 1 {
			continue
		}
		at := x.axis(axis)
		shape := slices.Clone(x.sample)
		wide := x.as(slices.Insert(slices.Clone(shape), at, 1)...)
		if wide, err = im.expand(n, wide, with(wide.sample, at, k)); err != nil {
			return nil, err
		}
		x = wide.as(with(shape, at, k*shape[at])...)
	}
	return []*value{x}, nil
}

// blocks reads DepthToSpace and SpaceToDepth.
func blocks(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	b, mode := a.integer("blocksize", 0), a.text("mode", "DCR")
	if a.err != nil {
		return nil, a.err
	}
	if x, err = im.batched(x); err != nil {
		return nil, err
	}
	if len(x.sample) != 3 || b < 1 || b > 1<<15 {
		return nil, fmt.Errorf("blocks of %d of %s; images [N,C,H,W] have blocks", b, x.text())
	}
	c, h, w := x.sample[0], x.sample[1], x.sample[2]
	var y *value
	switch {
	case n.op == "SpaceToDepth" && h%b == 0 && w%b == 0 && mode == "CRD":
		if y, err = im.permute(n, "", x.as(c, h/b, b, w/b, b), 0, 2, 4, 1, 3); err == nil {
			y = y.as(c*b*b, h/b, w/b)
		}
	case n.op == "SpaceToDepth" && h%b == 0 && w%b == 0 && mode == "DCR":
		if y, err = im.permute(n, "", x.as(c, h/b, b, w/b, b), 2, 4, 0, 1, 3); err == nil {
			y = y.as(c*b*b, h/b, w/b)
		}
	case n.op == "DepthToSpace" && c%(b*b) == 0 && mode == "DCR":
		if y, err = im.permute(n, "", x.as(b, b, c/(b*b), h, w), 2, 3, 0, 4, 1); err == nil {
			y = y.as(c/(b*b), h*b, w*b)
		}
	case n.op == "DepthToSpace" && c%(b*b) == 0 && mode == "CRD":
		if y, err = im.permute(n, "", x.as(c/(b*b), b, b, h, w), 0, 3, 1, 4, 2); err == nil {
			y = y.as(c/(b*b), h*b, w*b)
		}
	default:
		err = fmt.Errorf("blocks of %d, mode %q, do not divide %s", b, mode, x.text())
	}
	if err != nil {
		return nil, err
	}
	return []*value{y}, nil
}

// pad reads Pad: constant, or by what the image has at its edges.
func pad(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	mode, fill := a.text("mode", "constant"), a.float("value", 0)
	pads, err := n.listOr(a, "pads", 1)
	if pads == nil {
		pads = a.integers("paddings") // opset 1
	}
	if err = errors.Join(err, a.err); err != nil {
		return nil, err
	}
	if v := n.input(2); v != nil {
		if v.constant == nil || v.len() != 1 {
			return nil, errors.New("its value must be one constant number")
		}
		fill = castTo(v.constant, typeFloat).floats[0]
	}
	axes, err := n.integersAt(3, "axes")
	if err != nil {
		return nil, err
	}
	if n.input(3) == nil {
		for i := range x.rank() {
			axes = append(axes, i)
		}
	}
	if axes, err = axesOf(axes, x.rank()); err != nil {
		return nil, err
	}
	if len(pads) != 2*len(axes) {
		return nil, fmt.Errorf("pads %v are not two for each of the axes %v", pads, axes)
	}
	if y, ok, err := im.padImage(n, x, mode, fill, pads, axes); ok || err != nil {
		return []*value{y}, err
	}
	for i, axis := range axes {
		before, after := pads[i], pads[len(axes)+i]
		if before == 0 && after == 0 {
			continue
		}
		if x.batch && axis == 0 {
			if x, err = im.unbatched(x, "samples are added"); err != nil {
				return nil, err
			}
		}
		if x, err = im.padOne(n, x, mode, fill, x.axis(axis), before, after); err != nil {
			return nil, err
		}
	}
	return []*value{x}, nil
}

// padImage pads rows and columns by one layer, if they alone are padded, by one number.
func (im *importer) padImage(n *node, x *value, mode string, fill float32, pads, axes []int) (y *value, ok bool, err error) {
	if mode != "constant" || !x.batch || len(x.sample) != 3 {
		return nil, false, nil
	}
	var p [8]int
	for i, axis := range axes {
		p[axis], p[4+axis] = pads[i], pads[len(axes)+i]
	}
	if p[0] != 0 || p[1] != 0 || p[4] != 0 || p[5] != 0 || slices.Min(p[:]) < 0 {
		return nil, false, nil
	}
	y, err = im.emit(n, "", &layers.Padding{Pad: layers.Pad{Top: p[2], Bottom: p[6], Left: p[3], Right: p[7]}, Value: fill}, x)
	if err != nil {
		return nil, true, err
	}
	return y.like(x), true, nil
}

// padOne pads one axis. A negative pad cuts.
func (im *importer) padOne(n *node, x *value, mode string, fill float32, axis, before, after int) (*value, error) {
	length := x.sample[axis]
	if max(before, after) > math.MaxInt32 || before < -length || after < -length {
		return nil, fmt.Errorf("pads %d and %d of axis %d are out of range", before, after, axis)
	}
	if mode == "constant" && min(before, after) >= 0 {
		return im.padAxis(n, x, axis, before, after, fill)
	}
	if err := im.take(max(length+before+after, 0)); err != nil {
		return nil, err
	}
	var places []int
	for i := -before; i < length+after; i++ {
		p := i
		switch {
		case p >= 0 && p < length:
		case mode == "edge":
			p = min(max(p, 0), length-1)
		case mode == "reflect" && length > 1:
			if p = (p%(2*length-2) + 2*length - 2) % (2*length - 2); p >= length {
				p = 2*length - 2 - p
			}
		case mode == "wrap":
			p = (p%length + length) % length
		case mode == "constant":
			continue
		default:
			return nil, fmt.Errorf("mode %q of an axis of %d is not read; constant, edge, reflect and wrap are", mode, length)
		}
		places = append(places, p)
	}
	y, err := im.pick(n, "", x, axis, places)
	if err != nil || mode != "constant" || max(before, after) <= 0 {
		return y, err
	}
	return im.padAxis(n, y, axis, max(before, 0), max(after, 0), fill)
}
