package gemm

import (
	"math"
	"math/bits"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// Block is a product of packed panels: C [M,N] from A, panels of MR rows, and
// B, panels of NR columns, all K deep.
//
// A tile with AnyStep takes whole panels where they stand, too: with LDA, A is
// the first of M elements in each of K rows that lie LDA apart (a matrix that
// is transposed), and M a multiple of MR; with LDB, B likewise.
type Block struct {
	M, N, K int
	A, B    []float32
	LDA     int // distance of two steps of A where it is not packed, or 0
	LDB     int // of B
	C       []float32
	LDC     int // distance of two rows of C

	Alpha, Beta float32
	ColBias     []float32
	Activation  device.Activation
}

// runLength is the most elements of B that a run of tiles to the right reads: they
// stay in the first-level cache for the next rows of A.
const runLength = 6144

// Multiply computes a block. A tile at the edge of C is as small as it must
// be, or nearly. Whole tiles are computed in runs, down or to the right, whichever
// has more of them.
func (t *Tile) Multiply(w *Worker, b *Block) {
	panelA, stepA := Panel(t.MR, b.K), t.MR
	if b.LDA != 0 {
		panelA, stepA = t.MR, b.LDA
	}
	panelB, stepB := Panel(t.NR, b.K), t.NR
	if b.LDB != 0 {
		panelB, stepB = t.NR, b.LDB
	}
	s := w.storing(b.Alpha, b.Beta, b.Activation)
	down, right := max(1, b.M/t.MR), max(1, min(b.N/t.NR, runLength/(t.NR*max(1, b.K))))
	if down >= right {
		right, s.nextA, s.nextC = 1, panelA, t.MR*b.LDC
	} else {
		down, s.nextB, s.nextC, s.nextBias = 1, panelB, t.NR, t.NR
	}
	for j, n := 0, 0; j < b.N; j += n {
		n = whole(b.N-j, right, t.NR)
		s.lanes = lanes(min(n, t.NR))
		if b.ColBias != nil {
			s.ColBias = b.ColBias[j : j+n]
		}
		panels := b.B[j/t.NR*panelB:]
		for i, m := 0, 0; i < b.M; i += m {
			m = whole(b.M-i, down, t.MR)
			s.tiles = max(1, m/t.MR, n/t.NR)
			t.multiply(b.K, b.A[i/t.MR*panelA:], stepA, panels, stepB, b.C[i*b.LDC+j:], b.LDC, min(t.MR, m), s)
		}
	}
	if !inStore(b.Activation) {
		activate(t.Loops, b.Activation.Unary, b.C, b.LDC, b.M, b.N)
	}
}

// whole is how many of n rows or columns at most so many whole tiles have, or one
// that is not whole.
func whole(n, tiles, r int) int {
	if n < r {
		return n
	}
	return min(tiles, n/r) * r
}

// storing is the worker's Store, for these factors and what it can of an
// activation.
func (w *Worker) storing(alpha, beta float32, a device.Activation) *Store {
	w.store = Store{Alpha: alpha, Beta: beta, Floor: float32(math.Inf(-1)), edge: w.edge}
	if a.On && inStore(a) {
		w.store.Floor = 0
	}
	return &w.store
}

// inStore reports whether a Store does all of an activation: ReLU, or none.
func inStore(a device.Activation) bool { return !a.On || a.Op == device.ReLU }

// merge stores the wanted columns of the first rows of a tile of sums, as wide
// as nr.
func (s *Store) merge(nr int, c []float32, ldc, rows int) {
	n := bits.Len32(s.lanes)
	for i := range rows {
		row, sums := c[i*ldc:][:n], s.edge[i*nr:][:n]
		for j, v := range sums {
			v = float32(s.Alpha * v)
			if s.Beta != 0 {
				v += float32(s.Beta * row[j])
			}
			if s.ColBias != nil {
				v += s.ColBias[j]
			}
			if v < s.Floor { // a NaN stays
				v = s.Floor
			}
			row[j] = v
		}
	}
}

// activate applies an activation to n columns of m rows of C while they are in
// the cache.
func activate(l *vec.Loops, u device.Unary, c []float32, ldc, m, n int) {
	for i := range m {
		row := c[i*ldc:][:n]
		l.Unary(u, row, row)
	}
}
