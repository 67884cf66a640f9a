package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Occluder is the square that Occlusion covers a part of an image with.
type Occluder struct {
	Size  int     // pixels of a side
	Step  int     // pixels from one place to the next, at most Size
	Value float32 // of its pixels, from 0 to 255
}

// occluded is how many images with a square make a batch.
const occluded = 64

// Occlusion is the network's output of a class while a square covers a part of the
// image (Zeiler and Fergus 2014, section 4.2): for each pixel, the mean over the squares
// that cover it. Of a classifier it is the probability, low where the class is seen.
// The last square of each row and column ends with the image.
func (x *Inspector) Occlusion(ctx context.Context, sample []float32, class int, o Occluder) (m Map, err error) {
	channels, h, w := x.image.Shape[0], x.image.Shape[1], x.image.Shape[2]
	switch {
	case o.Size < 1 || o.Size > min(h, w):
		return Map{}, fmt.Errorf("size %d of the square must be 1 to %d, the shorter side of the image", o.Size, min(h, w))
	case o.Step < 1 || o.Step > o.Size:
		return Map{}, fmt.Errorf("step %d of the square must be 1 to %d, its size", o.Step, o.Size)
	case !(o.Value >= 0 && o.Value <= 255):
		return Map{}, fmt.Errorf("value %g of the square must be 0 to 255", o.Value)
	}
	p, err := x.predictor(occluded)
	if err != nil {
		return Map{}, err
	}
	defer func() { err = cmp.Or(err, p.Close()) }()
	type place struct{ row, column int }
	var places []place
	for _, row := range steps(h-o.Size, o.Step) {
		for _, column := range steps(w-o.Size, o.Step) {
			places = append(places, place{row, column})
		}
	}
	sums, counts := make([]float64, h*w), make([]int, h*w)
	for part := range slices.Chunk(places, occluded) {
		var covered []float32
		for _, at := range part {
			first := len(covered)
			covered = append(covered, sample...)
			for c := range channels {
				for row := range o.Size {
					start := first + (c*h+at.row+row)*w + at.column
					for i := range o.Size {
						covered[start+i] = o.Value
					}
				}
			}
		}
		all, err := p.Predict(ctx, covered)
		if err != nil {
			return Map{}, err
		}
		for k, at := range part {
			for row := range o.Size {
				for i := range o.Size {
					pixel := (at.row+row)*w + at.column + i
					sums[pixel] += float64(all[k].Output[class])
					counts[pixel]++
				}
			}
		}
	}
	m = Map{h, w, make([]float32, h*w)}
	for i, sum := range sums {
		m.Values[i] = float32(sum / float64(counts[i]))
	}
	return m, nil
}

// steps are 0, step, 2 step and so on below last, and last.
func steps(last, step int) []int {
	var list []int
	for at := 0; at < last; at += step {
		list = append(list, at)
	}
	return append(list, last)
}
