// Package driver is what the launchers of the CUDA kernels need of a CUDA
// driver: modules of PTX, memory, streams, events and launches. cudriver is
// the real one and ptxsim a simulator; both run the same PTX.
//
// Every call may return before the device has done the work, and an error of
// that work may come from any later call on the stream, at the latest from
// Sync. A simulator may return it at once.
package driver

import (
	"fmt"
	"time"
)

// Driver is one device, opened. Its methods may be called from several
// goroutines.
type Driver interface {
	Properties() Properties

	// MemInfo returns the free and the total memory in bytes.
	MemInfo() (free, total int64, err error)

	// Alloc returns bytes of device memory, aligned to 256 bytes, its
	// contents undefined. The name is for messages.
	Alloc(name string, bytes int64) (Ptr, error)

	// Free gives back what Alloc returned.
	Free(p Ptr) error

	// HostAlloc returns bytes of host memory, page-locked where that means
	// something. HostFree gives back what it returned.
	HostAlloc(bytes int64) ([]byte, error)
	HostFree(mem []byte) error

	// Load compiles a module from PTX text. The name is for messages.
	Load(name, ptx string) (Module, error)

	NewStream() (Stream, error)
	NewEvent() (Event, error)

	// Close frees what the device holds. After it other calls, those of streams
	// and events too, are an error; what frees or closes something does nothing.
	Close() error
}

// Late is an error that may be of work enqueued before the call that returns it,
// on any stream of the device.
type Late interface {
	error
	Late() bool // whether it may be
}

// Properties is what launchers choose variants by.
type Properties struct {
	Name string

	// Major and Minor are the compute capability: 7, 0 for sm_70.
	Major, Minor int

	SMs            int   // streaming multiprocessors
	TotalMem       int64 // bytes
	SharedPerBlock int   // bytes of shared memory that any block may use
	SharedOptin    int   // bytes that a block may use after SetMaxDynamicShared
	MaxThreads     int   // threads a block
}

// Capability is the compute capability in one number: 70 for sm_70.
func (p Properties) Capability() int { return 10*p.Major + p.Minor }

// Ptr is an address in device memory; 0 is nil.
type Ptr uint64

// Offset is the address bytes after p.
func (p Ptr) Offset(bytes int64) Ptr { return p + Ptr(bytes) }

// Module is compiled PTX on a device.
type Module interface {
	// Function finds a kernel (a .visible .entry) by its name.
	Function(name string) (Function, error)
	Unload() error
}

// Function is a kernel.
type Function interface {
	Name() string
	Attributes() (Attributes, error)

	// SetMaxDynamicShared allows launches with up to bytes of dynamic shared
	// memory, which more than Properties.SharedPerBlock needs.
	SetMaxDynamicShared(bytes int) error
}

// Attributes is what the driver knows of a kernel.
type Attributes struct {
	MaxThreads       int // threads a block that the kernel can be launched with
	Shared           int // bytes of static shared memory
	MaxDynamicShared int // bytes of dynamic shared memory a launch may ask for
	Local            int // bytes of local memory a thread
	Registers        int // 32-bit registers a thread; 0 where unknown
}

// Stream runs work in order. It belongs to one goroutine at a time. Calls on a
// warm stream allocate nothing.
type Stream interface {
	// Upload copies host memory to the device, Download the other way. The
	// host memory may be used again once an event recorded after the call has
	// passed; the stream keeps what is the garbage collector's until then.
	Upload(dst Ptr, src []byte) error
	Download(dst []byte, src Ptr) error

	// Copy copies bytes on the device. The spans may not overlap.
	Copy(dst, src Ptr, bytes int64) error

	// Memset sets bytes, and Memset32 words of 32 bits.
	Memset(dst Ptr, value byte, bytes int64) error
	Memset32(dst Ptr, value uint32, words int64) error

	// Launch runs a kernel. The arguments may be used again when it returns.
	Launch(f Function, c Config, args *Args) error

	// Record marks this point of the stream in e. Wait holds the stream until
	// e has passed.
	Record(e Event) error
	Wait(e Event) error

	// Sync blocks until everything enqueued is done.
	Sync() error

	Close() error
}

// Event is a point in a stream's work, set by Stream.Record. An event that was
// never recorded has passed.
type Event interface {
	Sync() error

	// Passed reports whether Sync would not wait.
	Passed() (bool, error)

	// Since is the time that passed on the device between start and this
	// event. Both must have been recorded.
	Since(start Event) (time.Duration, error)

	Close() error
}

// Config is the shape of a launch.
type Config struct {
	Grid, Block Dim
	Shared      int // bytes of dynamic shared memory
}

// Dim is the extent of a grid or block. A zero Y or Z counts as 1.
type Dim struct{ X, Y, Z int }

// Full returns d with ones for zeroes in Y and Z.
func (d Dim) Full() Dim {
	if d.Y == 0 {
		d.Y = 1
	}
	if d.Z == 0 {
		d.Z = 1
	}
	return d
}

// Size is the product of the extents.
func (d Dim) Size() int {
	d = d.Full()
	return d.X * d.Y * d.Z
}

// String returns "(x,y,z)".
func (d Dim) String() string {
	d = d.Full()
	return fmt.Sprintf("(%d,%d,%d)", d.X, d.Y, d.Z)
}
