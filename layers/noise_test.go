package layers_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Noise follows from the random numbers alone, as what dropout drops does: on every
// device the normal numbers of those bits, in one batch of 8 or two of 4. The gradient
// passes.
func TestGaussianNoise(t *testing.T) {
	shape := tensor.Shape{8, 7, 301}
	elements := 7 * 301
	x, dy := make([]float32, device.Elements(shape)), make([]float32, device.Elements(shape))
	for i := range x {
		x[i], dy[i] = float32(i%13)-5.7, float32(i%11)-4.3
	}
	l, r := &layers.GaussianNoise{StdDev: 0.5}, device.Random{Seed: 1 << 40, Stream: 5, Iteration: 7, Sample: 0xFFFFFFFD}
	onEveryDevice(t, func(t *testing.T, d device.Device) {
		y, dx := passes(t, d, l, shape, x, dy, 8, device.Overwrite, r)
		again, _ := passes(t, d, l, shape, x, dy, 4, device.Overwrite, r)
		require.Equal(t, y, again)
		require.Equal(t, dy, dx)
		for i := range x {
			u := (float64(r.Uint32(i/elements, i%elements)>>8) + 0.5) / (1 << 24)
			require.InDelta(t, float64(x[i])+0.5*math.Sqrt2*math.Erfinv(2*u-1), y[i], 3e-6, i)
		}
	})
}

// The numbers are counted, so that these are always the same.
func TestGaussianNoiseIsNormal(t *testing.T) {
	d, err := device.Open("cpu", device.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	shape := tensor.Shape{100, 1000}
	zeros := make([]float32, device.Elements(shape))
	y, _ := passes(t, d, &layers.GaussianNoise{StdDev: 2}, shape, zeros, zeros, 100, device.Overwrite, device.Random{Seed: 1})
	var sum, squares, fourths, within float64
	for _, v := range y {
		z := float64(v) / 2
		sum += z
		squares += z * z
		fourths += z * z * z * z
		if math.Abs(z) < 1 {
			within++
		}
	}
	n := float64(len(y)) // of deviations of 0.0032, 0.0045, 0.031 and 0.0015
	require.InDelta(t, 0, sum/n, 0.01)
	require.InDelta(t, 1, squares/n, 0.015)
	require.InDelta(t, 3, fourths/n, 0.1)
	require.InDelta(t, math.Erf(math.Sqrt2/2), within/n, 0.005)
}

func TestGaussianNoisePlan(t *testing.T) {
	in := []layers.Input{{Shape: tensor.Shape{4, 3, 5, 5}}}
	for _, train := range []bool{true, false} {
		s, err := (&layers.GaussianNoise{StdDev: 0.5}).Plan(nil, in, layers.Options{Train: train})
		require.NoError(t, err)
		_, identity := s.Programs[0].Identity()
		require.Equal(t, !train, identity)
		_, identity = s.Programs[1].Identity()
		require.True(t, identity)
		s.Programs = nil
		require.Equal(t, layers.Spec{Out: in, InPlace: true, Streams: 1, Elementwise: !train}, s)
	}
	for _, bad := range []float32{-1, float32(math.NaN()), float32(math.Inf(1))} {
		_, err := (&layers.GaussianNoise{StdDev: bad}).Plan(nil, in, layers.Options{})
		require.ErrorContains(t, err, "must be finite and not negative")
	}
}
