package vec

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

// ulps is the distance between a and the exact value b, in units of the last
// place of b as a float32.
func ulps(a float32, b float64) float64 {
	r := float32(b)
	if a == r || a != a && b != b {
		return 0
	}
	next := math.Nextafter32(r, float32(math.Inf(1)))
	return math.Abs(float64(a)-b) / (float64(next) - float64(r))
}

func TestSigmoidAndTanhWithinTwoUlps(t *testing.T) {
	for bits := uint64(0); bits < 1<<32; bits += 7919 * 16 {
		x := math.Float32frombits(uint32(bits))
		require.LessOrEqual(t, ulps(tanh(x), math.Tanh(float64(x))), 2.0, "tanh %g", x)
		if want := 1 / (1 + math.Exp(-float64(x))); want > 1e-38 {
			require.LessOrEqual(t, ulps(sigmoid(x), want), 2.0, "sigmoid %g", x)
		}
	}
}

func TestExp(t *testing.T) {
	for x := -150.0; x < 150; x += 0.0371 {
		require.InEpsilon(t, math.Exp(x), Exp(x), 1e-9, "exp %g", x)
	}
	inf := math.Inf(1)
	require.Zero(t, float32(Exp(-inf)))
	require.Equal(t, float32(inf), float32(Exp(inf)))
	require.Equal(t, 1.0, Exp(0))
	require.True(t, math.IsNaN(Exp(math.NaN())))
}

func TestReLUKeepsNaN(t *testing.T) {
	nan := float32(math.NaN())
	y := make([]float32, 4)
	Unary(device.Unary{Op: device.ReLU}, y, []float32{nan, -nan, -1, 2})
	require.True(t, y[0] != y[0] && y[1] != y[1])
	require.Equal(t, []float32{0, 2}, y[2:])
}

func TestSums(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6, 7}
	require.Equal(t, 28.0, Sum(x))
	require.Equal(t, 140.0, SumSquares(x))
}

func BenchmarkUnary(b *testing.B) {
	x, y := make([]float32, 16<<10), make([]float32, 16<<10)
	r := device.Random{}
	for i := range x {
		x[i] = float32(r.Uint32(0, i))/(1<<31) - 1
	}
	for _, op := range device.UnaryOps() {
		b.Run(op.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				Unary(device.Unary{Op: op, Slope: 0.1}, y, x)
			}
		})
		b.Run(op.String()+"-gradient", func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				UnaryGradient(device.Unary{Op: op, Slope: 0.1}, y, x, x, device.Overwrite)
			}
		})
	}
}
