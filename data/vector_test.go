package data

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The loops of this machine and those in Go agree on every bit, at every
// length.
func TestVectorPathsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	floats := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64() * 100)
		}
		return x
	}
	for n := range 100 {
		for rows := 1; rows < 6; rows++ {
			stride := n + r.IntN(5)
			pix := make([]uint8, rows*stride+n)
			for i := range pix {
				pix[i] = uint8(r.Uint32())
			}
			weight := floats(rows)
			a, b := floats(n+1), make([]float32, n+1)
			b[n] = a[n]
			blendRows(a[:n], pix, stride, weight)
			blendRowsGo(b[:n], pix, stride, weight)
			require.Equal(t, b, a)
		}

		src, weight := floats(40), floats(4*n)
		first := make([]int32, n)
		for i := range first {
			first[i] = int32(r.IntN(37))
		}
		a, b := floats(n+1), make([]float32, n+1)
		b[n] = a[n]
		gatherFour(a[:n], src, first, weight)
		gatherFourGo(b[:n], src, first, weight)
		require.Equal(t, b, a)

		a, b = floats(n+1), make([]float32, n+1)
		copy(b, a)
		shiftScale(a[:n], 3.3, 0.7)
		shiftScaleGo(b[:n], 3.3, 0.7)
		require.Equal(t, b, a)

		var f [3][4]float32
		for k := range f {
			copy(f[k][:], floats(4))
		}
		x, y, z := floats(n+1), floats(n+1), floats(n+1)
		u, v, w := slices.Clone(x), slices.Clone(y), slices.Clone(z)
		mixColours(x[:n], y[:n], z[:n], &f)
		mixColoursGo(u[:n], v[:n], w[:n], &f)
		require.Equal(t, [][]float32{u, v, w}, [][]float32{x, y, z})
	}
}

// Resampling against the triangle filter written out, for sizes that grow,
// shrink and are mirrored, and planes of a few pixels.
func TestResampling(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		p := plane{w: 1 + r.IntN(20), h: 1 + r.IntN(20), sx: float64(1 + r.IntN(2)), sy: float64(1 + r.IntN(2)), x0: float64(r.IntN(3)), y0: float64(r.IntN(3))}
		p.stride = p.w + r.IntN(4)
		p.pix = make([]uint8, p.stride*p.h)
		for i := range p.pix {
			p.pix[i] = uint8(r.Uint32())
		}
		h, w := 1+r.IntN(20), 1+r.IntN(20)
		m := affine{a: 4*r.Float64() - 2, c: 20*r.Float64() - 5, e: 0.05 + 3*r.Float64(), f: 10*r.Float64() - 5}
		if m.a == 0 {
			continue
		}
		got := make([]float32, h*w)
		new(resampler).plane(got, h, w, &p, m)

		weights := func(out int, scale, offset, x0, sx float64, inputs int) []float64 {
			v := make([]float64, inputs)
			centre := (scale*(float64(out)+0.5) + offset - x0) / sx
			radius := max(1, max(scale, -scale)/sx)
			sum := 0.
			for j := -60; j < 60; j++ {
				d := float64(j) + 0.5 - centre
				f := max(0, 1-max(d, -d)/radius)
				sum += f
				v[min(max(j, 0), inputs-1)] += f
			}
			for j := range v {
				v[j] /= sum
			}
			return v
		}
		for y := range h {
			wy := weights(y, m.e, m.f, p.y0, p.sy, p.h)
			for x := range w {
				wx := weights(x, m.a, m.c, p.x0, p.sx, p.w)
				want := 0.
				for i, fy := range wy {
					for j, fx := range wx {
						want += fy * fx * float64(p.pix[i*p.stride+j])
					}
				}
				require.InDelta(t, want, got[y*w+x], 1e-3)
			}
		}
	}
}
