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

// Multiply computes a block. A tile at the edge of C is as small as it must
// be, or nearly.
func (t *Tile) Multiply(w *Worker, b *Block) {
	panelA, stepA := Panel(t.MR, b.K), t.MR
	if b.LDA != 0 {
		panelA, stepA = t.MR, b.LDA
	}
	panelB, stepB := Panel(t.NR, b.K), t.NR
	if b.LDB != 0 {
		panelB, stepB = t.NR, b.LDB
	}
	s := &w.store
	*s = Store{Alpha: b.Alpha, Beta: b.Beta, Least: float32(math.Inf(-1)), edge: w.edge}
	relu := b.Activation.On && b.Activation.Op == device.ReLU
	if relu {
		s.Least = 0
	}
	for j := 0; j < b.N; j += t.NR {
		n := min(t.NR, b.N-j)
		s.lanes = lanes(n)
		if b.ColBias != nil {
			s.ColBias = b.ColBias[j : j+n]
		}
		panel := b.B[j/t.NR*panelB:]
		for i := 0; i < b.M; i += t.MR {
			t.multiply(b.K, b.A[i/t.MR*panelA:], stepA, panel, stepB, b.C[i*b.LDC+j:], b.LDC, min(t.MR, b.M-i), s)
		}
	}
	if b.Activation.On && !relu {
		b.activate(t.Loops)
	}
}

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
			if v < s.Least { // a NaN stays
				v = s.Least
			}
			row[j] = v
		}
	}
}

// activate applies the activation to the block while it is in the cache.
func (b *Block) activate(l *vec.Loops) {
	for i := range b.M {
		row := b.C[i*b.LDC:][:b.N]
		l.Unary(b.Activation.Unary, row, row)
	}
}
