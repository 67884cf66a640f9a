package reference

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) SoftmaxForward(s device.Softmax, y, x device.Tensor) {
	if q.Err != nil {
		return
	}
	out, in := floats(y), floats(x)
	for n := range s.N {
		for p := range s.Inner {
			first := n*s.C*s.Inner + p
			softmax(out[first:], in[first:], s.C, s.Inner)
		}
	}
}

func (q *queue) SoftmaxBackward(s device.Softmax, dx, y, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	din, out, dout := floats(dx), floats(y), floats(dy)
	for n := range s.N {
		for p := range s.Inner {
			first := n*s.C*s.Inner + p
			sum := 0.0
			for c := range s.C {
				i := first + c*s.Inner
				sum += dout[i] * out[i]
			}
			for c := range s.C {
				i := first + c*s.Inner
				store(&din[i], out[i]*(dout[i]-sum), m)
			}
		}
	}
}

// softmax writes the softmax of n scores that lie step apart.
func softmax(y, x []float64, n, step int) {
	largest := math.Inf(-1)
	for c := range n {
		largest = max(largest, x[c*step])
	}
	sum := 0.0
	for c := range n {
		sum += math.Exp(x[c*step] - largest)
	}
	for c := range n {
		y[c*step] = math.Exp(x[c*step]-largest) / sum
	}
}
