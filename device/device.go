// Package device fixes what a machine that runs networks must offer: memory,
// queues, and a closed set of kernels. Everything above it (layers, graph,
// solver) is written against these interfaces and runs on any device.
//
// Conventions, everywhere: destinations come first, gradients carry a d
// (dy is the gradient of the loss with respect to y), images are [N,C,H,W],
// row-major, float32. Shapes are checked once, when a layer is planned;
// kernels assume them.
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

	// Traits says what a memory plan must know of the device.
	Traits() Traits

	// Arithmetic names all that decides, besides Options, the bits of what the
	// device computes: its kind first, then what differs from one machine to
	// another. Two devices of the same arithmetic give the same bits.
	Arithmetic() string

	// Alloc returns bytes of device memory, aligned to Traits().Alignment.
	// Its contents are undefined.
	Alloc(bytes int64) (Buffer, error)

	// HostAlloc returns host memory that uploads and downloads fastest:
	// page-locked where that means something. It may back a tensor.Dense.
	HostAlloc(bytes int64) (HostBuffer, error)

	// MemInfo returns the device's free and total memory in bytes.
	MemInfo() (free, total int64, err error)

	NewQueue() (Queue, error)
	NewEvent() (Event, error)

	// Close frees what the device holds. Closing twice does nothing. What is
	// asked of a closed device, its queues or events is an error that wraps
	// ErrClosed, from a queue at the latest at Sync; closing and freeing what was
	// of it does nothing.
	Close() error
}

// Buffer is a span of device memory. Only the device that made it can look
// inside.
type Buffer interface {
	// Size is the length in bytes.
	Size() int64

	// Slice returns the bytes [offset, offset+size) as a buffer that shares
	// the memory. Out of range is a programmer's bug and panics.
	Slice(offset, size int64) Buffer

	// Free gives the memory back. Freeing a slice does nothing.
	Free() error
}

// HostBuffer is host memory that a device allocated.
type HostBuffer interface {
	// Bytes is the memory, aligned for every element type.
	Bytes() []byte

	// Free gives the memory back; slices of Bytes may not be used after it.
	Free() error
}

// Queue runs kernels in order, perhaps asynchronously: a call may return
// before its kernel has run. The first error sticks, makes later calls do
// nothing, and is returned by Sync, wrapped with the scope and the kernel
// it happened in.
//
// A queue belongs to one goroutine at a time. Calls on a warm queue allocate
// nothing.
type Queue interface {
	Kernels
	Control
}

// Control is what a queue does besides its kernels. What wraps a queue to see every
// kernel embeds Control alone: then an operation that it leaves out does not compile,
// where an embedded Queue would let it pass by.
type Control interface {
	// Scope names the layer that the following calls belong to, for errors
	// and profiles.
	Scope(name string)

	// Fail makes err the queue's error, as if a kernel of that name had
	// failed, unless there is one already: for layers that bring a kernel of
	// their own.
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

	// Record marks this point of the queue in e. Wait holds the queue until
	// e, recorded on any queue of the same device, has passed. Where the queue
	// that e was recorded on had failed before, its error is this one's too.
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

	// Passed reports whether Sync would not wait.
	Passed() (bool, error)

	// Since is the time that passed on the device between start and this
	// event. Both must have been recorded.
	Since(start Event) (time.Duration, error)

	Free() error
}

// Kernels is the closed set of operations. A device that lacks one does not
// compile.
type Kernels interface {
	GEMMKernels
	DenseKernels
	ConvKernels
	PoolKernels
	LRNKernels
	SoftmaxKernels
	LossKernels
	AccuracyKernels
	FillKernels
	StridedKernels
	UpdateKernels
	MapKernels
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

// Mode says what a kernel does with what its destination holds. The plan
// makes the first writer of a gradient overwrite and later ones accumulate,
// so nothing is ever cleared.
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
