package onnx

import (
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// reduction makes one number of each row of x, [rows,n].
type reduction func(im *importer, n *node, suffix string, x *value) (*value, error)

// pooling is a reduction by global pooling.
func pooling(op device.PoolOp) reduction {
	return func(im *importer, n *node, suffix string, x *value) (*value, error) {
		return im.emit(n, suffix, &layers.Pool{Op: op, Global: true}, x)
	}
}

// between applies functions before and after a reduction.
func between(before string, r reduction, after string) reduction {
	return func(im *importer, n *node, suffix string, x *value) (y *value, err error) {
		y = x
		if before != "" {
			if y, err = im.emit(n, "each", &layers.Formula{Formula: before}, y); err != nil {
				return nil, err
			}
		}
		inner := suffix
		if after != "" {
			inner = "all"
		}
		if y, err = r(im, n, inner, y); err != nil || after == "" {
			return y, err
		}
		return im.emit(n, suffix, &layers.Formula{Formula: after}, y)
	}
}

// total is the sum: the mean times the number of elements.
func total(im *importer, n *node, suffix string, x *value) (*value, error) {
	y, err := im.emit(n, "mean", &layers.Pool{Op: device.AveragePool, Global: true}, x)
	if err != nil {
		return nil, err
	}
	return im.emit(n, suffix, &layers.Scale{Factor: float32(x.sample[1])}, y)
}

// logSumExp is log of the sum of the exponentials, of what the largest is above.
func logSumExp(im *importer, n *node, suffix string, x *value) (*value, error) {
	most, rest, err := im.belowMax(n, x)
	if err != nil {
		return nil, err
	}
	sum, err := between("exp(x)", total, "log(x)")(im, n, "log", rest)
	if err != nil {
		return nil, err
	}
	return im.emit(n, suffix, &layers.Add{}, most, sum)
}

// belowMax is the largest of each row, and the row without it.
func (im *importer) belowMax(n *node, x *value) (most, rest *value, err error) {
	if most, err = im.emit(n, "max", &layers.Pool{Global: true}, x); err != nil {
		return nil, nil, err
	}
	wide, err := im.expand(n, most, x.sample)
	if err != nil {
		return nil, nil, err
	}
	rest, err = im.emit(n, "below", &layers.Formula{Formula: "x - x1"}, x, wide)
	return most, rest, err
}

var reductions = map[string]reduction{
	"ReduceMean":      pooling(device.AveragePool),
	"ReduceMax":       pooling(device.MaxPool),
	"ReduceMin":       between("-x", pooling(device.MaxPool), "-x"),
	"ReduceSum":       total,
	"ReduceL1":        between("abs(x)", total, ""),
	"ReduceL2":        between("x * x", total, "sqrt(x)"),
	"ReduceSumSquare": between("x * x", total, ""),
	"ReduceLogSum":    between("", total, "log(x)"),
	"ReduceLogSumExp": logSumExp,
}

// reduce reads a reduction over axes, an attribute before opset 18 (ReduceSum: 13).
func reduce(r reduction) operator {
	return func(im *importer, n *node) ([]*value, error) {
		x, err := n.numbers(0)
		if err != nil {
			return nil, err
		}
		a := n.read()
		keep, noop := a.integer("keepdims", 1) != 0, a.integer("noop_with_empty_axes", 0) != 0
		axes, err := n.listOr(a, "axes", 1)
		if err != nil {
			return nil, err
		}
		if a.err != nil {
			return nil, a.err
		}
		if len(axes) == 0 {
			if noop {
				return im.reduceNothing(n, r, x)
			}
			for i := range x.rank() {
				axes = append(axes, i)
			}
		}
		if axes, err = axesOf(axes, x.rank()); err != nil {
			return nil, err
		}
		if x.batch && slices.Contains(axes, 0) {
			if x, err = im.unbatched(x, "samples are reduced to one"); err != nil {
				return nil, err
			}
		}
		var out []int
		for i, d := range x.sample {
			switch {
			case !slices.ContainsFunc(axes, func(a int) bool { return x.axis(a) == i }):
				out = append(out, d)
			case keep:
				out = append(out, 1)
			}
		}
		order, kept := im.apart(x, axes)
		moved, err := im.permute(n, "front", x, order...)
		if err != nil {
			return nil, err
		}
		y, err := r(im, n, "", moved.as(kept, product(x.sample)/kept))
		if err != nil {
			return nil, err
		}
		if x.batch {
			return []*value{y.as(out...)}, nil
		}
		return []*value{im.shaped(y, out)}, nil
	}
}

// reduceNothing is a reduction of each element alone.
func (im *importer) reduceNothing(n *node, r reduction, x *value) ([]*value, error) {
	switch n.op {
	case "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceLogSumExp":
		return []*value{x}, nil
	}
	y, err := r(im, n, "", x.as(product(x.sample), 1))
	if err != nil {
		return nil, err
	}
	return []*value{y.as(x.sample...).like(x)}, nil
}

// softmax reads Softmax and LogSoftmax. Before opset 13 they are over all axes from one on.
func softmax(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	a := n.read()
	axis := a.integer("axis", -1)
	if im.opset < 13 {
		axis = a.integer("axis", 1)
	}
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
	in := x
	if im.opset < 13 {
		in = x.as(product(x.sample[:at]), product(x.sample[at:]))
		at = 1
	}
	if n.op == "LogSoftmax" {
		return im.logSoftmax(n, x, in, at)
	}
	if in.sample[0] == 1 && at == 1 && len(in.sample) == 2 { // of a row
		in, at = in.as(in.sample[1]), 0
	}
	out, err := im.alongChannels(n, in, at+in.rank()-len(in.sample), &layers.Softmax{}, "")
	if err != nil {
		return nil, err
	}
	return []*value{out[0].as(x.sample...).like(x)}, nil
}

// logSoftmax is what x is above the log of the sum of the exponentials.
func (im *importer) logSoftmax(n *node, x, in *value, at int) ([]*value, error) {
	order := make([]int, 0, len(in.sample))
	for i := range in.sample {
		if i != at {
			order = append(order, i)
		}
	}
	order = append(order, at)
	moved, err := im.permute(n, "front", in, order...)
	if err != nil {
		return nil, err
	}
	length := in.sample[at]
	_, rest, err := im.belowMax(n, moved.as(product(in.sample)/length, length))
	if err != nil {
		return nil, err
	}
	sum, err := between("exp(x)", total, "log(x)")(im, n, "log", rest)
	if err != nil {
		return nil, err
	}
	if sum, err = im.expand(n, sum, rest.sample); err != nil {
		return nil, err
	}
	y, err := im.emit(n, "", &layers.Formula{Formula: "x - x1"}, rest, sum)
	if err != nil {
		return nil, err
	}
	if y, err = im.permuteBack(n, y.as(moved.sample...), order); err != nil {
		return nil, err
	}
	return []*value{y.as(x.sample...).like(x)}, nil
}
