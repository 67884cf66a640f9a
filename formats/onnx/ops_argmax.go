package onnx

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// argMax reads ArgMax and ArgMin: the place of the largest or smallest element along an axis.
// It is an integer, and no operator computes with it.
func argMax(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	a := n.read()
	axis, keep, last := a.integer("axis", 0), a.integer("keepdims", 1) != 0, a.integer("select_last_index", 0) != 0
	if a.err != nil {
		return nil, a.err
	}
	if axis, err = axisOf(axis, x.rank()); err != nil {
		return nil, err
	}
	if x.batch && axis == 0 {
		if x, err = im.unbatched(x, "it is over the batch"); err != nil {
			return nil, err
		}
	}
	at := x.axis(axis)
	length := x.sample[at]
	y, err := im.toFront(n, x, at)
	if err != nil {
		return nil, err
	}
	front := y.sample
	if n.op == "ArgMin" {
		if y, err = im.emit(n, "negative", formula("-x")(), y); err != nil {
			return nil, err
		}
	}
	suffix := ""
	if last { // the first from behind
		if err := im.take(length); err != nil {
			return nil, err
		}
		places := upTo(length)
		slices.Reverse(places)
		if y, err = im.pick(n, "reversed", y, 0, places); err != nil {
			return nil, err
		}
		suffix = "behind"
	}
	in := y
	if len(front) != 1 && len(front) != 3 {
		in = y.as(length, product(front[1:]))
	}
	if y, err = im.emit(n, suffix, &layers.ArgMax{}, in); err != nil {
		return nil, err
	}
	if last {
		if y, err = im.emit(n, "", formula(fmt.Sprintf("%d - x", length-1))(), y); err != nil {
			return nil, err
		}
	}
	shape := with(x.sample, at, 1)
	if !keep {
		shape = slices.Delete(shape, at, at+1)
	}
	y = y.as(shape...)
	if x.batch {
		y = y.like(x)
	} else {
		y = im.shaped(y, shape)
	}
	y.kind = typeInt32 // int64 in the file, of numbers that int32 has too
	return []*value{y}, nil
}
