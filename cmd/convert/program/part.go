package program

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
)

// part is a part of a value: for each dimension from the batch on, where it begins and ends.
// No bounds are the whole.
type part [][2]int

// parsePart reads "conv1[:,0:8]": a name and, in brackets, ranges as NumPy has them. A range
// without numbers is all of a dimension, as are those left out.
func parsePart(text string) (value string, p part, err error) {
	value, inside, ok := strings.Cut(text, "[")
	if !ok {
		return text, nil, nil
	}
	inside, closed := strings.CutSuffix(inside, "]")
	if !closed {
		return "", nil, fmt.Errorf("%q has no ] at its end", text)
	}
	for dimension := range strings.SplitSeq(inside, ",") {
		begin, end, ok := strings.Cut(strings.TrimSpace(dimension), ":")
		var bounds [2]int
		var errs [2]error
		if begin != "" {
			bounds[0], errs[0] = strconv.Atoi(begin)
		}
		if end != "" {
			bounds[1], errs[1] = strconv.Atoi(end)
		}
		if err := errors.Join(errs[:]...); !ok || err != nil || bounds[0] < 0 || end != "" && bounds[1] <= bounds[0] {
			return "", nil, fmt.Errorf("%q of %q is not a range, such as 0:8, or : for all", dimension, text)
		}
		p = append(p, bounds)
	}
	if p[0] != [2]int{} {
		return "", nil, fmt.Errorf("%q: the first range is of the samples, and : is all that it can be", text)
	}
	return value, p, nil
}

// String is the part as parsePart reads it.
func (p part) String() string {
	if p == nil {
		return ""
	}
	var parts []string
	for _, bounds := range p {
		text := ":"
		if bounds[0] != 0 {
			text = strconv.Itoa(bounds[0]) + text
		}
		if bounds[1] != 0 {
			text += strconv.Itoa(bounds[1])
		}
		parts = append(parts, text)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// check says whether a value of a shape has the part.
func (p part) check(shape []int) error {
	if len(p) > len(shape) {
		return fmt.Errorf("%s has %d dimensions, and the value, %s, %d", p, len(p), dims(shape), len(shape))
	}
	for i, bounds := range p {
		if max(bounds[0]+1, bounds[1]) > shape[i] {
			return fmt.Errorf("%s is not all in the value, %s", p, dims(shape))
		}
	}
	return nil
}

// shape is that of the part of a value.
func (p part) shape(value []int) []int {
	shape := slices.Clone(value)
	for i, bounds := range p {
		if bounds[1] != 0 {
			shape[i] = bounds[1]
		}
		shape[i] -= bounds[0]
	}
	return shape
}

// of are the elements of the part.
func (p part) of(x []float32, value []int) []float32 {
	if p == nil {
		return x
	}
	shape := p.shape(value)
	y := make([]float32, 0, device.Elements(shape))
	var walk func(dimension, at int)
	walk = func(dimension, at int) {
		if dimension == len(shape) {
			y = append(y, x[at])
			return
		}
		begin := 0
		if dimension < len(p) {
			begin = p[dimension][0]
		}
		for i := range shape[dimension] {
			walk(dimension+1, at*value[dimension]+begin+i)
		}
	}
	walk(0, 0)
	return y
}
