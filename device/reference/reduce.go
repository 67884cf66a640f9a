package reference

import (
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func (q *queue) Reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	if err := device.CheckReduce(p, v, op, axes, out, in); err != nil {
		q.Fail("reduce", err)
		return
	}
	results := make([]float64, v.Elements(axes))
	if op == device.Max {
		for i := range results {
			results[i] = math.Inf(-1)
		}
	}
	sn, sc, si := v.Strides(axes)
	each(p, v, in, r, func(n, c, inner int, values []float64) {
		i := n*sn + c*sc + inner*si
		if op == device.Max {
			results[i] = max(results[i], values[0])
		} else {
			results[i] += values[0]
		}
	})
	for i, value := range results {
		store(&floats(out)[i], value, m)
	}
}
