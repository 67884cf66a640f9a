// Package reference is a device whose kernels are plain float64 loops: the
// oracle that every other device is held against, and the shortest
// description of what each kernel computes.
//
// It stores every element in twice its width, float32 as float64, so that
// gradients can be checked by finite differences to many digits. Uploads take
// Float32 or Float64 data and downloads give either.
package reference

import (
	"fmt"
	"sync/atomic"

	"github.com/hubel-go/hubel/device"
)

// Device is the reference device. It runs everything at once, on the
// goroutine that calls.
type Device struct {
	used atomic.Int64 // bytes
	open device.Lifetime
}

// memory is what the device claims to have, in bytes of float32 tensors; the
// process uses twice that.
const memory = 8 << 30

func init() {
	device.Register("reference", device.Driver{
		Open: func(name string, _ device.Options) (device.Device, error) {
			if name != "reference" {
				return nil, fmt.Errorf("device %q: there is one reference device, named reference", name)
			}
			return New(), nil
		},
		Traits: func(string, device.Options) (device.Traits, error) { return traits{}, nil },
		List: func(device.Options) []device.Info {
			return []device.Info{{Name: "reference", Facts: []device.Fact{
				{Name: "kernels", Value: "plain float64 loops, which tests hold the others against"},
				device.Memory(0, memory),
			}}}
		},
	})
}

// New opens the device.
func New() *Device { return &Device{} }

// Name is "reference".
func (d *Device) Name() string { return "reference" }

// Arithmetic is "reference": the loops are the same everywhere.
func (d *Device) Arithmetic() string { return "reference" }

// Traits has no scratch, no packed weights and every epilogue.
func (d *Device) Traits() device.Traits { return traits{} }

// Alloc returns memory filled with NaN, so that what reads it before writing
// it is found.
func (d *Device) Alloc(bytes int64) (device.Buffer, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if bytes < 0 {
		return nil, fmt.Errorf("reference: cannot allocate %d bytes", bytes)
	}
	if used := d.used.Add(bytes); used > memory || used < 0 {
		d.used.Add(-bytes)
		return nil, fmt.Errorf("reference: cannot allocate %d bytes, %d of %d are free", bytes, memory-d.used.Load(), int64(memory))
	}
	return newBuffer(d, bytes), nil
}

// HostAlloc returns memory of the Go heap.
func (d *Device) HostAlloc(bytes int64) (device.HostBuffer, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if bytes < 0 || bytes > memory {
		return nil, fmt.Errorf("reference: cannot allocate %d bytes of host memory", bytes)
	}
	return &host{mem: make([]byte, bytes)}, nil
}

// MemInfo counts bytes as Alloc does.
func (d *Device) MemInfo() (free, total int64, err error) {
	return memory - d.used.Load(), memory, d.check()
}

// NewQueue returns a queue whose calls return when they are done.
func (d *Device) NewQueue() (device.Queue, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return &queue{device.NewImmediate(&d.open)}, nil
}

// NewEvent returns an event that remembers a time.
func (d *Device) NewEvent() (device.Event, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return device.NewImmediateEvent(&d.open), nil
}

// Close lets nothing be asked any more; the garbage collector frees the memory.
func (d *Device) Close() error {
	d.open.End()
	return nil
}

// check is an error once the device is closed.
func (d *Device) check() error {
	if err := d.open.Check(); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	return nil
}

type traits struct{}

// String is "reference".
func (traits) String() string { return "reference" }

// Alignment is more than the loops need, so that plans made for this device
// are aligned as plans for others are.
func (traits) Alignment() int64 { return 256 }

func (traits) Staged() bool                                { return false }
func (traits) Epilogue(device.Unary) bool                  { return true }
func (traits) Needs(device.Operation) device.Needs         { return device.Needs{} }
func (traits) Precision(device.Operation) device.Precision { return device.Precision{} }
