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
	const magic = "\x93NUMPY"
	if !bytes.HasPrefix(file, []byte(magic)) {
		return a, errors.New("it is not an array of NumPy")
	}
	if len(file) < 12 {
		return a, errTruncated
	}
	begin, length := 10, uint64(binary.LittleEndian.Uint16(file[8:]))
	switch version := file[6]; version {
	case 1:
	case 2, 3:
		begin, length = 12, uint64(binary.LittleEndian.Uint32(file[8:]))
	default:
		return a, fmt.Errorf("it is of version %d of the format; 1 to 3 are read", version)
	}
	if length > uint64(len(file)-begin) {
		return a, errTruncated
	}
	header := file[begin : begin+int(length)]
	a.Data = file[begin+int(length):]
	descr, err := value(header, "'descr'")
	if err != nil {
		return a, err
	}
	size := 1
	switch kind, _, _ := bytes.Cut(bytes.TrimPrefix(descr, []byte("'")), []byte("'")); string(kind) {
	case "|u1", "<u1", ">u1":
	case "<f4":
		a.Float32, size = true, 4
	default:
		return a, fmt.Errorf("its elements are %.20q, and only uint8, \"|u1\", and float32, \"<f4\", are read: x.astype('float32') makes those", kind)
	}
	order, err := value(header, "'fortran_order'")
	if err != nil {
		return a, err
	}
	if !bytes.HasPrefix(order, []byte("False")) {
		return a, errors.New("it is stored by columns: numpy.ascontiguousarray(x) stores it by rows")
	}
	shape, err := value(header, "'shape'")
	if err != nil {
		return a, err
	}
	n, err := a.dims(shape)
	if err != nil {
		return a, err
	}
	if want := n * size; len(a.Data) < want {
		return a, errTruncated
	} else if len(a.Data) > want {
		return a, fmt.Errorf("there are %d bytes more than the %d of its shape", len(a.Data)-want, want)
	}
	return a, nil
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

// dims reads a tuple of dimensions, and returns the number of elements.
func (a *Array) dims(text []byte) (n int, err error) {
	inside, _, closed := bytes.Cut(bytes.TrimPrefix(text, []byte("(")), []byte(")"))
	if !closed || text[0] != '(' {
		return 0, errors.New("its header has no shape")
	}
	const largest = 1 << 40 // elements
	n = 1
	for more := true; more; {
		var word []byte
		word, inside, more = bytes.Cut(inside, []byte(","))
		if word = bytes.TrimSpace(word); len(word) == 0 && !more {
			break
		}
		d, err := strconv.ParseUint(string(word), 10, 40)
		switch {
		case err != nil:
			return 0, fmt.Errorf("its shape has the dimension %.20q", word)
		case a.Dims == MostDims:
			return 0, fmt.Errorf("it has more than %d dimensions", MostDims)
		case d > 0 && n > largest/int(d):
			return 0, errors.New("its shape is too large")
		}
		a.Shape[a.Dims] = int(d)
		a.Dims++
		n *= int(d)
	}
	return n, nil
}
