package vec

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

// paths are those that this machine can run.
var paths = []*Loops{&Generic}

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
	var x, y [1]float32
	for bits := uint64(0); bits < 1<<32; bits += 7919 * 16 {
		x[0] = math.Float32frombits(uint32(bits))
		v := float64(x[0])
		tanh(y[:], x[:], 0)
		require.LessOrEqual(t, ulps(y[0], math.Tanh(v)), 2.0, "tanh %g", v)
		if want := 1 / (1 + math.Exp(-v)); want > 1e-38 {
			sigmoid(y[:], x[:], 0)
			require.LessOrEqual(t, ulps(y[0], want), 2.0, "sigmoid %g", v)
		}
	}
}

func TestPowerWithinAnUlp(t *testing.T) {
	var x, y [1]float32
	for bits := uint32(1); bits <= 0x7F800000; bits += 7919 * 64 {
		x[0] = math.Float32frombits(bits)
		for _, beta := range []float64{0, -0.5, -0.6, -1, -0.75} {
			want := math.Pow(float64(x[0]), beta)
			if want > math.MaxFloat32 {
				continue
			}
			power(y[:], x[:], beta)
			require.LessOrEqual(t, ulps(y[0], want), 1.0, "%g^%g", x[0], beta)
		}
	}
	x[0] = float32(math.Inf(1))
	for _, beta := range []float64{-0.75, -0.05, -1e-30} {
		power(y[:], x[:], beta)
		require.Zero(t, y[0], beta)
	}
	x[0] = float32(math.NaN())
	power(y[:], x[:], -0.6)
	require.True(t, y[0] != y[0])
}

func TestRoot(t *testing.T) {
	worst := 0.0
	for bits := uint32(0x00800000); bits < 0x7F800000; bits += 7919 {
		x := math.Float32frombits(bits)
		r := root(x)
		worst = max(worst, ulps(r*r*r, math.Pow(float64(x), -0.75)))
	}
	require.LessOrEqual(t, worst, 5.0)
	require.Zero(t, root(float32(math.Inf(1))))
	require.True(t, math.IsNaN(float64(root(float32(math.NaN())))))
}

func TestExp(t *testing.T) {
	for x := -150.0; x < 150; x += 0.0371 {
		require.InEpsilon(t, math.Exp(x), Exp(x), 1e-9, "exp %g", x)
		require.InEpsilon(t, x+200, log(math.Exp(x))+200, 1e-9, "log e^%g", x)
	}
	inf := math.Inf(1)
	require.Zero(t, float32(Exp(-inf)))
	require.Equal(t, float32(inf), float32(Exp(inf)))
	require.Equal(t, 1.0, Exp(0))
	require.True(t, math.IsNaN(Exp(math.NaN())))
}

func TestReLUKeepsNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, l := range paths {
		y := make([]float32, 4)
		l.Unary(device.Unary{Op: device.ReLU}, y, []float32{nan, -nan, -1, 2})
		require.True(t, y[0] != y[0] && y[1] != y[1])
		require.Equal(t, []float32{0, 2}, y[2:])
	}
}

func TestSums(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6, 7}
	for _, l := range paths {
		require.Equal(t, 28.0, l.Sum(x))
	}
}

// Functions of programs are right to an ulp for every 127,000th float32.
func TestFunctionsWithinAnUlp(t *testing.T) {
	for name, f := range map[string]struct {
		step func(y, x []float32)
		want func(float64) float64
	}{
		"exp": {exponential, math.Exp}, "log": {logarithm, math.Log}, "erf": {erf, math.Erf},
	} {
		var x, y [1]float32
		check := func(v float32) {
			x[0] = v
			f.step(y[:], x[:])
			want := f.want(float64(v))
			if math.Abs(want) > math.MaxFloat32 || math.Abs(want) < 0x1p-126 {
				require.Equal(t, float32(want), y[0], "%s %g", name, v)
				return
			}
			require.LessOrEqual(t, ulps(y[0], want), 1.0, "%s %g", name, v)
		}
		for bits := uint64(0); bits < 1<<32; bits += 7919 * 16 {
			if v := math.Float32frombits(uint32(bits)); v == v {
				check(v)
			}
		}
		for _, v := range []float32{0, 1, -1, float32(math.Inf(1))} {
			if want := f.want(float64(v)); want == want {
				check(v)
			}
		}
		x[0] = float32(math.NaN())
		f.step(y[:], x[:])
		require.True(t, y[0] != y[0], name)
	}
	y := []float32{0}
	logarithm(y, []float32{-1})
	require.True(t, y[0] != y[0])
}

// What each instruction computes, NaNs and infinities too.
func TestInstructions(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		op            Op
		acc, a, b, c0 float32
		want          float32
	}{
		{OpLoad, 1, 2, 0, 0, 2}, {OpAdd, 1, 2, 0, 0, 3}, {OpSub, 1, 3, 0, 0, -2}, {OpSubFrom, 1, 3, 0, 0, 2}, {OpMul, 2, 3, 0, 0, 6},
		{OpDiv, 1, 4, 0, 0, 0.25}, {OpDivInto, 4, 1, 0, 0, 0.25}, {OpDiv, 1, 0, 0, 0, inf}, {OpSquare, -3, nan, 0, 0, 9},
		{OpMin, 1, 2, 0, 0, 1}, {OpMin, 2, 1, 0, 0, 1}, {OpMin, nan, 1, 0, 0, nan}, {OpMin, 1, nan, 0, 0, nan}, {OpMin, -inf, 1, 0, 0, -inf},
		{OpAtLeast, 1, 2, 0, 0, 2}, {OpAtLeast, 2, 1, 0, 0, 2}, {OpAtLeast, nan, 1, 0, 0, nan}, {OpAtLeast, 1, nan, 0, 0, 1}, {OpAtLeast, -inf, 1, 0, 0, 1},
		{OpAtMost, 1, 2, 0, 0, 1}, {OpAtMost, 2, 1, 0, 0, 1}, {OpAtMost, nan, 1, 0, 0, nan}, {OpAtMost, 1, nan, 0, 0, 1}, {OpAtMost, inf, 1, 0, 0, 1},
		{OpMax, 1, 2, 0, 0, 2}, {OpMax, 2, 1, 0, 0, 2}, {OpMax, nan, 1, 0, 0, nan}, {OpMax, 1, nan, 0, 0, nan}, {OpMax, -inf, 1, 0, 0, 1},
		{OpAbs, -2, 0, 0, 0, 2}, {OpAbs, -inf, 0, 0, 0, inf}, {OpSqrt, 9, 0, 0, 0, 3}, {OpSqrt, -1, 0, 0, 0, nan},
		{OpLess, 1, 2, 3, 4, 3}, {OpLess, 2, 2, 3, 4, 4}, {OpLess, nan, 2, 3, 4, 4}, {OpLess, 1, nan, 3, 4, 4}, {OpLessEqual, 2, 2, 3, 4, 3}, {OpLessEqual, 3, 2, 3, 4, 4}, {OpLessEqual, nan, 2, 3, 4, 4},
		{OpGreater, 2, 1, 3, 4, 3}, {OpGreater, 2, 2, 3, 4, 4}, {OpGreater, nan, 2, 3, 4, 4}, {OpGreaterEqual, 2, 2, 3, 4, 3}, {OpGreaterEqual, 1, 2, 3, 4, 4}, {OpGreaterEqual, 2, nan, 3, 4, 4},
		{OpEqual, 2, 2, 3, 4, 3}, {OpEqual, 1, 2, 3, 4, 4}, {OpEqual, nan, nan, 3, 4, 4}, {OpEqual, 2, 2, nan, 4, nan},
	} {
		for _, l := range paths {
			f := make([][]float32, 5)
			for i, v := range []float32{0, c.acc, c.a, c.b, c.c0} {
				f[i] = make([]float32, 3*Block)
				Generic.Fill(f[i], v)
			}
			at := func(i, moves int) Operand { return Operand{&f[i][0], moves} }
			l.Run([]Instruction{
				{Op: OpLoad, In: [3]Operand{at(1, -1)}}, {Op: c.op, In: [3]Operand{at(2, -1), at(3, 0), at(4, -1)}}, {Op: OpStore, In: [3]Operand{at(0, -1)}}, {},
			}, 2*Block, 1, 0)
			for i, v := range f[0] {
				want := c.want
				if i >= 2*Block {
					want = 0
				}
				require.True(t, v == want || v != v && want != want, "%s: instruction %+v: element %d is %g", l.Name, c, i, v)
			}
		}
	}
}
