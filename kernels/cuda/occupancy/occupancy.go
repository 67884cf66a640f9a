// Package occupancy computes how many blocks of a kernel a streaming
// multiprocessor of a GPU runs at a time, as the CUDA occupancy calculator
// does.
package occupancy

// SM is what a streaming multiprocessor of a compute capability has (CUDA C++
// Programming Guide, "Technical Specifications per Compute Capability").
type SM struct {
	Capability int // 80 for sm_80
	Threads    int
	Blocks     int
	Shared     int // bytes
	Reserved   int // bytes of shared memory that every block costs beside its own
	Granule    int // bytes, to a multiple of which a block's shared memory is rounded up
}

// Every one has 64 Ki registers in four parts, of which a warp gets multiples
// of 256.
const (
	registers     = 64 << 10
	parts         = 4
	warpRegisters = 256
	warpThreads   = 32
)

// SMs are the capabilities that kernels are assembled for.
var SMs = []SM{
	{Capability: 70, Threads: 2048, Blocks: 32, Shared: 96 << 10, Granule: 256},
	{Capability: 80, Threads: 2048, Blocks: 32, Shared: 164 << 10, Reserved: 1 << 10, Granule: 128},
	{Capability: 86, Threads: 1536, Blocks: 16, Shared: 100 << 10, Reserved: 1 << 10, Granule: 128},
	{Capability: 89, Threads: 1536, Blocks: 24, Shared: 100 << 10, Reserved: 1 << 10, Granule: 128},
	{Capability: 90, Threads: 2048, Blocks: 32, Shared: 228 << 10, Reserved: 1 << 10, Granule: 128},
}

// Kernel is what a block asks for.
type Kernel struct {
	Threads   int
	Registers int // a thread
	Shared    int // bytes, static and dynamic
}

// Resident is how many blocks of the kernel run at a time, 0 where not even one
// fits.
func (s SM) Resident(k Kernel) int {
	warps := up(k.Threads, warpThreads) / warpThreads
	n := min(s.Blocks, s.Threads/warpThreads/warps)
	if k.Registers > 0 {
		perPart := registers / parts / up(k.Registers*warpThreads, warpRegisters)
		n = min(n, parts*perPart/warps)
	}
	if shared := up(k.Shared+s.Reserved, s.Granule); shared > 0 {
		n = min(n, s.Shared/shared)
	}
	return n
}

// Occupancy is how many of the threads that fit are resident with n blocks of the
// kernel.
func (s SM) Occupancy(k Kernel, n int) float64 {
	return float64(n*up(k.Threads, warpThreads)) / float64(s.Threads)
}

// up rounds n up to a multiple.
func up(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }
