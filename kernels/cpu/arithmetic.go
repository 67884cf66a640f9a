package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) Add(y, a, b device.Tensor) {
	if q.Err != nil {
		return
	}
	q.arithmetic = arithmeticTask{loops: q.loops(), op: add, y: floats(y), a: floats(a), b: floats(b)}
	run(q, &q.arithmetic, chunks(y.Len()))
}

func (q *queue) Scale(y, x device.Tensor, alpha float32, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.arithmetic = arithmeticTask{loops: q.loops(), op: scale, y: floats(y), a: floats(x), factor: alpha}
	if m == device.Accumulate {
		q.arithmetic.op = addScaled
	}
	run(q, &q.arithmetic, chunks(y.Len()))
}

func (q *queue) Fill(y device.Tensor, v float32) {
	if q.Err != nil {
		return
	}
	q.arithmetic = arithmeticTask{loops: q.loops(), op: fill, y: floats(y), factor: v}
	run(q, &q.arithmetic, chunks(y.Len()))
}

type arithmeticTask struct {
	loops   *vec.Loops
	op      arithmeticOp
	y, a, b []float32
	factor  float32
}

type arithmeticOp uint8

const (
	add arithmeticOp = iota
	scale
	addScaled
	fill
)

func (t *arithmeticTask) Run(item, _ int) {
	i, end := chunk(item, len(t.y))
	y := t.y[i:end]
	switch t.op {
	case add:
		t.loops.Add(y, t.a[i:end], t.b[i:end])
	case scale:
		t.loops.Scale(y, t.a[i:end], t.factor)
	case addScaled:
		t.loops.AddScaled(y, t.a[i:end], t.factor)
	case fill:
		t.loops.Fill(y, t.factor)
	}
}
