package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) ConcatForward(c device.Concat, y, x device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.concat = concatTask{loops: q.loops(), c: c, long: floats(y), short: floats(x), m: m, forward: true}
	run(q, &q.concat, chunks(c.N*c.Len))
}

func (q *queue) ConcatBackward(c device.Concat, dx, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.concat = concatTask{loops: q.loops(), c: c, long: floats(dy), short: floats(dx), m: m}
	run(q, &q.concat, chunks(c.N*c.Len))
}

// concatTask is cut along the elements of the short tensor.
type concatTask struct {
	loops       *vec.Loops
	c           device.Concat
	long, short []float32
	m           device.Mode
	forward     bool
}

func (t *concatTask) Run(item, _ int) {
	c := t.c
	for i, end := chunk(item, c.N*c.Len); i < end; {
		n, e := i/c.Len, i%c.Len
		run := min(c.Len-e, end-i) // up to the end of the sample
		at := n*c.Total + c.Offset + e
		dst, src := t.short[i:i+run], t.long[at:at+run]
		if t.forward {
			dst, src = src, dst
		}
		if t.m == device.Accumulate {
			t.loops.Add(dst, dst, src)
		} else {
			copy(dst, src)
		}
		i += run
	}
}
