package cuda

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// alignment is that of driver.Driver's allocations, and more than any vector
// or memory transaction.
const alignment = 256

// Alloc returns memory of the device.
func (d *Device) Alloc(bytes int64) (device.Buffer, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	b := &buffer{device: d, size: bytes}
	if bytes == 0 {
		return b, nil
	}
	if bytes < 0 {
		return nil, fmt.Errorf("%s: cannot allocate %d bytes", d.name, bytes)
	}
	var err error
	if b.at, err = d.driver.Alloc(fmt.Sprintf("buffer %d", d.buffers.Add(1)), bytes); err != nil {
		return nil, d.noRoom(bytes, err)
	}
	b.whole = true
	return b, nil
}

// noRoom says what an allocation that failed would have needed.
func (d *Device) noRoom(bytes int64, err error) error {
	free, total, infoErr := d.driver.MemInfo()
	if infoErr != nil || bytes <= free {
		return fmt.Errorf("%s: cannot allocate %.1f MiB: %w", d.name, mib(bytes), err)
	}
	return fmt.Errorf("%s: cannot allocate %.1f MiB: %.1f of %.1f MiB are free; a smaller batch needs less: %w",
		d.name, mib(bytes), mib(free), mib(total), err)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// HostAlloc returns memory that the driver transfers fastest.
func (d *Device) HostAlloc(bytes int64) (device.HostBuffer, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if bytes < 0 {
		return nil, fmt.Errorf("%s: cannot allocate %d bytes of host memory", d.name, bytes)
	}
	if bytes == 0 {
		return &hostBuffer{}, nil
	}
	mem, err := d.driver.HostAlloc(bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot allocate %.1f MiB of host memory: %w", d.name, mib(bytes), err)
	}
	return &hostBuffer{device: d, mem: mem}, nil
}

// MemInfo is the driver's.
func (d *Device) MemInfo() (free, total int64, err error) {
	if err := d.check(); err != nil {
		return 0, 0, err
	}
	if free, total, err = d.driver.MemInfo(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", d.name, err)
	}
	return free, total, nil
}

// buffer is a span of device memory. An empty one has no address.
type buffer struct {
	device *Device
	at     driver.Ptr
	size   int64
	whole  bool // not a slice of another, and not freed
}

func (b *buffer) Size() int64 { return b.size }

func (b *buffer) Slice(offset, size int64) device.Buffer {
	if offset < 0 || size < 0 || offset > b.size-size {
		panic(fmt.Sprintf("cuda: slice of %d bytes at %d of a buffer of %d", size, offset, b.size))
	}
	return &buffer{device: b.device, at: b.at.Offset(offset), size: size}
}

func (b *buffer) Free() error {
	if !b.whole {
		return nil
	}
	b.whole = false
	if b.device.check() != nil { // it went with the device
		return nil
	}
	if err := b.device.driver.Free(b.at); err != nil {
		return fmt.Errorf("%s: %w", b.device.name, err)
	}
	return nil
}

// hostBuffer is host memory that the driver allocated.
type hostBuffer struct {
	device *Device
	mem    []byte
}

func (h *hostBuffer) Bytes() []byte { return h.mem }

func (h *hostBuffer) Free() error {
	if h.mem == nil {
		return nil
	}
	mem := h.mem
	h.mem = nil
	if h.device.check() != nil { // it went with the device
		return nil
	}
	return h.device.driver.HostFree(mem)
}

// at is the address of a tensor, 0 of an absent one.
func (q *queue) at(t device.Tensor) driver.Ptr {
	if t.IsNil() {
		return 0
	}
	b := q.own(t.Buffer)
	if t.Bytes() > b.size {
		panic(fmt.Sprintf("cuda: a tensor of shape %v needs %d bytes, its buffer has %d", t.Shape, t.Bytes(), b.size))
	}
	return b.at
}

// own is a buffer of the queue's device.
func (q *queue) own(b device.Buffer) *buffer {
	c, ok := b.(*buffer)
	if !ok || c.device != q.device {
		panic(fmt.Sprintf("cuda: a buffer of type %T, which belongs to another device than %s", b, q.device.name))
	}
	return c
}

// scratch is the address of a buffer, 0 of none.
func (q *queue) scratch(b device.Buffer) driver.Ptr {
	if b == nil {
		return 0
	}
	return q.own(b).at
}
