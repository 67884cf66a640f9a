package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

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
				if name == string(slices.Concat(p.s)) || "FLOAT" == string(p.s) && t == typeFloat {
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

// concat reads Concat.
func concat(im *importer, n *node) ([]*value, error) {
	a := n.read()
	axis := a.integer("axis", 1)
	if a.err != nil {
		return nil, a.err
	}
	list := make([]*value, len(n.in))
	for i := range n.in {
		var err error
		if list[i], err = n.computed(i); err != nil {
			return nil, err
		}
	}
	rank := list[0].rank()
	axis, err := axisOf(axis, rank)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(list, func(v *value) bool { return v.batch != list[0].batch || v.batch && axis == 0 || v.rank() != rank }) {
		for i, v := range list {
			if list[i], err = im.unbatched(v, "samples are joined"); err != nil {
				return nil, err
			}
			if list[i].rank() != rank {
				return nil, fmt.Errorf("its inputs %s and %s differ in their axes", list[0].text(), v.text())
			}
		}
	}
	y, err := im.concat(n, "", list, list[0].axis(axis))
	if err != nil {
		return nil, err
	}
	if !y.batch {
		y = im.shaped(y, y.sample)
	}
	return []*value{y}, nil
}

// split reads Split, whose parts are an attribute before opset 13, or equal.
func split(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	a := n.read()
	axis, count := a.integer("axis", 0), a.integer("num_outputs", len(n.out))
	parts, err := n.listOr(a, "split", 1)
	if err = errors.Join(err, a.err); err != nil {
		return nil, err
	}
	if axis, err = axisOf(axis, x.rank()); err != nil {
		return nil, err
	}
	if x.batch && axis == 0 {
		if x, err = im.unbatched(x, "samples are taken apart"); err != nil {
			return nil, err
		}
	}
	at := x.axis(axis)
	length := x.sample[at]
	if parts == nil {
		if count < 1 || count > length || count > len(n.out) {
			return nil, fmt.Errorf("it makes %d parts of %d elements", count, length)
		}
		each := (length + count - 1) / count
		for left := length; left > 0; left -= each {
			parts = append(parts, min(each, left))
		}
	}
	total := 0
	for _, p := range parts {
		if p < 1 || p > length {
			return nil, fmt.Errorf("a part of %d of %d elements is none of a layer", p, length)
		}
		total += p
	}
	if total != length || len(parts) != len(n.out) {
		return nil, fmt.Errorf("the parts %v are not the %d elements of axis %d in %d outputs", parts, length, axis, len(n.out))
	}
	if at == 0 && len(parts) > 1 && len(x.sample) > 1 {
		list, err := im.emitAll(n, "", &layers.Split{Channels: parts}, x)
		return list, err
	}
	if err := im.take(length); err != nil {
		return nil, err
	}
	out := make([]*value, len(parts))
	begin := 0
	for i, p := range parts {
		places := make([]int, p)
		for k := range places {
			places[k] = begin + k
		}
		if out[i], err = im.pick(n, fmt.Sprintf("part%d", i), x, at, places); err != nil {
			return nil, err
		}
		begin += p
	}
	return out, nil
}

// sliced are the elements that Slice takes of an axis.
func sliced(start, end, step, length int) []int {
	var places []int
	if step > 0 {
		for i := within(start, length); i < within(end, length); i += min(step, length) {
			places = append(places, i)
		}
		return places
	}
	if start < 0 {
		start += length
	}
	if end < 0 {
		end += length
	}
	for i := min(start, length-1); i > max(end, -1); i += max(step, -length) {
		places = append(places, i)
	}
	return places
}

// slice reads Slice.
func slice(im *importer, n *node) ([]*value, error) {
	x, err := n.data()
	if err != nil {
		return nil, err
	}
	lists, err := n.sliceLists(x.rank())
	if err != nil {
		return nil, err
	}
	starts, ends, axes, steps := lists[0], lists[1], lists[2], lists[3]
	for i, axis := range axes {
		length := max(im.batch, 1)
		if !x.batch || axis > 0 {
			length = x.sample[x.axis(axis)]
		} else if !im.single {
			if starts[i] == 0 && steps[i] == 1 && (ends[i] >= math.MaxInt32 || im.batch > 0 && ends[i] >= im.batch) {
				continue
			}
			return nil, &batchError{"samples are sliced"}
		} else if len(sliced(starts[i], ends[i], steps[i], 1)) == 1 {
			continue
		}
		if err := im.take(length); err != nil {
			return nil, err
		}
		places := sliced(starts[i], ends[i], steps[i], length)
		if len(places) == 0 || x.batch && axis == 0 {
			return nil, fmt.Errorf("it takes nothing of axis %d of %s", axis, x.text())
		}
		if x, err = im.pick(n, "", x, x.axis(axis), places); err != nil {
			return nil, err
		}
	}
	return []*value{x}, nil
}

// sliceLists are starts, ends, axes and steps: attributes before opset 10.
func (n *node) sliceLists(rank int) (lists [4][]int, err error) {
	a := n.read()
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		if lists[i], err = n.listOr(a, name, 1+i); err != nil {
			return
		}
	}
	if lists[2] == nil {
		for i := range lists[0] {
			lists[2] = append(lists[2], i)
		}
	}
	if lists[3] == nil {
		lists[3] = slices.Repeat([]int{1}, len(lists[0]))
	}
	for _, list := range lists {
		if len(list) != len(lists[0]) || slices.Contains(lists[3], 0) {
			return lists, fmt.Errorf("starts %v, ends %v, axes %v and steps %v do not fit", lists[0], lists[1], lists[2], lists[3])
		}
	}
	lists[2], err = axesOf(lists[2], rank)
	return lists, err
}

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
	return y, true, err
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
