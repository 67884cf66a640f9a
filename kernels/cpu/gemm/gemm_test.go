package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/guarded"
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
				case 11: // too wide for a worker, and too small for two
					g.M, g.N, g.K = 3, privateColumns*tile.KC/24-1, 24
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

// FuzzMultiply does so for any shape. Its seeds go through each way in which a
// product is made.
func FuzzMultiply(f *testing.F) {
	for _, s := range []struct {
		m, n, k uint16
		flags   uint8
	}{
		{1, 1, 0, 4}, {47, 68, 0, 0}, {1, 1, 1, 0}, {5, 131, 700, 2}, {131, 5, 700, 6}, {24, 25, 48, 2}, {24, 33, 50, 10}, {24, 33, 50, 14}, // dot products
		{20, 300, 25, 4}, {25, 310, 20, 1}, // B where it stands
		{300, 50, 64, 5}, {128, 169, 600, 8}, {400, 169, 70, 3}, // few columns, and so cut across the rows
		{96, 900, 60, 0}, {100, 600, 520, 7}, {9, 17, 1100, 13},
	} {
		f.Add(s.m, s.n, s.k, s.flags)
	}
	pool := parallel.New(2)
	f.Cleanup(pool.Close)
	var engines []*Engine
	for _, tile := range tiles {
		engines = append(engines, NewEngine(tile, pool))
	}
	f.Fuzz(func(t *testing.T, m, n, k uint16, flags uint8) {
		g := device.GEMM{M: 1 + int(m)%600, N: 1 + int(n)%1000, K: int(k) % 1200,
			TransA: flags&1 != 0, TransB: flags&2 != 0, Alpha: 1, Beta: float32(flags >> 2 & 1)}
		if flags&8 != 0 {
			g.Alpha, g.Beta = -0.5, 2*g.Beta
		}
		if g.FLOPs() > 1<<27 {
			t.Skip("too long for the plain loop")
		}
		for _, e := range engines {
			checkProduct(t, e, g, rand.New(rand.NewPCG(uint64(m), uint64(n))))
		}
	})
}

// checkProduct holds a product against a plain loop. Its operands lie behind
// and then before guard pages, which changes no bit.
func checkProduct(t *testing.T, e *Engine, g device.GEMM, r *rand.Rand) {
	a, b, old, bias := numbers(r, g.M*g.K), numbers(r, g.K*g.N), numbers(r, g.M*g.N), numbers(r, g.N)
	act := device.Activation{Unary: device.Unary{Op: device.ReLU}, On: r.IntN(4) != 0}
	multiply := func(atEnd bool) []float32 {
		beside := func(x []float32) []float32 {
			y := guarded.Floats(t, len(x), atEnd)
			copy(y, x)
			return y
		}
		c := beside(old)
		if g.Beta == 0 {
			forget(c)
		}
		e.Multiply(&Product{GEMM: g, C: c, A: beside(a), B: beside(b), ColBias: beside(bias), Activation: act})
		return c
	}
	c := multiply(false)
	require.True(t, slices.Equal(c, multiply(true)), "%s: %v", e.Tile.Name, g)
	tolerance := 1e-6 * math.Sqrt(float64(g.K+1)) * 8
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
			want := float64(g.Alpha)*sum + float64(bias[j])
			if g.Beta != 0 {
				want += float64(g.Beta * old[i*g.N+j])
			}
			if act.On {
				want = max(0, want)
			}
			if got := float64(c[i*g.N+j]); !(math.Abs(got-want) <= tolerance) {
				require.InDelta(t, want, got, tolerance, "%s: %v, element %d,%d", e.Tile.Name, g, i, j)
			}
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
		require.Zero(t, tile.NC%tile.MR+tile.NC%tile.NR+tile.MC%tile.MR+tile.MR%tile.Low+tile.NR%tile.Narrow, "blocks are whole panels")
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
	t.Setenv("HUBEL_CPU", "sve")
	_, err := Choose()
	require.ErrorContains(t, err, "generic")

	// A path that is named goes before the environment.
	for _, tile := range tiles {
		got, err := Named(tile.Name)
		require.NoError(t, err)
		require.Equal(t, tile.Name, got.Name)
	}
	for _, auto := range []string{"", device.AutoPath} {
		_, err := Named(auto)
		require.ErrorContains(t, err, "HUBEL_CPU=sve")
		t.Setenv("HUBEL_CPU", "generic")
		got, err := Named(auto)
		require.NoError(t, err)
		require.Equal(t, "generic", got.Name)
		t.Setenv("HUBEL_CPU", "sve")
	}
	_, err = Named("sve")
	require.ErrorContains(t, err, "-cpu-path sve is not a path of this machine, which has ")
}

// TestCachesChangeNoBit: whatever blocks a machine's caches ask for, products
// are the same.
func TestCachesChangeNoBit(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	r := rand.New(rand.NewPCG(3, 4))
	const m, n, k = 600, 700, 300
	a, b := numbers(r, m*k), numbers(r, k*n)
	for _, tile := range tiles {
		var first []float32
		for _, cache := range [][2]int{{-1, 0}, {128 << 10, 1 << 20}, {1 << 20, 32 << 20}, {64 << 20, 1 << 30}} {
			other := *tile
			other.MC, other.NC = blockSizes(tile.MR, tile.NR, tile.KC, cache[0], cache[1])
			require.Zero(t, other.NC%tile.MR+other.NC%tile.NR+other.MC%tile.MR, "blocks are whole panels")
			require.Positive(t, min(other.MC, other.NC))
			c := make([]float32, m*n)
			NewEngine(&other, pool).Multiply(&Product{GEMM: device.GEMM{M: m, N: n, K: k, Alpha: 1}, C: c, A: a, B: b})
			if first == nil {
				first = c
			}
			require.Equal(t, first, c, "%s, caches of %v", tile.Name, cache)
		}
	}
}
