//go:build (!amd64 && !arm64) || purego

package winograd

import "github.com/hubel-go/hubel/kernels/cpu/gemm"

// PathOf is the path that goes with a register tile.
func PathOf(t *gemm.Tile) Path { return Path{Lanes: t.NR} }

// Image is B x Bᵀ of patches of 7x7.
func (p Path) Image(g *Gather) { g.generic(image, Points, p.Lanes) }

// Evaluate is S E w Eᵀ S of patches of size by size, 3 or 5.
func (p Path) Evaluate(g *Gather, size int) {
	if size == 3 {
		g.generic(evaluate3, 3, p.Lanes)
	} else {
		g.generic(evaluate5, 5, p.Lanes)
	}
}

// Interpolate is Eᵀ f E, size by size, 3 or 5.
func (p Path) Interpolate(s *Scatter, size int) { s.generic(size, p.Lanes) }

// Spread adds Bᵀ f B, of 7x7.
func (p Path) Spread(s *Spread) { s.generic(p.Lanes) }
