package reference

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func (q *queue) Update(p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
	if q.Err != nil {
		return
	}
	if err := device.CheckUpdate(p, out, in, segments); err != nil {
		q.Fail("update", err)
		return
	}
	inputs, values := make([]float64, len(p.Inputs())), make([]float64, p.Outputs())
	for k, s := range segments {
		for e := range s.Len {
			for i, axes := range p.Inputs() {
				if !p.Uses(i) {
					continue
				}
				at := 0
				switch axes {
				case expr.Whole:
					at = s.At(i) + e
				case expr.Channel:
					at = k
				}
				inputs[i] = floats(in[i])[at]
			}
			p.Eval(values, expr.Element{Inputs: inputs})
			for i, v := range values {
				floats(out[i])[s.At(i)+e] = v
			}
		}
	}
}
