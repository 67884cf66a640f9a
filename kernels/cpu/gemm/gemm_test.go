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
