//go:build arm64 && !purego

package gemm

import (
	"math"
	"unsafe"

	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// Every arm64 processor has NEON. A panel of B of a block is 12 KiB of the first-level
// cache, which has 32 KiB at least.
var neon = Tile{Name: "neon", MR: 8, NR: 12, Low: 4, Narrow: 4, KC: 256, AnyStep: true, Loops: &vec.NEON,
	multiply: multiplyNEON, dot: dotNEON, DM: 4, DN: 4, packRows: packRowsNEON, packColumns: packColumnsNEON,
	unpack: unpackNEON, IR: 8, indirect: indirectNEON}

func init() {
	neon.MC, neon.NC = blockSizes(neon.MR, neon.NR, neon.KC, 0, 0)
	tiles = append([]*Tile{&neon}, tiles...)
}

// tilesNEON are the kernels of 4, 8 and 12 columns, each for up to 4 and 8 rows.
var tilesNEON = [3][2]func(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store){
	{neon4x4, neon8x4}, {neon4x8, neon8x8}, {neon4x12, neon8x12},
}

func multiplyNEON(k int, a []float32, stepA int, b []float32, stepB int, c []float32, ldc, rows int, s *Store) {
	vectors, whole := 0, false
	for i := range plainNEON {
		if s.lanes <= plainNEON[i].lanes {
			vectors, whole = i, s.lanes == plainNEON[i].lanes
			break
		}
	}
	if !whole {
		for i := range s.tiles { // one below the other
			multiplyNEON(k, a[i*s.nextA:], stepA, b, stepB, s.edge, 12, rows, &plainNEON[vectors])
			s.merge(12, c[i*s.nextC:], ldc, rows)
		}
		return
	}
	tilesNEON[vectors][(rows-1)/4](k, unsafe.SliceData(a), stepA, unsafe.SliceData(b), stepB, &c[0], ldc, rows, s)
}

// plainNEON store the sums of 4, 8 and 12 columns as they are.
var plainNEON = [3]Store{
	{Alpha: 1, Floor: float32(math.Inf(-1)), lanes: lanes(4), tiles: 1},
	{Alpha: 1, Floor: float32(math.Inf(-1)), lanes: lanes(8), tiles: 1},
	{Alpha: 1, Floor: float32(math.Inf(-1)), lanes: lanes(12), tiles: 1},
}

// The kernels in assembly do what Tile.multiply does for at most as many rows as they
// are named after, and for as many columns. They read whole steps of a and b, and of c no
// more than they write.
//
//go:noescape
func neon8x12(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func neon4x12(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func neon8x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func neon4x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func neon8x4(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)

//go:noescape
func neon4x4(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
