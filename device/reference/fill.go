package reference

import "github.com/hubel-go/hubel/device"

func (q *queue) Fill(y device.Tensor, v float32) {
	if q.Err != nil {
		return
	}
	out := floats(y)
	for i := range out {
		out[i] = float64(v)
	}
}
