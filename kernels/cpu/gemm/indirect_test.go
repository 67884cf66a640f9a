package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cpu/guarded"
	"github.com/hubel-go/hubel/kernels/cpu/parallel"
)

// TestIndirect holds the indirect product of every tile against the
// definition, its factors between guard pages.
func TestIndirect(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, tile := range tiles {
		for _, k := range []int{0, 1, 2, 3, 4, 5, 7, 8, 31, 64, 65} {
			for _, n := range []int{1, tile.NR / 2, tile.NR/2 + 1, tile.NR * 3 / 4, tile.NR*3/4 + 1, tile.NR} {
				add := r.IntN(2) == 0
				atEnd := r.IntN(2) == 0
				const span = 50 // of a row's steps
				x := guarded.Floats(t, 300+span, atEnd)
				copy(x, numbers(r, len(x)))
				rows, steps, places := make([]int, tile.IR), make([]int, k), make([]int, k)
				for i := range rows {
					rows[i] = 4 * r.IntN(300)
				}
				for p := range k {
					places[p] = r.IntN(span)
				}
				first := 0
				if k > 0 {
					first = 4 * places[0]
				}
				for p := range max(0, k-1) {
					steps[p] = 4 * (places[p+1] - places[p])
				}
				if k > 0 {
					steps[k-1] = 1 << 40 // not taken
				}
				b := guarded.Floats(t, k*tile.NR, true)
				copy(b, numbers(r, len(b)))
				c := guarded.Floats(t, tile.IR*tile.NR, true)
				old := numbers(r, len(c))
				copy(c, old)
				if !add {
					forget(c)
				}
				plus := c
				if !add {
					plus = nil
				}
				tile.MultiplyIndirect(c, x, rows, first, steps, b, n, plus, tile.NR)
				for i := range tile.IR {
					for j := range n {
						want := 0.0
						if add {
							want = float64(old[i*tile.NR+j])
						}
						for p := range k {
							want += float64(x[rows[i]/4+places[p]]) * float64(b[p*tile.NR+j])
						}
						require.InDelta(t, want, c[i*tile.NR+j], 1e-5, "%s, %d steps, %d columns: element %d,%d", tile.Name, k, n, i, j)
					}
				}
			}
		}
	}
}

// BenchmarkIndirect sums a tile over 13 rows of 13 windows of a padded image,
// as a 3x3 convolution does, beside the same product of packed panels.
func BenchmarkIndirect(b *testing.B) {
	for _, tile := range tiles {
		const windows = 13
		x := make([]float32, 15*15*16)
		rows, steps := make([]int, tile.IR), make([]int, windows*windows)
		for i := range rows {
			rows[i] = 4 * (i/3*15*15 + i%3)
		}
		for i := range steps {
			steps[i] = 4
			if i%windows == windows-1 {
				steps[i] = 4 * 3
			}
		}
		panel, c := aligned(len(steps)*tile.NR), aligned(tile.IR*tile.NR)
		report := func(b *testing.B) {
			b.ReportMetric(float64(2*len(steps)*len(c)*b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		}
		b.Run(fmt.Sprintf("%s/indirect", tile.Name), func(b *testing.B) {
			for b.Loop() {
				tile.MultiplyIndirect(c, x, rows, 0, steps, panel, tile.NR, c, tile.NR)
			}
			report(b)
		})
		b.Run(fmt.Sprintf("%s/packed", tile.Name), func(b *testing.B) {
			pool := parallel.New(1)
			defer pool.Close()
			w := NewEngine(tile, pool).Worker(0)
			for b.Loop() {
				tile.Multiply(w, &Block{M: tile.IR, N: tile.NR, K: len(steps), A: x, B: panel, C: c, LDC: tile.NR, Alpha: 1, Beta: 1})
			}
			report(b)
		})
	}
}
