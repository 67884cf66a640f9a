//go:build amd64 && !purego

package gemm

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// Block sizes are for caches of 32 KiB, 1 MiB a core and a shared one of some
// MiB, which every x86 server of this instruction set has at least.
var (
	avx512 = Tile{Name: "avx512", MR: 12, NR: 32, KC: 256, MC: 240, NC: 2304, Loops: &vec.AVX512, multiply: assembly(multiply12x32),
		packRows: packRows512, packColumns: packColumns512, unpack: unpack512,
		IR: 13, indirect: indirect512}
	avx2 = Tile{Name: "avx2", MR: 6, NR: 16, KC: 256, MC: 240, NC: 2304, Loops: &vec.AVX2, multiply: assembly(multiply6x16),
		packRows: packRows2, packColumns: packColumns2, unpack: unpack2,
		IR: 6, indirect: indirect2}
)

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		tiles = append([]*Tile{&avx2}, tiles...)
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL {
		tiles = append([]*Tile{&avx512}, tiles...)
	}
}

// kernel is a tile in assembly: what Tile.multiply does, with nil for an
// absent bias. It reads k*MR elements of a, k*NR of b, and the tile of c if
// beta is not 0.
type kernel func(k int, a, b, c *float32, ldc int, alpha, beta float32, rowBias, colBias *float32)

//go:noescape
func multiply12x32(k int, a, b, c *float32, ldc int, alpha, beta float32, rowBias, colBias *float32)

//go:noescape
func multiply6x16(k int, a, b, c *float32, ldc int, alpha, beta float32, rowBias, colBias *float32)

func assembly(f kernel) func(k int, a, b, c []float32, ldc int, s *Store) {
	return func(k int, a, b, c []float32, ldc int, s *Store) {
		f(k, unsafe.SliceData(a), unsafe.SliceData(b), unsafe.SliceData(c), ldc,
			s.Alpha, s.Beta, unsafe.SliceData(s.RowBias), unsafe.SliceData(s.ColBias))
	}
}
