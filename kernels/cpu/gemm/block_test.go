package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/guarded"
	"github.com/hubel-go/hubel/kernels/cpu/parallel"
)

// TestBlock holds blocks of every height and width of a tile and a little more
// against a plain loop: on all tiles, between guard pages, with factors packed
// and where they stand. What a block does
// not own stays as it is.
func TestBlock(t *testing.T) {
	pool := parallel.New(1)
	defer pool.Close()
	r := rand.New(rand.NewPCG(7, 8))
	for _, tile := range tiles {
		w := NewEngine(tile, pool).Worker(0)
		for m := 1; m <= 2*tile.MR+1; m++ {
			for n := 1; n <= 2*tile.NR+1; n++ {
				if tile.MR > 2 && (m+n)%3 != 0 { // a third of so many is enough
					continue
				}
				for _, stands := range []bool{false, true} {
					checkBlock(t, tile, w, m, n, r.IntN(20), stands, r)
				}
			}
		}
	}
}

func checkBlock(t *testing.T, tile *Tile, w *Worker, m, n, k int, stands bool, r *rand.Rand) {
	atEnd := r.IntN(2) == 0
	random := func(n int) []float32 {
		x := guarded.Floats(t, n, atEnd)
		copy(x, numbers(r, n))
		return x
	}
	b := Block{M: m, N: n, K: k, Alpha: 1, Beta: float32(r.IntN(3)), LDC: n + r.IntN(4)}
	if r.IntN(2) == 0 {
		b.Alpha = -1.5
	}
	if r.IntN(2) == 0 {
		b.ColBias = random(n)
	}
	if r.IntN(2) == 0 {
		b.Activation = device.Activation{On: true, Unary: device.Unary{Op: []device.UnaryOp{device.ReLU, device.LeakyReLU}[r.IntN(2)], Slope: 0.5}}
	}
	stepA := func(i, p int) int { return i/tile.MR*Panel(tile.MR, k) + p*tile.MR + i%tile.MR }
	stepB := func(j, p int) int { return j/tile.NR*Panel(tile.NR, k) + p*tile.NR + j%tile.NR }
	b.A, b.B = random(panelCount(m, tile.MR)*Panel(tile.MR, k)), random(panelCount(n, tile.NR)*Panel(tile.NR, k))
	if stands && tile.AnyStep && k > 0 {
		if m%tile.MR == 0 {
			b.LDA = m + r.IntN(3)
			b.A = random((k-1)*b.LDA + m)
			stepA = func(i, p int) int { return p*b.LDA + i }
		}
		if n%tile.NR == 0 {
			b.LDB = n + r.IntN(3)
			b.B = random((k-1)*b.LDB + n)
			stepB = func(j, p int) int { return p*b.LDB + j }
		}
	}
	b.C = random((m-1)*b.LDC + n)
	want := make([]float64, len(b.C))
	owned := make([]bool, len(b.C))
	for i := range m {
		for j := range n {
			at := i*b.LDC + j
			sum := 0.0
			for p := range k {
				sum += float64(b.A[stepA(i, p)]) * float64(b.B[stepB(j, p)])
			}
			v := float64(b.Alpha) * sum
			if b.Beta != 0 {
				v += float64(b.Beta) * float64(b.C[at])
			}
			if b.ColBias != nil {
				v += float64(b.ColBias[j])
			}
			if b.Activation.On && v < 0 {
				v *= map[device.UnaryOp]float64{device.ReLU: 0, device.LeakyReLU: 0.5}[b.Activation.Op]
			}
			want[at], owned[at] = v, true
		}
	}
	before := append([]float32(nil), b.C...)
	if b.Beta == 0 {
		for at, mine := range owned {
			if mine {
				b.C[at] = float32(math.NaN())
			}
		}
	}
	tile.Multiply(w, &b)
	for at, mine := range owned {
		what := fmt.Sprintf("%s: %dx%dx%d, alpha %g, beta %g, lda %d, ldb %d, element %d",
			tile.Name, m, n, k, b.Alpha, b.Beta, b.LDA, b.LDB, at)
		if mine {
			require.InDelta(t, want[at], b.C[at], 1e-5, what)
		} else {
			require.Equal(t, before[at], b.C[at], what)
		}
	}
}

// A NaN passes the activation of a tile, whole or not.
func TestReLUOfBlockKeepsNaN(t *testing.T) {
	pool := parallel.New(1)
	defer pool.Close()
	for _, tile := range tiles {
		w := NewEngine(tile, pool).Worker(0)
		for i := range 6 {
			n, beta := max(1, tile.NR-[]int{0, 1, 8}[i/2]), float32(i%2)
			b := Block{M: 1, N: n, K: 1, A: make([]float32, Panel(tile.MR, 1)), B: make([]float32, Panel(tile.NR, 1)),
				C: make([]float32, n), LDC: n, Alpha: 1, Beta: beta,
				Activation: device.Activation{On: true, Unary: device.Unary{Op: device.ReLU}}}
			forget(b.A)
			tile.Multiply(w, &b)
			for _, v := range b.C {
				require.True(t, v != v, "%s, %d columns, beta %g", tile.Name, n, beta)
			}
		}
	}
}
