package ptxsim

import "math"

// rounding is a rounding mode of floating-point results.
type rounding uint8

const (
	roundNearest rounding = iota // to even
	roundZero
	roundDown
	roundUp
)

var roundings = map[string]rounding{"rn": roundNearest, "rz": roundZero, "rm": roundDown, "rp": roundUp}

// The NaN that arithmetic instructions return.
const (
	nan32 = 0x7fffffff
	nan64 = 0x7ff8000000000000
)

func f32(bits uint64) float32 { return math.Float32frombits(uint32(bits)) }
func f64(bits uint64) float64 { return math.Float64frombits(bits) }

// b32 is v's bits, with the one NaN that hardware returns.
func b32(v float32) uint64 {
	if v != v {
		return nan32
	}
	return uint64(math.Float32bits(v))
}

func b64(v float64) uint64 {
	if v != v {
		return nan64
	}
	return math.Float64bits(v)
}

// fma32 is a*b + c rounded once. The product of two float32 is exact in
// float64. Rounding the float64 sum again is wrong only where that sum lies
// halfway between two float32 and is itself not exact, or where the result is
// subnormal and the halfway points lie elsewhere; fmaSlow takes those.
func fma32(a, b, c float32) float32 {
	s := float64(float64(a)*float64(b)) + float64(c)
	bits := math.Float64bits(s)
	if bits>>52&0x7ff-897 >= 254 || bits&(1<<29-1) == 1<<28 {
		return fmaSlow(a, b, c, roundNearest)
	}
	return float32(s)
}

func fmaSlow(a, b, c float32, m rounding) float32 {
	p, q := float64(float64(a)*float64(b)), float64(c)
	s := p + q
	switch {
	case s != s:
		return math.Float32frombits(nan32)
	case math.IsInf(s, 0):
		return float32(s)
	case s == 0:
		// An exact zero: no error term can be left, both being multiples of
		// the smallest product.
		if m == roundDown && math.Signbit(p) != math.Signbit(q) {
			return float32(math.Copysign(0, -1))
		}
		return float32(s)
	}
	// The error of the sum, exactly (Knuth's TwoSum).
	v := s - p
	e := (p - (s - v)) + (q - v)
	return round32(s, e, m)
}

// round32 rounds hi + lo, where |lo| is at most half a unit in the last place
// of hi.
func round32(hi, lo float64, m rounding) float32 {
	r := float32(hi)
	if hi != hi || math.IsInf(hi, 0) {
		return r
	}
	// d is the sign of the exact value less r.
	wide := wideInf(r)
	if math.Abs(hi) >= 0x1p128 {
		hi, lo = math.Copysign(0x1.ffffffp127, hi), math.Copysign(tiny(1), hi) // rounds alike, and less than infinity
	}
	d := hi - wide
	if d == 0 {
		d = lo
	}
	if d == 0 {
		return r
	}
	switch m {
	case roundNearest:
		if lo == 0 || hi == wide {
			return r
		}
		other := towards(r, d)
		if middle := (wide + wideInf(other)) / 2; hi == middle && (lo > 0) == (d > 0) {
			return other
		}
		return r
	case roundZero:
		if (d < 0) == (wide > 0) && wide != 0 {
			return towards(r, d)
		}
	case roundDown:
		if d < 0 {
			return towards(r, d)
		}
	case roundUp:
		if d > 0 {
			return towards(r, d)
		}
	}
	if r == 0 {
		// A tiny value keeps its sign.
		return float32(math.Copysign(0, hi))
	}
	return r
}

// wideInf is r as float64, and an infinity as the power of two that it stands
// for in rounding.
func wideInf(r float32) float64 {
	if math.IsInf(float64(r), 0) {
		return math.Copysign(0x1p128, float64(r))
	}
	return float64(r)
}

// towards is the float32 next to r in the direction of d's sign.
func towards(r float32, d float64) float32 {
	return math.Nextafter32(r, float32(math.Inf(1-2*b2i(d < 0))))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// add32, mul32, div32 and sqrt32 are exact in every mode. Go's own float32
// operations round to nearest once.
func add32(a, b float32, m rounding) float32 {
	if m == roundNearest {
		return a + b
	}
	return fmaSlow(a, 1, b, m)
}

func mul32(a, b float32, m rounding) float32 {
	if m == roundNearest {
		return a * b
	}
	return round32(float64(a)*float64(b), 0, m)
}

func div32(a, b float32, m rounding) float32 {
	if m == roundNearest {
		return a / b
	}
	x, y := float64(a), float64(b)
	q := x / y
	if q == 0 || math.IsInf(q, 0) || q != q {
		return float32(q)
	}
	// The remainder's sign tells on which side of q the quotient lies.
	rest := math.FMA(-q, y, x)
	if y < 0 {
		rest = -rest
	}
	return round32(q, math.Copysign(tiny(rest), rest), m)
}

func sqrt32(a float32, m rounding) float32 {
	r := math.Sqrt(float64(a))
	if m == roundNearest || r == 0 || r != r || math.IsInf(r, 0) {
		return float32(r)
	}
	rest := math.FMA(-r, r, float64(a))
	return round32(r, math.Copysign(tiny(rest), rest), m)
}

// tiny stands for an error of which only the sign matters.
func tiny(v float64) float64 {
	if v == 0 {
		return 0
	}
	return 0x1p-1000
}

// flush32 makes a subnormal a zero of its sign.
func flush32(bits uint64) uint64 {
	if bits&0x7f800000 == 0 {
		return bits & 0x80000000
	}
	return bits
}

// saturate32 clamps to [0,1]; NaN becomes 0.
func saturate32(bits uint64) uint64 {
	switch v := f32(bits); {
	case v >= 1:
		return 0x3f800000
	case v > 0:
		return bits
	}
	return 0
}

// min32 and max32 return the other operand where one is NaN; -0 is less
// than +0.
func min32(a, b uint64) uint64 { return pick32(a, b, true) }
func max32(a, b uint64) uint64 { return pick32(a, b, false) }

func pick32(a, b uint64, less bool) uint64 {
	x, y := f32(a), f32(b)
	switch {
	case x != x:
		return b32(y)
	case y != y:
		return a
	case x == y:
		if (a>>31 != 0) == less {
			return a
		}
		return b
	case (x < y) == less:
		return a
	}
	return b
}

func min64(a, b uint64) uint64 { return pick64(a, b, true) }
func max64(a, b uint64) uint64 { return pick64(a, b, false) }

func pick64(a, b uint64, less bool) uint64 {
	x, y := f64(a), f64(b)
	switch {
	case x != x:
		return b64(y)
	case y != y:
		return a
	case x == y:
		if (a>>63 != 0) == less {
			return a
		}
		return b
	case (x < y) == less:
		return a
	}
	return b
}

// The approximations are the float64 result rounded once: more exact than
// hardware, which docs/ptxsim.md lists.
func ex2Approx(x float32) float32   { return float32(math.Exp2(float64(x))) }
func rcpApprox(x float32) float32   { return float32(1 / float64(x)) }
func rsqrtApprox(x float32) float32 { return float32(1 / math.Sqrt(float64(x))) }
func sqrtApprox(x float32) float32  { return float32(math.Sqrt(float64(x))) }
func sinApprox(x float32) float32   { return float32(math.Sin(float64(x))) }
func cosApprox(x float32) float32   { return float32(math.Cos(float64(x))) }
func tanhApprox(x float32) float32  { return float32(math.Tanh(float64(x))) }

func lg2Approx(x float32) float32 {
	if d := float64(x) - 1; math.Abs(d) < 0.25 {
		return float32(math.Log1p(d) / math.Ln2)
	}
	return float32(math.Log2(float64(x)))
}

// roughly is an approximation that errs as Config.Rough says.
func roughly(op string, f func(float32) float32) func(float32) float32 {
	const bound = 0x1p-22
	switch op {
	case "sin", "cos", "tanh":
		return f
	}
	return func(x float32) float32 {
		v := float64(f(x))
		if math.IsInf(v, 0) {
			return float32(v)
		}
		e := v * bound
		if op == "lg2" && x > 0.5 && x < 2 {
			e = bound
		}
		if math.Float32bits(x)*2654435761>>31 == 0 { // a bit of Knuth's hash
			e = -e
		}
		return float32(v + e)
	}
}

// toInteger rounds v to an integer of n bits and saturates; NaN becomes 0.
func toInteger(v float64, n int, signed bool) uint64 {
	if v != v {
		return 0
	}
	if signed {
		limit := math.Ldexp(1, n-1)
		switch {
		case v >= limit:
			return 1<<(n-1) - 1
		case v < -limit:
			return 1 << (n - 1)
		}
		return uint64(int64(v)) & mask64(n)
	}
	switch {
	case v <= 0:
		return 0
	case v >= math.Ldexp(1, n):
		return mask64(n)
	case v >= 1<<63:
		return uint64(int64(v-1<<63)) + 1<<63
	}
	return uint64(int64(v))
}

// roundInteger rounds to an integral value.
func roundInteger(v float64, m rounding) float64 {
	switch m {
	case roundZero:
		return math.Trunc(v)
	case roundDown:
		return math.Floor(v)
	case roundUp:
		return math.Ceil(v)
	}
	return math.RoundToEven(v)
}

// fromInteger32 converts an integer, whose sign is apart, to float32.
func fromInteger32(magnitude uint64, negative bool, m rounding) float32 {
	// Both halves are exact in float64, and so is the error of their sum.
	high, low := float64(magnitude>>32)*(1<<32), float64(magnitude&(1<<32-1))
	s := high + low
	e := low - (s - high)
	if negative {
		s, e = -s, -e
	}
	return round32(s, e, m)
}

// round64to32 converts float64 to float32.
func round64to32(v float64, m rounding) float32 { return round32(v, 0, m) }

func mask64(n int) uint64 {
	if n == 64 {
		return 1<<64 - 1
	}
	return 1<<n - 1
}

// half converts float16 bits to float32, exactly.
func half(h uint64) float32 {
	sign := uint32(h>>15&1) << 31
	exp, frac := uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0:
		v := math.Ldexp(float64(frac), -24)
		return math.Float32frombits(sign | math.Float32bits(float32(v)))
	case 31:
		if frac != 0 {
			return math.Float32frombits(nan32)
		}
		return math.Float32frombits(sign | 0x7f800000)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// toHalf rounds to float16, to nearest even or towards zero.
func toHalf(v float32, m rounding) uint64 {
	bits := math.Float32bits(v)
	sign := uint64(bits >> 31 << 15)
	a := math.Abs(float64(v))
	switch {
	case v != v:
		return 0x7fff
	case math.IsInf(a, 0):
		return sign | 0x7c00
	}
	// The grain is 2^-24 for subnormals, else a 1024th of the power of two.
	_, e := math.Frexp(a)
	grain := math.Ldexp(1, max(e-11, -24))
	n := a / grain
	if m == roundZero {
		n = math.Trunc(n)
	} else {
		n = math.RoundToEven(n)
	}
	a = n * grain
	switch {
	case a >= 65536 && m == roundZero:
		return sign | 0x7bff
	case a >= 65536:
		return sign | 0x7c00
	case a < 0x1p-14:
		return sign | uint64(a*0x1p24)
	}
	_, e = math.Frexp(a)
	return sign | uint64(e+14)<<10 | uint64(math.Ldexp(a, 11-e))&1023
}
