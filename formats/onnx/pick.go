package onnx

import (
	"fmt"

	"github.com/hubel-go/hubel/layers"
)

// mostSlices is how many slices are joined; more are a matrix.
const mostSlices = 32

// pick takes the elements at these places along an axis: by a slice, by a channel shuffle, by
// an upsampling of slices, by slices that are joined, and else by a matrix of zeros and ones.
func (im *importer) pick(n *node, suffix string, v *value, axis int, places []int) (*value, error) {
	length := v.sample[axis]
	if len(places) == 0 {
		return nil, fmt.Errorf("nothing is taken of an axis of %d", length)
	}
	for _, p := range places {
		if p < 0 || p >= length {
			return nil, fmt.Errorf("the index %d is not in 0 to %d", p, length-1)
		}
	}
	if count, step := evenly(places); count == len(places) {
		if count == length {
			return v, nil
		}
		return im.slice(n, suffix, v, axis, places[0], count, step)
	}
	if groups := shuffled(places, length); axis == 0 && groups > 0 {
		y, err := im.emit(n, suffix, &layers.ChannelShuffle{Groups: groups}, v)
		if err != nil {
			return nil, err
		}
		return y.like(v), nil
	}
	if times := repeated(places); times > 1 {
		once := make([]int, 0, len(places)/times)
		for i := 0; i < len(places); i += times {
			once = append(once, places[i])
		}
		y, err := im.pick(n, "once", v, axis, once)
		if err != nil {
			return nil, err
		}
		return im.enlarge(n, suffix, y, axis, &layers.Upsample{Scale: layers.Size{H: times, W: 1}})
	}
	if runs := runsOf(places); len(runs) <= mostSlices {
		return im.joined(n, suffix, v, axis, runs)
	}
	if err := im.takeMatrix(len(places), length); err != nil {
		return nil, err
	}
	matrix := make([]float32, len(places)*length)
	for i, p := range places {
		matrix[i*length+p] = 1
	}
	return im.linear(n, suffix, v, axis, len(places), matrix)
}

// evenly is how many places, from the first on, are a step of at least 1 apart.
func evenly(places []int) (count, step int) {
	if len(places) < 2 || places[1] <= places[0] {
		return 1, 1
	}
	step = places[1] - places[0]
	for count = 2; count < len(places) && places[count]-places[count-1] == step; count++ {
	}
	return count, step
}

// runsOf divides places into runs.
func runsOf(places []int) (runs [][]int) {
	for len(places) > 0 {
		count, _ := evenly(places)
		runs, places = append(runs, places[:count]), places[count:]
	}
	return runs
}

// repeated is how often each place follows itself, if that is so for all.
func repeated(places []int) int {
	times := 1
	for times < len(places) && places[times] == places[0] {
		times++
	}
	for i, p := range places {
		if len(places)%times != 0 || p != places[i-i%times] {
			return 1
		}
	}
	return times
}

// shuffled is in how many groups a channel shuffle has all elements in this order, 0 if in
// none.
func shuffled(places []int, length int) int {
	if len(places) != length || length < 2 || places[1] < 1 || length%places[1] != 0 {
		return 0
	}
	each := places[1]
	groups := length / each
	for i, p := range places {
		if p != i%groups*each+i/groups {
			return 0
		}
	}
	return groups
}

// slice takes so many elements along an axis, a step apart.
func (im *importer) slice(n *node, suffix string, v *value, axis, begin, count, step int) (*value, error) {
	end := begin + (count-1)*step + 1
	if end == v.sample[axis] {
		end = 0
	}
	y, err := im.emit(n, suffix, &layers.Slice{Axis: axis + 1, Begin: begin, End: end, Step: step}, v)
	if err != nil {
		return nil, err
	}
	return y.like(v), nil
}

// joined takes runs of elements along an axis.
func (im *importer) joined(n *node, suffix string, v *value, axis int, runs [][]int) (*value, error) {
	if err := im.takeMatrix(len(runs), 64); err != nil { // each is a layer
		return nil, err
	}
	front, err := im.toFront(n, v, axis)
	if err != nil {
		return nil, err
	}
	parts := make([]*value, len(runs))
	for i, places := range runs {
		_, step := evenly(places)
		if parts[i], err = im.slice(n, "slice", front, 0, places[0], len(places), step); err != nil {
			return nil, err
		}
	}
	y, err := im.concat(n, suffix, parts, 0)
	if err != nil {
		return nil, err
	}
	if y, err = im.toPlace(n, suffix+"_back", y, axis); err != nil {
		return nil, err
	}
	return y.like(v), nil
}

// enlarge upsamples along an axis, as if that were the rows of an image.
func (im *importer) enlarge(n *node, suffix string, v *value, axis int, l *layers.Upsample) (*value, error) {
	y, err := im.emit(n, suffix, l, v.three(axis))
	if err != nil {
		return nil, err
	}
	return y.as(with(v.sample, axis, v.sample[axis]*l.Scale.H)...).like(v), nil
}
