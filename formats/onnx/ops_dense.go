package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// transposed is a matrix [rows,columns] as [columns,rows], times a factor.
func transposed(m []float32, rows, columns int, factor float32) []float32 {
	out := make([]float32, len(m))
	for r := range rows {
		for c := range columns {
			out[c*rows+r] = factor * m[r*columns+c]
		}
	}
	return out
}

// gemm reads Gemm: rows of samples times constant weights.
func gemm(im *importer, n *node) ([]*value, error) {
	a := n.read()
	alpha, beta := a.float("alpha", 1), a.float("beta", 1)
	transA, transB := a.integer("transA", 0) != 0, a.integer("transB", 0) != 0
	a.integer("broadcast", 0)
	if a.err != nil {
		return nil, a.err
	}
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	weight, err := n.weight(1, "B")
	if err != nil {
		return nil, err
	}
	if weight == nil || len(weight.shape) != 2 || x.rank() != 2 {
		return nil, fmt.Errorf("its inputs A and B must be matrices; A is %s", x.text())
	}
	if transA {
		if x, err = im.unbatched(x, "A is transposed"); err != nil {
			return nil, err
		}
		if x, err = im.permute(n, "transpose", x, 1, 0); err != nil {
			return nil, err
		}
	}
	if err := im.take(weight.len()); err != nil {
		return nil, err
	}
	in, out := weight.shape[0], weight.shape[1]
	w := weight.floats
	if transB {
		in, out = out, in
		w = transposed(weight.floats, 1, len(w), alpha)
	} else {
		w = transposed(weight.floats, in, out, alpha)
	}
	var c *constant
	if v := n.input(2); v != nil {
		if c, err = n.weight(2, "C"); err != nil {
			return nil, err
		}
		c = &constant{kind: typeFloat, shape: c.shape, floats: each(c.floats, func(v float32) float32 { return beta * v })}
	}
	return im.dense(n, x, w, in, out, c)
}

// dense multiplies the last axis of x by weights [out,in], and adds a constant, if there is
// one.
func (im *importer) dense(n *node, x *value, w []float32, in, out int, c *constant) ([]*value, error) {
	if len(x.sample) == 0 || x.sample[len(x.sample)-1] != in {
		return nil, fmt.Errorf("its input %s does not fit weights of %d rows", x.text(), in)
	}
	bias := []float32(nil)
	if c != nil && (len(c.shape) == 0 || c.shape[len(c.shape)-1] == c.len()) && (c.len() == out || c.len() == 1) {
		bias = stretched(c.floats, []int{c.len()}, []int{out})
		c = nil
	}
	var y *value
	var err error
	last := len(x.sample) - 1
	if x.batch && len(x.sample) == 1 || product(x.sample[:last]) == 1 {
		flat := &value{name: x.name, sample: im.shapes[x.name], batch: x.batch, kind: x.kind} // a dense layer flattens by itself
		y, err = im.emit(n, "", &layers.Dense{Out: out, NoBias: bias == nil}, flat)
		if err != nil {
			return nil, err
		}
		im.setWeight(y.name, "weight", w, out, in)
		y = y.as(with(x.sample, last, out)...).like(x)
	} else {
		front, err := im.toFront(n, x, last)
		if err != nil {
			return nil, err
		}
		l := &layers.Conv{Filters: out, Kernel: layers.Square(1), NoBias: bias == nil}
		if y, err = im.emit(n, "", l, front.as(in, product(x.sample[:last]))); err != nil {
			return nil, err
		}
		im.setWeight(y.name, "weight", w, out, in, 1)
		if y, err = im.toPlace(n, "back", y.as(with(front.sample, 0, out)...).like(x), last); err != nil {
			return nil, err
		}
	}
	if bias != nil {
		im.setWeight(im.owner(y), "bias", bias, out)
	}
	if c != nil {
		if y, err = im.binary(n, "constant", binaries["Add"], y, &value{constant: c, kind: typeFloat}); err != nil {
			return nil, err
		}
	}
	return []*value{y}, nil
}

// owner is the layer with weights that y comes of, which was added last.
func (im *importer) owner(y *value) string {
	for i := len(im.net.Nodes) - 1; i >= 0; i-- {
		if name := im.net.Nodes[i].Name; im.weights[name+".weight"] != nil {
			return name
		}
	}
	return y.name
}

// matMul reads MatMul with one constant factor.
func matMul(im *importer, n *node) ([]*value, error) {
	a, b := n.input(0), n.input(1)
	if a == nil || b == nil {
		return nil, errors.New("an input is missing")
	}
	if a.constant == nil && b.constant == nil {
		return nil, errors.New("both factors are computed; nearest is dense, whose weights are constants")
	}
	if a.constant != nil { // [M,K] times [..,K,L]: along the axis of K
		x, err := n.numbers(1)
		if err != nil {
			return nil, err
		}
		w, err := n.weight(0, "left factor")
		if err != nil {
			return nil, err
		}
		axis := x.axis(x.rank() - 2)
		if len(w.shape) != 2 || x.rank() < 2 || axis < 0 {
			return nil, fmt.Errorf("a constant %v times %s is not read; nearest is dense", w.shape, x.text())
		}
		if x.sample[axis] != w.shape[1] {
			return nil, fmt.Errorf("a constant %v does not fit %s", w.shape, x.text())
		}
		y, err := im.linear(n, "", x, axis, w.shape[0], w.floats)
		if err != nil {
			return nil, err
		}
		return []*value{y}, nil
	}
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	w, err := n.weight(1, "right factor")
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, errors.New("its right factor is missing")
	}
	if x.rank() == 1 { // a row, which the result does not have
		if x, err = im.unbatched(x, "a list is multiplied"); err != nil {
			return nil, err
		}
		if len(w.shape) != 1 {
			return im.rowTimes(n, x, w)
		}
	}
	if len(w.shape) == 1 { // a column, which the result does not have
		y, err := im.dense(n, x, w.floats, w.len(), 1, nil)
		if err != nil {
			return nil, err
		}
		out := y[0].sample[:len(y[0].sample)-1]
		if x.batch {
			return []*value{y[0].as(out...)}, nil
		}
		return []*value{im.shaped(y[0], out)}, nil
	}
	for len(w.shape) > 2 && w.shape[0] == 1 && len(w.shape) <= x.rank() {
		w = &constant{kind: w.kind, shape: w.shape[1:], floats: w.floats}
	}
	if len(w.shape) > 2 {
		return im.matrices(n, x, w)
	}
	if len(w.shape) != 2 {
		return nil, fmt.Errorf("the right factor is %v; a dense layer has a matrix", w.shape)
	}
	if err := im.take(w.len()); err != nil {
		return nil, err
	}
	return im.dense(n, x, transposed(w.floats, w.shape[0], w.shape[1], 1), w.shape[0], w.shape[1], nil)
}

// rowTimes multiplies a list by matrices, all at once.
func (im *importer) rowTimes(n *node, x *value, w *constant) ([]*value, error) {
	last := len(w.shape) - 2
	if len(w.shape) < 2 || w.shape[last] != x.sample[0] {
		return nil, fmt.Errorf("the constant %v does not fit %s", w.shape, x.text())
	}
	if err := im.take(w.len()); err != nil {
		return nil, err
	}
	in, out := w.shape[last], w.shape[last+1]
	var rows []float32
	for m := range product(w.shape[:last]) {
		rows = append(rows, transposed(w.floats[m*in*out:(m+1)*in*out], in, out, 1)...)
	}
	y, err := im.dense(n, x, rows, in, w.len()/in, nil)
	if err != nil {
		return nil, err
	}
	return []*value{im.shaped(y[0], append(slices.Clone(w.shape[:last]), out))}, nil
}

// matrices multiplies matrices of a sample by a constant each: a convolution of 1x1 with a
// group for each.
func (im *importer) matrices(n *node, x *value, w *constant) ([]*value, error) {
	if x.rank() == len(w.shape) && x.batch && w.shape[0] != 1 {
		var err error
		if x, err = im.unbatched(x, "each sample has its own factor"); err != nil {
			return nil, err
		}
	}
	last := len(w.shape) - 2
	if more := len(x.sample) - 2; more == last { // what is one matrix meets each constant
		target := append(slices.Clone(w.shape[:last]), x.sample[more:]...)
		for i, d := range x.sample[:more] {
			if d != target[i] && d != 1 {
				return nil, fmt.Errorf("the constant %v does not fit %s", w.shape, x.text())
			}
		}
		var err error
		if x, err = im.expand(n, x, target); err != nil {
			return nil, err
		}
	}
	if len(x.sample) < len(w.shape) || !slices.Equal(x.sample[len(x.sample)-len(w.shape):len(x.sample)-2], w.shape[:last]) || product(x.sample[:len(x.sample)-len(w.shape)]) != 1 {
		return nil, fmt.Errorf("the constant %v does not fit %s", w.shape, x.text())
	}
	groups, in, out := product(w.shape[:last]), w.shape[last], w.shape[last+1]
	rows := x.sample[len(x.sample)-2]
	if x.sample[len(x.sample)-1] != in {
		return nil, fmt.Errorf("the constant %v does not fit %s", w.shape, x.text())
	}
	if err := im.take(w.len()); err != nil {
		return nil, err
	}
	y, err := im.permute(n, "front", x.as(groups, rows, in), 0, 2, 1)
	if err != nil {
		return nil, err
	}
	l := &layers.Conv{Filters: groups * out, Groups: groups, Kernel: layers.Square(1), NoBias: true}
	if y, err = im.emit(n, "", l, y.as(groups*in, rows)); err != nil {
		return nil, err
	}
	var weight []float32
	for g := range groups {
		weight = append(weight, transposed(w.floats[g*in*out:(g+1)*in*out], in, out, 1)...)
	}
	im.setWeight(y.name, "weight", weight, groups*out, in, 1)
	if y, err = im.permute(n, "back", y.as(groups, out, rows), 0, 2, 1); err != nil {
		return nil, err
	}
	return []*value{y.as(with(x.sample, len(x.sample)-1, out)...).like(x)}, nil
}
