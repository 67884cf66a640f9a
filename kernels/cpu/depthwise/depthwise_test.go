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

// nans is n elements that are not numbers.
func nans(t testing.TB, n int, atEnd bool) []float32 {
	x := guarded.Floats(t, n, atEnd)
	for i := range x {
		x[i] = float32(math.NaN())
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
				p := Planes{Count: 1 + r.IntN(3), Y: n + r.IntN(9), X: r.IntN(99)}
				x, w := random(t, r, (p.Count-1)*p.X+furthest+n, atEnd), random(t, r, p.Count*taps, atEnd)
				y := nans(t, (p.Count-1)*p.Y+n, atEnd)
				var bias []float32
				if r.IntN(3) > 0 {
					bias = random(t, r, p.Count, atEnd)
				}
				l.Correlate(y, x, w, at, bias, n, p)
				for i := range p.Count {
					for j := range n {
						want, size := 0., 0.
						if bias != nil {
							want, size = float64(bias[i]), math.Abs(float64(bias[i]))
						}
						for k, first := range at {
							v := float64(w[i*taps+k]) * float64(x[i*p.X+first+j])
							want, size = want+v, size+math.Abs(v)
						}
						require.InDelta(t, want, y[i*p.Y+j], size*float64(taps+1)*0x1p-24)
					}
					if end := i*p.Y + n; i < p.Count-1 && n < p.Y {
						require.True(t, y[end] != y[end], "written between planes")
					}
				}
				z, sums := random(t, r, n, atEnd), random(t, r, taps*Width, atEnd)
				before := slices.Clone(sums)
				l.Dots(sums, z, x, at)
				for i := range sums {
					want, size := float64(before[i]), math.Abs(float64(before[i]))
					for j := i % Width; j < n; j += Width {
						v := float64(z[j]) * float64(x[at[i/Width]+j])
						want, size = want+v, size+math.Abs(v)
					}
					require.InDelta(t, want, sums[i], size*float64(n/Width+1)*0x1p-24)
				}
			}
		})
	}
}

// TestRowsAreThoseOfTheGoLoops compares the copies of every path with those in Go.
func TestRowsAreThoseOfTheGoLoops(t *testing.T) {
	for _, l := range paths {
		t.Run(l.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 6))
			for trial := range 1000 {
				atEnd := trial%2 == 0
				r := Rows{Planes: rng.IntN(4), Rows: rng.IntN(5), Width: rng.IntN(80), Head: rng.IntN(40), Left: rng.IntN(20), LeftOdd: rng.IntN(20), Tail: rng.IntN(40)}
				r.Next = r.Width + rng.IntN(3)
				r.NextPlane = r.Rows*r.Next + rng.IntN(3)
				r.Pitch = max(r.Left+r.Width, r.LeftOdd+r.Width/2) + rng.IntN(20)
				r.Plane = r.Head + r.Rows*r.Pitch + r.Tail + rng.IntN(3)
				image := random(t, rng, r.Planes*r.NextPlane+max(0, r.Width-r.NextPlane), atEnd)
				size := r.Planes*r.Plane + 2*Width

				same := func(want, got []float32) {
					t.Helper()
					for i := range r.Planes {
						n := r.Head + r.Rows*r.Pitch + r.Tail
						require.Equal(t, want[i*r.Plane:][:n], got[i*r.Plane:][:n], "%+v", r)
					}
				}
				want, got := nans(t, size, atEnd), nans(t, size, atEnd)
				Generic.Pad(want, image, r)
				l.Pad(got, image, r)
				same(want, got)

				wantOdd, gotOdd := nans(t, size, atEnd), nans(t, size, atEnd)
				Generic.Split(want, wantOdd, image, r)
				l.Split(got, gotOdd, image, r)
				same(want, got)
				same(wantOdd, gotOdd)

				even, odd := random(t, rng, size, atEnd), random(t, rng, size, atEnd)
				a, b := nans(t, len(image), atEnd), nans(t, len(image), atEnd)
				bits := func(x []float32) (bits []uint32) {
					for _, v := range x {
						bits = append(bits, math.Float32bits(v))
					}
					return bits
				}
				Generic.Unpad(a, even, r)
				l.Unpad(b, even, r)
				require.Equal(t, bits(a), bits(b), "%+v", r)
				Generic.Merge(a, even, odd, r)
				l.Merge(b, even, odd, r)
				require.Equal(t, bits(a), bits(b), "%+v", r)
			}
		})
	}
}

func TestAPathHasTheNameOfItsTile(t *testing.T) {
	for _, l := range paths {
		require.Same(t, l, Named(l.Name))
	}
	require.Same(t, &Generic, Named("other"))
}
