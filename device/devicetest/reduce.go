package devicetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/expr/exprtest"
)

func reduceCases(o Options) []Case {
	var all []Case
	for i, p := range programs() {
		for axes := expr.One; axes <= expr.Whole; axes++ {
			if p.name == "sub" || p.name == "scale and bias" || p.name == "half squares" || p.name == "two draws" || p.name == "one hot" || p.name == "indices" {
				for k, v := range views {
					all = append(all, reduceCase(p, v, device.ReduceOp((i+k)%2), axes, modes[(int(axes)+k/2)%2]))
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(o.Seed, 2))
	for i := range o.programs() {
		p, v := randomProgram(r, i)
		all = append(all, reduceCase(p, v, device.ReduceOp(r.IntN(2)), expr.Axes(r.IntN(8)), modes[r.IntN(2)]))
	}
	return append(all, squaresCase(4099), squaresCase(50_021), squaresCase(1_000_000),
		equalCase(device.View{N: 20_000, C: 1, Inner: 3}, expr.Inner), equalCase(device.View{N: 20_000, C: 3, Inner: 1}, expr.Channel))
}

// equalCase is sums of equal terms, all of whose roundings are in one direction while a sum
// is between two powers of two: it fails where thousands go through one float32.
func equalCase(v device.View, axes expr.Axes) Case {
	equal := program{"equal terms", expr.MustNew(expr.Input(0, expr.Whole)), []fill{these[float32](0.1)}}
	return reduceCase(equal, v, device.Sum, axes, device.Overwrite)
}

// squaresCase is a sum of squares. One of a million fails where it goes through one
// float32: the small squares round away.
func squaresCase(n int) Case {
	x := expr.Input(0, expr.Whole)
	squares := program{fmt.Sprintf("squares of %d", n), expr.MustNew(expr.Mul(x, x)), []fill{uniform}}
	return reduceCase(squares, device.View{N: 1, C: 1, Inner: n}, device.Sum, expr.One, device.Overwrite)
}

func reduceCase(p program, v device.View, op device.ReduceOp, axes expr.Axes, m device.Mode) Case {
	return Case{
		Op:   "reduce",
		Name: fmt.Sprintf("%s of %s %s to %v %v", []string{"sum", "maximum"}[op], p.name, viewName(v), axes, m),
		args: append([]arg{destination("out", tensor.Shape{v.Elements(axes)}, m, measured)}, inputsOf(p, v)...),
		call: func(q device.Queue, b *Bound) { q.Reduce(p.p, v, op, axes, b.t[0], b.t[1:], m, mapRandom) },
		errors: func(b *Bound) {
			out, _ := reference.Floats(b.t[0])
			terms := float64(v.Elements(expr.Whole) / v.Elements(axes))
			type result struct{ value, magnitude, off float64 }
			results := make([]result, len(out))
			if op == device.Max {
				for i := range results {
					results[i].value = math.Inf(-1)
				}
			}
			sn, sc, si := v.Strides(axes)
			eachRange(p.p, v, b.t[1:], func(n, c, inner int, values []float64, ranges []exprtest.Range) {
				r, e := &results[n*sn+c*sc+inner*si], inRoundoffs(0, values[0], ranges[0], device.Overwrite)
				if op == device.Max {
					r.value, r.off = max(r.value, values[0]), max(r.off, e)
					return
				}
				r.value += values[0]
				r.magnitude += math.Abs(values[0])
				r.off += e
			})
			for i, r := range results {
				e := r.off
				if op == device.Sum {
					e += (4*math.Sqrt(terms) + 8) * r.magnitude
				}
				if m == device.Accumulate {
					e += math.Abs(out[i]) + math.Abs(r.value)
				}
				switch {
				case math.IsInf(r.off, 1) || r.magnitude > math.MaxFloat32/2 && !math.IsInf(r.magnitude, 1):
					e = math.Inf(1)
				case e != e || math.IsInf(e, 1): // of a NaN, or of an infinity that is exact
					e = 0
				}
				out[i] = e
			}
		},
	}
}
