//go:build arm64 && !purego

package winograd

import "github.com/hubel-go/hubel/kernels/cpu/gemm"

// lanesNEON is how many lanes a call has: as many as the register tile has columns. The
// assembly works on a vector of them at a time.
const (
	lanesNEON  = 12
	vectorNEON = 4
)

// PathOf is the path that goes with a register tile.
func PathOf(t *gemm.Tile) Path {
	if t.Name == "neon" {
		return Path{Lanes: lanesNEON, isa: neon}
	}
	return Path{Lanes: t.NR}
}

// The coefficients as the assembly has them in registers: of each pair a vector, then one of
// the next coefficient of the pairs, and one of those of the point 0.
var (
	imageTable, evaluateTable, interpolateTable = newTables()
)

func newTables() (image, evaluate, interpolate [5][vectorNEON]float32) {
	for i := range table.pair {
		c := &table.pair[i]
		image[i] = [vectorNEON]float32{c.s[0], c.t[0], c.p[0], c.ps[0]}
		image[3][i] = c.pt[0]
		evaluate[i] = [vectorNEON]float32{c.n0[0], c.n1[0], c.n2[0], c.n3[0]}
		evaluate[3][i] = c.n4[0]
		interpolate[i] = [vectorNEON]float32{c.p1[0], c.p2[0], c.p3[0], c.p4[0]}
	}
	image[4] = [vectorNEON]float32{table.e4[0], table.e2[0], table.e0[0]}
	evaluate[3][3] = table.n[0]
	return image, evaluate, interpolate
}

// columns says how some neighbouring columns of a row of seven are loaded: a piece from the
// first on and one up to the last, of four, two or one. The bytes of the columns 0 to 3
// and of 3 to 6 are then those of the two pieces that low and high have the places of,
// where the second's begin at 16; 255 makes 0. The assembly knows that a columns is 64 bytes.
type columns struct {
	low, high   [16]uint8
	first, last int // of the two pieces, in bytes
	count       int
	_           int
}

// parts has the columns that the bits of its index name.
var parts = func() (t [1 << Points]columns) {
	for from := range Points {
		for to := from + 1; to <= Points; to++ {
			c := &t[1<<to-1<<from]
			c.count = to - from
			piece := 4
			for piece > c.count {
				piece /= 2
			}
			c.first, c.last = 4*from, 4*(to-piece)
			for i := range c.low {
				c.low[i], c.high[i] = c.place(i, piece), c.place(12+i, piece)
			}
		}
	}
	return t
}()

// place is where in the two pieces a byte of the row is.
func (c *columns) place(i, piece int) uint8 {
	switch {
	case i >= c.first && i < c.first+4*piece:
		return uint8(i - c.first)
	case i >= c.last && i < c.last+4*piece:
		return uint8(16 + i - c.last)
	}
	return 255
}

// The assembly transforms four lanes, from one on.

//go:noescape
func image4(t *Gather, lane int)

//go:noescape
func evaluate3x4(t *Gather, lane int)

//go:noescape
func evaluate5x4(t *Gather, lane int)

//go:noescape
func interpolate3x4(t *Scatter, lane, lanes int)

//go:noescape
func interpolate5x4(t *Scatter, lane, lanes int)

// spread4 goes on with the next four lanes so many times.
//
//go:noescape
func spread4(t *Spread, times int)

// Image is B x Bᵀ of patches of 7x7.
func (p Path) Image(g *Gather) {
	if p.isa != neon {
		g.generic(image, Points, p.Lanes)
		return
	}
	for lane := 0; lane < g.Store; lane += vectorNEON {
		image4(g, lane)
	}
}

// Evaluate is S E w Eᵀ S of patches of size by size, 3 or 5.
func (p Path) Evaluate(g *Gather, size int) {
	switch {
	case p.isa != neon && size == 3:
		g.generic(evaluate3, 3, p.Lanes)
	case p.isa != neon:
		g.generic(evaluate5, 5, p.Lanes)
	case size == 3:
		for lane := 0; lane < g.Store; lane += vectorNEON {
			evaluate3x4(g, lane)
		}
	default:
		for lane := 0; lane < g.Store; lane += vectorNEON {
			evaluate5x4(g, lane)
		}
	}
}

// Interpolate is Eᵀ f E, size by size, 3 or 5.
func (p Path) Interpolate(s *Scatter, size int) {
	if p.isa != neon {
		s.generic(size, p.Lanes)
		return
	}
	for lane := 0; lane < p.Lanes; lane += vectorNEON {
		switch {
		case s.Columns[lane] == 0: // and of all that follow
			return
		case size == 3:
			interpolate3x4(s, lane, p.Lanes)
		default:
			interpolate5x4(s, lane, p.Lanes)
		}
	}
}

// Spread adds Bᵀ f B, of 7x7.
func (p Path) Spread(s *Spread) {
	if p.isa != neon {
		s.generic(p.Lanes)
		return
	}
	spread4(s, s.N*p.Lanes/vectorNEON)
}
