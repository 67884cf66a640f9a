package safetensors

import "fmt"

// DType is the type of a tensor's elements, by its name in the file.
type DType string

// The element types this package reads and writes.
const (
	F32 DType = "F32"
	I32 DType = "I32"
	I64 DType = "I64"
	U8  DType = "U8"
)

// The floating-point types that are only read, into float32.
const (
	F64  DType = "F64"
	F16  DType = "F16"
	BF16 DType = "BF16"
)

// sizes holds the bytes of an element of every type of the format that fills
// whole bytes, so that shapes can be checked of tensors that are not read.
var sizes = map[DType]int64{
	"BOOL": 1, U8: 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1,
	"I16": 2, "U16": 2, F16: 2, BF16: 2,
	I32: 4, "U32": 4, F32: 4,
	"C64": 8, F64: 8, I64: 8, "U64": 8,
}

// rank orders the written types as the reference implementation does: by
// falling alignment, so that every tensor is aligned to its elements without
// holes between tensors.
var rank = map[DType]int{I64: 0, F32: 1, I32: 2, U8: 3}

// Info describes one tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int

	offset, size int64 // bytes, from the start of the data
}

// Len is the number of elements.
func (i Info) Len() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// elements multiplies a shape. It fails where the product of the dimensions,
// taken in order, does not fit.
func elements(shape []int) (int64, error) {
	const limit = 1<<63 - 1
	n := int64(1)
	for _, d := range shape {
		if d > 0 && n > limit/int64(d) {
			return 0, fmt.Errorf("the elements of shape %v are too many to count", shape)
		}
		n *= int64(d)
	}
	return n, nil
}
