package devicetest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"reflect"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// fill makes n values for an argument: []float32, []int32 or []uint8.
type fill func(r *rand.Rand, n int) any

// floatFill draws each value by itself.
func floatFill(draw func(r *rand.Rand) float32) fill {
	return func(r *rand.Rand, n int) any {
		v := make([]float32, n)
		for i := range v {
			v[i] = draw(r)
		}
		return v
	}
}

// uniform is in [-1,1), positive in (0,1], both multiples of 2^-24.
var (
	uniform  = floatFill(func(r *rand.Rand) float32 { return float32(r.Uint32()>>8)/(1<<23) - 1 })
	positive = floatFill(func(r *rand.Rand) float32 { return (float32(r.Uint32()>>8) + 1) / (1 << 24) })
)

// between is uniform in [lo,hi).
func between(lo, hi float32) fill {
	return floatFill(func(r *rand.Rand) float32 { return lo + (hi-lo)*r.Float32() })
}

// coarse is an integer in [-3,3], so that there are ties.
var coarse = floatFill(func(r *rand.Rand) float32 { return float32(r.IntN(7) - 3) })

// sprinkled replaces about one value in every of f by v.
func sprinkled(f fill, every int, v float32) fill {
	return func(r *rand.Rand, n int) any {
		values := f(r, n).([]float32)
		for i := range values {
			if r.IntN(every) == 0 {
				values[i] = v
			}
		}
		return values
	}
}

// these is given values, repeated.
func these[T float32 | int32 | uint8](v ...T) fill {
	return func(_ *rand.Rand, n int) any {
		values := make([]T, n)
		for i := range values {
			values[i] = v[i%len(v)]
		}
		return values
	}
}

// values draws the values of all arguments of a case. Outputs start as NaN:
// all bits set, which is -1 and 255 in the other types.
func (c Case) values(seed uint64) []any {
	r := rand.New(rand.NewPCG(seed, hash(c.Op+"/"+c.Name)))
	values := make([]any, len(c.args))
	for i, a := range c.args {
		switch {
		case a.absent():
		case a.role == out:
			values[i] = allOnes(a.dtype, a.len())
		default:
			values[i] = a.fill(r, a.len())
		}
	}
	if c.relate != nil {
		c.relate(values)
	}
	return values
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

func allOnes(t device.DType, n int) any {
	switch t {
	case device.Int32:
		return these[int32](-1)(nil, n)
	case device.Uint8:
		return these[uint8](255)(nil, n)
	}
	return these(math.Float32frombits(0xFFFFFFFF))(nil, n)
}

// absolute returns the values with their signs removed.
func absolute(values []any) []any {
	abs := make([]any, len(values))
	for i, v := range values {
		abs[i] = v
		if f, ok := v.([]float32); ok {
			a := make([]float32, len(f))
			for j, x := range f {
				a[j] = float32(math.Abs(float64(x)))
			}
			abs[i] = a
		}
	}
	return abs
}

// host wraps values, a slice, for a transfer.
func host(values any) *tensor.Dense {
	n := reflect.ValueOf(values).Len()
	return tensor.New(tensor.WithShape(n), tensor.WithBacking(values))
}

// sameBits returns the first index at which two slices differ, or -1.
func sameBits(a, b any) int {
	switch a := a.(type) {
	case []float32:
		b := b.([]float32)
		for i, v := range a {
			if math.Float32bits(v) != math.Float32bits(b[i]) {
				return i
			}
		}
	case []int32:
		return firstDifference(a, b.([]int32))
	case []uint8:
		return firstDifference(a, b.([]uint8))
	}
	return -1
}

func firstDifference[T comparable](a, b []T) int {
	for i, v := range a {
		if v != b[i] {
			return i
		}
	}
	return -1
}
