package gemm

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// Block is a product of packed panels: C [M,N] from A, panels of MR rows, and
// B, panels of NR columns, all K deep.
type Block struct {
	M, N, K int
	A, B    []float32
	C       []float32
	LDC     int // distance of two rows of C

	Alpha, Beta      float32
	RowBias, ColBias []float32
	Activation       device.Activation
}

// Multiply computes a block. A tile at the edge of C goes through the worker's
// own tile.
func (t *Tile) Multiply(w *Worker, b *Block) {
	panelA, panelB := Panel(t.MR, b.K), Panel(t.NR, b.K)
	for j := 0; j < b.N; j += t.NR {
		n := min(t.NR, b.N-j)
		panel := b.B[j/t.NR*panelB:]
		s := &w.store
		*s = Store{Alpha: b.Alpha, Beta: b.Beta}
		for i := 0; i < b.M; i += t.MR {
			a := b.A[i/t.MR*panelA:]
			if n < t.NR || i+t.MR > b.M {
				t.multiply(b.K, a, panel, w.edge, t.NR, &w.plain)
				b.merge(w.edge, t.NR, i, min(t.MR, b.M-i), j, n)
				continue
			}
			if b.RowBias != nil {
				s.RowBias = b.RowBias[i:]
			}
			if b.ColBias != nil {
				s.ColBias = b.ColBias[j:]
			}
			t.multiply(b.K, a, panel, b.C[i*b.LDC+j:], b.LDC, s)
		}
	}
	if b.Activation.On {
		b.activate(t.Loops)
	}
}

// merge stores the m rows and n columns of a tile of sums at row i, column j.
func (b *Block) merge(tile []float32, nr, i, m, j, n int) {
	for r := range m {
		row := b.C[(i+r)*b.LDC:]
		bias := float32(0)
		if b.RowBias != nil {
			bias = b.RowBias[i+r]
		}
		for k, v := range tile[r*nr : r*nr+n] {
			v = float32(b.Alpha * v)
			if b.Beta != 0 {
				v += float32(b.Beta * row[j+k])
			}
			v += bias
			if b.ColBias != nil {
				v += b.ColBias[j+k]
			}
			row[j+k] = v
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
