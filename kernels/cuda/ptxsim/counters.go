package ptxsim

import (
	"fmt"
	"strings"
)

// Class groups instructions for counting.
type Class uint8

// The classes.
const (
	ClassFMA         Class = iota // fma and mad of float32
	ClassTensor                   // mma: products of matrices
	ClassFloat                    // other arithmetic on floats
	ClassSpecial                  // approximations: ex2, rcp, sqrt, sin, …
	ClassInt                      // integer and logic
	ClassMove                     // mov, selp, cvt
	ClassCompare                  // setp
	ClassControl                  // branches and exits
	ClassLoadGlobal               // also const
	ClassStoreGlobal              //
	ClassLoadShared               //
	ClassStoreShared              //
	ClassLocal                    // loads and stores of local memory
	ClassParam                    // loads of parameters
	ClassAsync                    // cp.async and its groups
	ClassAtomic                   //
	ClassBarrier                  // of a block or a warp
	ClassWarp                     // shuffles and votes
	ClassOther                    // fences, prefetches

	// Classes is their number.
	Classes
)

var classNames = [Classes]string{"fma", "tensor", "float", "special", "int", "move", "compare", "control",
	"ld.global", "st.global", "ld.shared", "st.shared", "local", "param", "async", "atomic",
	"barrier", "warp", "other"}

// String returns the class's name.
func (c Class) String() string { return classNames[c] }

// Counters is what a launch did. Instructions are counted as a warp issues
// them, in PTX, so that their number is near that of machine instructions but
// not the same.
type Counters struct {
	Launches int64
	Blocks   int64
	Warps    int64

	// Issued counts instructions of warps by class, with Active lanes of
	// them in all: Active / (32 Issued) is how much of the machine divergence
	// leaves in use.
	Issued [Classes]int64
	Active int64

	// TensorFMAs is the multiply-adds of single elements that mma made.
	TensorFMAs int64

	// Global memory: requests of warps, and the 32-byte sectors they touch.
	// A perfectly coalesced request of 4-byte elements has 4.
	LoadRequests, LoadSectors   int64
	StoreRequests, StoreSectors int64

	// Shared memory: requests of warps, the wavefronts they take and the
	// wavefronts they would take without bank conflicts.
	SharedRequests, SharedWavefronts, SharedIdeal int64

	Divergent int64 // branches at which lanes parted
	Barriers  int64 // barriers of blocks, counted once a block
}

// Instructions is the number of instructions issued.
func (c *Counters) Instructions() int64 {
	var n int64
	for _, v := range c.Issued {
		n += v
	}
	return n
}

// Add adds other's counts.
func (c *Counters) Add(other *Counters) {
	c.Launches += other.Launches
	c.Blocks += other.Blocks
	c.Warps += other.Warps
	for i, v := range other.Issued {
		c.Issued[i] += v
	}
	c.Active += other.Active
	c.TensorFMAs += other.TensorFMAs
	c.LoadRequests += other.LoadRequests
	c.LoadSectors += other.LoadSectors
	c.StoreRequests += other.StoreRequests
	c.StoreSectors += other.StoreSectors
	c.SharedRequests += other.SharedRequests
	c.SharedWavefronts += other.SharedWavefronts
	c.SharedIdeal += other.SharedIdeal
	c.Divergent += other.Divergent
	c.Barriers += other.Barriers
}

// String prints the counts, one group a line.
func (c *Counters) String() string {
	var b strings.Builder
	total := c.Instructions()
	fmt.Fprintf(&b, "launches %d, blocks %d, warps %d, barriers %d\n", c.Launches, c.Blocks, c.Warps, c.Barriers)
	fmt.Fprintf(&b, "instructions %d, lanes active %.1f %%, divergent branches %d\n",
		total, percent(c.Active, 32*total), c.Divergent)
	for i, n := range c.Issued {
		if n > 0 {
			fmt.Fprintf(&b, "  %-10s %12d  %5.1f %%\n", Class(i), n, percent(n, total))
		}
	}
	if c.TensorFMAs > 0 {
		fmt.Fprintf(&b, "multiply-adds of tensor cores %d\n", c.TensorFMAs)
	}
	fmt.Fprintf(&b, "global loads %d, %.2f sectors each; stores %d, %.2f sectors each\n",
		c.LoadRequests, ratio(c.LoadSectors, c.LoadRequests), c.StoreRequests, ratio(c.StoreSectors, c.StoreRequests))
	fmt.Fprintf(&b, "shared requests %d, wavefronts %d, %.2f of the ideal\n",
		c.SharedRequests, c.SharedWavefronts, ratio(c.SharedWavefronts, c.SharedIdeal))
	return b.String()
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func percent(a, b int64) float64 { return 100 * ratio(a, b) }
