package cuda

import (
	"cmp"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Device is a CUDA device: a GPU, or a simulated one. What it computes depends
// on the work and on the number of multiprocessors alone, so that two runs give
// the same bits: there is no atomic operation on floats.
type Device struct {
	name     string
	driver   driver.Driver
	traits   traits
	kernels  kernels
	programs programs
	buffers  atomic.Int64 // allocated so far, for their names
	open     device.Lifetime
}

// kernels is every kernel. Its file is loaded when it is first launched.
type kernels struct {
	gemm     gemmKernels
	partials partialKernels
	conv     convKernels
	filter   filterKernels
	dense    denseKernels
	pool     poolKernels
	lrn      lrnKernels
	softmax  softmaxKernels
	copies   copyKernels
}

// declare makes every kernel known.
func (k *kernels) declare(d driver.Driver, a arithmetic) {
	k.products(d, a)
	for _, declare := range []func(driver.Driver){
		k.pool.declare, k.lrn.declare, k.softmax.declare, k.copies.declare,
	} {
		declare(d)
	}
}

// products makes the kernels of matrix products known.
func (k *kernels) products(d driver.Driver, a arithmetic) {
	for _, declare := range []func(driver.Driver, arithmetic){k.gemm.declare, k.conv.declare, k.filter.declare} {
		declare(d, a)
	}
	k.partials.declare(d)
	k.dense.declare(d)
}

// New makes a device of an opened driver, under the name that device.Open was
// given with the options. Close closes the driver too.
func New(name string, d driver.Driver, o device.Options) (*Device, error) {
	t, err := traitsOf(d.Properties(), o)
	if err == nil {
		err = checkCapability(d.Properties())
	}
	if err != nil {
		return nil, cmp.Or(fmt.Errorf("%s: %w", name, err), d.Close())
	}
	if o.DebugSync {
		d = &debugDriver{Driver: d}
	}
	dev := &Device{name: name, driver: d, traits: t}
	dev.kernels.declare(d, dev.traits.arithmetic)
	return dev, nil
}

// Name is what New was given.
func (d *Device) Name() string { return d.name }

// Arithmetic is the kind of device, its compute capability, which decides the
// kernels, and its number of multiprocessors, by which sums are cut.
func (d *Device) Arithmetic() string {
	kind, _, _ := strings.Cut(d.name, ":")
	p := d.driver.Properties()
	return fmt.Sprintf("%s of compute capability %d.%d with %d multiprocessors", kind, p.Major, p.Minor, p.SMs)
}

// Traits are those of the driver's device.
func (d *Device) Traits() device.Traits { return d.traits }

// NewQueue returns a queue on a stream of its own, which runs what is enqueued
// some time later.
func (d *Device) NewQueue() (device.Queue, error) {
	q, err := d.newQueue()
	if err != nil {
		return nil, err
	}
	return q, nil
}

// NewEvent returns an event of the driver.
func (d *Device) NewEvent() (device.Event, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	e, err := d.driver.NewEvent()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	return &event{device: d, at: e}, nil
}

// Close closes the driver, which frees what is on the device.
func (d *Device) Close() error {
	if !d.open.End() {
		return nil
	}
	return d.driver.Close()
}

// check is an error once the device is closed.
func (d *Device) check() error {
	if err := d.open.Check(); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return nil
}
