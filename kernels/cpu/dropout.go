package cpu

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) DropoutForward(d device.Dropout, y, mask, x device.Tensor, r device.Random) {
	if q.err != nil {
		return
	}
	t := &q.dropout
	*t = dropoutTask{d: d, dst: floats(y), mask: bytes(mask), src: floats(x), r: r, forward: true}
	run(q, t, d.Samples*chunks(d.Elems))
}

func (q *queue) DropoutBackward(d device.Dropout, dx, dy, mask device.Tensor, m device.Mode) {
	if q.err != nil {
		return
	}
	t := &q.dropout
	*t = dropoutTask{d: d, dst: floats(dx), mask: bytes(mask), src: floats(dy), m: m}
	run(q, t, d.Samples*chunks(d.Elems))
}

// dropoutTask is cut into samples, and samples into chunks, which begin at a
// block of four draws.
type dropoutTask struct {
	d        device.Dropout
	dst, src []float32
	mask     []uint8
	r        device.Random
	m        device.Mode
	forward  bool
}

func (t *dropoutTask) Run(item, _ int) {
	n := chunks(t.d.Elems)
	sample := item / n
	first, end := chunk(item%n, t.d.Elems)
	row := sample * t.d.Elems
	dst, src, mask := t.dst[row+first:row+end], t.src[row+first:row+end], t.mask[row+first:row+end]
	if t.forward {
		threshold := t.d.Threshold()
		for i := 0; i < len(mask); i += 4 {
			draws := t.r.Block(sample, (first+i)/4)
			for j, draw := range draws[:min(4, len(mask)-i)] {
				keep := uint8(0)
				if draw >= threshold {
					keep = 1
				}
				mask[i+j] = keep
			}
		}
	}
	scale, add := t.d.Scale(), t.m == device.Accumulate
	for i, keep := range mask {
		v := math.Float32frombits(math.Float32bits(src[i]*scale) & -uint32(keep))
		if add {
			v += dst[i]
		}
		dst[i] = v
	}
}
