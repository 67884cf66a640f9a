package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

func foldConcat(im *importer, n *node) ([]*value, error) {
	a := n.read()
	axis := a.integer("axis", 1)
	if a.err != nil {
		return nil, a.err
	}
	first, err := n.first()
	if err != nil {
		return nil, err
	}
	if axis, err = axisOf(axis, len(first.shape)); err != nil {
		return nil, err
	}
	y := &constant{kind: first.kind, shape: with(first.shape, axis, 0)}
	before := product(first.shape[:axis])
	marked := false
	for _, v := range n.in {
		if v == nil || v.kind != first.kind || len(v.shape) != len(first.shape) || !slices.Equal(with(v.shape, axis, 0), with(first.shape, axis, 0)) {
			return nil, errors.New("its inputs differ in type or shape")
		}
		y.shape[axis] += v.shape[axis]
		marked = marked || v.constant.batch != nil
	}
	if err := im.take(y.len()); err != nil {
		return nil, err
	}
	for b := range before {
		for _, v := range n.in {
			row := v.len() / before
			for i := b * row; i < (b+1)*row; i++ {
				if y.integral() {
					y.ints = append(y.ints, v.ints[i])
				} else {
					y.floats = append(y.floats, v.floats[i])
				}
				if marked {
					y.batch = append(y.batch, v.ofBatch(i))
				}
			}
		}
	}
	return folded(y), nil
}

// broadcast is the shape that two broadcast to.
func broadcast(a, b []int) ([]int, error) {
	rank := max(len(a), len(b))
	out := make([]int, rank)
	for i := range out {
		x, y := 1, 1
		if k := i - rank + len(a); k >= 0 {
			x = a[k]
		}
		if k := i - rank + len(b); k >= 0 {
			y = b[k]
		}
		switch {
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		default:
			return nil, fmt.Errorf("%v and %v do not broadcast", a, b)
		}
	}
	return out, nil
}

// indexTo are the elements of a constant where it is stretched to a shape.
func (im *importer) indexTo(c *constant, shape []int) ([]int, error) {
	n := int64(1)
	for _, d := range shape {
		if d > 0 && n > int64(im.room)/int64(d) {
			return nil, im.take(math.MaxInt)
		}
		n *= int64(d)
	}
	if err := im.take(int(n)); err != nil {
		return nil, err
	}
	from := append(slices.Repeat([]int{1}, len(shape)-len(c.shape)), c.shape...)
	return stretched(upTo(c.len()), from, shape), nil
}

func foldExpand(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	if n.input(1) == nil {
		return nil, errors.New("its shape is missing")
	}
	want, err := im.dimsOf(n.in[1].constant)
	if err != nil {
		return nil, err
	}
	shape, err := broadcast(c.shape, want)
	if err != nil {
		return nil, err
	}
	index, err := im.indexTo(c, shape)
	if err != nil {
		return nil, err
	}
	return im.picked(c, shape, index)
}

func foldTile(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	repeats, err := n.integersAt(1, "repeats")
	if err != nil {
		return nil, err
	}
	if len(repeats) != len(c.shape) {
		return nil, fmt.Errorf("repeats %v do not fit %v", repeats, c.shape)
	}
	for axis, k := range repeats {
		if k < 0 || max(k, 1) > im.room/max(c.shape[axis], 1) {
			return nil, fmt.Errorf("repeats %v are out of range", repeats)
		}
		places := slices.Repeat(upTo(c.shape[axis]), k)
		index, err := im.pickedAlong(c, axis, places)
		if err != nil {
			return nil, err
		}
		y, err := im.picked(c, with(c.shape, axis, len(places)), index)
		if err != nil {
			return nil, err
		}
		c = y[0].constant
	}
	return folded(c), nil
}

// foldWhere takes elements of the second or the third constant.
func foldWhere(im *importer, n *node) ([]*value, error) {
	if len(n.in) != 3 || slices.Contains(n.in, nil) {
		return nil, errors.New("it takes 3 inputs")
	}
	condition, yes, no := n.in[0].constant, n.in[1].constant, n.in[2].constant
	if yes.kind != no.kind {
		return nil, errors.New("its inputs differ in type")
	}
	shape, err := broadcast(yes.shape, no.shape)
	if err != nil {
		return nil, err
	}
	if shape, err = broadcast(shape, condition.shape); err != nil {
		return nil, err
	}
	var index [3][]int
	for i, c := range []*constant{condition, yes, no} {
		if index[i], err = im.indexTo(c, shape); err != nil {
			return nil, err
		}
	}
	y := &constant{kind: yes.kind, shape: shape}
	marks := make([]bool, 0, len(index[0]))
	for i, k := range index[0] {
		from, at := no, index[2][i]
		if condition.at(k) != 0 {
			from, at = yes, index[1][i]
		}
		if y.integral() {
			y.ints = append(y.ints, from.ints[at])
		} else {
			y.floats = append(y.floats, from.floats[at])
		}
		marks = append(marks, from.ofBatch(at))
	}
	if slices.Contains(marks, true) {
		y.batch = marks
	}
	return folded(y), nil
}

// foldUnary applies a function to each element: to integers the second, if there is one.
func foldUnary(f func(x float64) float64, whole func(x int64) int64) operator {
	return func(im *importer, n *node) ([]*value, error) {
		n.ignore("consumed_inputs")
		c, err := n.first()
		switch {
		case err != nil:
			return nil, err
		case !c.known():
			return nil, &batchError{"the number of samples is computed with"}
		case c.integral() && whole == nil:
			return nil, fmt.Errorf("its input is of %v, want float", c.kind)
		}
		y := &constant{kind: c.kind, shape: c.shape}
		for _, v := range c.floats {
			y.floats = append(y.floats, float32(f(float64(v))))
		}
		for _, v := range c.ints {
			y.ints = append(y.ints, fitted(y.kind, whole(v)))
		}
		return folded(y), im.take(c.len())
	}
}

// foldReduce reduces elements along axes by an operator of two.
func foldReduce(op string, start float64) operator {
	return func(im *importer, n *node) ([]*value, error) {
		c, err := n.first()
		if err != nil {
			return nil, err
		}
		a := n.read()
		keep := a.integer("keepdims", 1) != 0
		noop := a.integer("noop_with_empty_axes", 0) != 0
		axes, err := n.listOr(a, "axes", 1)
		if err = errors.Join(err, a.err); err != nil {
			return nil, err
		}
		if noop && len(axes) == 0 {
			return folded(c), nil
		}
		if len(axes) == 0 {
			axes = upTo(len(c.shape))
		}
		if axes, err = axesOf(axes, len(c.shape)); err != nil {
			return nil, err
		}
		if !c.known() {
			return nil, &batchError{"the number of samples is computed with"}
		}
		y := &constant{kind: c.kind, shape: []int{}}
		one := slices.Clone(c.shape) // with the axes that are reduced
		for i, d := range c.shape {
			switch {
			case !slices.Contains(axes, i):
				y.shape = append(y.shape, d)
			case keep:
				y.shape = append(y.shape, 1)
			}
			if slices.Contains(axes, i) {
				one[i] = 1
			}
		}
		if err := errors.Join(im.take(product(one)), im.take(c.len())); err != nil {
			return nil, err
		}
		if y.integral() {
			least, most := bounds(c.kind)
			begin := map[string]int64{"Mul": 1, "Add": 0, "Max": least, "Min": most}[op]
			y.ints = slices.Repeat([]int64{begin}, product(one))
		} else {
			y.floats = slices.Repeat([]float32{float32(start)}, product(one))
		}
		if c.len() == 0 {
			return folded(y), nil
		}
		for i, to := range stretched(upTo(product(one)), one, c.shape) {
			if y.integral() {
				y.ints[to] = integer(op, false, y.kind, y.ints[to], c.ints[i])
			} else {
				y.floats[to] = float32(float(op, false, float64(y.floats[to]), float64(c.floats[i])))
			}
		}
		return folded(y), nil
	}
}

// foldBinary computes an operator of two constants that broadcast, or of Min and Max of
// several.
func foldBinary(op string) operator {
	return func(im *importer, n *node) ([]*value, error) {
		a := n.read()
		fmod := a.integer("fmod", 0) != 0
		axis := a.integer("axis", -1)
		if a.err != nil {
			return nil, a.err
		}
		n.ignore("broadcast", "consumed_inputs")
		y, err := n.first()
		if err != nil {
			return nil, err
		}
		if len(n.in) < 2 && op != "Min" && op != "Max" {
			return nil, errors.New("it takes 2 inputs")
		}
		for _, v := range n.in[1:] {
			if v == nil {
				return nil, errors.New("an input is missing")
			}
			c := v.constant
			if axis >= 0 { // its axes begin at this one
				if c, err = c.from(axis, len(y.shape)); err != nil {
					return nil, err
				}
			}
			if y, err = im.foldTwo(op, fmod, y, c); err != nil {
				return nil, err
			}
		}
		return folded(y), nil
	}
}

// from is a constant whose axes are those of a tensor of so many, from one on.
func (c *constant) from(axis, rank int) (*constant, error) {
	behind := rank - axis - len(c.shape)
	if behind < 0 {
		return nil, fmt.Errorf("a constant %v has axes from %d on, and the other input has %d", c.shape, axis, rank)
	}
	return c.as(append(slices.Clone(c.shape), slices.Repeat([]int{1}, behind)...)...), nil
}

func (im *importer) foldTwo(op string, fmod bool, a, b *constant) (*constant, error) {
	shape, err := broadcast(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	left, err := im.indexTo(a, shape)
	if err != nil {
		return nil, err
	}
	right, err := im.indexTo(b, shape)
	if err != nil {
		return nil, err
	}
	y := &constant{kind: a.kind, shape: shape, batch: make([]bool, len(left))}
	if slices.Contains([]string{"Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or"}, op) {
		y.kind = typeBool
	}
	for i := range left {
		l, r := left[i], right[i]
		if a.ofBatch(l) || b.ofBatch(r) {
			v, marked, ok := ofBatch(op, a, b, l, r)
			if !ok {
				return nil, &batchError{"the number of samples is computed with"}
			}
			y.ints, y.batch[i] = append(y.ints, v), marked
			continue
		}
		if a.integral() && b.integral() && (op == "Div" || op == "Mod") && b.ints[r] == 0 {
			return nil, errors.New("it divides by 0")
		}
		if a.integral() && b.integral() {
			y.ints = append(y.ints, fitted(y.kind, integer(op, fmod, a.kind, a.ints[l], b.ints[r])))
			continue
		}
		v := float(op, fmod, a.at(l), b.at(r))
		if !y.integral() {
			v = float64(float32(v))
		}
		y.put(v)
	}
	return y, nil
}

// ofBatch computes with multiples of the batch, which is at least 1 and not known.
func ofBatch(op string, a, b *constant, l, r int) (v int64, marked, ok bool) {
	if !a.integral() || !b.integral() {
		return 0, false, false
	}
	x, y := a.ints[l], b.ints[r]
	both := a.ofBatch(l) && b.ofBatch(r)
	switch {
	case op == "Mul" && !both:
		return x * y, x*y != 0, true
	case op == "Div" && both && y != 0 && x%y == 0:
		return x / y, false, true
	case op == "Div" && a.ofBatch(l) && !both && y != 0 && x%y == 0:
		return x / y, true, true
	case (op == "Add" || op == "Sub") && both:
		v = integer(op, false, typeInt64, x, y)
		return v, v != 0, true
	case op == "Equal" && !both && (a.ofBatch(l) && y < 1 || b.ofBatch(r) && x < 1):
		return 0, false, true
	case op == "Equal" && both && x == y:
		return 1, false, true
	}
	return 0, false, false
}

// integer computes with integers of a type. The divisor is not 0.
func integer(op string, fmod bool, kind dataType, a, b int64) int64 {
	if op == "Pow" {
		return wholePower(a, b)
	}
	if kind == typeUint64 {
		return int64(ofTwo(op, fmod, uint64(a), uint64(b), func(a, b uint64) uint64 { return a % b }))
	}
	return fitted(kind, ofTwo(op, fmod, a, b, func(a, b int64) int64 { return a % b }))
}

// wholePower is a to the power of b, as integers have it.
func wholePower(a, b int64) int64 {
	switch {
	case b < 0 && a != 1 && a != -1:
		return 0
	case b < 0:
		b = -b
	}
	y := int64(1)
	for ; b > 0; b >>= 1 {
		if b&1 != 0 {
			y *= a
		}
		a *= a
	}
	return y
}

// float computes with numbers of floating point.
func float(op string, fmod bool, a, b float64) float64 { return ofTwo(op, fmod, a, b, math.Mod) }

// truth is 1 or 0.
func truth[T int64 | uint64 | float64](v bool) T {
	if v {
		return 1
	}
	return 0
}

// ofTwo is an operator with two operands; mod is the remainder with the sign of a.
func ofTwo[T int64 | uint64 | float64](op string, fmod bool, a, b T, mod func(a, b T) T) T {
	switch op {
	case "Add":
		return a + b
	case "Sub":
		return a - b
	case "Mul":
		return a * b
	case "Div":
		return a / b
	case "Mod":
		m := mod(a, b)
		if !fmod && m != 0 && (m < 0) != (b < 0) {
			m += b
		}
		return m
	case "Min":
		return min(a, b)
	case "Max":
		return max(a, b)
	case "Equal":
		return truth[T](a == b)
	case "Less":
		return truth[T](a < b)
	case "Greater":
		return truth[T](a > b)
	case "LessOrEqual":
		return truth[T](a <= b)
	case "GreaterOrEqual":
		return truth[T](a >= b)
	case "And":
		return truth[T](a != 0 && b != 0)
	case "Or":
		return truth[T](a != 0 || b != 0)
	}
	return T(math.Pow(float64(a), float64(b)))
}
