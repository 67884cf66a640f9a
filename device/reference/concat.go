package reference

import "github.com/hubel-go/hubel/device"

func (q *queue) ConcatForward(c device.Concat, y, x device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	out, in := floats(y), floats(x)
	for n := range c.N {
		for i := range c.Len {
			store(&out[n*c.Total+c.Offset+i], in[n*c.Len+i], m)
		}
	}
}

func (q *queue) ConcatBackward(c device.Concat, dx, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	din, dout := floats(dx), floats(dy)
	for n := range c.N {
		for i := range c.Len {
			store(&din[n*c.Len+i], dout[n*c.Total+c.Offset+i], m)
		}
	}
}
