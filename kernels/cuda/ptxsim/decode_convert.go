package ptxsim

import (
	"fmt"
	"math"
	"slices"
)

// decodeCvt is cvt, between integers and floats of all widths.
func decodeCvt(d *decoder, in *inst) error {
	in.class = ClassMove
	if slices.Contains(d.mods, "tf32") {
		return decodeCvtTF32(d, in)
	}
	from, err := d.takeType()
	if err != nil {
		return err
	}
	to, err := d.takeType()
	if err != nil {
		return err
	}
	mode, rounds := takeOne(d, roundings)
	integral, toIntegral := takeOne(d, map[string]rounding{"rni": roundNearest, "rzi": roundZero, "rmi": roundDown, "rpi": roundUp})
	ftz, sat := d.take("ftz"), d.take("sat")
	if sat && to == typF64 || to == typPred || from == typPred {
		return fmt.Errorf("is not supported")
	}
	n := to.bits()
	// read is the source as float64, which holds every value of f16 and f32.
	read := map[typ]func(uint64) float64{
		typF16: func(a uint64) float64 { return float64(half(a & 0xffff)) },
		typF32: func(a uint64) float64 {
			if ftz {
				a = flush32(a)
			}
			return float64(f32(a))
		},
		typF64: f64,
	}[from]
	switch {
	case !from.float() && !to.float():
		in.fn = convertInteger(from, to, sat)
	case from.float() && !to.float():
		if !toIntegral {
			return fmt.Errorf("needs an integer rounding mode")
		}
		in.fn = func(a, _, _ uint64) uint64 {
			return extend(toInteger(roundInteger(read(a), integral), n, to.signed()), to)
		}
	case !from.float():
		if !rounds {
			return fmt.Errorf("needs a rounding mode")
		}
		if to == typF64 && mode != roundNearest || to == typF16 {
			return fmt.Errorf("is not supported")
		}
		fn := func(a uint64) uint64 {
			v := uint64(signed(a, from.bits()))
			if !from.signed() {
				v = a & mask64(from.bits())
			}
			negative := from.signed() && int64(v) < 0
			switch {
			case to == typF64 && from.signed():
				return math.Float64bits(float64(int64(v)))
			case to == typF64:
				return math.Float64bits(float64(v))
			case negative:
				return b32(fromInteger32(-v, true, mode))
			}
			return b32(fromInteger32(v, false, mode))
		}
		in.fn = func(a, _, _ uint64) uint64 {
			r := fn(a)
			if sat {
				r = saturate32(r)
			}
			return r
		}
	default:
		if to == typF16 && (from != typF32 || mode == roundUp || mode == roundDown || sat) {
			return fmt.Errorf("is not supported")
		}
		in.fn = func(a, _, _ uint64) uint64 {
			v := read(a)
			if toIntegral {
				v = roundInteger(v, integral)
			}
			switch to {
			case typF64:
				return b64(v)
			case typF16:
				return toHalf(float32(v), mode)
			}
			r := b32(round64to32(v, mode))
			if ftz {
				r = flush32(r)
			}
			if sat {
				r = saturate32(r)
			}
			return r
		}
	}
	if err := d.done(); err != nil {
		return err
	}
	if err := d.args(2); err != nil {
		return err
	}
	if err := d.dest(d.s.args[0], in); err != nil {
		return err
	}
	// Registers may be wider than the types say.
	in.a, err = d.src(d.s.args[1], from)
	return err
}

func convertInteger(from, to typ, sat bool) func(a, b, c uint64) uint64 {
	n := to.bits()
	// A signed result smaller than its register is extended in it.
	return func(a, _, _ uint64) uint64 {
		v := signed(a, from.bits())
		if !from.signed() {
			v = int64(a & mask64(from.bits()))
		}
		if sat {
			big := !from.signed() && v < 0 // a u64 past int64
			switch low, high := -int64(1)<<(n-1), int64(1)<<(n-1)-1; {
			case to.signed():
				if big || v > high {
					v = high
				} else if v < low {
					v = low
				}
			case from.signed() && v < 0:
				v = 0
			case n < 64 && (big || v > int64(mask64(n))):
				v = int64(mask64(n))
			}
		}
		if to.signed() {
			return uint64(signed(uint64(v), n))
		}
		return uint64(v) & mask64(n)
	}
}
