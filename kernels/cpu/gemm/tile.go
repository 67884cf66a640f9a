// Package gemm multiplies matrices of float32 in the manner of BLIS (Van Zee
// and van de Geijn 2015; the blocking is Goto and van de Geijn 2008): factors
// are packed into panels as wide as a register tile, in blocks that stay in the
// caches, and the register tile does all arithmetic. Only the tile depends on
// the machine. The smaller factor is packed once, by all workers for all; of
// the larger each worker packs what it is about to use, while it is hot. A
// small factor whose steps lie apart is used where it stands, and where one
// factor has a few rows only, elements are dot products of rows.
//
// The depth of a block, KC, fixes the order of each sum, so it is a constant
// of the tile; no result depends on the other sizes or on the number of
// workers.
package gemm

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// Tile is a register tile: the innermost kernel and the block sizes that suit
// it.
type Tile struct {
	Name   string // the value of HUBEL_CPU that forces it
	MR, NR int    // rows and columns of the tile
	Low    int    // a tile may as well have a multiple of so many rows
	Narrow int    // and a multiple of so many columns
	KC     int    // depth of a block: a panel of B, KC*NR, stays in the first-level cache
	MC     int    // rows of a block of A, MC*KC, that stays in the second-level cache
	NC     int    // rows or columns of a block that all workers share

	Loops *vec.Loops // the path's loops over elements

	// AnyStep says that whole panels may be read where they stand: their steps
	// lie any distance apart.
	AnyStep bool

	// multiply computes the first rows of a tile of C from k steps of a panel
	// of A and one of B, whose steps lie stepA and stepB apart, and stores
	// them as s says. The rows of C begin at c and lie ldc apart. It goes on
	// with the tiles of the run that s has.
	multiply func(k int, a []float32, stepA int, b []float32, stepB int, c []float32, ldc, rows int, s *Store)

	// dot computes the products of each of m <= DM rows of A with each of n <=
	// DN rows of B, [k] each and next to each other, and stores them as s says:
	// at c[i*ldc+j].
	dot    func(k int, a []float32, m int, b []float32, n int, c []float32, ldc int, s *Store)
	DM, DN int

	packRows    func(dst, src []float32, r int, rows []int, k int)
	packColumns func(dst, src []float32, r, n, k, ld int)
	unpack      func(dst, src []float32, r, n, k, ld int)

	IR       int // rows of the tile of an indirect product, which has NR columns
	indirect func(c, x []float32, rows []int, first int, steps []int, b []float32, n int, plus []float32, ld int)
}

// Store is what happens to a sum before it is stored:
//
//	c = max(Floor, Alpha*sum + Beta*c + ColBias[column])
//
// With Beta 0, c is not read. An absent bias is nil. A NaN stays.
type Store struct {
	Alpha, Beta float32
	Floor       float32   // 0 for ReLU, -Inf for none
	ColBias     []float32 // from the tile's first column

	lanes uint32 // the tile's columns that are wanted, as a mask: the first ones
	tiles int    // a run of so many, and how far on each of them is:

	nextA, nextB, nextC, nextBias int
	edge                          []float32 // room for a tile
}

// lanes is the mask of the first n columns.
func lanes(n int) uint32 { return uint32(1<<n - 1) }

// tiles lists the register tiles, the best for this machine first.
var tiles = []*Tile{&generic}

// Tiles lists the register tiles this machine can run, the best first.
func Tiles() []*Tile { return tiles }

// Names lists the names of Tiles.
func Names() []string {
	names := make([]string, len(tiles))
	for i, t := range tiles {
		names[i] = t.Name
	}
	return names
}

// Choose returns the tile that the environment variable HUBEL_CPU names, or
// the best where it is not set.
func Choose() (*Tile, error) {
	name := os.Getenv("HUBEL_CPU")
	if name == "" {
		return tiles[0], nil
	}
	if i := slices.Index(Names(), name); i >= 0 {
		return tiles[i], nil
	}
	return nil, fmt.Errorf("HUBEL_CPU=%s is not a path of this machine, which has %s", name, strings.Join(Names(), ", "))
}

// Named returns the tile that device.Options.CPUPath names.
func Named(path string) (*Tile, error) {
	if path == "" || path == device.AutoPath {
		return Choose()
	}
	if i := slices.Index(Names(), path); i >= 0 {
		return tiles[i], nil
	}
	return nil, fmt.Errorf("-cpu-path %s is not a path of this machine, which has %s", path, strings.Join(Names(), ", "))
}

// Depth returns into how many blocks a sum of k products is cut, and their
// length: all but the last have it. A sum of none is one block.
func (t *Tile) Depth(k int) (blocks, length int) {
	blocks = max(1, (k+t.KC-1)/t.KC)
	return blocks, roundUp((k+blocks-1)/blocks, 8)
}

// blockSizes returns MC and NC for caches of so many bytes, where they are
// known (and not 0 or -1): a block of A fills a quarter of a core's second-level
// cache, a shared one an eighth of the third-level cache.
func blockSizes(mr, nr, kc, l2, l3 int) (mc, nc int) {
	if l2 <= 0 {
		l2 = 1 << 20
	}
	if l3 <= 0 {
		l3 = 16 << 20
	}
	step := 4 * kc // bytes of a row
	mc = min(max(l2/4/step, 64), 512) / mr * mr
	nc = min(max(l3/8/step, 512), 4096) / (mr * nr) * (mr * nr)
	return mc, nc
}

// Panel is the length of a packed panel, k steps of r elements: a multiple of
// 64 bytes, so that each panel begins on a cache line.
func Panel(r, k int) int { return roundUp(r*k, 16) }

// roundUp is the smallest multiple of to that is at least n.
func roundUp(n, to int) int { return (n + to - 1) / to * to }
