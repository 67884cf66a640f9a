package reference

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) LRNForward(l device.LRN, y, scale, x device.Tensor) {
	if q.Err != nil {
		return
	}
	out, in := floats(y), floats(x)
	lrnWindows(l, func(i, first, last int) {
		sum := 0.0
		for j := first; j <= last; j += l.H * l.W {
			sum += in[j] * in[j]
		}
		s := float64(l.K) + float64(l.A())*sum
		if s > math.MaxFloat32 {
			s = math.Inf(1) // as in float32
		}
		out[i] = in[i] * math.Pow(s, -float64(l.Beta))
		if !scale.IsNil() {
			floats(scale)[i] = s
		}
	})
}

func (q *queue) LRNBackward(l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	din, in, s, dout := floats(dx), floats(x), floats(scale), floats(dy)
	a, b := float64(l.A()), float64(l.Beta)
	lrnWindows(l, func(i, first, last int) {
		sum := 0.0
		for j := first; j <= last; j += l.H * l.W {
			sum += dout[j] * in[j] * math.Pow(s[j], -b-1)
		}
		store(&din[i], dout[i]*math.Pow(s[i], -b)-2*a*b*in[i]*sum, m)
	})
}

// lrnWindows visits every element i, with the elements of the first and the
// last channel of its window. A window is symmetric, so it is also that of
// the channels whose windows reach i.
func lrnWindows(l device.LRN, visit func(i, first, last int)) {
	plane := l.H * l.W
	for n := range l.N {
		for c := range l.C {
			below, above := min(l.Size/2, c), min(l.Size/2, l.C-1-c)
			for p := range plane {
				i := (n*l.C+c)*plane + p
				visit(i, i-below*plane, i+above*plane)
			}
		}
	}
}
