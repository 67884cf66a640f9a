package data

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestPreprocessApply(t *testing.T) {
	for _, c := range []struct {
		p    Preprocess
		want []float32
	}{
		{Preprocess{}, []float32{2, 4, 6, 8}},
		{Preprocess{Scale: 0.5}, []float32{1, 2, 3, 4}},
		{Preprocess{Mean: []float32{2, 4}}, []float32{0, 2, 2, 4}},
		{Preprocess{Mean: []float32{2, 4}, Scale: 0.5}, []float32{0, 1, 1, 2}},
		{Preprocess{Mean: []float32{1, 2, 3, 4}}, []float32{1, 2, 3, 4}},
		{Preprocess{Mean: []float32{1, 2, 3, 4}, Deviation: []float32{1, 2}, Scale: 2}, []float32{2, 4, 3, 4}},
		{Preprocess{Deviation: []float32{2, 4}}, []float32{1, 2, 1.5, 2}},
		{Preprocess{Mean: []float32{2, 4}, Whiten: []float32{0, 1, 1, 0}, Scale: 3}, []float32{6, 12, 0, 6}},
	} {
		x := []float32{2, 4, 6, 8}
		c.p.Apply(x)
		require.Equal(t, c.want, x)
	}
}

// A mean image lies under every deviation, and one number for all channels
// under every pixel.
func TestPreprocessOfChannels(t *testing.T) {
	x := []float32{2, 4, 6, 8}
	Preprocess{Deviation: Floats{2}}.Apply(x)
	require.Equal(t, []float32{1, 2, 3, 4}, x)
	Preprocess{Mean: Floats{1}}.Apply(x)
	require.Equal(t, []float32{0, 1, 2, 3}, x)
}

// Where a crop begins: drawn, in the middle, or in a corner in the last step.
func TestPlaceOfCrops(t *testing.T) {
	require.Equal(t, -1.0, view{random: true}.place(-1, 0, math.MaxUint32, true), "half a pixel is rounded down")
	require.Equal(t, 0.0, view{random: true}.place(0, 0, math.MaxUint32, true))
	require.Equal(t, 5.0, view{random: true}.place(5, 0, math.MaxUint32, true), "the last place is drawn too")
	require.Equal(t, 0.0, view{random: true}.place(5, 0, 0, true))
	require.Equal(t, 3.0, view{random: true}.place(5, 0, 1<<31, false))
	for crop, want := range [][2]float64{{3, 3}, {0, 0}, {7, 0}, {0, 7}, {7, 7}, {3, 3}, {0, 0}, {7, 0}, {0, 7}, {7, 7}} {
		v := view{crop: crop}
		require.Equal(t, want, [2]float64{v.place(7, 0, 0, true), v.place(7, 1, 0, true)}, "crop %d", crop)
		require.Equal(t, 3.0, v.place(7, 0, 0, false))
		require.Equal(t, -4.0, v.place(-7, 1, 0, true))
	}
}

func TestShorterSide(t *testing.T) {
	for _, c := range [][5]int{ // height, width and side; the new height and width
		{480, 640, 240, 240, 320}, {640, 480, 240, 320, 240}, {5, 5, 3, 3, 3}, {2, 3, 5, 5, 8}, {3, 2, 5, 8, 5}, {1, 7, 1, 1, 7},
	} {
		h, w := shorter(c[0], c[1], c[2])
		require.Equal(t, [2]int{c[3], c[4]}, [2]int{h, w}, "%v", c)
	}
	h, w := shorter(1, 1<<30, 100)
	require.Equal(t, [2]int{100, largestSide}, [2]int{h, w})
}

func TestPreprocessJSON(t *testing.T) {
	p := Preprocess{Mean: []float32{33.318421, 1}, Scale: 1. / 255}
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"mean":[33.31842,1],"scale":0.003921569}`, string(b))
	var q Preprocess
	require.NoError(t, json.Unmarshal(b, &q))
	require.Equal(t, p, q)

	b, err = json.Marshal(Preprocess{})
	require.NoError(t, err)
	require.Equal(t, "{}", string(b))
}

func TestPreprocessCheck(t *testing.T) {
	s := tensor.Shape{3, 2, 2}
	require.NoError(t, Preprocess{}.Check(s))
	require.NoError(t, Preprocess{Mean: []float32{1, 2, 3}, Scale: 2}.Check(s))
	require.EqualError(t, Preprocess{Mean: []float32{1}}.Check(s),
		"preprocessing has a mean for 1 channels, but a sample has 3")
	require.ErrorContains(t, Preprocess{Scale: float32(math.NaN())}.Check(s), "must be finite")
	for want, p := range map[string]Preprocess{
		"preprocessing has a mean image of 64 values, but a sample has 12":                              {Mean: make(Floats, 64)},
		"preprocessing has a mean for 63 channels, but a sample has 3":                                  {Mean: make(Floats, 63)},
		"preprocessing has a deviation for 2 channels, but a sample has 3":                              {Deviation: Floats{1, 2}},
		"preprocessing has a whitening matrix of 4 elements, but a sample has 3 channels and 12 values": {Whiten: make(Floats, 4)},
		"preprocessing: a deviation of 0 cannot divide":                                                 {Deviation: Floats{1, 0, 1}},
		"preprocessing: ten crops need a step of augmentation that crops":                               {TenCrops: true},
		"preprocessing: means, deviations and scale must be finite":                                     {Whiten: Floats{1, 0, 0, 0, 1, 0, 0, 0, float32(math.Inf(-1))}},
	} {
		require.EqualError(t, p.Check(s), want)
	}
	for _, p := range []Preprocess{{Mean: make(Floats, 12)}, {Deviation: Floats{1, 2, 3}}, {Whiten: make(Floats, 9)}, {Whiten: make(Floats, 144)}} {
		require.NoError(t, p.Check(s))
	}
	require.NoError(t, Preprocess{Whiten: make(Floats, 16*16)}.Check(tensor.Shape{16, 2, 2}))
	require.NoError(t, Preprocess{Whiten: make(Floats, 17*17)}.Check(tensor.Shape{17, 1, 1}), "the pixels are the sample")
	require.EqualError(t, Preprocess{Whiten: make(Floats, 17*17)}.Check(tensor.Shape{17, 2, 2}),
		"preprocessing whitens at most 16 channels, and a sample has 17")
}

// Whitened samples have no covariance, and the variance 1 but for what keeps small ones
// from growing: their covariance is I - e W², where e is added to each variance.
func TestWhitenedCovariance(t *testing.T) {
	const n, size = 2000, 6
	set := &images{pixels: make([]byte, n*size), labels: make([]byte, n), shape: tensor.Shape{1, 2, 3}, classes: []string{"a"}}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		light := 30 * r.NormFloat64() // that all pixels share
		for k := range size {
			set.pixels[i*size+k] = byte(min(max(128+light+float64(5+3*k)*r.NormFloat64(), 0), 255))
		}
	}
	stats, bad, err := Measure(t.Context(), set, MeasureOptions{Whole: true})
	require.NoError(t, err)
	require.Empty(t, bad)
	p, err := Normal{Scale: 1, Whiten: true}.Preprocess(nil, stats)
	require.NoError(t, err)
	covariance := func(change func(x []float32)) (c [size][size]float64, mean [size]float64) {
		samples := make([][]float32, n)
		for i := range samples {
			samples[i] = make([]float32, size)
			_, err := set.Read(samples[i], i)
			require.NoError(t, err)
			change(samples[i])
			for k, v := range samples[i] {
				mean[k] += float64(v) / n
			}
		}
		for _, x := range samples {
			for a := range size {
				for b := range size {
					c[a][b] += (float64(x[a]) - mean[a]) * (float64(x[b]) - mean[b]) / n
				}
			}
		}
		return c, mean
	}
	before, _ := covariance(func([]float32) {})
	require.Greater(t, before[0][5], 500.0, "they share light")
	added := 0.0
	for k := range size {
		added += whitenShare * before[k][k] / size
	}
	after, mean := covariance(p.Apply)
	for a := range size {
		require.InDelta(t, 0, mean[a], 1e-3)
		for b := range size {
			rest := 0.0
			for k := range size {
				rest += added * float64(p.Whiten[a*size+k]) * float64(p.Whiten[k*size+b])
			}
			want := -rest
			if a == b {
				want++
			}
			require.InDelta(t, want, after[a][b], 2e-3, "%d, %d", a, b)
		}
		require.InDelta(t, 1, after[a][a], 0.2)
	}
}
