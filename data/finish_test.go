package data

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func TestTone(t *testing.T) {
	of := func(x []float32, f func([]float32)) []float32 {
		x = slices.Clone(x)
		f(x)
		return x
	}
	require.Equal(t, []float32{0, 127.5, 255}, of([]float32{10, 60, 110}, autocontrast))
	require.Equal(t, []float32{7, 7}, of([]float32{7, 7}, autocontrast))
	require.Equal(t, []float32{0, 99, 155, 0}, of([]float32{0, 99, 100, 255}, func(x []float32) { solarize(x, 100) }))
	require.Equal(t, []float32{0, 16, 240, 240, 0}, of([]float32{15.4, 16, 255, 300, -3}, func(x []float32) { posterize(x, 4) }))
	require.Equal(t, []float32{15, 255}, of([]float32{15.4, 255}, func(x []float32) { posterize(x, 8) }))

	// 510 of 10, 255 of 20 and 255 of 30: a step is (1020-255)/255 = 3, and the
	// ranks are 1/3, 511/3 and 766/3.
	x := slices.Concat(slices.Repeat([]float32{10}, 510), slices.Repeat([]float32{20}, 255), slices.Repeat([]float32{30}, 255))
	equalize(x)
	require.Equal(t, []float32{0, 170, 255}, slices.Compact(x))
	require.Equal(t, []float32{3, 4, 5}, of([]float32{3, 4, 5}, equalize), "too few")

	spot := []float32{0, 0, 0, 0, 13, 0, 0, 0, 0}
	blurred := make([]float32, 9)
	for factor, want := range map[float32]float32{0: 5, 1: 13, 2: 21, 0.5: 9} {
		y := slices.Clone(spot)
		sharpen(y, blurred, 3, 3, factor)
		require.Equal(t, []float32{0, 0, 0, 0, want, 0, 0, 0, 0}, y, "pixels at the edge stay")
	}
}

func TestHue(t *testing.T) {
	turned := func(in [3]float64, degrees float64) (out [3]float64) {
		m := coloursOf(rgb)
		m.turn(degrees * math.Pi / 180)
		for c := range out {
			out[c] = m[c][0]*in[0] + m[c][1]*in[1] + m[c][2]*in[2] + m[c][3]
		}
		return out
	}
	red := [3]float64{255, 0, 0}
	for _, degrees := range []float64{-170, -30, 10, 90} {
		out := turned(red, degrees)
		require.InDelta(t, 255*luma[0], luma[0]*out[0]+luma[1]*out[1]+luma[2]*out[2], 1e-9, "the luma stays")
		grey := turned([3]float64{70, 70, 70}, degrees)
		for c := range grey {
			require.InDelta(t, 70, grey[c], 1e-9, "grey stays grey")
		}
		back := turned(out, -degrees)
		full := turned(red, 360)
		for c := range red {
			require.InDelta(t, red[c], back[c], 1e-9)
			require.InDelta(t, red[c], full[c], 1e-9)
		}
	}
	out := turned(red, 30)
	require.Less(t, out[2], out[1], "towards yellow and green")
	// U = -0.492*76.245, V = 0.877*178.755, turned by 90 degrees: U' = -V, V' = U.
	out = turned(red, 90)
	require.InDelta(t, 76.245-0.492*76.245/0.877, out[0], 1e-9)
	require.InDelta(t, 76.245-0.877*178.755/0.492, out[2], 1e-9)
}

// plainWhite is a set of grey pictures of one value.
type plainWhite struct{ h, w int }

func (f plainWhite) Len() int            { return 100 }
func (f plainWhite) Shape() tensor.Shape { return tensor.Shape{1, f.h, f.w} }
func (f plainWhite) Classes() []string   { return numberedClasses }

func (f plainWhite) Read(dst []float32, i int) (int32, error) {
	for k := range dst {
		dst[k] = 300 // which no erased pixel is
	}
	return 0, nil
}

func TestErase(t *testing.T) {
	const h, w = 40, 50
	a := Augment{{Op: Erase, Lo: 0.1, Hi: 0.3, P: 0.5}}
	p, err := newPhotos(&samples{plainWhite{h, w}}, a, nil, tensor.Shape{1, h, w})
	require.NoError(t, err)
	erased, rows, values := 0, map[int]bool{}, map[float32]int{}
	wide, tall := 0, 0
	for i := range 400 {
		x := slices.Repeat([]float32{300}, h*w)
		p.finish(new(scratch), x, randomView(i, 1, 0))
		x0, y0, x1, y1, n := w, h, -1, -1, 0
		for k, v := range x {
			if v == 300 {
				continue
			}
			n++
			x0, x1, y0, y1 = min(x0, k%w), max(x1, k%w), min(y0, k/w), max(y1, k/w)
			values[v]++
		}
		if n == 0 {
			continue
		}
		erased++
		rows[y0] = true
		eh, ew := y1-y0+1, x1-x0+1
		require.Equal(t, n, eh*ew, "a rectangle")
		require.InDelta(t, 0.2, float64(n)/(h*w), 0.12)
		require.Less(t, float64(max(eh, ew))/float64(min(eh, ew)), 1/0.3+0.4)
		if eh > ew {
			tall++
		} else {
			wide++
		}
	}
	require.InDelta(t, 200, erased, 40)
	require.Greater(t, len(rows), 15)
	require.Greater(t, min(wide, tall), 50)
	require.Len(t, values, 256)
	sum, n := 0., 0
	for v, k := range values {
		sum += float64(v) * float64(k)
		n += k
	}
	require.InDelta(t, 127.5, sum/float64(n), 1)
	require.Empty(t, a.Test())

	// Values depend on their place alone, not on where a row begins.
	r, s := make([]float32, 64), make([]float32, 64)
	eraseRow(r, 0, 64, device.Random{Seed: 2})
	eraseRow(s, 5, 61, device.Random{Seed: 2})
	require.Equal(t, r[5:61], s[5:61])
	require.Zero(t, s[4]+s[61])
}

func TestRandAugmentDraws(t *testing.T) {
	a, err := ParseAugment("flip,randaugment=2:5")
	require.NoError(t, err)
	times := map[Op]int{}
	amounts := map[Op]map[string]bool{}
	const views = 7000
	for i := range views {
		drawn := 0
		a.each(randomView(i, 1, 2), func(s Step, k int) {
			if k != 1 {
				return
			}
			drawn++
			times[s.Op]++
			require.Equal(t, s.Lo, s.Hi)
			if amounts[s.Op] == nil {
				amounts[s.Op] = map[string]bool{}
			}
			amounts[s.Op][fmt.Sprintf("%.4g", s.Lo)] = true
		})
		require.Equal(t, 2, drawn)
	}
	require.Len(t, times, 14)
	for op, n := range times {
		require.InDelta(t, 2*views/14, n, 150, op)
	}
	for op, want := range map[Op][]string{
		"": {"0"}, Autocontrast: {"0"}, Equalize: {"0"}, Rotate: {"-15", "15"}, Solarize: {"128"}, Posterize: {"6"},
		Saturation: {"0.55", "1.45"}, Contrast: {"0.55", "1.45"}, Brightness: {"0.55", "1.45"}, Sharpness: {"0.55", "1.45"},
		ShearX: {"-0.15", "0.15"}, ShearY: {"-0.15", "0.15"}, TranslateX: {"-0.2266", "0.2266"}, TranslateY: {"-0.2266", "0.2266"},
	} {
		for _, text := range want {
			require.True(t, amounts[op][text], "%s %s of %v", op, text, amounts[op])
		}
		require.Len(t, amounts[op], len(want), op)
	}
	a.each(view{}, func(Step, int) { require.Fail(t, "a test takes no step") })
}

// Whatever RandAugment does, points stay on their pixels, workers change nothing
// and nothing is allocated.
func TestRandAugment(t *testing.T) {
	for _, text := range []string{"shear-x=0.3", "shear-y=0.3", "translate-x=0.1", "translate-y=0.1", "randaugment=2:4"} {
		a, err := ParseAugment(text)
		require.NoError(t, err)
		_, varied, err := Augmented(dots{40}, a, nil)
		require.NoError(t, err)
		x, target := make([]float32, dotsH*dotsW), make([]float32, 6)
		inside, moved := 0, 0
		for i := range 40 {
			_, err := varied.ReadVaried(x, i, 3, 1)
			require.NoError(t, err)
			require.NoError(t, varied.(VariedRegression).ReadVariedTarget(target, i, 3, 1))
			toned := false // so that a dark background is bright, or a dot has another form
			a.each(randomView(i, 3, 1), func(s Step, _ int) {
				if !slices.Contains([]Op{"", Rotate, ShearX, ShearY, TranslateX, TranslateY}, s.Op) {
					toned = true
				}
			})
			px, py := float64(target[2*(i%2)]), float64(target[2*(i%2)+1])
			if toned || max(math.Abs(px), math.Abs(py)) > 0.6 {
				continue
			}
			inside++
			m, _, _ := a.geometry(randomView(i, 3, 1), dotsH, dotsW)
			if m != (affine{a: 1, e: 1}) {
				moved++
			}
			cx, cy := centroid(x, dotsH, dotsW)
			require.InDelta(t, px, cx, 0.5/dotsW, "%s %d", text, i)
			require.InDelta(t, py, cy, 0.5/dotsH, "%s %d", text, i)
		}
		require.Greater(t, moved, 2, text)
		require.GreaterOrEqual(t, inside, moved)
	}

	train, _, err := NewSynthetic(SyntheticOptions{Shape: tensor.Shape{3, 20, 24}, Train: 30, Test: 1})
	require.NoError(t, err)
	a, err := ParseAugment("randaugment=3:9,hue=30,erase")
	require.NoError(t, err)
	stats, _, err := Measure(t.Context(), train, MeasureOptions{})
	require.NoError(t, err)
	_, varied, err := Augmented(train, a, stats)
	require.NoError(t, err)
	var first [][]float32
	for _, workers := range []int{1, 4} {
		var seen [][]float32
		l := newLoader(t, varied, LoaderOptions{Batch: 8, Seed: 5, Workers: workers})
		for range 8 {
			b, err := l.Next()
			require.NoError(t, err)
			seen = append(seen, slices.Clone(b.X.Float32s()))
			for _, v := range b.X.Float32s() {
				require.False(t, math.IsNaN(float64(v)) || math.IsInf(float64(v), 0))
			}
			b.Release()
		}
		if first == nil {
			first = seen
		}
		require.Equal(t, first, seen)
	}
	x := make([]float32, 3*20*24)
	i := 0
	require.Zero(t, testing.AllocsPerRun(200, func() {
		varied.ReadVaried(x, i%30, 1, i/30)
		i++
	}))
}
