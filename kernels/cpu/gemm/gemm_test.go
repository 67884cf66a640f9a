package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/parallel"
)

// TestRandomProducts holds products of random shapes, some larger than a
// block in each direction, against a plain loop, on every tile.
func TestRandomProducts(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	for _, tile := range tiles {
		t.Run(tile.Name, func(t *testing.T) {
			e := NewEngine(tile, pool)
			r := rand.New(rand.NewPCG(1, 2))
			for i := range 60 {
				g := device.GEMM{M: 1 + r.IntN(60), N: 1 + r.IntN(60), K: r.IntN(60),
					TransA: i&1 != 0, TransB: i&2 != 0, Alpha: 1.5, Beta: float32(i % 3)}
				switch i % 15 { // beyond a block
				case 12:
					g.M = tile.NC + 5
				case 13:
					g.N = tile.NC + 7
				case 14:
					g.K = 2*tile.KC + 9
				}
				t.Run(fmt.Sprintf("%v beta %g", g, g.Beta), func(t *testing.T) { checkProduct(t, e, g, r) })
			}
		})
	}
}

func checkProduct(t *testing.T, e *Engine, g device.GEMM, r *rand.Rand) {
	a, b, c, bias := numbers(r, g.M*g.K), numbers(r, g.K*g.N), numbers(r, g.M*g.N), numbers(r, g.N)
	old := append([]float32(nil), c...)
	if g.Beta == 0 {
		for i := range c {
			c[i] = float32(math.NaN())
		}
	}
	act := device.Activation{Unary: device.Unary{Op: device.ReLU}, On: true}
	e.Multiply(&Product{GEMM: g, C: c, A: a, B: b, ColBias: bias, Activation: act})
	for i := range g.M {
		for j := range g.N {
			sum := 0.0
			for k := range g.K {
				x, y := i*g.K+k, k*g.N+j
				if g.TransA {
					x = k*g.M + i
				}
				if g.TransB {
					y = j*g.K + k
				}
				sum += float64(a[x]) * float64(b[y])
			}
			want := max(0, float64(g.Alpha)*sum+float64(bias[j]))
			if g.Beta != 0 {
				want = max(0, float64(g.Alpha)*sum+float64(g.Beta*old[i*g.N+j])+float64(bias[j]))
			}
			require.InDelta(t, want, c[i*g.N+j], 1e-6*math.Sqrt(float64(g.K+1))*8, "element %d,%d", i, j)
		}
	}
}

// numbers are uniform in [-1,1).
func numbers(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x
}

func TestDepthCoversTheSum(t *testing.T) {
	for _, tile := range tiles {
		require.Zero(t, tile.KC%16, "a panel of a whole block is a multiple of a cache line")
		require.Zero(t, tile.NC%tile.MR+tile.NC%tile.NR+tile.MC%tile.MR, "blocks are whole panels")
		for k := range 20 * tile.KC {
			blocks, length := tile.Depth(k)
			require.LessOrEqual(t, length, tile.KC)
			if k > 0 {
				require.Less(t, (blocks-1)*length, k)
			}
			require.GreaterOrEqual(t, blocks*length, k)
		}
	}
}

// TestPatches holds packed patches, whole and in parts, against the
// definition of a convolution.
func TestPatches(t *testing.T) {
	pool := parallel.New(1)
	defer pool.Close()
	r := rand.New(rand.NewPCG(3, 4))
	for _, tile := range tiles {
		w := NewEngine(tile, pool).Worker(0)
		for range 200 {
			p := Patches{H: 1 + r.IntN(12), W: 1 + r.IntN(12), OutH: 1 + r.IntN(9), OutW: 1 + r.IntN(40),
				StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3), Top: r.IntN(7) - 3, Left: r.IntN(7) - 3,
				R: 1 + r.IntN(4), S: 1 + r.IntN(4), StepH: 1 + r.IntN(2), StepW: 1 + r.IntN(2)}
			channels, samples := 1+r.IntN(4), 1+r.IntN(3)
			p.Sample = (channels + 1) * p.H * p.W
			p.X = numbers(r, samples*p.Sample)

			columns, rows := samples*p.OutH*p.OutW, channels*p.R*p.S
			first, row := r.IntN(columns), r.IntN(rows)
			n, k := 1+r.IntN(min(columns-first, PanelColumns)), 1+r.IntN(min(rows-row, tile.KC))
			p.Pack(w, w.B, tile.NR, first, n, row, k)
			for j := range roundUp(n, tile.NR) {
				for i := range k {
					want := float32(0)
					if j < n {
						want = p.at(row+i, first+j)
					}
					require.Equal(t, want, w.B[j/tile.NR*Panel(tile.NR, k)+i*tile.NR+j%tile.NR], "%+v: row %d column %d", p, row+i, first+j)
				}
			}
		}
	}
}

// at is an element of the matrix.
func (p *Patches) at(row, column int) float32 {
	c, r, s := row/(p.R*p.S), row/p.S%p.R, row%p.S
	n, i, j := column/(p.OutH*p.OutW), column/p.OutW%p.OutH, column%p.OutW
	h, w := i*p.StrideH-p.Top+r*p.StepH, j*p.StrideW-p.Left+s*p.StepW
	if h < 0 || h >= p.H || w < 0 || w >= p.W {
		return 0
	}
	return p.X[n*p.Sample+(c*p.H+h)*p.W+w]
}

func TestChoose(t *testing.T) {
	for _, tile := range tiles {
		t.Setenv("HUBEL_CPU", tile.Name)
		got, err := Choose()
		require.NoError(t, err)
		require.Equal(t, tile.Name, got.Name)
	}
	t.Setenv("HUBEL_CPU", "neon9")
	_, err := Choose()
	require.ErrorContains(t, err, "generic")
}
