package reference

import "github.com/hubel-go/hubel/device"

func (q *queue) DropoutForward(d device.Dropout, y, mask, x device.Tensor, r device.Random) {
	if q.Err != nil {
		return
	}
	out, keep, in := floats(y), bytes(mask), floats(x)
	for n := range d.Samples {
		for e := range d.Elems {
			i := n*d.Elems + e
			if r.Uint32(n, e) >= d.Threshold() {
				keep[i] = 1
				out[i] = in[i] * float64(d.Scale())
			} else {
				keep[i] = 0
				out[i] = 0
			}
		}
	}
}

func (q *queue) DropoutBackward(d device.Dropout, dx, dy, mask device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	din, dout := floats(dx), floats(dy)
	for i, keep := range bytes(mask) {
		if keep == 1 {
			store(&din[i], dout[i]*float64(d.Scale()), m)
		} else {
			store(&din[i], 0, m)
		}
	}
}
