package depthwise

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cpu/guarded"
)

// random are n numbers around 0 that end at a page, or begin at one, that faults.
func random(t testing.TB, r *rand.Rand, n int, atEnd bool) []float32 {
	x := guarded.Floats(t, n, atEnd)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestLoopsAreThePlainSums holds every path against sums in float64, with outputs of NaN,
// between guards.
func TestLoopsAreThePlainSums(t *testing.T) {
	for _, l := range paths {
		t.Run(l.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for trial := range 300 {
				n, taps, reach := Width*r.IntN(12), r.IntN(26), r.IntN(70)
				at := make([]int, taps)
				for i := range at {
					at[i] = r.IntN(reach + 1)
				}
				furthest := 0
				if taps > 0 {
					furthest = slices.Max(at)
				}
				atEnd := trial%2 == 0
				x, w, y := random(t, r, furthest+n, atEnd), random(t, r, taps, atEnd), guarded.Floats(t, n, atEnd)
				for j := range y {
					y[j] = float32(math.NaN())
				}
				l.Correlate(y, x, w, at, 0.75)
				for j := range y {
					want, size := 0.75, 0.75
					for i, first := range at {
						p := float64(w[i]) * float64(x[first+j])
						want, size = want+p, size+math.Abs(p)
					}
					require.InDelta(t, want, y[j], size*float64(taps+1)*0x1p-24)
				}
				y, sums := random(t, r, n, atEnd), random(t, r, taps*Width, atEnd)
				before := slices.Clone(sums)
				l.Dots(sums, y, x, at)
				for i := range sums {
					want, size := float64(before[i]), math.Abs(float64(before[i]))
					for j := i % Width; j < n; j += Width {
						p := float64(y[j]) * float64(x[at[i/Width]+j])
						want, size = want+p, size+math.Abs(p)
					}
					require.InDelta(t, want, sums[i], size*float64(n/Width+1)*0x1p-24)
				}
			}
		})
	}
}

func TestSplitAndMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, l := range paths {
		for n := 0; n < 8*Width; n += Width {
			for _, atEnd := range []bool{true, false} {
				x := random(t, r, 2*n, atEnd)
				even, odd, back := guarded.Floats(t, n, atEnd), guarded.Floats(t, n, atEnd), guarded.Floats(t, 2*n, atEnd)
				l.Split(even, odd, x)
				for i := range even {
					require.Equal(t, [2]float32{x[2*i], x[2*i+1]}, [2]float32{even[i], odd[i]}, l.Name)
				}
				l.Merge(back, even, odd)
				require.Equal(t, x, back, l.Name)
			}
		}
	}
}

func TestAPathHasTheNameOfItsTile(t *testing.T) {
	for _, l := range paths {
		require.Same(t, l, Named(l.Name))
	}
	require.Same(t, &Generic, Named("other"))
}
