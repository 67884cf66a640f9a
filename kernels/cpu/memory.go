package cpu

import (
	"fmt"
	"unsafe"

	"github.com/hubel-go/hubel/device"
)

// alignment is a cache line and the widest vector.
const alignment = 64

// Alloc returns zeroed memory of the Go heap. A size that the machine does
// not have is an error, where MemInfo knows.
func (d *Device) Alloc(bytes int64) (device.Buffer, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if bytes < 0 || bytes > maxAlloc {
		return nil, fmt.Errorf("cpu: cannot allocate %d bytes", bytes)
	}
	if err := d.room(bytes); err != nil {
		return nil, err
	}
	b := &buffer{mem: aligned(int(bytes)), whole: true}
	wantLargePages(b.mem)
	return b, nil
}

// maxAlloc is far above any machine's memory and below where sizes overflow.
const maxAlloc = min(1<<46, int64(^uint(0)>>1)-alignment)

// HostAlloc is Alloc: the device's memory is the host's.
func (d *Device) HostAlloc(bytes int64) (device.HostBuffer, error) {
	b, err := d.Alloc(bytes)
	if err != nil {
		return nil, err
	}
	return b.(*buffer), nil
}

// worthAsking is the size from which it is worth to ask the system first,
// which takes a dozen files.
const worthAsking = 1 << 20

// room says whether there is memory for so many bytes.
func (d *Device) room(bytes int64) error {
	if bytes < worthAsking {
		return nil
	}
	if free, total, ok := device.Room(d, bytes); !ok {
		return fmt.Errorf("cpu: cannot allocate %.1f MiB: %.1f of %.1f MiB are free; a smaller batch needs less", mib(bytes), mib(free), mib(total))
	}
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// aligned makes n bytes that begin at a multiple of alignment.
func aligned(n int) []byte {
	mem := make([]byte, n+alignment-1)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))) & (alignment - 1)
	return mem[skip : skip+n : skip+n]
}

// buffer is a span of the Go heap.
type buffer struct {
	mem   []byte
	whole bool // not a slice of another
}

func (b *buffer) Size() int64 { return int64(len(b.mem)) }

// Bytes is the memory itself.
func (b *buffer) Bytes() []byte { return b.mem }

func (b *buffer) Slice(offset, size int64) device.Buffer {
	if offset < 0 || size < 0 || offset > b.Size()-size {
		panic(fmt.Sprintf("cpu: slice of %d bytes at %d of a buffer of %d", size, offset, b.Size()))
	}
	return &buffer{mem: b.mem[offset : offset+size : offset+size]}
}

func (b *buffer) Free() error {
	if b.whole {
		b.mem = nil
	}
	return nil
}

// floats, ints and bytes are the elements of a tensor of type float32, int32
// and uint8. Those of an absent tensor are nil.
func floats(t device.Tensor) []float32 { return elements[float32](t, device.Float32) }
func ints(t device.Tensor) []int32     { return elements[int32](t, device.Int32) }
func bytes(t device.Tensor) []uint8    { return elements[uint8](t, device.Uint8) }

// Floats is the elements of a float32 tensor of this device, for a layer that
// brings a kernel of its own; false for a tensor of another device.
func Floats(t device.Tensor) ([]float32, bool) {
	if _, ok := t.Buffer.(*buffer); !ok {
		return nil, false
	}
	return floats(t), true
}

func elements[T float32 | int32 | uint8](t device.Tensor, want device.DType) []T {
	if t.IsNil() {
		return nil
	}
	if t.DType != want {
		panic(fmt.Sprintf("cpu: a tensor of type %v where %v is wanted", t.DType, want))
	}
	mem := cast[T](own(t.Buffer))
	n := t.Len()
	if n > len(mem) {
		panic(fmt.Sprintf("cpu: a tensor of shape %v has %d elements, its buffer has %d", t.Shape, n, len(mem)))
	}
	return mem[:n]
}

// scratch is a buffer's memory as float32 elements; nil where there is none.
func scratch(b device.Buffer) []float32 {
	if b == nil {
		return nil
	}
	return cast[float32](own(b))
}

// own is the memory behind a buffer of this device.
func own(b device.Buffer) []byte {
	c, ok := b.(*buffer)
	if !ok {
		panic(fmt.Sprintf("cpu: a buffer of type %T, which belongs to another device", b))
	}
	return c.mem
}

func cast[T float32 | int32 | uint8](mem []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(mem))), len(mem)/int(unsafe.Sizeof(t)))
}
