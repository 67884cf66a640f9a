package reference

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) SGD(s device.SGD, w, v, dw, norm2 device.Tensor, segments []device.Segment) {
	if q.Err != nil {
		return
	}
	weights, velocities, gradients := floats(w), floats(v), floats(dw)
	clip := 1.0
	if s.MaxNorm != 0 {
		clip = min(1, float64(s.MaxNorm)/math.Sqrt(floats(norm2)[0]))
	}
	rate, momentum, decay := float64(s.Rate), float64(s.Momentum), float64(s.Decay)
	for _, p := range segments {
		for i := range p.Len {
			w, v := weights[p.Weight+i], velocities[p.Grad+i]
			g := gradients[p.Grad+i]*clip + decay*float64(p.Decay)*w
			next := momentum*v - rate*float64(p.Rate)*g
			if s.Nesterov {
				w += (1+momentum)*next - momentum*v
			} else {
				w += next
			}
			weights[p.Weight+i], velocities[p.Grad+i] = w, next
		}
	}
}

func (q *queue) SumSquares(out, x device.Tensor) {
	if q.Err != nil {
		return
	}
	sum := 0.0
	for _, v := range floats(x) {
		sum += v * v
	}
	floats(out)[0] = sum
}
