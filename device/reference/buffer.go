package reference

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/hubel-go/hubel/device"
)

// buffer holds two bytes for every byte of its size: float32 elements are
// stored as float64, int32 as int64 and uint8 as uint16. Every offset is
// doubled with them, so that a slice of a buffer begins at the same element
// as on any other device.
type buffer struct {
	mem  []byte        // 2*size
	used *atomic.Int64 // the device's count of bytes; nil in a slice and once freed
}

func newBuffer(d *Device, size int64) *buffer {
	words := make([]uint64, (2*size+7)/8) // words, for the alignment of float64
	for i := range words {
		words[i] = ^uint64(0) // NaN
	}
	mem := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 2*size)
	return &buffer{mem: mem, used: &d.used}
}

func (b *buffer) Size() int64 { return int64(len(b.mem)) / 2 }

func (b *buffer) Slice(offset, size int64) device.Buffer {
	if offset < 0 || size < 0 || offset+size > b.Size() {
		panic(fmt.Sprintf("reference: slice of %d bytes at %d of a buffer of %d", size, offset, b.Size()))
	}
	return &buffer{mem: b.mem[2*offset : 2*(offset+size)]}
}

func (b *buffer) Free() error {
	if b.used != nil {
		b.used.Add(-b.Size())
		b.used, b.mem = nil, nil
	}
	return nil
}

// host is memory for uploads and downloads, whose elements keep their size.
type host struct{ mem []byte }

func (h *host) Bytes() []byte { return h.mem }

func (h *host) Free() error {
	h.mem = nil
	return nil
}

// floats, ints and bytes are the elements of a tensor of type float32, int32
// and uint8.
func floats(t device.Tensor) []float64 { return elements[float64](t, device.Float32) }
func ints(t device.Tensor) []int64     { return elements[int64](t, device.Int32) }
func bytes(t device.Tensor) []uint16   { return elements[uint16](t, device.Uint8) }

// Floats is the elements of a float32 tensor of this device, for a layer that
// brings a kernel of its own; false for a tensor of another device.
func Floats(t device.Tensor) ([]float64, bool) {
	if _, ok := t.Buffer.(*buffer); !ok {
		return nil, false
	}
	return floats(t), true
}

func elements[T float64 | int64 | uint16](t device.Tensor, want device.DType) []T {
	b := t.Buffer.(*buffer)
	if t.DType != want {
		panic(fmt.Sprintf("reference: a tensor of type %v where %v is wanted", t.DType, want))
	}
	if t.Bytes() > b.Size() {
		panic(fmt.Sprintf("reference: a tensor of shape %v needs %d bytes, its buffer has %d", t.Shape, t.Bytes(), b.Size()))
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b.mem))), t.Len())
}

// store writes v, or adds it.
func store(dst *float64, v float64, m device.Mode) {
	if m == device.Accumulate {
		v += *dst
	}
	*dst = v
}

// begin prepares a destination that a loop will only add to.
func begin(dst []float64, m device.Mode) {
	if m == device.Overwrite {
		clear(dst)
	}
}
