package ptxsim

import (
	"fmt"
	"math"
	"math/bits"
)

// decodeArithmetic is what add, sub, mul, mad, fma, div, rem, min, max, abs,
// neg and sad have in common.
func decodeArithmetic(d *decoder, in *inst) error {
	t, err := d.takeType()
	if err != nil {
		return err
	}
	switch {
	case t == typF32:
		return d.float32(in)
	case t == typF64:
		return d.float64(in)
	case t == typF16 || t == typPred || t.bytes() == 1:
		return fmt.Errorf("type %s is not supported", t)
	}
	return d.integer(in, t)
}

func (d *decoder) integer(in *inst, t typ) error {
	n, sign := t.bits(), t.signed()
	mask := mask64(n)
	ext := func(v uint64) int64 { return signed(v, n) }
	less := func(a, b uint64) bool { return a < b }
	if sign {
		less = func(a, b uint64) bool { return ext(a) < ext(b) }
	}
	// high and wide are the upper half and all of a product.
	high := func(a, b uint64) uint64 {
		switch {
		case n < 64 && sign:
			return uint64(ext(a)*ext(b)>>n) & mask
		case n < 64:
			return a * b >> n
		}
		h, _ := bits.Mul64(a, b)
		if sign {
			// A negative operand counts 2^64 too much.
			if int64(a) < 0 {
				h -= b
			}
			if int64(b) < 0 {
				h -= a
			}
		}
		return h
	}
	wide := func(a, b uint64) uint64 {
		if sign {
			return uint64(ext(a)*ext(b)) & mask64(2*n)
		}
		return a * b
	}
	two, three := []typ{t, t}, []typ{t, t, t}
	sat := d.take("sat")
	if sat && (t != typS32 || d.s.op != "add" && d.s.op != "sub") {
		return fmt.Errorf("modifier .sat is not supported here")
	}
	switch d.s.op {
	case "add", "sub":
		minus := d.s.op == "sub"
		in.fn = func(a, b, _ uint64) uint64 {
			if minus {
				b = -b
			}
			return (a + b) & mask
		}
		if sat {
			in.fn = func(a, b, _ uint64) uint64 {
				v := ext(b)
				if minus {
					v = -v
				}
				return uint64(min(max(ext(a)+v, math.MinInt32), math.MaxInt32)) & mask
			}
			return d.operands(in, two...)
		}
		switch {
		case t.wide() && !minus:
			in.op = opIAdd64
		case minus:
			in.op = fast32(t, opISub32)
		default:
			in.op = fast32(t, opIAdd32)
		}
		return d.operands(in, two...)
	case "mul", "mad":
		part, _ := takeOne(d, map[string]string{"lo": "lo", "hi": "hi", "wide": "wide"})
		mad := d.s.op == "mad"
		switch part {
		case "lo":
			in.fn = func(a, b, c uint64) uint64 { return (a*b + c) & mask }
			in.op = fast32(t, opIMul32)
			if mad {
				in.op = fast32(t, opIMad32)
			}
		case "hi":
			in.fn = func(a, b, c uint64) uint64 { return (high(a, b) + c) & mask }
		case "wide":
			if n == 64 {
				return fmt.Errorf("there is no wide product of 64 bits")
			}
			sum := mask64(2 * n)
			in.fn = func(a, b, c uint64) uint64 { return (wide(a, b) + c) & sum }
			three[2] = map[int]typ{16: typB32, 32: typB64}[n]
			if n == 32 && !mad {
				in.op = opMulWideU32
				if sign {
					in.op = opMulWideS32
				}
			}
		default:
			return fmt.Errorf("needs .lo, .hi or .wide")
		}
		if mad {
			return d.operands(in, three...)
		}
		return d.operands(in, two...)
	case "div":
		in.fn = func(a, b, _ uint64) uint64 {
			switch {
			case b == 0:
				return mask // as hardware does; PTX leaves it open
			case sign:
				return uint64(ext(a)/ext(b)) & mask
			}
			return a / b
		}
		return d.operands(in, two...)
	case "rem":
		in.fn = func(a, b, _ uint64) uint64 {
			switch {
			case b == 0:
				return a // as hardware does; PTX leaves it open
			case sign:
				return uint64(ext(a)%ext(b)) & mask
			}
			return a % b
		}
		return d.operands(in, two...)
	case "min", "max":
		smallest := d.s.op == "min"
		in.fn = func(a, b, _ uint64) uint64 {
			if less(a, b) == smallest {
				return a
			}
			return b
		}
		return d.operands(in, two...)
	case "abs":
		in.fn = func(a, _, _ uint64) uint64 {
			if ext(a) < 0 {
				return -a & mask
			}
			return a
		}
		return d.operands(in, t)
	case "neg":
		in.fn = func(a, _, _ uint64) uint64 { return -a & mask }
		return d.operands(in, t)
	case "sad":
		in.fn = func(a, b, c uint64) uint64 {
			if less(a, b) {
				a, b = b, a
			}
			return (c + a - b) & mask
		}
		return d.operands(in, three...)
	}
	return fmt.Errorf("is not supported for integers")
}

func (d *decoder) float32(in *inst) error {
	in.class = ClassFloat
	in.typ = typF32
	mode, rounds := takeOne(d, roundings)
	ftz, sat := d.take("ftz"), d.take("sat")
	count := 2
	plain := mode == roundNearest && !ftz && !sat
	switch d.s.op {
	case "add":
		in.fn = func(a, b, _ uint64) uint64 { return b32(add32(f32(a), f32(b), mode)) }
		if plain {
			in.op = opAdd32
		}
	case "sub":
		in.fn = func(a, b, _ uint64) uint64 { return b32(add32(f32(a), -f32(b), mode)) }
		if plain {
			in.op = opSub32
		}
	case "mul":
		in.fn = func(a, b, _ uint64) uint64 { return b32(mul32(f32(a), f32(b), mode)) }
		if plain {
			in.op = opMul32
		}
	case "fma", "mad":
		if !rounds {
			return fmt.Errorf("needs a rounding mode")
		}
		in.class = ClassFMA
		count = 3
		if mode == roundNearest {
			in.fn = func(a, b, c uint64) uint64 { return b32(fma32(f32(a), f32(b), f32(c))) }
		} else {
			in.fn = func(a, b, c uint64) uint64 { return b32(fmaSlow(f32(a), f32(b), f32(c), mode)) }
		}
		if plain {
			in.op = opFma32
		}
	case "div":
		if !rounds && !d.take("approx") && !d.take("full") {
			return fmt.Errorf("needs a rounding mode, .approx or .full")
		}
		in.class = ClassSpecial
		in.fn = func(a, b, _ uint64) uint64 { return b32(div32(f32(a), f32(b), mode)) }
	case "min", "max":
		pick := min32
		if d.s.op == "max" {
			pick = max32
		}
		propagate := d.take("NaN")
		in.fn = func(a, b, _ uint64) uint64 {
			if propagate && (f32(a) != f32(a) || f32(b) != f32(b)) {
				return nan32
			}
			return pick(a, b)
		}
	case "abs":
		count = 1
		in.fn = func(a, _, _ uint64) uint64 { return b32(f32(a &^ (1 << 31))) }
	case "neg":
		count = 1
		in.fn = func(a, _, _ uint64) uint64 { return b32(f32(a ^ 1<<31)) }
	default:
		return fmt.Errorf("is not supported for f32")
	}
	in.fn = modify32(in.fn, ftz, sat)
	return d.operands(in, []typ{typF32, typF32, typF32}[:count]...)
}

// modify32 adds .ftz and .sat to an operation on float32.
func modify32(fn func(a, b, c uint64) uint64, ftz, sat bool) func(a, b, c uint64) uint64 {
	if ftz {
		plain := fn
		fn = func(a, b, c uint64) uint64 { return flush32(plain(flush32(a), flush32(b), flush32(c))) }
	}
	if sat {
		plain := fn
		fn = func(a, b, c uint64) uint64 { return saturate32(plain(a, b, c)) }
	}
	return fn
}

func (d *decoder) float64(in *inst) error {
	in.class = ClassFloat
	mode, _ := takeOne(d, roundings)
	if mode != roundNearest {
		return fmt.Errorf("float64 rounds to nearest only")
	}
	count := 2
	switch d.s.op {
	case "add":
		in.fn = func(a, b, _ uint64) uint64 { return b64(f64(a) + f64(b)) }
	case "sub":
		in.fn = func(a, b, _ uint64) uint64 { return b64(f64(a) - f64(b)) }
	case "mul":
		in.fn = func(a, b, _ uint64) uint64 { return b64(f64(a) * f64(b)) }
	case "div":
		in.fn = func(a, b, _ uint64) uint64 { return b64(f64(a) / f64(b)) }
	case "fma", "mad":
		count = 3
		in.fn = func(a, b, c uint64) uint64 { return b64(math.FMA(f64(a), f64(b), f64(c))) }
	case "min":
		in.fn = func(a, b, _ uint64) uint64 { return min64(a, b) }
	case "max":
		in.fn = func(a, b, _ uint64) uint64 { return max64(a, b) }
	case "abs":
		count = 1
		in.fn = func(a, _, _ uint64) uint64 { return b64(f64(a &^ (1 << 63))) }
	case "neg":
		count = 1
		in.fn = func(a, _, _ uint64) uint64 { return b64(f64(a ^ 1<<63)) }
	default:
		return fmt.Errorf("is not supported for f64")
	}
	return d.operands(in, []typ{typF64, typF64, typF64}[:count]...)
}

// decodeSpecial is the functions of one float: exact with a rounding mode,
// else approximate.
func decodeSpecial(d *decoder, in *inst) error {
	in.class = ClassSpecial
	t, err := d.takeType()
	if err != nil {
		return err
	}
	mode, rounds := takeOne(d, roundings)
	approx := d.take("approx")
	ftz := d.take("ftz")
	if rounds == approx {
		return fmt.Errorf("needs a rounding mode or .approx")
	}
	if t == typF64 {
		switch {
		case rounds && mode == roundNearest && d.s.op == "sqrt":
			in.fn = func(a, _, _ uint64) uint64 { return b64(math.Sqrt(f64(a))) }
		case rounds && mode == roundNearest && d.s.op == "rcp":
			in.fn = func(a, _, _ uint64) uint64 { return b64(1 / f64(a)) }
		default:
			return fmt.Errorf("is not supported for f64")
		}
		return d.operands(in, t)
	}
	if t != typF32 {
		return fmt.Errorf("type %s is not supported", t)
	}
	approximations := map[string]func(float32) float32{"rcp": rcpApprox, "sqrt": sqrtApprox, "rsqrt": rsqrtApprox,
		"ex2": ex2Approx, "lg2": lg2Approx, "sin": sinApprox, "cos": cosApprox, "tanh": tanhApprox}
	f := approximations[d.s.op]
	if approx && d.rough {
		f = roughly(d.s.op, f)
	}
	if rounds {
		switch d.s.op {
		case "rcp":
			f = func(a float32) float32 { return div32(1, a, mode) }
		case "sqrt":
			f = func(a float32) float32 { return sqrt32(a, mode) }
		default:
			return fmt.Errorf("has no exact form")
		}
	}
	in.fn = modify32(func(a, _, _ uint64) uint64 { return b32(f(f32(a))) }, ftz, false)
	return d.operands(in, typF32)
}

func decodeCopysign(d *decoder, in *inst) error {
	in.class = ClassFloat
	t, err := d.takeType()
	if err != nil {
		return err
	}
	sign := uint64(1) << (t.bits() - 1)
	in.fn = func(a, b, _ uint64) uint64 { return b&^sign | a&sign }
	return d.operands(in, t, t)
}

func decodeTestp(d *decoder, in *inst) error {
	in.class = ClassCompare
	t, err := d.takeType()
	if err != nil {
		return err
	}
	tests := map[string]func(v float64, subnormal bool) bool{
		"finite":     func(v float64, _ bool) bool { return !math.IsInf(v, 0) && v == v },
		"infinite":   func(v float64, _ bool) bool { return math.IsInf(v, 0) },
		"number":     func(v float64, _ bool) bool { return v == v },
		"notanumber": func(v float64, _ bool) bool { return v != v },
		"normal":     func(v float64, s bool) bool { return !math.IsInf(v, 0) && v == v && v != 0 && !s },
		"subnormal":  func(v float64, s bool) bool { return s },
	}
	test, ok := takeOne(d, tests)
	if !ok {
		return fmt.Errorf("needs a test")
	}
	in.fn = func(a, _, _ uint64) uint64 {
		v, smallest := f64(a), 0x1p-1022
		if t == typF32 {
			v, smallest = float64(f32(a)), 0x1p-126
		}
		return uint64(b2i(test(v, v != 0 && math.Abs(v) < smallest)))
	}
	return d.operands(in, t)
}

func decodeBits(d *decoder, in *inst) error {
	t, err := d.takeType()
	if err != nil {
		return err
	}
	n := t.bits()
	mask := mask64(n)
	switch d.s.op {
	case "popc":
		in.fn = func(a, _, _ uint64) uint64 { return uint64(bits.OnesCount64(a)) }
	case "clz":
		in.fn = func(a, _, _ uint64) uint64 { return uint64(bits.LeadingZeros64(a) - (64 - n)) }
	case "brev":
		in.fn = func(a, _, _ uint64) uint64 { return bits.Reverse64(a) >> (64 - n) }
	case "bfind":
		amount := d.take("shiftamt")
		in.fn = func(a, _, _ uint64) uint64 {
			if t.signed() && signed(a, n) < 0 {
				a = ^a & mask
			}
			switch top := bits.Len64(a) - 1; {
			case top < 0:
				return mask64(32)
			case amount:
				return uint64(n - 1 - top)
			default:
				return uint64(top)
			}
		}
	}
	return d.operands(in, t)
}

// decodeField is bfe and bfi.
func decodeField(d *decoder, in *inst) error {
	t, err := d.takeType()
	if err != nil {
		return err
	}
	n := t.bits()
	if d.s.op == "bfe" {
		in.fn = func(a, pos, count uint64) uint64 {
			pos, count = pos&255, count&255
			if !t.signed() {
				if pos >= 64 {
					return 0
				}
				return a >> pos & mask64(int(min(count, 64)))
			}
			if count == 0 {
				return 0
			}
			// Bits past the end are copies of the field's sign, which is the
			// value's where the field reaches past it.
			top := int(min(pos+count, uint64(n)))
			if int(pos) >= top {
				return uint64(signed(a, n)>>63) & mask64(n)
			}
			return uint64(signed(a>>pos&mask64(top-int(pos)), top-int(pos))) & mask64(n)
		}
		return d.operands(in, t, typU32, typU32)
	}
	// The position and the length of bfi are constants in what nvcc writes.
	if err := d.args(5); err != nil {
		return err
	}
	pos, count := d.s.args[3], d.s.args[4]
	if pos.kind != operandInt || count.kind != operandInt {
		return fmt.Errorf("position and length must be constants")
	}
	p, c := pos.bits&255, count.bits&255
	var field uint64
	if p < 64 {
		field = mask64(int(min(c, 64))) << p & mask64(n)
	}
	d.s.args = d.s.args[:3]
	in.fn = func(a, b, _ uint64) uint64 { return b&^field | a<<p&field }
	return d.operands(in, t, t)
}
