package layers_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

var draws = device.Random{Seed: 7, Stream: 3}

// moments are mean, standard deviation, excess kurtosis and largest absolute
// value.
func moments(x []float32) (mean, std, kurtosis, largest float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
		largest = math.Max(largest, math.Abs(float64(v)))
	}
	var m2, m4 float64
	for _, v := range x {
		d := float64(v) - mean
		m2 += d * d / float64(len(x))
		m4 += d * d * d * d / float64(len(x))
	}
	return mean, math.Sqrt(m2), m4/(m2*m2) - 3, largest
}

// TestFillers looks at the moments of a million elements: those of a uniform
// distribution (deviation bound/sqrt(3), kurtosis -1.2), or of a normal one
// (kurtosis 0).
func TestFillers(t *testing.T) {
	const n = 1 << 20
	lenet := layers.Fan{In: 25, Out: 500} // Caffe's conv1
	fc6 := layers.Fan{In: 9216, Out: 4096}
	for _, c := range []struct {
		filler        layers.Filler
		fan           layers.Fan
		std, kurtosis float64
		bound         float64 // 0: none
	}{
		{layers.Filler{Type: "uniform", Value: 2}, layers.Fan{}, 2 / math.Sqrt(3), -1.2, 2},
		{layers.Xavier(), lenet, 1 / math.Sqrt(25), -1.2, math.Sqrt(3.0 / 25)},
		{layers.Xavier(), fc6, 1.0 / 96, -1.2, math.Sqrt(3) / 96},
		{layers.Gaussian(0.01), layers.Fan{}, 0.01, 0, 0},
		{layers.MSRA(), lenet, math.Sqrt(2.0 / 25), 0, 0},
	} {
		x := make([]float32, n)
		c.filler.Fill(x, c.fan, draws)
		mean, std, kurtosis, largest := moments(x)
		const sigmas = 5 / 1024.0 // five standard errors of a mean of 2^20
		require.InDelta(t, 0, mean, sigmas*c.std, c.filler.Type)
		require.InEpsilon(t, c.std, std, sigmas, c.filler.Type)
		require.InDelta(t, c.kurtosis, kurtosis, 5*sigmas, c.filler.Type) // sqrt(24) standard errors
		if c.bound > 0 {
			require.LessOrEqual(t, largest, float64(float32(c.bound)))
			require.Greater(t, largest, 0.9999*c.bound)
		}
	}
}

func TestConstantFiller(t *testing.T) {
	x := []float32{5, 5, 5}
	layers.Constant(-2).Fill(x, layers.Fan{}, draws)
	require.Equal(t, []float32{-2, -2, -2}, x)
	layers.Filler{}.Fill(x, layers.Fan{}, draws)
	require.Equal(t, []float32{0, 0, 0}, x)
}

// TestFillerElements is the documented mapping: element i comes from draw i,
// whatever the length.
func TestFillerElements(t *testing.T) {
	const n = 11
	uniform, normal := make([]float32, n), make([]float32, n)
	layers.Filler{Type: "uniform", Value: 1}.Fill(uniform, layers.Fan{}, draws)
	layers.Gaussian(1).Fill(normal, layers.Fan{}, draws)
	unit := func(i int) float64 { return float64(draws.Uint32(0, i)) / (1 << 32) }
	for i := range n {
		require.Equal(t, float32(2*unit(i)-1), uniform[i])
		even := i &^ 1
		radius, angle := math.Sqrt(-2*math.Log(unit(even)+1.0/(1<<32))), 2*math.Pi*unit(even+1)
		require.InDelta(t, radius*[]float64{math.Cos(angle), math.Sin(angle)}[i%2], normal[i], 1e-6)
	}
	for length := range n {
		x := make([]float32, length)
		layers.Filler{Type: "uniform", Value: 1}.Fill(x, layers.Fan{}, draws)
		require.Equal(t, uniform[:length], x)
		layers.Gaussian(1).Fill(x, layers.Fan{}, draws)
		require.Equal(t, normal[:length], x)
	}
}

// The shorter of rows and columns are orthogonal, and as long as the gain.
func TestOrthogonalFiller(t *testing.T) {
	for _, c := range []struct {
		rows, columns int
		gain          float32
	}{{7, 30, 0}, {30, 7, 1}, {12, 12, 2}, {1, 9, 1}, {9, 1, 0.5}, {1, 1, 3}, {100, 75, math.Sqrt2}} {
		x := make([]float32, c.rows*c.columns)
		layers.Orthogonal(c.gain).Fill(x, layers.Fan{In: c.columns}, draws)
		gain := float64(c.gain)
		if gain == 0 {
			gain = 1
		}
		n, length := min(c.rows, c.columns), max(c.rows, c.columns)
		at := func(vector, i int) float64 {
			if c.rows <= c.columns {
				return float64(x[vector*c.columns+i])
			}
			return float64(x[i*c.columns+vector])
		}
		for a := range n {
			for b := range n {
				dot, want := 0.0, 0.0
				for i := range length {
					dot += at(a, i) * at(b, i)
				}
				if a == b {
					want = gain * gain
				}
				require.InDelta(t, want, dot, 1e-6*gain*gain, "%+v: %d and %d", c, a, b)
			}
		}
		other := make([]float32, len(x))
		layers.Orthogonal(c.gain).Fill(other, layers.Fan{In: c.columns}, device.Random{Seed: 8, Stream: 3})
		if len(x) > 1 {
			require.NotEqual(t, x, other)
		}
	}
	// No sign is more likely than the other.
	positive := 0
	for seed := range 1000 {
		x := make([]float32, 9)
		layers.Orthogonal(1).Fill(x, layers.Fan{In: 3}, device.Random{Seed: uint64(seed)})
		if x[0] > 0 {
			positive++
		}
	}
	require.InDelta(t, 500, positive, 80)
}
