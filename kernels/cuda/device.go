package cuda

import (
	"cmp"
	"fmt"
	"sync/atomic"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Device is a CUDA device: a GPU, or a simulated one. What it computes depends
// on the work and on the number of multiprocessors alone, so that two runs give
// the same bits: there is no atomic operation on floats.
type Device struct {
	name    string
	driver  driver.Driver
	kernels kernels
	buffers atomic.Int64 // allocated so far, for their names
}

// kernels is every kernel, loaded.
type kernels struct {
	gemm       gemmKernels
	partials   partialKernels
	conv       convKernels
	filter     filterKernels
	dense      denseKernels
	pool       poolKernels
	lrn        lrnKernels
	unary      unaryKernels
	dropout    dropoutKernels
	softmax    softmaxKernels
	loss       lossKernels
	accuracy   accuracyKernels
	arithmetic arithmeticKernels
	concat     concatKernels
	update     updateKernels
}

func (k *kernels) load(d driver.Driver) error {
	for _, load := range append(k.products(),
		k.pool.load, k.lrn.load, k.unary.load, k.dropout.load, k.softmax.load,
		k.loss.load, k.accuracy.load, k.arithmetic.load, k.concat.load, k.update.load,
	) {
		if err := load(d); err != nil {
			return err
		}
	}
	return nil
}

// products is the loaders of matrix products.
func (k *kernels) products() []func(driver.Driver) error {
	return []func(driver.Driver) error{k.gemm.load, k.partials.load, k.conv.load, k.filter.load, k.dense.load}
}

// New makes a device of an opened driver, under the name that device.Open was
// given. Close closes the driver too.
func New(name string, d driver.Driver) (*Device, error) {
	dev := &Device{name: name, driver: d}
	if err := dev.kernels.load(d); err != nil {
		return nil, cmp.Or(fmt.Errorf("%s: %w", name, err), d.Close())
	}
	return dev, nil
}

// Name is what New was given.
func (d *Device) Name() string { return d.name }

// Traits are those of the driver's device.
func (d *Device) Traits() device.Traits { return TraitsOf(d.driver.Properties()) }

// NewQueue returns a queue on a stream of its own, which runs what is enqueued
// when the device comes to it.
func (d *Device) NewQueue() (device.Queue, error) {
	q, err := d.newQueue()
	if err != nil {
		return nil, err
	}
	return q, nil
}

// NewEvent returns an event of the driver.
func (d *Device) NewEvent() (device.Event, error) {
	e, err := d.driver.NewEvent()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	return &event{at: e}, nil
}

// Close closes the driver, which frees what is on the device.
func (d *Device) Close() error { return d.driver.Close() }
