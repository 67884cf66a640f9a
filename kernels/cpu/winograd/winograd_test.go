package winograd

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/guarded"
)

// The matrices of the package's documentation, exactly.

func points() []*big.Rat {
	p := []*big.Rat{new(big.Rat)}
	for _, v := range pairs {
		x := new(big.Rat).SetFloat64(v)
		p = append(p, x, new(big.Rat).Neg(x))
	}
	return p
}

// exactImage is B, and the diagonal of S, from the points.
func exactImage() (b [][]*big.Rat, s []*big.Rat) {
	for p, x := range points() {
		row := []*big.Rat{big.NewRat(1, 1)}
		value := big.NewRat(1, 1)
		for q, y := range points() {
			if q == p {
				continue
			}
			value.Mul(value, new(big.Rat).Sub(x, y))
			next := append([]*big.Rat{new(big.Rat)}, row...) // times (x - y)
			for k, v := range row {
				next[k] = new(big.Rat).Sub(next[k], new(big.Rat).Mul(y, v))
			}
			row = next
		}
		b, s = append(b, row), append(s, value.Inv(value))
	}
	return b, s
}

// exactEvaluation is E [7,k].
func exactEvaluation(k int) (e [][]*big.Rat) {
	for _, x := range points() {
		row := []*big.Rat{big.NewRat(1, 1)}
		for len(row) < k {
			row = append(row, new(big.Rat).Mul(row[len(row)-1], x))
		}
		e = append(e, row)
	}
	return e
}

// TestIdentity holds the one-dimensional algorithm against correlation, in
// exact arithmetic: coefficient by coefficient, it is the same bilinear form.
func TestIdentity(t *testing.T) {
	b, s := exactImage()
	for _, r := range []int{3, 5} {
		m := Outputs(r)
		eM, eR := exactEvaluation(m), exactEvaluation(r)
		for y := range m {
			for x := range Points {
				for w := range r {
					sum := new(big.Rat)
					for p := range Points {
						term := new(big.Rat).Mul(eM[p][y], s[p])
						term.Mul(term, eR[p][w])
						sum.Add(sum, term.Mul(term, b[p][x]))
					}
					want := big.NewRat(0, 1)
					if x == y+w {
						want.SetInt64(1)
					}
					require.Zero(t, want.Cmp(sum), "F(%d,%d): output %d, input %d, tap %d: %v", m, r, y, x, w, sum)
				}
			}
		}
	}
}

// TestLines holds the transforms of a line against the exact matrices.
func TestLines(t *testing.T) {
	b, s := exactImage()
	for p := range Points {
		for j := range Points {
			var d, f line
			d[j], f[p] = 1, 1
			require.Equal(t, nearest(b[p][j]), image(d)[p], "B[%d,%d]", p, j)
			require.Equal(t, nearest(b[p][j]), spread(f)[j], "Bᵀ[%d,%d]", j, p)
			if j < 5 {
				e := new(big.Rat).Mul(s[p], exactEvaluation(5)[p][j])
				require.Equal(t, nearest(e), evaluate5(d)[p], "S E[%d,%d]", p, j)
				require.Equal(t, nearest(exactEvaluation(5)[p][j]), interpolate5(f)[j], "E[%d,%d]", p, j)
			}
			if j < 3 {
				require.Equal(t, evaluate5(d), evaluate3(d))
			}
		}
	}
}

func nearest(x *big.Rat) float32 {
	v, _ := x.Float32()
	return v
}

// paths are those of this machine.
func paths() map[string]Path {
	m := map[string]Path{}
	for _, tile := range gemm.Tiles() {
		m[tile.Name] = PathOf(tile)
	}
	return m
}

// rows is those of the register tile of a path.
func rows(name string) int {
	for _, tile := range gemm.Tiles() {
		if tile.Name == name {
			return tile.MR
		}
	}
	return 0
}

// guard stands where nothing may be written.
const guard = 12345

// fenced is n elements with that value, before a page that faults.
func fenced(t *testing.T, n int) []float32 {
	x := guarded.Floats(t, n, true)
	for i := range x {
		x[i] = guard
	}
	return x
}

// TestGather holds each path against the Go twin, on patches that overlap the
// edges of the plane, or of which nothing is inside. What is beside the plane and
// behind the transforms faults.
func TestGather(t *testing.T) {
	for name, path := range paths() {
		r := rand.New(rand.NewPCG(1, 2))
		for _, size := range []int{3, 5, Points} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				for _, store := range []int{path.Lanes, rows(name)} {
					const n, h, w = 3, 9, 8
					src := guarded.Floats(t, n*h*w, store == path.Lanes)
					copy(src, numbers(r, len(src)))
					var p Patches
					for l := range path.Lanes {
						i, j := r.IntN(h+2*size)-size, r.IntN(w+2*size)-size
						p.Set(l, i*w+j, size, size, i, j, h, w)
					}
					g := Gather{Src: src, Patches: &p, Pitch: w, Step: n*path.Lanes + 1, N: n, SrcStep: h * w, DstStep: path.Lanes, Store: store, Work: make([]float32, WorkSize)}
					written := (Frequencies-1)*g.Step + (n-1)*g.DstStep + store
					got, want := fenced(t, written), fenced(t, written)
					run := func(dst []float32, path Path) {
						g.Dst = dst
						if size == Points {
							path.Image(&g)
						} else {
							path.Evaluate(&g, size)
						}
					}
					run(got, path)
					run(want, Path{Lanes: path.Lanes})
					near(t, want, got, 1e-5)
				}
			})
		}
	}
}

// TestClip holds Set against its definition.
func TestClip(t *testing.T) {
	const h, w = 4, 3
	for i := -8; i < 8; i++ {
		for j := -8; j < 8; j++ {
			var p Patches
			p.Set(1, 0, 5, 5, i, j, h, w)
			for r := range Points {
				for c := range Points {
					inside := r < 5 && c < 5 && i+r >= 0 && i+r < h && j+c >= 0 && j+c < w
					require.Equal(t, inside, p.Columns[r][1]>>c&1 != 0, "patch at %d,%d: row %d, column %d", i, j, r, c)
				}
			}
		}
	}
}

// TestRepeat holds Repeat and Keep against setting each lane.
func TestRepeat(t *testing.T) {
	for _, n := range []int{-1, 0, 5, maxLanes, maxLanes + 1} {
		var got, want Patches
		got.Set(0, 7, 5, 5, -1, 2, 9, 6)
		got.Repeat(100)
		got.Keep(n)
		for l := range maxLanes {
			want.Set(l, 7+100*l, 5, 5, -1, 2, 9, 6)
			if l >= n {
				want.Set(l, 7+100*l, 5, 0, 0, 0, 0, 0)
			}
		}
		require.Equal(t, want, got, "%d lanes", n)
	}
}

// TestScatter holds each path against the Go twin, with every option. What is
// behind the last output faults.
func TestScatter(t *testing.T) {
	for name, path := range paths() {
		r := rand.New(rand.NewPCG(3, 4))
		for _, size := range []int{3, 5} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				for i := range 40 {
					const n = 2
					plane, pitch := size*(size+1)+r.IntN(3), size+r.IntN(2)
					s := Scatter{
						Step: n*path.Lanes + 3, N: n, Pitch: pitch, Plane: plane, Rows: 1 + r.IntN(size), Base: r.IntN(4),
						ReLU: i&1 != 0, Accumulate: i&2 != 0, Work: make([]float32, WorkSize),
					}
					if i&4 != 0 {
						s.Bias = numbers(r, n*path.Lanes)
					}
					lanes, columns := path.Lanes, size
					if i&8 != 0 {
						lanes, columns = 1+r.IntN(lanes), 1+r.IntN(size)
					}
					s.SetColumns(lanes, columns)
					s.Src = guarded.Floats(t, (Frequencies-1)*s.Step+n*path.Lanes, true)
					copy(s.Src, numbers(r, len(s.Src)))
					last := (n-1)*path.Lanes + lanes - 1 // of the lanes that are written
					start := numbers(r, s.Base+last*plane+(s.Rows-1)*pitch+columns)
					got, want := guarded.Floats(t, len(start), true), append([]float32(nil), start...)
					copy(got, start)
					s.Dst = got
					path.Interpolate(&s, size)
					s.Dst = want
					Path{Lanes: path.Lanes}.Interpolate(&s, size)
					near(t, want, got, 2e-6)
					written := 0
					for i := range start {
						if want[i] != start[i] {
							written++
						}
					}
					if !s.ReLU {
						require.Equal(t, n*lanes*columns*s.Rows, written)
					}
				}
			})
		}
	}
}

// TestSpread holds each path against the Go twin, for tiles that overlap. What is
// behind the frequencies, and around the image, faults.
func TestSpread(t *testing.T) {
	for name, path := range paths() {
		t.Run(name, func(t *testing.T) {
			const n, wide = 2, 10
			r := rand.New(rand.NewPCG(5, 6))
			pixel := n * path.Lanes
			for _, end := range []bool{false, true} {
				s := Spread{Step: pixel + 3, N: n, Pixel: pixel, Pitch: wide * pixel, Work: make([]float32, WorkSize)}
				s.Src = guarded.Floats(t, (Frequencies-1)*s.Step+pixel, end)
				copy(s.Src, numbers(r, len(s.Src)))
				got := guarded.Floats(t, 9*s.Pitch+wide*pixel, end)
				copy(got, numbers(r, len(got)))
				want := append([]float32(nil), got...)
				for _, first := range []int{0, 3 * pixel, 3 * s.Pitch, 3 * (s.Pitch + pixel)} {
					s.Dst = got[first:]
					path.Spread(&s)
					s.Dst = want[first:]
					Path{Lanes: path.Lanes}.Spread(&s)
				}
				near(t, want, got, 2e-6)
			}
		})
	}
}

// TestUnscaled holds the factors against S.
func TestUnscaled(t *testing.T) {
	_, s := exactImage()
	for f, v := range Unscaled {
		want, _ := new(big.Rat).Inv(new(big.Rat).Mul(s[f/Points], s[f%Points])).Float64()
		require.InEpsilon(t, want, v, 3e-7)
	}
}

// near compares, to a tolerance relative to the largest.
func near(t *testing.T, want, got []float32, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, v := range want {
		if v != guard {
			largest = max(largest, math.Abs(float64(v)))
		}
	}
	for i, v := range want {
		if v == guard || v == 0 {
			require.Equal(t, v, got[i], "element %d", i)
		}
		require.InDelta(t, v, got[i], tolerance*largest, "element %d", i)
	}
}

// TestScatterKeepsNaN is for a ReLU, which must not hide one.
func TestScatterKeepsNaN(t *testing.T) {
	for name, path := range paths() {
		s := Scatter{Step: path.Lanes, N: 1, Pitch: 3, Plane: 9, Rows: 3, ReLU: true, Work: make([]float32, WorkSize)}
		s.SetColumns(path.Lanes, 3)
		s.Src, s.Dst = make([]float32, Frequencies*path.Lanes), make([]float32, 9*path.Lanes)
		s.Src[0] = float32(math.NaN())
		path.Interpolate(&s, 3)
		require.True(t, s.Dst[0] != s.Dst[0], name)
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
