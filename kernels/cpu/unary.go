package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) UnaryForward(u device.Unary, y, x device.Tensor) {
	if q.Err != nil {
		return
	}
	q.unary = unaryTask{loops: q.loops(), u: u, dst: floats(y), src: floats(x)}
	run(q, &q.unary, chunks(y.Len()))
}

func (q *queue) UnaryBackward(u device.Unary, dx, y, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.unary = unaryTask{loops: q.loops(), u: u, dst: floats(dx), src: floats(dy), y: floats(y), m: m}
	run(q, &q.unary, chunks(dx.Len()))
}

// unaryTask is the function or, where y is there, its gradient.
type unaryTask struct {
	loops       *vec.Loops
	u           device.Unary
	dst, src, y []float32
	m           device.Mode
}

func (t *unaryTask) Run(item, _ int) {
	i, end := chunk(item, len(t.dst))
	if t.y == nil {
		t.loops.Unary(t.u, t.dst[i:end], t.src[i:end])
		return
	}
	t.loops.UnaryGradient(t.u, t.dst[i:end], t.y[i:end], t.src[i:end], t.m)
}
