// Package costmodel estimates how long a kernel would take on a GPU that is not
// there, from what the simulator counted, what the assembler made of it, and
// what the card's maker publishes. Each resource of the card would alone take
// a certain time; the longest is the prediction (a roofline with more than two
// roofs, Williams et al. 2009). It knows nothing of latencies that too few
// warps fail to hide, nor of the microseconds of a launch: it is a lower
// bound, and where a kernel has one obvious limit, a near one.
package costmodel

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/kernels/cuda/occupancy"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// Term is a resource that a kernel may be limited by.
type Term uint8

// The resources.
const (
	FMA    Term = iota // arithmetic on float32
	Tensor             // cores
	Issue              // of instructions
	Shared             // memory's wavefronts, and the sectors that pass the first-level cache
	L2                 // the second-level cache
	DRAM               // the card's memory
	terms
)

// String returns the resource's name.
func (t Term) String() string {
	return [...]string{"FMA", "tensor", "issue", "shared", "L2", "DRAM"}[t]
}

// Time is a prediction.
type Time struct {
	Seconds float64
	Limit   Term // the resource that takes as long

	// Terms is how long each resource takes.
	Terms [terms]float64
}

// Launch is what is known of a launch.
type Launch struct {
	ptxsim.Report

	// Bytes of memory that the kernel must at least read and write.
	Bytes int64
}

// Of predicts a launch on the card. A kernel that was not assembled for the
// card's capability is an error.
func (c Card) Of(l Launch) (Time, error) {
	k, ok := lookUp(l.Kernel, c.Capability)
	if !ok {
		return Time{}, fmt.Errorf("kernel %s was not assembled for sm_%d: run make sass", l.Kernel, c.Capability)
	}
	if l.Blocks == 0 {
		return Time{}, fmt.Errorf("kernel %s: no block ran", l.Kernel)
	}
	blocks := l.Config.Grid.Size()
	whole := float64(blocks) / float64(l.Blocks) // where only some blocks ran
	threads := l.Config.Block.Size()
	resident := c.sm().Resident(occupancy.Kernel{Threads: threads, Registers: k.Registers, Shared: k.Shared + l.Config.Shared})
	if resident == 0 {
		return Time{}, fmt.Errorf("kernel %s: a block of %d threads with %d registers and %d bytes does not fit sm_%d",
			l.Kernel, threads, k.Registers, k.Shared+l.Config.Shared, c.Capability)
	}

	if l.TensorFMAs > 0 && c.TF32 == 0 {
		return Time{}, fmt.Errorf("kernel %s: a %s has no tensor cores for TF32", l.Kernel, c.Model)
	}

	// The multiprocessor with the most blocks is done last.
	busiest := math.Ceil(float64(blocks)/float64(c.SMs)) / float64(l.Blocks)
	fma := float64(l.Issued[ptxsim.ClassFMA])
	float := fma + float64(l.Issued[ptxsim.ClassFloat])
	issued := float64(l.Instructions())
	if tensor := float64(l.Issued[ptxsim.ClassTensor]); k.FMAFraction > 0 { // what the main loop really has
		issued = max((fma+tensor)/k.FMAFraction, float)
	}
	sectors := float64(l.LoadSectors + l.StoreSectors)
	cycles := func(n, perCycle float64) float64 { return busiest * n / perCycle / c.Clock }
	t := Time{}
	t.Terms[FMA] = cycles(float, float64(c.Lanes)/warp)
	if l.TensorFMAs > 0 {
		t.Terms[Tensor] = busiest * float64(l.TensorFMAs) * 2 * float64(c.SMs) / c.TF32
	}
	t.Terms[Issue] = cycles(issued, schedulers)
	t.Terms[Shared] = cycles(float64(l.SharedWavefronts)+sectors*sector/wavefront, 1)
	t.Terms[L2] = whole * sectors * sector / c.L2
	t.Terms[DRAM] = float64(l.Bytes) / c.Bandwidth
	for i, s := range t.Terms {
		if s > t.Seconds {
			t.Seconds, t.Limit = s, Term(i)
		}
	}
	return t, nil
}

// Efficiency is the least time that the card's peak and bandwidth allow for so
// many operations and bytes, as a fraction of a time.
func (c Card) Efficiency(flops, bytes int64, seconds float64) float64 {
	return max(float64(flops)/c.Peak(), float64(bytes)/c.Bandwidth) / seconds
}

// What all multiprocessors since Volta have in common (CUDA C++ Programming
// Guide, "Compute Capabilities").
const (
	warp       = 32
	schedulers = 4   // each issues an instruction a cycle
	wavefront  = 128 // bytes a cycle of the first-level cache and shared memory
	sector     = 32  // bytes
)
