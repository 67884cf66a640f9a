package device

import (
	"fmt"

	"gorgonia.org/tensor"
)

// DType is the type of a tensor's elements.
type DType uint8

// The element types.
const (
	Float32 DType = iota // values, weights, gradients
	Int32                // labels, pooling indices
	Uint8                // bytes
)

// Size is the number of bytes of one element.
func (t DType) Size() int64 {
	if t == Uint8 {
		return 1
	}
	return 4
}

// String returns the type's name, as it stands in a network's JSON.
func (t DType) String() string {
	switch t {
	case Float32:
		return "float32"
	case Int32:
		return "int32"
	case Uint8:
		return "uint8"
	}
	return fmt.Sprintf("DType(%d)", uint8(t))
}

// Host is the type of the elements on the host.
func (t DType) Host() tensor.Dtype {
	switch t {
	case Int32:
		return tensor.Int32
	case Uint8:
		return tensor.Uint8
	}
	return tensor.Float32
}

// MarshalText writes the type's name.
func (t DType) MarshalText() ([]byte, error) {
	if t > Uint8 {
		return nil, fmt.Errorf("element type %d is unknown", uint8(t))
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads the type's name.
func (t *DType) UnmarshalText(b []byte) error {
	for _, d := range []DType{Float32, Int32, Uint8} {
		if string(b) == d.String() {
			*t = d
			return nil
		}
	}
	return fmt.Errorf("element type %q is not float32, int32 or uint8", b)
}

// Tensor is a shaped span of device memory, contiguous and row-major. The
// zero Tensor stands for "not there" where a kernel's argument is optional.
type Tensor struct {
	Buffer Buffer
	DType  DType
	Shape  tensor.Shape
}

// IsNil reports whether the tensor is the zero Tensor: not there.
func (t Tensor) IsNil() bool { return t.Buffer == nil }

// Len is the number of elements. A scalar's shape is empty and its length 1.
func (t Tensor) Len() int { return Elements(t.Shape) }

// Bytes is the size of the tensor's elements.
func (t Tensor) Bytes() int64 { return int64(t.Len()) * t.DType.Size() }

// Elements is the number of elements of a shape, 1 for an empty one.
func Elements(s tensor.Shape) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// maxElements bounds a tensor, so that no size in bytes can overflow: 4 TiB of
// float32.
const maxElements = 1 << 40

// CheckShape returns an error unless a tensor can have the shape: dimensions of
// at least 1 whose product is at most 2^40.
func CheckShape(s tensor.Shape) error {
	n := int64(1)
	for _, d := range s {
		if d < 1 {
			return fmt.Errorf("shape %v has a dimension below 1", []int(s))
		}
		if int64(d) > maxElements/n {
			return fmt.Errorf("shape %v has more than 2^40 elements", []int(s))
		}
		n *= int64(d)
	}
	return nil
}
