//go:build amd64 && !purego

package gemm

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/cpu"

	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// The depth of blocks is for a first-level cache of 32 KiB, which every x86
// processor has at least.
var (
	avx512 = Tile{Name: "avx512", MR: 12, NR: 32, Low: 4, Narrow: 8, KC: 256, AnyStep: true, Loops: &vec.AVX512,
		multiply: multiply512, dot: dot512, DM: 5, DN: 5, packRows: packRows512, packColumns: packColumns512,
		unpack: unpack512, IR: 13, indirect: indirect512}
	avx2 = Tile{Name: "avx2", MR: 6, NR: 16, Low: 6, Narrow: 8, KC: 256, AnyStep: true, Loops: &vec.AVX2,
		multiply: multiply2, dot: dot2, DM: 4, DN: 3, packRows: packRows2, packColumns: packColumns2,
		unpack: unpack2, IR: 6, indirect: indirect2}
)

func init() {
	for _, t := range []*Tile{&avx512, &avx2} {
		t.MC, t.NC = blockSizes(t.MR, t.NR, t.KC, cpuid.CPU.Cache.L2, cpuid.CPU.Cache.L3)
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		tiles = append([]*Tile{&avx2}, tiles...)
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL {
		tiles = append([]*Tile{&avx512}, tiles...)
	}
}

// tiles512 are the kernels of 32, 24 and 16 columns, each for up to 12, 10, 8, 6,
// 4 and 2 rows. The narrow ones, for the last columns of a product, are fewer.
var tiles512 = [3][6]func(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store){
	{zmm12x32, zmm10x32, zmm8x32, zmm6x32, zmm4x32, zmm2x32},
	{zmm12x24, zmm12x24, zmm8x24, zmm8x24, zmm4x24, zmm4x24},
	{zmm12x16, zmm12x16, zmm8x16, zmm8x16, zmm4x16, zmm4x16},
}

func multiply512(k int, a []float32, stepA int, b []float32, stepB int, c []float32, ldc, rows int, s *Store) {
	columns := max(16, bits.Len32(s.lanes))
	tiles512[(32-columns)/8][(12-rows)/2](k, unsafe.SliceData(a), stepA, unsafe.SliceData(b), stepB, &c[0], ldc, rows, s)
}

func multiply2(k int, a []float32, stepA int, b []float32, stepB int, c []float32, ldc, rows int, s *Store) {
	if s.lanes != 0xffff && s.lanes != 0xff {
		plain := &plain16
		if s.lanes < 0xff {
			plain = &plain8
		}
		for i := range s.tiles { // one below the other
			multiply2(k, a[i*s.nextA:], stepA, b, stepB, s.edge, 16, rows, plain)
			s.merge(16, c[i*s.nextC:], ldc, rows)
		}
		return
	}
	pa, pb, pc := unsafe.SliceData(a), unsafe.SliceData(b), &c[0]
	if s.lanes > 0xff {
		switch {
		case rows > 4:
			ymm6x16(k, pa, stepA, pb, stepB, pc, ldc, rows, s)
		case rows > 2:
			ymm4x16(k, pa, stepA, pb, stepB, pc, ldc, rows, s)
		default:
			ymm2x16(k, pa, stepA, pb, stepB, pc, ldc, rows, s)
		}
		return
	}
	switch {
	case rows > 4:
		ymm6x8(k, pa, stepA, pb, stepB, pc, ldc, rows, s)
	case rows > 2:
		ymm4x8(k, pa, stepA, pb, stepB, pc, ldc, rows, s)
	default:
		ymm2x8(k, pa, stepA, pb, stepB, pc, ldc, rows, s)
	}
}

// plain16 and plain8 store sums as they are.
var (
	plain16 = Store{Alpha: 1, Floor: float32(math.Inf(-1)), lanes: lanes(16), tiles: 1}
	plain8  = Store{Alpha: 1, Floor: float32(math.Inf(-1)), lanes: lanes(8), tiles: 1}
)

// The kernels in assembly do what Tile.multiply does for at most as many rows
// as they are named after, and for the columns that s wants: as many, or fewer
// where there is a narrower one. They read whole steps of a and b, and of c no
// more than they write.
//
//go:noescape
func zmm12x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm10x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm8x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm6x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm4x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm2x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm12x24(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm8x24(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm4x24(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm12x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm8x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func zmm4x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func ymm6x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func ymm4x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func ymm2x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func ymm6x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func ymm4x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func ymm2x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
