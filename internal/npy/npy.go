// Package npy writes and reads NumPy's array format (numpy.lib.format), as
// numpy.save and numpy.load do.
package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Header is what the file of an array of float32 begins with, in version 1.0, before its values,
// row-major.
func Header(shape []int) ([]byte, error) {
	var dims []string
	for _, d := range shape {
		dims = append(dims, strconv.Itoa(d))
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += "," // as Python has it
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", tuple)
	// The data begins at a multiple of 64 bytes; the header ends with a newline.
	const prefix = 10
	padding := 64 - (prefix+len(header)+1)%64
	header += strings.Repeat(" ", padding%64) + "\n"
	if len(header) > math.MaxUint16 {
		return nil, fmt.Errorf("npy: a shape of %d dimensions is too long", len(shape))
	}
	head := append([]byte("\x93NUMPY\x01\x00"), 0, 0)
	binary.LittleEndian.PutUint16(head[8:], uint16(len(header)))
	return append(head, header...), nil
}

// Write writes values, row-major, of a shape, in version 1.0. Their number must be that of the
// shape's elements.
func Write(w io.Writer, shape []int, values []float32) error {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if n != len(values) {
		return fmt.Errorf("npy: %d values are not an array of the shape %v", len(values), shape)
	}
	head, err := Header(shape)
	if err == nil {
		_, err = w.Write(head)
	}
	if err != nil {
		return err
	}
	buf := make([]byte, 0, 1<<16)
	for len(values) > 0 {
		part := values[:min(len(values), cap(buf)/4)]
		values = values[len(part):]
		buf = buf[:0]
		for _, v := range part {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
