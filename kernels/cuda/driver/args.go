package driver

import "math"

// MaxArgs is the largest number of parameters of a kernel.
const MaxArgs = 64

// Args is the arguments of a launch, in the order of the kernel's parameters.
// Every argument has a slot of 8 bytes of its own, because gorgonia.org/cu
// reads 8 bytes for each, whatever its type; parameters larger than that do
// not exist. An Args is meant to be kept and used again: it allocates nothing.
//
//	args.Reset().Ptr(c).Ptr(a).Ptr(b).Int(m).Float32(alpha)
type Args struct {
	slots [MaxArgs]uint64
	n     int
}

// Reset empties the list.
func (a *Args) Reset() *Args {
	a.n = 0
	return a
}

// Ptr adds an address.
func (a *Args) Ptr(p Ptr) *Args { return a.Uint64(uint64(p)) }

// Int adds an int32. A value that int32 cannot hold is a programmer's bug and
// panics.
func (a *Args) Int(v int) *Args {
	if int(int32(v)) != v {
		panic("driver: a kernel's int argument does not fit 32 bits")
	}
	return a.Uint64(uint64(uint32(v)))
}

// Uint32 adds a uint32.
func (a *Args) Uint32(v uint32) *Args { return a.Uint64(uint64(v)) }

// Int64 adds an int64.
func (a *Args) Int64(v int64) *Args { return a.Uint64(uint64(v)) }

// Float32 adds a float32.
func (a *Args) Float32(v float32) *Args { return a.Uint64(uint64(math.Float32bits(v))) }

// Uint64 adds a uint64. More than MaxArgs arguments are a programmer's bug and
// panic.
func (a *Args) Uint64(v uint64) *Args {
	a.slots[a.n] = v
	a.n++
	return a
}

// Slots returns the arguments, little-endian in 8 bytes each, valid until the
// next change.
func (a *Args) Slots() []uint64 { return a.slots[:a.n] }
