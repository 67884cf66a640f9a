package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

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
		for i := range list {
			list[i] = list[i].like(x)
		}
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
