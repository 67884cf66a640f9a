package ptxsim

import "fmt"

// FaultKind says what a kernel did wrong.
type FaultKind uint8

// The faults.
const (
	FaultAddress      FaultKind = iota // access outside a live allocation
	FaultAlignment                     // misaligned access
	FaultBarrier                       // barrier reached by part of a block, or of a warp
	FaultSharedRace                    // shared memory, two threads, no barrier between
	FaultGlobalRace                    // global memory, two blocks of one launch
	FaultNonCoherent                   // memory read through .nc or ldu that the launch writes
	FaultUninitShared                  // shared memory read before written
	FaultUninitGlobal                  // global memory read before written
	FaultUninitReg                     // register read before written
	FaultAsync                         // data of cp.async used before its wait
	FaultShuffle                       // shuffle or vote with lanes that are not there
	FaultMMA                           // mma with part of a warp
	FaultReadOnly                      // write to const memory
	FaultTrap                          // trap
	FaultEndless                       // more instructions than allowed
)

var faultNames = [...]string{"address", "alignment", "barrier", "shared race", "global race", "non-coherent load",
	"uninitialised shared memory", "uninitialised global memory", "uninitialised register",
	"asynchronous copy", "shuffle", "mma", "read-only memory", "trap", "endless"}

// String returns the kind's name.
func (k FaultKind) String() string { return faultNames[k] }

// Fault is what a kernel did wrong and where. Launch returns it.
type Fault struct {
	Kind   FaultKind
	Module string // as given to Load
	Kernel string
	Line   int    // of the module's PTX
	Source string // that line
	Block  [3]int
	Thread [3]int
	Detail string
}

// Error names the kernel, the line of PTX, the block, the thread and what is
// wrong.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s: kernel %s, %s:%d (%s), block (%d,%d,%d), thread (%d,%d,%d): %s",
		f.Kind, f.Kernel, f.Module, f.Line, f.Source, f.Block[0], f.Block[1], f.Block[2],
		f.Thread[0], f.Thread[1], f.Thread[2], f.Detail)
}
