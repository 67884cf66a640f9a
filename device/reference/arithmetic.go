package reference

import "github.com/hubel-go/hubel/device"

func (q *queue) Add(y, a, b device.Tensor) {
	if q.Err != nil {
		return
	}
	out, left, right := floats(y), floats(a), floats(b)
	for i := range out {
		out[i] = left[i] + right[i]
	}
}

func (q *queue) Scale(y, x device.Tensor, alpha float32, m device.Mode) {
	if q.Err != nil {
		return
	}
	out, in := floats(y), floats(x)
	for i := range out {
		store(&out[i], float64(alpha)*in[i], m)
	}
}

func (q *queue) Fill(y device.Tensor, v float32) {
	if q.Err != nil {
		return
	}
	out := floats(y)
	for i := range out {
		out[i] = float64(v)
	}
}
