package pytorch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats/pickle"
	"github.com/hubel-go/hubel/formats/safetensors"
)

// The bounds of a tensor.
const (
	maxDims     = 32
	maxElements = 1 << 40
)

// dtype is a type of elements, by its name in torch.
type dtype struct {
	name string
	size int64 // bytes
}

// String is its name.
func (d dtype) String() string { return d.name }

func (d dtype) isFloat() bool {
	return slices.Contains([]string{"float32", "float64", "float16", "bfloat16"}, d.name)
}

func (d dtype) isComplex() bool { return strings.HasPrefix(d.name, "complex") }

// dtypes are those that torch has, by name.
var dtypes = map[string]dtype{}

// storageTypes are they by the class of their storages.
var storageTypes = map[string]dtype{}

func init() {
	for _, t := range []struct {
		storage, name string
		size          int64
	}{
		{"FloatStorage", "float32", 4},
		{"DoubleStorage", "float64", 8},
		{"HalfStorage", "float16", 2},
		{"BFloat16Storage", "bfloat16", 2},
		{"ByteStorage", "uint8", 1},
		{"UntypedStorage", "uint8", 1},
		{"CharStorage", "int8", 1},
		{"ShortStorage", "int16", 2},
		{"IntStorage", "int32", 4},
		{"LongStorage", "int64", 8},
		{"BoolStorage", "bool", 1},
		{"ComplexFloatStorage", "complex64", 8},
		{"ComplexDoubleStorage", "complex128", 16},
		{"", "uint16", 2},
		{"", "uint32", 4},
		{"", "uint64", 8},
		{"", "complex32", 4},
		{"", "float8_e4m3fn", 1},
		{"", "float8_e5m2", 1},
		{"", "float8_e4m3fnuz", 1},
		{"", "float8_e5m2fnuz", 1},
		{"", "float8_e8m0fnu", 1},
	} {
		d := dtype{t.name, t.size}
		dtypes[t.name] = d
		if t.storage != "" {
			storageTypes[t.storage] = d
		}
	}
}

// storage is elements in the file.
type storage struct {
	dtype    dtype
	elements int64
	bytes    int64 // in the file: at least those of the elements
	order    binary.ByteOrder
	read     func() ([]byte, error) // the bytes; nil where there are none

	root  *storage // whose part it is, or nil
	first int64    // element of the root
}

// check compares the number of elements with the bytes of the file.
func (s *storage) check(key string) error {
	if s.elements > s.bytes/s.dtype.size {
		return fmt.Errorf("storage %.100q has %d bytes, too few for %d elements of %v: the file is damaged", key, s.bytes, s.elements, s.dtype)
	}
	return nil
}

// part is a storage of elements of another.
func (s *storage) part(first, elements any) (*storage, error) {
	at, ok := pickle.Int(first)
	n, isNumber := pickle.Int(elements)
	if !ok || !isNumber || at < 0 || n < 0 || at > s.elements || n > s.elements-at {
		return nil, fmt.Errorf("a part of a storage ends behind its %d elements", s.elements)
	}
	if s.root != nil {
		return nil, errors.New("a part of a part of a storage is not read")
	}
	return &storage{dtype: s.dtype, elements: n, bytes: n * s.dtype.size, root: s, first: at}, nil
}

// tensor is a view of a storage.
type tensor struct {
	storage       *storage
	dtype         dtype
	offset        int64 // in elements of dtype, as strides
	shape, stride []int64
	negative      bool // the values have the other sign than those of the storage
}

// check checks that all elements lie in the storage.
func (t *tensor) check() error {
	if len(t.shape) != len(t.stride) {
		return fmt.Errorf("a tensor has %d sizes and %d strides", len(t.shape), len(t.stride))
	}
	if t.offset < 0 {
		return errors.New("an offset of a tensor is negative")
	}
	empty := slices.Contains(t.shape, 0)
	count, last := int64(1), t.offset
	for i, d := range t.shape {
		s := t.stride[i]
		if d < 0 || s < 0 {
			return errors.New("a size or a stride of a tensor is negative")
		}
		if empty {
			continue
		}
		if count > maxElements/d || s > 0 && d-1 > (math.MaxInt64-last)/s {
			return fmt.Errorf("a tensor of the shape %v has too many elements", t.shape)
		}
		count *= d
		last += (d - 1) * s
	}
	has := t.storage.elements * t.storage.dtype.size / t.dtype.size
	if !empty && last >= has {
		return fmt.Errorf("a tensor of the shape %v and strides %v, from element %d on, ends behind its storage of %d elements: the file is damaged", t.shape, t.stride, t.offset, has)
	}
	return nil
}

// len is the number of elements.
func (t *tensor) len() int64 {
	n := int64(1)
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// dims is the shape as hubel has it.
func (t *tensor) dims() []int {
	dims := make([]int, len(t.shape))
	for i, d := range t.shape {
		dims[i] = int(d)
	}
	return dims
}

// readable reports whether hubel has a type for the elements.
func (t *tensor) readable() bool {
	switch t.dtype.name {
	case "float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool", "uint16":
		return true
	}
	return false
}

// dense makes the values of the bytes of its storage's root: float32 of all floating-point
// types, int64 of int64, uint8 of uint8 and bool, and int32 of other integers. It also
// counts the finite values of float64 that are beyond float32.
func (t *tensor) dense(b []byte) (x *gorgonia.Dense, beyond int) {
	order := binary.ByteOrder(binary.LittleEndian)
	root, first := t.storage, t.offset
	if root.root != nil {
		first += root.first * root.dtype.size / t.dtype.size
		root = root.root
	}
	if root.order != nil {
		order = root.order
	}
	var values any
	switch t.dtype.name {
	case "float32":
		values = each(t, b, first, func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) })
	case "float64":
		values = each(t, b, first, func(b []byte) float32 {
			v := math.Float64frombits(order.Uint64(b))
			if math.Abs(v) > math.MaxFloat32 && !math.IsInf(v, 0) && math.IsInf(float64(float32(v)), 0) {
				beyond++
			}
			return float32(v)
		})
	case "float16":
		values = each(t, b, first, func(b []byte) float32 { return safetensors.Half(order.Uint16(b)) })
	case "bfloat16":
		values = each(t, b, first, func(b []byte) float32 { return math.Float32frombits(uint32(order.Uint16(b)) << 16) })
	case "int64":
		values = each(t, b, first, func(b []byte) int64 { return int64(order.Uint64(b)) })
	case "int32":
		values = each(t, b, first, func(b []byte) int32 { return int32(order.Uint32(b)) })
	case "int16":
		values = each(t, b, first, func(b []byte) int32 { return int32(int16(order.Uint16(b))) })
	case "uint16":
		values = each(t, b, first, func(b []byte) int32 { return int32(order.Uint16(b)) })
	case "int8":
		values = each(t, b, first, func(b []byte) int32 { return int32(int8(b[0])) })
	default: // uint8 and bool
		values = each(t, b, first, func(b []byte) uint8 { return b[0] })
	}
	if floats, ok := values.([]float32); ok && t.negative {
		for i, v := range floats {
			floats[i] = -v
		}
	}
	return gorgonia.New(gorgonia.WithShape(t.dims()...), gorgonia.WithBacking(values)), beyond
}

// each decodes all elements, row by row of the tensor, whose first is element first of b.
func each[T any](t *tensor, b []byte, first int64, get func([]byte) T) []T {
	values := make([]T, t.len())
	index := make([]int64, len(t.shape))
	at := first
	for i := range values {
		values[i] = get(b[at*t.dtype.size:])
		for axis := len(index) - 1; axis >= 0; axis-- { // the next one
			at += t.stride[axis]
			if index[axis]++; index[axis] < t.shape[axis] {
				break
			}
			at -= t.stride[axis] * t.shape[axis]
			index[axis] = 0
		}
	}
	return values
}
