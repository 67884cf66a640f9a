// Package device defines the interfaces of a machine that runs networks:
// memory, queues, and a fixed set of kernels. All packages above it (layers,
// graph, solver) use only these interfaces and run on any device.
//
// These conventions hold everywhere. Destinations come first. The name of a
// gradient begins with d: dy is the gradient of the loss with respect to y.
// Images are [N,C,H,W], row-major, float32. Shapes are checked once, when a
// layer is planned; kernels do not check them.
package device

import (
	"fmt"
	"time"

	"gorgonia.org/tensor"
)

// Device owns memory and hands out queues. Its methods may be called from
// several goroutines.
type Device interface {
	// Name is what Open was given: "cpu", "cuda:0", "ptxsim".
	Name() string

	// Traits returns what a memory plan must know of the device.
	Traits() Traits

	// Arithmetic names everything besides Options that decides the bits of the
	// results: first the kind of the device, then what differs between machines.
	// Two devices with the same arithmetic give the same bits.
	Arithmetic() string

	// Alloc returns bytes of device memory, aligned to Traits().Alignment.
	// Its contents are undefined.
	Alloc(bytes int64) (Buffer, error)

	// HostAlloc returns the host memory that is fastest for uploads and downloads,
	// page-locked if the device supports it. It may be the memory of a
	// tensor.Dense.
	HostAlloc(bytes int64) (HostBuffer, error)

	// MemInfo returns the device's free and total memory in bytes.
	MemInfo() (free, total int64, err error)

	NewQueue() (Queue, error)
	NewEvent() (Event, error)

	// Close frees the device. Closing twice does nothing. Later calls of the
	// device, its queues or its events return an error that wraps ErrClosed; a
	// queue returns it at the latest from Sync. Closing and freeing its queues,
	// events and buffers does nothing then.
	Close() error
}

// Buffer is a span of device memory. Only the device that made it can access
// its bytes.
type Buffer interface {
	// Size is the length in bytes.
	Size() int64

	// Slice returns the bytes [offset, offset+size) as a buffer that shares the
	// memory. It panics if they are out of range.
	Slice(offset, size int64) Buffer

	// Free gives the memory back. Freeing a slice does nothing.
	Free() error
}

// HostBuffer is host memory that a device allocated. A Buffer that is a HostBuffer too is memory
// of the host, laid out as there, and each call of a queue on it has run when it returns.
type HostBuffer interface {
	// Bytes is the memory, aligned for every element type.
	Bytes() []byte

	// Free gives the memory back; slices of Bytes may not be used after it.
	Free() error
}

// Queue runs kernels in order, perhaps asynchronously: a call may return before
// its kernel has run. After the first error, later calls do nothing. Sync
// returns this error, wrapped with its scope and its kernel.
//
// A queue belongs to one goroutine at a time. Calls on a warm queue allocate
// nothing.
type Queue interface {
	Kernels
	Control
}

// Control has the methods of a queue besides its kernels. A wrapper that sees
// every kernel should embed only Control: then a missing operation does not
// compile. An embedded Queue would hide the missing operation.
type Control interface {
	// Scope sets the name of the layer that the following calls belong to, for
	// errors and profiles.
	Scope(name string)

	// Fail makes err the queue's error, as if a kernel of that name had failed,
	// unless there is one already. Layers with their own kernels use it.
	Fail(kernel string, err error)

	// Upload copies src to dst, and Download copies src to dst, both of the
	// same element type and number of elements. The host side must be
	// contiguous and row-major; anything else is an error. The host memory
	// may be used again once an event recorded after the call has passed.
	Upload(dst Tensor, src *tensor.Dense)
	Download(dst *tensor.Dense, src Tensor)

	// Copy copies src to dst, on the device, between buffers that are the
	// same or do not overlap. On the same buffer it does nothing.
	Copy(dst, src Tensor)

	// Record marks this point of the queue in e. Wait makes the queue wait until e,
	// recorded on any queue of the same device, has passed. If the queue that e was
	// recorded on had failed before, this queue gets its error too.
	Record(e Event)
	Wait(e Event)

	// Sync waits for everything enqueued, and returns and clears the error.
	Sync() error

	Close() error
}

// Event is a point in a queue's work, made by NewEvent and set by Record.
type Event interface {
	// Sync blocks until the recorded point has passed. An event that was
	// never recorded has passed.
	Sync() error

	// Passed reports whether the recorded point has passed, so that Sync would not
	// wait.
	Passed() (bool, error)

	// Since is the time on the device between start and this event. Both must have
	// been recorded.
	Since(start Event) (time.Duration, error)

	Free() error
}

// Kernels is the fixed set of operations. A device that lacks one does not
// compile.
type Kernels interface {
	GEMMKernels
	DenseKernels
	ConvKernels
	PoolKernels
	LRNKernels
	SoftmaxKernels
	FillKernels
	StridedKernels
	UpdateKernels
	MapKernels
	ReduceKernels
}

// Pass is one of the three products of a layer with weights.
type Pass uint8

// The passes.
const (
	Forward Pass = iota
	BackwardData
	BackwardFilter

	// Passes is their number.
	Passes = 3
)

// String returns the pass's name.
func (p Pass) String() string {
	switch p {
	case Forward:
		return "forward"
	case BackwardData:
		return "backward-data"
	case BackwardFilter:
		return "backward-filter"
	}
	return fmt.Sprintf("Pass(%d)", uint8(p))
}

// Mode says whether a kernel overwrites its destination or adds to it. In a
// plan the first writer of a gradient overwrites and later ones accumulate, so
// no gradient is cleared.
type Mode uint8

// The modes.
const (
	// Overwrite never reads the destination.
	Overwrite Mode = iota
	// Accumulate adds to it.
	Accumulate
)

// Beta is GEMM.Beta for a destination of the mode: 0 or 1.
func (m Mode) Beta() float32 {
	if m == Accumulate {
		return 1
	}
	return 0
}

// String returns "overwrite" or "accumulate".
func (m Mode) String() string {
	if m == Accumulate {
		return "accumulate"
	}
	return "overwrite"
}
