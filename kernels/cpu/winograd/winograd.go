// Package winograd has the transforms of fast convolution (Winograd 1980;
// Lavin and Gray 2016): small tiles of an image and a filter become 49
// frequencies each, in which a convolution is a product.
//
// A tile is 7x7 pixels. A filter of 3x3 makes 5x5 outputs of it, F(5x5,3x3),
// and one of 5x5 makes 3x3, F(3x3,5x5). Both come from one interpolation, that
// of the polynomials of degree 6 at the points 0, ±1/2, ±5/4 and ±3:
//
//	y = Eₘᵀ ((S Eᵣ w Eᵣᵀ S) ⊙ (B x Bᵀ)) Eₘ
//
// where Eₖ [7,k] evaluates a polynomial of k coefficients at the points, row p
// of B [7,7] is the polynomial that is zero at all points but p, with the
// leading coefficient 1, and S is diagonal, one over that polynomial's value at
// p. So a tile takes 49 multiplications for each channel, where 225 would do
// directly: 4.6 for one.
//
// The gradient of the filter is the same bilinear form, solved for w, with the
// same matrices: dw = Eᵣᵀ ((S Eₘ dy Eₘᵀ S) ⊙ (B x Bᵀ)) Eᵣ.
//
// And so is that of the image, solved for x, where it takes fewer tiles of dy than
// there are of x: dx += Bᵀ ((S Eᵣ w Eᵣᵀ S) ⊙ (Eₘ dy Eₘᵀ)) B, tiles of 7x7 that
// overlap.
//
// The points are those, of all symmetric ones in eighths, whose error is
// smallest for both sizes together: two thirds of that of the usual 0, ±1/2,
// ±1 and ±2. docs/architecture.md has the measured error.
package winograd

// Points is the number of points, the side of a tile; Frequencies is the
// number of products of a tile.
const (
	Points      = 7
	Frequencies = Points * Points
)

// maxLanes is the most lanes of any path.
const maxLanes = 16

// Outputs is the side of the output of a tile for a filter of r by r, 0 where
// there is no such transform.
func Outputs(r int) int {
	if r == 3 || r == 5 {
		return Points + 1 - r
	}
	return 0
}

// Path is the machine's way to transform: Lanes tiles, or channels, at once.
type Path struct {
	Lanes int
	isa   isa
}

type isa uint8

const (
	generic isa = iota
	avx2
	avx512
	neon
)

// Patches says where the lanes of a transform read: each a patch of rows of
// up to 7 neighbouring elements.
type Patches struct {
	Offset  [maxLanes]int            // of a lane's first element
	Columns [Points][maxLanes]uint16 // of a row of a lane, bit by bit, those to read; others are zero
}

// Set makes a lane the patch of rows by columns elements at an offset, clipped
// to the plane of h by w: its first element is at row i and column j of that.
func (p *Patches) Set(lane, offset, rows, columns, i, j, h, w int) {
	p.Offset[lane] = offset
	inside := uint16(1<<columns - 1)
	if j < 0 {
		inside = inside >> -max(j, -columns) << -max(j, -columns)
	}
	inside &= 1<<min(columns, max(0, w-j)) - 1
	for r := range rows {
		p.Columns[r][lane] = 0
		if i+r >= 0 && i+r < h {
			p.Columns[r][lane] = inside
		}
	}
}

// Repeat makes all lanes the patch of the first, step apart.
func (p *Patches) Repeat(step int) {
	for l := range p.Offset {
		p.Offset[l] = p.Offset[0] + l*step
	}
	for r := range p.Columns {
		p.Columns[r] = repeated[p.Columns[r][0]]
	}
}

// repeated has each row of a patch, in all lanes.
var repeated = func() (t [1 << Points][maxLanes]uint16) {
	for columns := range t {
		for l := range t[columns] {
			t[columns][l] = uint16(columns)
		}
	}
	return t
}()

// Keep makes the lanes from n on zero.
func (p *Patches) Keep(n int) {
	if n >= maxLanes {
		return
	}
	for r := range p.Columns {
		clear(p.Columns[r][max(n, 0):])
	}
}

// Gather transforms patches into frequencies: of the lanes, N times, each
// time SrcStep further. Element [p][q] of the transform of lane l is
// Dst[(p*7+q)*Step+l], DstStep further each time. Only the first Store lanes
// are written.
type Gather struct {
	Dst, Src         []float32
	Base             int // what Patches.Offset counts from, in Src
	Patches          *Patches
	Pitch            int // of two rows of a patch
	Step             int
	N                int
	SrcStep, DstStep int
	Store            int       // lanes
	Work             []float32 // of WorkSize
}

// WorkSize is the length of Gather.Work and Scatter.Work, which should begin
// on a cache line.
const WorkSize = Frequencies * maxLanes

// Scatter transforms frequencies back, into Size by Size elements of each
// lane, N times: Src[(p*7+q)*Step+l] is element [p][q] of lane l, and Lanes
// further the next. The lanes' outputs lie Plane apart, and the rows of one
// Pitch apart. The first Rows rows are written, and of lane l the columns whose
// bits are set in Columns[l].
type Scatter struct {
	Dst, Src     []float32
	Base         int // where the first lane's output begins in Dst
	Step         int
	N            int
	Pitch, Plane int
	Rows         int
	Columns      [maxLanes]uint16
	Bias         []float32 // of N*Lanes lanes; may be absent
	ReLU         bool      // after the bias
	Accumulate   bool      // add to what is there
	Work         []float32 // of WorkSize
}

// SetColumns has the first lanes write the first columns.
func (s *Scatter) SetColumns(lanes, columns int) {
	for l := range s.Columns {
		s.Columns[l] = 0
		if l < lanes {
			s.Columns[l] = 1<<columns - 1
		}
	}
}

// Spread transforms frequencies to tiles of 7x7, of Lanes lanes, N times, and adds
// them to an image with the lanes innermost: of Src[(p*7+q)*Step+l] to
// Dst[i*Pitch+j*Pixel+l]. The next lanes follow in both.
type Spread struct {
	Dst, Src     []float32
	Step         int
	N            int
	Pitch, Pixel int       // of two rows, and of two elements of a row
	Work         []float32 // of WorkSize
}
