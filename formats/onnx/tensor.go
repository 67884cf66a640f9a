package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// constant is a tensor whose elements are known: of floats, rounded to float32, or of
// integers and booleans.
type constant struct {
	kind   dataType
	shape  []int
	floats []float32
	ints   []int64

	// batch marks the integers that are so many times the batch, whatever that is.
	// It is nil where none is.
	batch []bool
}

// len is the number of elements.
func (c *constant) len() int { return product(c.shape) }

// integral reports whether elements are integers.
func (c *constant) integral() bool { return !c.kind.floating() }

// ofBatch reports whether element i is a multiple of the batch.
func (c *constant) ofBatch(i int) bool { return c.batch != nil && c.batch[i] }

// known reports whether no element depends on the batch.
func (c *constant) known() bool { return !slices.Contains(c.batch, true) }

// integersOf is a list of integers as a constant.
func integersOf(list ...int64) *constant {
	return &constant{kind: typeInt64, shape: []int{len(list)}, ints: list}
}

// product is the number of elements of a shape, which is known to be small enough.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// mostElements is how many elements a tensor has at most.
const mostElements = 1 << 40

// shapeOf checks the dimensions of a tensor in a file.
func shapeOf(dims []int64) ([]int, error) {
	shape, n := make([]int, len(dims)), int64(1)
	for i, d := range dims {
		if d < 0 || d > mostElements/n { // also beside a dimension of 0
			return nil, fmt.Errorf("its shape %v is none of a tensor", dims)
		}
		n *= max(d, 1)
		shape[i] = int(d)
	}
	return shape, nil
}

// sizes are the bytes of an element in raw data.
var sizes = map[dataType]int{
	typeFloat: 4, typeUint8: 1, typeInt8: 1, typeUint16: 2, typeInt16: 2, typeInt32: 4, typeInt64: 8, typeBool: 1,
	typeFloat16: 2, typeDouble: 8, typeUint32: 4, typeUint64: 8, typeBfloat16: 2,
}

// external are the files beside a model that hold data of its tensors.
type external struct {
	folder string
	sizes  map[string]int64 // of the files so far
	read   int64            // bytes so far
}

// constant is the tensor with its elements.
func (t *tensorProto) constant(files *external) (*constant, error) {
	shape, err := shapeOf(t.dims)
	if err != nil {
		return nil, err
	}
	size, ok := sizes[t.kind]
	switch {
	case t.segments:
		return nil, fmt.Errorf("its data is in segments, which are not read")
	case !ok:
		return nil, fmt.Errorf("its elements are of %v; numbers of up to 64 bits are read", t.kind)
	}
	c := &constant{kind: t.kind, shape: shape}
	n := c.len()
	raw := t.raw
	if t.outside {
		if files == nil {
			return nil, errors.New("its data is in another file, which is read for initialisers alone")
		}
		if raw, err = files.load(t.external, int64(n), int64(size)); err != nil {
			return nil, err
		}
	}
	if raw != nil || n == 0 {
		if len(raw)/size != n || len(raw)%size != 0 {
			return nil, fmt.Errorf("its data has %d bytes, and its shape %v of %v takes %d", len(raw), t.dims, t.kind, int64(n)*int64(size))
		}
		c.decode(raw, size)
		return c, nil
	}
	held := max(len(t.floats), len(t.ints), len(t.doubles))
	if held != n {
		return nil, fmt.Errorf("it has %d values, and its shape %v takes %d", held, t.dims, n)
	}
	switch {
	case t.kind == typeFloat && len(t.floats) == n:
		c.floats = t.floats
	case t.kind == typeDouble && len(t.doubles) == n:
		c.floats = make([]float32, n)
		for i, v := range t.doubles {
			c.floats[i] = float32(v)
		}
	case (t.kind == typeFloat16 || t.kind == typeBfloat16) && len(t.ints) == n:
		c.floats = make([]float32, n)
		for i, v := range t.ints {
			c.floats[i] = halfOf(t.kind, uint16(v))
		}
	case c.integral() && len(t.ints) == n:
		c.ints = t.ints
	default:
		return nil, fmt.Errorf("its values are in the wrong field for elements of %v", t.kind)
	}
	return c, nil
}

// decode reads elements from their bytes, which are as many as the shape takes.
func (c *constant) decode(raw []byte, size int) {
	n := len(raw) / size
	if c.kind.floating() {
		c.floats = make([]float32, n)
	} else {
		c.ints = make([]int64, n)
	}
	for i := range n {
		b := raw[i*size:]
		switch c.kind {
		case typeFloat:
			c.floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
		case typeDouble:
			c.floats[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		case typeFloat16, typeBfloat16:
			c.floats[i] = halfOf(c.kind, binary.LittleEndian.Uint16(b))
		case typeInt8:
			c.ints[i] = int64(int8(b[0]))
		case typeUint8, typeBool:
			c.ints[i] = int64(b[0])
		case typeInt16:
			c.ints[i] = int64(int16(binary.LittleEndian.Uint16(b)))
		case typeUint16:
			c.ints[i] = int64(binary.LittleEndian.Uint16(b))
		case typeInt32:
			c.ints[i] = int64(int32(binary.LittleEndian.Uint32(b)))
		case typeUint32:
			c.ints[i] = int64(binary.LittleEndian.Uint32(b))
		default:
			c.ints[i] = int64(binary.LittleEndian.Uint64(b))
		}
	}
}

// halfOf is a number of 16 bits: float16 or bfloat16.
func halfOf(kind dataType, x uint16) float32 {
	if kind == typeBfloat16 {
		return math.Float32frombits(uint32(x) << 16)
	}
	sign, exponent, fraction := uint32(x>>15)<<31, uint32(x>>10&31), uint32(x&1023)
	switch exponent {
	case 0: // a multiple of 2^-24
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// load reads n elements from a file in the model's folder.
func (e *external) load(at map[string]string, n, size int64) ([]byte, error) {
	location := at["location"]
	if !filepath.IsLocal(location) {
		return nil, fmt.Errorf("its data is in %q, which is not in the model's folder", location)
	}
	number := func(key string, otherwise int64) (int64, error) {
		if at[key] == "" {
			return otherwise, nil
		}
		x, err := strconv.ParseInt(at[key], 10, 64)
		if err != nil || x < 0 {
			return 0, fmt.Errorf("the %s %.20q of its external data is not a number of bytes", key, at[key])
		}
		return x, nil
	}
	offset, err := number("offset", 0)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(e.folder)
	if err != nil {
		return nil, fmt.Errorf("its external data: %w", err)
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(location))
	if err != nil {
		return nil, fmt.Errorf("its external data: %w; the file belongs beside the model", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("its external data: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("its external data %q is not a file", location)
	}
	rest := info.Size() - offset
	length, err := number("length", rest)
	if err != nil {
		return nil, err
	}
	switch {
	case rest < 0 || length > rest:
		return nil, fmt.Errorf("its external data is %d bytes from %d on, and %q has %d", length, offset, location, info.Size())
	case length/size != n || length%size != 0:
		return nil, fmt.Errorf("its external data has %d bytes, and %d elements of %d bytes take others", length, n, size)
	}
	e.sizes[filepath.Clean(location)] = info.Size()
	total := int64(0)
	for _, size := range e.sizes {
		total += size
	}
	if e.read += length; e.read > total {
		return nil, fmt.Errorf("its external data lies in that of other tensors: the files have %d bytes, and tensors %d", total, e.read)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, length), b); err != nil {
		return nil, fmt.Errorf("its external data %q: %w", location, err)
	}
	return b, nil
}
