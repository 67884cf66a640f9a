// Package gemm multiplies matrices of float32 in the manner of BLIS (Van Zee
// and van de Geijn 2015; the blocking is Goto and van de Geijn 2008): both
// factors are packed into panels as wide as a register tile, in blocks that
// stay in the caches, and the register tile does all arithmetic. Only the
// tile depends on the machine.
//
// The depth of a block, KC, fixes the order of each sum, so it is a constant
// of the tile; no result depends on the other sizes or on the number of
// workers.
package gemm

import (
	"fmt"
	"os"
	"strings"

	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// Tile is a register tile: the innermost kernel and the block sizes that suit
// it.
type Tile struct {
	Name   string // the value of HUBEL_CPU that forces it
	MR, NR int    // rows and columns of the tile
	KC     int    // depth of a block: a panel of B, KC*NR, stays in the first-level cache
	MC     int    // rows of a block of A, MC*KC, that stays in the second-level cache
	NC     int    // columns of a block of B that all workers share

	Loops *vec.Loops // the path's loops over elements

	// multiply computes a tile of C from k steps of a panel of A, [k][MR],
	// and one of B, [k][NR], and stores it as s says. c begins at the tile's
	// first element; its rows lie ldc apart.
	multiply func(k int, a, b, c []float32, ldc int, s *Store)

	packRows    func(dst, src []float32, r int, rows []int, k int)
	packColumns func(dst, src []float32, r, n, k, ld int)
	unpack      func(dst, src []float32, r, n, k, ld int)

	IR       int // rows of the tile of an indirect product, which has NR columns
	indirect func(c, x []float32, rows []int, first int, steps []int, b []float32, n int, plus []float32, ld int)
}

// Store is what happens to a sum before it is stored:
//
//	c = Alpha*sum + Beta*c + RowBias[row] + ColBias[column]
//
// With Beta 0, c is not read. An absent bias is nil.
type Store struct {
	Alpha, Beta      float32
	RowBias, ColBias []float32 // from the tile's first row and column
}

// tiles lists the register tiles, the best for this machine first.
var tiles = []*Tile{&generic}

// Tiles lists the register tiles this machine can run, the best first.
func Tiles() []*Tile { return tiles }

// Choose returns the tile that the environment variable HUBEL_CPU names, or
// the best where it is not set.
func Choose() (*Tile, error) {
	name := os.Getenv("HUBEL_CPU")
	if name == "" {
		return tiles[0], nil
	}
	names := make([]string, len(tiles))
	for i, t := range tiles {
		if t.Name == name {
			return t, nil
		}
		names[i] = t.Name
	}
	return nil, fmt.Errorf("HUBEL_CPU=%s is not a path of this machine, which has %s", name, strings.Join(names, ", "))
}

// Depth returns into how many blocks a sum of k products is cut, and their
// length: all but the last have it. A sum of none is one block.
func (t *Tile) Depth(k int) (blocks, length int) {
	blocks = max(1, (k+t.KC-1)/t.KC)
	return blocks, roundUp((k+blocks-1)/blocks, 8)
}

// Panel is the length of a packed panel, k steps of r elements: a multiple of
// 64 bytes, so that each panel begins on a cache line.
func Panel(r, k int) int { return roundUp(r*k, 16) }

// PackedA is the length of a matrix A [m,k] in packed form, block after block
// of its depth, and in a block panel after panel.
func (t *Tile) PackedA(m, k int) int {
	blocks, length := t.Depth(k)
	panels := (m + t.MR - 1) / t.MR
	return panels * ((blocks-1)*Panel(t.MR, length) + Panel(t.MR, k-(blocks-1)*length))
}

// roundUp is the smallest multiple of to that is at least n.
func roundUp(n, to int) int { return (n + to - 1) / to * to }
