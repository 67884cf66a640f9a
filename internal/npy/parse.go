package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// MostDims bounds the dimensions of an array that Parse reads.
const MostDims = 4

// Array is an array in a file.
type Array struct {
	Float32 bool          // little-endian; otherwise the elements are uint8
	Dims    int           // how many of Shape count
	Shape   [MostDims]int // the last dimension is that of neighbours
	Data    []byte        // the elements, in the file
}

// Parse reads an array of uint8 or float32, row-major, from a file of version
// 1, 2 or 3, which must hold all of its elements and no more.
func Parse(file []byte) (a Array, err error) {
	h, err := parseHeader(file)
	if err != nil {
		return a, err
	}
	size := 1
	switch string(h.descr) {
	case "|u1", "<u1", ">u1":
	case "<f4":
		a.Float32, size = true, 4
	default:
		return a, fmt.Errorf("its elements are %.20q, and only uint8, \"|u1\", and float32, \"<f4\", are read: x.astype('float32') makes those", h.descr)
	}
	switch {
	case h.byColumns:
		return a, errors.New("it is stored by columns: numpy.ascontiguousarray(x) stores it by rows")
	case h.dims > MostDims:
		return a, fmt.Errorf("it has more than %d dimensions", MostDims)
	}
	a.Dims, a.Data = h.dims, h.data
	copy(a.Shape[:], h.shape[:h.dims])
	return a, h.holds(size)
}

// mostDims bounds the dimensions of any array: the bound of NumPy 1.
const mostDims = 32

// head is a file as its header says it is.
type head struct {
	descr     []byte // type of the elements
	byColumns bool   // the first dimension is that of neighbours
	dims      int    // how many of shape count
	shape     [mostDims]int
	elements  int    // their number
	data      []byte // of the elements
}

// parseHeader reads the header of a file of version 1, 2 or 3.
func parseHeader(file []byte) (h head, err error) {
	const magic = "\x93NUMPY"
	if !bytes.HasPrefix(file, []byte(magic)) {
		return h, errors.New("it is not an array of NumPy")
	}
	if len(file) < 12 {
		return h, errTruncated
	}
	begin, length := 10, uint64(binary.LittleEndian.Uint16(file[8:]))
	switch version := file[6]; version {
	case 1:
	case 2, 3:
		begin, length = 12, uint64(binary.LittleEndian.Uint32(file[8:]))
	default:
		return h, fmt.Errorf("it is of version %d of the format; 1 to 3 are read", version)
	}
	if length > uint64(len(file)-begin) {
		return h, errTruncated
	}
	header := file[begin : begin+int(length)]
	h.data = file[begin+int(length):]
	descr, err := value(header, "'descr'")
	if err != nil {
		return h, err
	}
	h.descr, _, _ = bytes.Cut(bytes.TrimPrefix(descr, []byte("'")), []byte("'"))
	order, err := value(header, "'fortran_order'")
	if err != nil {
		return h, err
	}
	h.byColumns = !bytes.HasPrefix(order, []byte("False"))
	shape, err := value(header, "'shape'")
	if err != nil {
		return h, err
	}
	return h, h.setShape(shape)
}

// holds says whether the data are the elements, of size bytes each, and no more.
func (h head) holds(size int) error {
	if want := h.elements * size; len(h.data) < want {
		return errTruncated
	} else if len(h.data) > want {
		return fmt.Errorf("there are %d bytes more than the %d of its shape", len(h.data)-want, want)
	}
	return nil
}

var errTruncated = errors.New("truncated")

// value is what follows a key of the header, up to its end.
func value(header []byte, key string) ([]byte, error) {
	_, after, ok := bytes.Cut(header, []byte(key))
	after = bytes.TrimLeft(after, " ")
	if !ok || len(after) == 0 || after[0] != ':' {
		return nil, fmt.Errorf("its header has no %s", key)
	}
	return bytes.TrimLeft(after[1:], " "), nil
}

// setShape reads a tuple of dimensions.
func (h *head) setShape(text []byte) error {
	inside, _, closed := bytes.Cut(bytes.TrimPrefix(text, []byte("(")), []byte(")"))
	if !closed || text[0] != '(' {
		return errors.New("its header has no shape")
	}
	const largest = 1 << 40 // elements
	h.elements = 1
	for more := true; more; {
		var word []byte
		word, inside, more = bytes.Cut(inside, []byte(","))
		if word = bytes.TrimSpace(word); len(word) == 0 && !more {
			break
		}
		d, err := strconv.ParseUint(string(word), 10, 40)
		switch {
		case err != nil:
			return fmt.Errorf("its shape has the dimension %.20q", word)
		case h.dims == mostDims:
			return fmt.Errorf("it has more than %d dimensions", mostDims)
		case d > 0 && h.elements > largest/int(d):
			return errors.New("its shape is too large")
		}
		h.shape[h.dims] = int(d)
		h.dims++
		h.elements *= int(d)
	}
	return nil
}
