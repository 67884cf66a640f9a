package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) DropoutForward(d device.Dropout, y, mask, x device.Tensor, r device.Random) {
	if q.Err != nil {
		return
	}
	t := &q.dropout
	*t = dropoutTask{loops: q.loops(), d: d, dst: floats(y), mask: bytes(mask), src: floats(x), r: r, forward: true}
	run(q, t, d.Samples*chunks(d.Elems))
}

func (q *queue) DropoutBackward(d device.Dropout, dx, dy, mask device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	t := &q.dropout
	*t = dropoutTask{loops: q.loops(), d: d, dst: floats(dx), mask: bytes(mask), src: floats(dy), m: m}
	run(q, t, d.Samples*chunks(d.Elems))
}

// dropoutTask is cut into samples, and samples into chunks, which begin at a
// block of four draws.
type dropoutTask struct {
	loops    *vec.Loops
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
		t.loops.KeepMask(mask, first, t.r, sample, t.d.Threshold())
	}
	t.loops.Dropout[t.m](dst, src, mask, t.d.Scale())
}
