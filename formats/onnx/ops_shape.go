package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/layers"
)

// shaped is v in another shape of the file's, with a batch or without one.
func (im *importer) shaped(v *value, shape []int) *value {
	y := &value{name: v.name, sample: shape, kind: v.kind}
	if im.single && len(shape) > 0 && shape[0] == 1 {
		y.sample, y.batch = shape[1:], true
	}
	return y
}

// shapeOp is the shape of a tensor as a constant.
func shapeOp(im *importer, n *node) ([]*value, error) {
	a := n.read()
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	start, end := a.integer("start", 0), a.integer("end", x.rank())
	if a.err != nil {
		return nil, a.err
	}
	c := im.shapeConstant(x)
	start, end = within(start, len(c.ints)), within(end, len(c.ints))
	end = max(start, end)
	c.ints, c.batch, c.shape = c.ints[start:end], c.batch[start:end], []int{end - start}
	return []*value{{constant: c, kind: c.kind}}, nil
}

// within makes an index count from the front, and keeps it in 0 to length.
func within(i, length int) int {
	if i < 0 {
		i += length
	}
	return min(max(i, 0), length)
}

// shapeConstant is the shape of what is computed. Where the file is for one sample, that is
// its batch.
func (im *importer) shapeConstant(x *value) *constant {
	c := &constant{kind: typeInt64, shape: []int{x.rank()}, batch: make([]bool, x.rank())}
	if x.batch {
		c.ints = append(c.ints, 1)
		c.batch[0] = !im.single
	}
	for _, d := range x.sample {
		c.ints = append(c.ints, int64(d))
	}
	return c
}

// sizeOp is the number of elements as a constant.
func sizeOp(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	c := &constant{kind: typeInt64, shape: []int{}, ints: []int64{int64(product(x.sample))}, batch: []bool{x.batch && !im.single}}
	return []*value{{constant: c, kind: c.kind}}, nil
}

// reshape reads Reshape, whose shape is an attribute before opset 5.
func reshape(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	n.ignore("consumed_inputs")
	a := n.read()
	zero, list := a.integer("allowzero", 0) != 0, a.integers("shape")
	if a.err != nil {
		return nil, a.err
	}
	var want *constant
	switch {
	case list != nil:
		want = &constant{kind: typeInt64, shape: []int{len(list)}}
		for _, d := range list {
			want.ints = append(want.ints, int64(d))
		}
	case n.input(1) == nil || n.in[1].constant == nil || !n.in[1].integral():
		return nil, errors.New("its shape must be constant integers, or follow from shapes")
	default:
		want = n.in[1].constant
	}
	y, err := im.reshapeTo(x, want, zero)
	if err != nil {
		return nil, err
	}
	return []*value{y}, nil
}

// reshapeTo is x in a shape, in which one number may be -1, and without zero some 0, those
// of x.
func (im *importer) reshapeTo(x *value, want *constant, zero bool) (*value, error) {
	numbers := slices.Clone(want.ints)
	marks := make([]bool, len(numbers))
	have := im.shapeConstant(x)
	open := -1
	for i, d := range numbers {
		marks[i] = want.ofBatch(i)
		switch {
		case d == 0 && !zero && i < len(have.ints):
			numbers[i], marks[i] = have.ints[i], have.batch[i]
		case d == -1 && open < 0:
			open = i
		case d < 1:
			return nil, fmt.Errorf("the shape %v is none for %s", want.ints, x.text())
		}
	}
	// A number that is the batch of the file in front stands for it.
	if !im.single && x.batch && len(numbers) > 0 && !marks[0] && im.batch > 1 && numbers[0] == int64(im.batch) && !slices.Contains(marks, true) {
		if im.fits(numbers[1:], open-1, product(x.sample)) {
			numbers[0], marks[0] = 1, true
		}
	}
	batch := x.batch && !im.single
	total := product(x.sample)
	mixed := &batchError{fmt.Sprintf("%s is reshaped to %v, which takes its batch apart", x.text(), want.ints)}
	if batch {
		if len(numbers) == 0 || slices.Contains(marks[1:], true) {
			return nil, mixed
		}
		switch {
		case marks[0] && numbers[0] == 1:
		case open == 0 && im.fits(numbers[1:], -1, total):
			open = -1
		default:
			return nil, mixed
		}
		numbers, open = numbers[1:], open-1
	}
	rest := 1
	shape := make([]int, len(numbers))
	for i, d := range numbers {
		shape[i] = int(d)
		if i == open {
			continue
		}
		if d > int64(total/rest) {
			return nil, fmt.Errorf("the shape %v does not hold the elements of %s", want.ints, x.text())
		}
		rest *= int(d)
	}
	if open >= 0 {
		shape[open] = total / rest
		rest *= shape[open]
	}
	if rest != total {
		return nil, fmt.Errorf("the shape %v does not hold the elements of %s", want.ints, x.text())
	}
	if batch {
		return x.as(shape...), nil
	}
	return im.shaped(x, shape), nil
}

// fits reports whether numbers, one of which may be open, make up a total.
func (im *importer) fits(numbers []int64, open, total int) bool {
	rest := 1
	for i, d := range numbers {
		if i == open {
			continue
		}
		if d < 1 || d > int64(total/rest) {
			return false
		}
		rest *= int(d)
	}
	return rest == total || open >= 0 && total%rest == 0
}

// flatten reads Flatten: to [axes before, axes from one on].
func flatten(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	axis := a.integer("axis", 1)
	if a.err != nil {
		return nil, a.err
	}
	if axis < 0 {
		axis += x.rank()
	}
	if axis < 0 || axis > x.rank() {
		return nil, fmt.Errorf("axis %d is none of %s", axis, x.text())
	}
	if x.batch && axis == 1 {
		return []*value{x.as(product(x.sample))}, nil
	}
	if x, err = im.unbatched(x, fmt.Sprintf("%s is flattened from axis %d on", x.text(), axis)); err != nil {
		return nil, err
	}
	return []*value{im.shaped(x, []int{product(x.sample[:axis]), product(x.sample[axis:])})}, nil
}

// squeeze removes axes of length 1.
func squeeze(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	axes, err := n.listOr(a, "axes", 1)
	if err != nil {
		return nil, err
	}
	if axes == nil {
		for i, d := range im.shapeConstant(x).ints {
			if d == 1 && (i > 0 || !x.batch || im.single) {
				axes = append(axes, i)
			}
		}
	}
	if axes, err = axesOf(axes, x.rank()); err != nil {
		return nil, err
	}
	if x.batch && slices.Contains(axes, 0) {
		if x, err = im.unbatched(x, "the batch is squeezed"); err != nil {
			return nil, err
		}
	}
	var shape []int
	for i, d := range x.sample {
		if !slices.ContainsFunc(axes, func(a int) bool { return x.axis(a) == i }) {
			shape = append(shape, d)
		} else if d != 1 {
			return nil, fmt.Errorf("axes %v of %s are not all 1", axes, x.text())
		}
	}
	if x.batch {
		return []*value{x.as(shape...)}, nil
	}
	return []*value{im.shaped(x, shape)}, nil
}

// unsqueeze adds axes of length 1.
func unsqueeze(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	axes, err := n.listOr(a, "axes", 1)
	if err != nil {
		return nil, err
	}
	if axes, err = axesOf(axes, x.rank()+len(axes)); err != nil {
		return nil, err
	}
	if x.batch && slices.Contains(axes, 0) {
		if x, err = im.unbatched(x, "the batch is no longer the first axis"); err != nil {
			return nil, err
		}
	}
	shape := slices.Clone(x.sample)
	for _, axis := range slices.Sorted(slices.Values(axes)) {
		shape = slices.Insert(shape, x.axis(axis), 1)
	}
	if x.batch {
		return []*value{x.as(shape...)}, nil
	}
	return []*value{im.shaped(x, shape)}, nil
}

// transpose reads Transpose.
func transpose(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	perm := a.integers("perm")
	if a.err != nil {
		return nil, a.err
	}
	if perm == nil {
		for i := range x.rank() {
			perm = append(perm, x.rank()-1-i)
		}
	}
	if perm, err = axesOf(perm, x.rank()); err != nil {
		return nil, err
	}
	if len(perm) != x.rank() {
		return nil, fmt.Errorf("perm %v is none of the %d axes", perm, x.rank())
	}
	if x.batch && len(perm) > 0 && perm[0] != 0 {
		if x, err = im.unbatched(x, "the batch is moved"); err != nil {
			return nil, err
		}
	}
	if x.batch {
		perm = perm[1:]
		for i := range perm {
			perm[i]--
		}
	}
	y, err := im.permute(n, "", x, perm...)
	if err != nil {
		return nil, err
	}
	if !x.batch {
		y = im.shaped(y, y.sample)
	}
	return []*value{y}, nil
}

// same reads operators that change nothing in inference.
func same(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	return []*value{x}, nil
}

// dropout reads Dropout, which drops in training.
func dropout(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	n.ignore("seed", "is_test", "consumed_inputs")
	a := n.read()
	p := a.float("ratio", 0.5)
	if a.err != nil {
		return nil, a.err
	}
	ratio, err := n.weight(1, "ratio")
	if err != nil {
		return nil, err
	}
	if ratio != nil && ratio.len() == 1 {
		p = ratio.floats[0]
	}
	return im.apply(n, &layers.Dropout{P: p}, x)
}

// cast reads Cast of floats, and of integers to floats. Layers compute in float32.
func cast(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	to := dataType(0)
	for _, p := range n.attributes {
		if p.name == "to" && p.kind == kindString { // opset 1
			for t, name := range typeNames {
				if strings.EqualFold(name, string(p.s)) {
					to = t
				}
			}
			n.ignore("to")
		}
	}
	if to == 0 {
		to = dataType(a.integer("to", 0))
	}
	n.ignore("saturate", "round_mode")
	if a.err != nil {
		return nil, a.err
	}
	return castTensor(x, to)
}

func castTensor(x *value, to dataType) ([]*value, error) {
	if !to.floating() && (x.kind.floating() || sizes[to] < sizes[x.kind] || to == typeBool) {
		return nil, fmt.Errorf("it makes %v of what is computed in float; no program rounds", to)
	}
	y := *x
	y.kind = to
	return []*value{&y}, nil
}

// castLike reads CastLike.
func castLike(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	n.ignore("saturate", "round_mode")
	if n.input(1) == nil {
		return nil, errors.New("its input 1 is missing")
	}
	return castTensor(x, n.in[1].kind)
}
