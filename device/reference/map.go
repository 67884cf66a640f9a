package reference

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func (q *queue) Map(p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	if err := device.CheckMap(p, v, out, in, modes); err != nil {
		q.Fail("map", err)
		return
	}
	outputs := make([][]float64, len(out))
	for k := range out {
		outputs[k] = floats(out[k])
	}
	each(p, v, in, r, func(n, c, inner int, values []float64) {
		i := (n*v.C+c)*v.Inner + inner
		for k, value := range values {
			store(&outputs[k][i], value, modes[k])
		}
	})
}

// each computes a program for each element of a view.
func each(p *expr.Program, v device.View, in []device.Tensor, r device.Random, do func(n, c, inner int, values []float64)) {
	type source struct {
		at          func(i int) float64
		n, c, inner int
	}
	sources := make([]source, len(p.Inputs()))
	for i, axes := range p.Inputs() {
		if p.Uses(i) {
			sources[i].at = Values(in[i])
			sources[i].n, sources[i].c, sources[i].inner = v.Strides(axes)
		}
	}
	inputs, draws, outputs := make([]float64, len(sources)), make([]uint32, p.Draws()), make([]float64, p.Outputs())
	for n := range v.N {
		for c := range v.C {
			for inner := range v.Inner {
				for i, s := range sources {
					if s.at != nil {
						inputs[i] = s.at(n*s.n + c*s.c + inner*s.inner)
					}
				}
				for i := range draws {
					stream := r
					stream.Stream += uint32(i)
					draws[i] = stream.Uint32(n, c*v.Inner+inner)
				}
				p.Eval(outputs, expr.Element{Inputs: inputs, C: c, Inner: inner, Draws: draws})
				do(n, c, inner, outputs)
			}
		}
	}
}

// Values is a tensor's elements of float32 or, as a program has them, of int32.
func Values(t device.Tensor) func(i int) float64 {
	if t.DType == device.Int32 {
		x := ints(t)
		return func(i int) float64 { return float64(float32(x[i])) }
	}
	x := floats(t)
	return func(i int) float64 { return x[i] }
}
