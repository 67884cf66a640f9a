package ptxsim

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var modes = []rounding{roundNearest, roundZero, roundDown, roundUp}

// exact32 rounds an exact value that is not zero to float32, with big numbers
// only.
func exact32(x *big.Float, m rounding) float32 {
	r, _ := x.Float32() // to nearest even, subnormals too
	if m == roundNearest {
		return r
	}
	up, down := r, r
	if math.IsInf(float64(r), 0) || new(big.Float).SetFloat64(float64(r)).Cmp(x) != 0 {
		less := !math.IsInf(float64(r), 1) && (math.IsInf(float64(r), -1) || new(big.Float).SetFloat64(float64(r)).Cmp(x) < 0)
		if less {
			up = math.Nextafter32(r, float32(math.Inf(1)))
		} else {
			down = math.Nextafter32(r, float32(math.Inf(-1)))
		}
	}
	if m == roundUp || m == roundZero && x.Sign() < 0 {
		if up == 0 && x.Sign() < 0 {
			return float32(math.Copysign(0, -1))
		}
		return up
	}
	return down
}

// ordinary reports whether all are finite.
func ordinary(vs ...float32) bool {
	for _, v := range vs {
		if v != v || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

func wideFloat(v float32) *big.Float {
	return new(big.Float).SetPrec(1000).SetFloat64(float64(v))
}

// fmaOracle is a*b+c with big numbers, for finite operands.
func fmaOracle(a, b, c float32, m rounding) float32 {
	x := wideFloat(a)
	x.Mul(x, wideFloat(b))
	negative := math.Signbit(float64(a)) != math.Signbit(float64(b))
	zero := x.Sign() == 0
	x.Add(x, wideFloat(c))
	if x.Sign() != 0 {
		return exact32(x, m)
	}
	// IEEE 754 section 6.3: like signs keep it, else +0, but -0 downwards.
	minus := math.Signbit(float64(c))
	if zero && minus == negative {
		return float32(math.Copysign(0, map[bool]float64{true: -1, false: 1}[minus]))
	}
	if m == roundDown {
		return float32(math.Copysign(0, -1))
	}
	return 0
}

var corners = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0x1.000002p0, -0x1.fffffep-1, 3, 1.0 / 3,
	0x1p-149, -0x1p-149, 0x1.fffffcp-127, 0x1p-126, -0x1.000002p-126, 0x1p-75, 0x1.8p-75,
	0x1p24, 0x1.000002p24, -0x1p25, 0x1.fffffep127, -0x1.fffffep127, 0x1p64, 0x1.fffffep63, -0x1p127,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}

func requireSame(t *testing.T, want, got float32, what ...any) {
	t.Helper()
	if want != want {
		require.Equal(t, uint64(nan32), b32(got), what...)
		return
	}
	if math.Float32bits(want) != math.Float32bits(got) {
		require.Failf(t, "wrong bits", "want %x (%#x), got %x (%#x): %x", want, math.Float32bits(want), got, math.Float32bits(got), what)
	}
}

// The sums of these lie so near a halfway point that rounding to float64 first
// goes wrong: 2^36+1 = 1774001 * 38737, and 2^36-1 = (2^18-1)(2^18+1).
var doubleRounding = []struct{ a, b, c, want float32 }{
	{1774001, 38737 * 0x1p-60, 1, 0x1.000002p0},
	{262143, 262145 * 0x1p-60, 0x1.000002p0, 0x1.000002p0},
	{-1774001, 38737 * 0x1p-60, -1, -0x1.000002p0},
	{-262143, 262145 * 0x1p-60, 0x1.000002p0, 0x1.000002p0},
	// Half of the smallest subnormal, and a bit more.
	{0x1p-75, 0x1p-75, 0, 0},
	{0x1.000002p-75, 0x1p-75, 0, 0x1p-149},
	{0x1p-100, 0x1p-100, 0x1p-149, 0x1p-149},
	{0x1p-75, 0x1p-75, 0x1p-149, 0x1p-148},
	{0x1p-75, -0x1.fffffep-76, 0x1p-149, 0x1p-149},
}

func TestFMADoubleRounding(t *testing.T) {
	wrong := 0
	for _, c := range doubleRounding {
		requireSame(t, c.want, fma32(c.a, c.b, c.c), c)
		requireSame(t, c.want, fmaOracle(c.a, c.b, c.c, roundNearest), c)
		if float32(math.FMA(float64(c.a), float64(c.b), float64(c.c))) != c.want {
			wrong++
		}
	}
	require.Equal(t, 4, wrong, "cases that two roundings get wrong")
}

func TestFMAExact(t *testing.T) {
	// 32 cases at a time also go through what warps use.
	var rows [4][32]uint32
	n := 0
	check := func(a, b, c float32) {
		for _, m := range modes {
			got := fmaSlow(a, b, c, m)
			if ordinary(a, b, c) {
				requireSame(t, fmaOracle(a, b, c, m), got, a, b, c, m)
			} else {
				requireSame(t, float32(float64(a)*float64(b)+float64(c)), got, a, b, c, m)
			}
			if m == roundNearest {
				requireSame(t, got, fma32(a, b, c), a, b, c)
				rows[0][n], rows[1][n], rows[2][n], rows[3][n] = math.Float32bits(a), math.Float32bits(b), math.Float32bits(c), canonical(got)
				if n++; n == 32 {
					n = 0
					var d [32]uint32
					for _, lanes := range []func(d, a, b, c *[32]uint32){fmaLanesGo, fmaLanes} {
						lanes(&d, &rows[0], &rows[1], &rows[2])
						require.Equal(t, rows[3], d)
					}
				}
			}
		}
	}
	for _, a := range corners {
		for _, b := range corners {
			for _, c := range corners {
				check(a, b, c)
			}
		}
	}
	r := rand.New(rand.NewPCG(7, 7))
	for range 20000 {
		a, b := randomFloat(r), randomFloat(r)
		// An addend of about the product's size, or with few bits, meets
		// cancellation and halfway points.
		c := float32(float64(a) * float64(b) * math.Ldexp(1, r.IntN(60)-30))
		c = math.Float32frombits(math.Float32bits(c)&^(1<<r.IntN(24)-1) ^ r.Uint32()&1<<31)
		if r.IntN(2) == 0 {
			a = math.Float32frombits(math.Float32bits(a) &^ (1<<r.IntN(24) - 1))
		}
		check(a, b, c)
	}
}

// randomFloat has any bits.
func randomFloat(r *rand.Rand) float32 {
	for {
		if v := math.Float32frombits(r.Uint32()); ordinary(v) {
			return v
		}
	}
}

func TestArithmeticExact(t *testing.T) {
	check := func(a, b float32) {
		for _, m := range modes {
			if !ordinary(a, b) {
				requireSame(t, a+b, add32(a, b, m), "add", a, b, m)
				requireSame(t, a*b, mul32(a, b, m), "mul", a, b, m)
				requireSame(t, a/b, div32(a, b, m), "div", a, b, m)
				continue
			}
			requireSame(t, fmaOracle(a, 1, b, m), add32(a, b, m), "add", a, b, m)
			if a != 0 && b != 0 {
				x := wideFloat(a)
				requireSame(t, exact32(x.Mul(x, wideFloat(b)), m), mul32(a, b, m), "mul", a, b, m)
				// 1000 bits of a quotient of two of 24 bits are never halfway
				// by rounding alone.
				x = wideFloat(a)
				requireSame(t, exact32(x.Quo(x, wideFloat(b)), m), div32(a, b, m), "div", a, b, m)
			} else {
				requireSame(t, a*b, mul32(a, b, m), "mul", a, b, m)
				requireSame(t, a/b, div32(a, b, m), "div", a, b, m)
			}
		}
	}
	for _, a := range corners {
		for _, b := range corners {
			check(a, b)
		}
		for _, m := range modes {
			if ordinary(a) && a > 0 {
				x := wideFloat(a)
				requireSame(t, exact32(x.Sqrt(x), m), sqrt32(a, m), "sqrt", a, m)
			} else {
				requireSame(t, float32(math.Sqrt(float64(a))), sqrt32(a, m), "sqrt", a, m)
			}
		}
	}
	r := rand.New(rand.NewPCG(8, 8))
	for range 5000 {
		a, b := randomFloat(r), randomFloat(r)
		check(a, b)
		check(a, math.Float32frombits(math.Float32bits(a)^r.Uint32()&0x807fffff))
		x := wideFloat(max(a, -a))
		for _, m := range modes {
			requireSame(t, exact32(new(big.Float).Sqrt(x), m), sqrt32(max(a, -a), m), "sqrt", a, m)
		}
	}
}

func TestIntegerConversionsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	values := []uint64{0, 1, 1<<24 + 1, 1<<25 + 3, 1<<53 + 1, 1<<63 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 1<<39, 1<<64 - 1<<39 - 1, 0x8000008000000000, 0x8000008000000001}
	for range 2000 {
		values = append(values, r.Uint64()>>r.IntN(64))
	}
	for _, v := range values {
		for _, m := range modes {
			for _, negative := range []bool{false, true} {
				x := new(big.Float).SetPrec(64).SetUint64(v)
				if negative {
					x.Neg(x)
				}
				got := fromInteger32(v, negative, m)
				if v == 0 {
					require.Zero(t, got)
					continue
				}
				requireSame(t, exact32(x, m), got, v, m, negative)
			}
		}
	}
}

func TestDoubleToFloat(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	values := []float64{1, 0x1.000001p0, 0x1.000003p0, 0x1.0000010000001p0, 0x1p-149, 0x1p-150, 0x1.0000000000001p-150, 0x1p-200,
		0x1.fffffep127, 0x1.ffffffp127, 0x1.fffffefffffffp127, 0x1p128, 0x1p1000, 5e-324}
	for range 3000 {
		values = append(values, math.Ldexp(1+r.Float64(), r.IntN(320)-170))
	}
	for _, v := range values {
		for _, m := range modes {
			requireSame(t, exact32(big.NewFloat(v), m), round64to32(v, m), v, m)
			requireSame(t, exact32(big.NewFloat(-v), m), round64to32(-v, m), -v, m)
		}
	}
	for _, m := range modes {
		requireSame(t, float32(math.Inf(1)), round64to32(math.Inf(1), m))
		requireSame(t, float32(math.NaN()), round64to32(math.NaN(), m))
		requireSame(t, float32(math.Copysign(0, -1)), round64to32(math.Copysign(0, -1), m))
	}
}

// Every float16 survives the way to float32 and back, and halfway points go to
// the even one.
func TestHalf(t *testing.T) {
	for h := range uint64(1 << 16) {
		v := half(h)
		if v != v {
			require.Equal(t, uint64(0x7fff), toHalf(v, roundNearest))
			continue
		}
		require.Equal(t, h, toHalf(v, roundNearest))
		require.Equal(t, h, toHalf(v, roundZero))
		if next := half(h + 1); h&0x7fff < 0x7bff {
			middle := (v + next) / 2
			require.Equal(t, h+h&1, toHalf(middle, roundNearest))
			require.Equal(t, h, toHalf(middle, roundZero))
		}
	}
	require.Equal(t, uint64(0x7bff), toHalf(65519.99, roundNearest))
	require.Equal(t, uint64(0x7c00), toHalf(65520, roundNearest))
	require.Equal(t, uint64(0x7bff), toHalf(1e9, roundZero))
	require.Equal(t, uint64(0x8000), toHalf(-0x1p-25, roundNearest))
	require.Equal(t, uint64(0x8001), toHalf(-0x1.004p-25, roundNearest))
}
