package tflite

import (
	"errors"
	"fmt"
	"slices"
)

// whole is a constant of whole numbers.
func whole(list []int, shape ...int) *value {
	return &value{constant: &constant{shape: shape, ints: list}}
}

// dequantized reads DEQUANTIZE of float16, which constant has decoded.
func dequantized(_ *importer, c *call) (*value, error) {
	x, err := c.constant(0, "input")
	if err == nil && x == nil {
		err = errors.New("its input is missing")
	}
	return &value{constant: x}, err
}

// shapeOf reads SHAPE.
func shapeOf(im *importer, c *call) (*value, error) {
	if len(c.in) != 1 || c.in[0] == nil {
		return nil, errors.New("its input is missing")
	}
	if c.in[0].blocks != nil {
		return nil, errBlocks
	}
	shape := c.in[0].shapeIn(im)
	return whole(slices.Clone(shape), len(shape)), nil
}

// stridedSlice reads STRIDED_SLICE of a list of whole numbers, from begin to end.
func stridedSlice(_ *importer, c *call) (*value, error) {
	var parts [4][]int
	for i, what := range []string{"input", "begin", "end", "stride"} {
		var err error
		if parts[i], err = c.integers(i, what); err != nil {
			return nil, err
		}
		if i > 0 && len(parts[i]) != 1 {
			return nil, fmt.Errorf("its %s is %v; slices of lists are read", what, parts[i])
		}
	}
	list, n := parts[0], len(parts[0])
	begin, end := parts[1][0], parts[2][0]
	if begin < 0 {
		begin += n
	}
	if end < 0 {
		end += n
	}
	if c.options.int(0, 0) != 0 {
		begin = 0
	}
	shrink := c.options.int(4, 0) != 0
	switch {
	case shrink:
		end = begin + 1
	case c.options.int(1, 0) != 0:
		end = n
	}
	if end = min(end, n); parts[3][0] != 1 || c.options.int(2, 0) != 0 || c.options.int(3, 0) != 0 || begin < 0 || begin >= end {
		return nil, fmt.Errorf("it slices a list of %d from %d to %d, with the stride %d, which is not read", n, parts[1][0], parts[2][0], parts[3][0])
	}
	if shrink {
		return whole(list[begin:end]), nil
	}
	return whole(list[begin:end], end-begin), nil
}

// pack reads PACK of whole numbers, and joined CONCATENATION of lists of them.
func pack(im *importer, c *call) (*value, error) { return joined(im, c) }

func joined(_ *importer, c *call) (*value, error) {
	var list []int
	for i := range c.in {
		part, err := c.integers(i, fmt.Sprint("input ", i))
		if err != nil {
			return nil, err
		}
		if list = append(list, part...); len(list) > mostDims {
			return nil, fmt.Errorf("it makes a list of more than %d whole numbers, which is no shape", mostDims)
		}
	}
	return whole(list, len(list)), nil
}

// reshaped reads RESHAPE of a constant.
func reshaped(_ *importer, c *call) (*value, error) {
	to := c.options.ints(0)
	if len(c.in) > 1 && c.in[1] != nil {
		var err error
		if to, err = c.integers(1, "shape"); err != nil {
			return nil, err
		}
	}
	if len(c.in) == 0 || c.in[0] == nil {
		return nil, errors.New("its input is missing")
	}
	x := *c.in[0].constant
	var err error
	x.shape, err = resolved(to, x.len())
	return &value{constant: &x}, err
}
