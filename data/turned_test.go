package data

import (
	"hash/fnv"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// A ramp that is turned, enlarged or shrunk is a ramp: linear interpolation and
// averages leave it as it is, but near the edges.
func TestRampsAreTurned(t *testing.T) {
	const h, w = 60, 50
	p := plane{w: w, h: h, stride: w + 3, sx: 1, sy: 1, pix: make([]uint8, (w+3)*h)}
	for y := range h {
		for x := range w {
			p.pix[y*p.stride+x] = uint8(x + 3*y)
		}
	}
	for _, at := range []plane{{x0: 0, y0: 0, sx: 1, sy: 1}, {x0: 7, y0: 5, sx: 1, sy: 1}, {x0: 4, y0: 8, sx: 2, sy: 2}, {x0: 0, y0: 0, sx: 1, sy: 2}} {
		p.x0, p.y0, p.sx, p.sy = at.x0, at.y0, at.sx, at.sy
		middle := affine{a: 1, c: p.x0 + w*p.sx/2, e: 1, f: p.y0 + h*p.sy/2}
		for _, scale := range []float64{0.7, 1, 1.6, 2.5} {
			for _, degrees := range []float64{10, 45, 100, 200, 300} {
				sin, cos := math.Sincos(degrees * math.Pi / 180)
				m := middle.after(affine{a: scale * cos, b: scale * sin, d: -scale * sin, e: scale * cos}).after(affine{a: 1, c: -15, e: 1, f: -10})
				got := make([]float32, 20*30)
				new(resampler).plane(got, 20, 30, &p, m)
				tolerance := 0.02
				if scale > 1 { // pixels are few, and the filter falls between them
					tolerance = 0.3
				}
				inside := 0
				for i, v := range got {
					x, y := m.apply(float64(i%30)+0.5, float64(i/30)+0.5)
					x, y = (x-p.x0)/p.sx, (y-p.y0)/p.sy
					if edge := 2 + 2*scale; x < edge || y < edge || x > w-edge || y > h-edge {
						continue
					}
					inside++
					require.InDelta(t, (x-0.5)+3*(y-0.5), v, tolerance, "%v, scale %g, %g degrees, %d", at, scale, degrees, i)
				}
				require.Greater(t, inside, 100)
			}
		}
	}
	// What looks past the picture sees its edge.
	p.x0, p.y0, p.sx, p.sy = 0, 0, 1, 1
	sin, cos := math.Sincos(0.3)
	got := make([]float32, 4)
	for corner, want := range map[[2]float64]float32{{-500, -500}: 0, {500, -500}: w - 1, {-500, 500}: 3 * (h - 1), {500, 500}: w - 1 + 3*(h-1)} {
		new(resampler).plane(got, 2, 2, &p, affine{a: cos, b: sin, c: corner[0], d: -sin, e: cos, f: corner[1]})
		require.Equal(t, []float32{want, want, want, want}, got)
	}
}

// Rows that shrink by more than four taps hold, and rows that are columns.
func TestWideTapsAndColumns(t *testing.T) {
	p := plane{w: 40, h: 3, stride: 40, sx: 1, sy: 1, pix: make([]uint8, 120)}
	for i := range p.pix {
		p.pix[i] = uint8(2*(i%40) + 50*(i/40))
	}
	got := make([]float32, 4*3)
	new(resampler).plane(got, 3, 4, &p, affine{a: 6, c: 8, e: 1})
	for i, v := range got {
		require.InDelta(t, 2*(6*(float64(i%4)+0.5)+8-0.5)+50*float64(i/4), v, 1e-3)
	}
	got = make([]float32, 40*3)
	new(resampler).plane(got, 40, 3, &p, affine{b: 1, d: 1})
	for i, v := range got {
		require.InDelta(t, float64(2*(i/3)+50*(i%3)), v, 1e-3)
	}
}

// The synthetic sets stay what they were: what tests and tables say of them
// depends on it.
func TestSyntheticStays(t *testing.T) {
	train, test, err := NewSynthetic(SyntheticOptions{Shape: tensor.Shape{3, 11, 13}, Classes: 4, Train: 9, Test: 5, Seed: 42})
	require.NoError(t, err)
	digest := func(d Dataset) uint64 {
		h := fnv.New64a()
		x := make([]float32, d.Shape().TotalSize())
		for i := range d.Len() {
			_, err := d.Read(x, i)
			require.NoError(t, err)
			for _, v := range x { // whole numbers
				h.Write([]byte{byte(v)})
			}
		}
		return h.Sum64()
	}
	require.Equal(t, [2]uint64{0xc885b6f6528686cd, 0xda3252539e3467ff}, [2]uint64{digest(train), digest(test)})

	train, test, err = NewSynthetic(SyntheticOptions{Shape: tensor.Shape{1, 32, 24}, Targets: 5, Train: 3, Test: 1, Seed: 3})
	require.NoError(t, err)
	for _, c := range []struct {
		set    Dataset
		i      int
		target []float64
		sum    float64
	}{
		{train, 0, []float64{-0.16577336, 0.22518472, 0.09540805, -0.2512725, -0.12791859}, 2678.0234},
		{train, 2, []float64{0.39774716, 0.34085655, 0.68301606, -0.17954196, 0.43909308}, 2686.8149},
		{test, 0, []float64{0.17861813, 0.4506094, 0.46509105, -0.07198562, 0.22013856}, 2660.7025},
	} {
		target, x := make([]float32, 5), make([]float32, 32*24)
		require.NoError(t, c.set.(Regression).ReadTarget(target, c.i))
		_, err := c.set.Read(x, c.i)
		require.NoError(t, err)
		sum := 0.0
		for _, v := range x {
			sum += float64(v)
		}
		require.InDelta(t, c.sum, sum, 1e-2)
		for d, want := range c.target {
			require.InDelta(t, want, target[d], 1e-6)
		}
	}
}

// Numbers in JSON are a list, or base64.
func TestFloatsRefuse(t *testing.T) {
	var f Floats
	require.NoError(t, f.UnmarshalJSON([]byte(`[1,2.5]`)))
	require.Equal(t, Floats{1, 2.5}, f)
	require.NoError(t, f.UnmarshalJSON([]byte(`"AACAPw=="`)))
	require.Equal(t, Floats{1}, f)
	for text, want := range map[string]string{
		``:           "unexpected end of JSON input",
		`"AACAPw`:    "unexpected end of JSON input",
		`"!"`:        "illegal base64 data at input byte 0",
		`"AACAP0A="`: "the bytes of float32 numbers come in fours",
		`{"a":1}`:    "json: cannot unmarshal object into Go value of type []float32",
	} {
		require.EqualError(t, f.UnmarshalJSON([]byte(text)), want, text)
	}
}
