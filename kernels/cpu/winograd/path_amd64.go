//go:build amd64 && !purego

package winograd

import (
	"golang.org/x/sys/cpu"

	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// PathOf is the path that goes with a register tile.
func PathOf(t *gemm.Tile) Path {
	switch {
	case t.Name == "avx512" && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ:
		return Path{Lanes: 16, isa: avx512}
	case t.Name == "avx2":
		return Path{Lanes: 8, isa: avx2}
	}
	return Path{Lanes: min(t.NR, maxLanes)}
}

// The calls are static, so that arguments stay on the stack.

//go:noescape
func image16(t *Gather)

//go:noescape
func evaluate3x16(t *Gather)

//go:noescape
func evaluate5x16(t *Gather)

//go:noescape
func interpolate3x16(t *Scatter)

//go:noescape
func interpolate5x16(t *Scatter)

//go:noescape
func spread16(t *Spread)

//go:noescape
func image8(t *Gather)

//go:noescape
func evaluate3x8(t *Gather)

//go:noescape
func evaluate5x8(t *Gather)

//go:noescape
func interpolate3x8(t *Scatter)

//go:noescape
func interpolate5x8(t *Scatter)

//go:noescape
func spread8(t *Spread)

// Image is B x Bᵀ of patches of 7x7.
func (p Path) Image(g *Gather) {
	switch p.isa {
	case avx512:
		image16(g)
	case avx2:
		image8(g)
	default:
		g.generic(image, Points, p.Lanes)
	}
}

// Evaluate is S E w Eᵀ S of patches of size by size, 3 or 5.
func (p Path) Evaluate(g *Gather, size int) {
	switch {
	case p.isa == avx512 && size == 3:
		evaluate3x16(g)
	case p.isa == avx512:
		evaluate5x16(g)
	case p.isa == avx2 && size == 3:
		evaluate3x8(g)
	case p.isa == avx2:
		evaluate5x8(g)
	case size == 3:
		g.generic(evaluate3, 3, p.Lanes)
	default:
		g.generic(evaluate5, 5, p.Lanes)
	}
}

// Interpolate is Eᵀ f E, size by size, 3 or 5.
func (p Path) Interpolate(s *Scatter, size int) {
	switch {
	case p.isa == avx512 && size == 3:
		interpolate3x16(s)
	case p.isa == avx512:
		interpolate5x16(s)
	case p.isa == avx2 && size == 3:
		interpolate3x8(s)
	case p.isa == avx2:
		interpolate5x8(s)
	default:
		s.generic(size, p.Lanes)
	}
}

// Spread adds Bᵀ f B, of 7x7.
func (p Path) Spread(s *Spread) {
	switch p.isa {
	case avx512:
		spread16(s)
	case avx2:
		spread8(s)
	default:
		s.generic(p.Lanes)
	}
}
