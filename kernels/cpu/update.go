package cpu

import (
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) SGD(s device.SGD, w, v, dw, norm2 device.Tensor, segments []device.Segment) {
	if q.Err != nil {
		return
	}
	items := 0
	for i := range segments {
		items += chunks(segments[i].Len)
	}
	clip := float32(1)
	if s.MaxNorm != 0 {
		clip = float32(min(1, float64(s.MaxNorm)/math.Sqrt(float64(floats(norm2)[0]))))
	}
	q.sgd = sgdTask{loops: q.loops(), s: s, w: floats(w), v: floats(v), dw: floats(dw), clip: clip, segments: segments}
	run(q, &q.sgd, items)
}

// sgdTask is cut into segments, and those into chunks.
type sgdTask struct {
	loops    *vec.Loops
	s        device.SGD
	w, v, dw []float32
	clip     float32
	segments []device.Segment
}

func (t *sgdTask) Run(item, _ int) {
	for i := range t.segments {
		p := &t.segments[i]
		if n := chunks(p.Len); item >= n {
			item -= n
			continue
		}
		first, end := chunk(item, p.Len)
		w := t.w[p.Weight+first : p.Weight+end]
		v, dw := t.v[p.Grad+first:p.Grad+end], t.dw[p.Grad+first:p.Grad+end]
		step := vec.Step{Clip: t.clip, Decay: t.s.Decay * p.Decay, Momentum: t.s.Momentum, Rate: t.s.Rate * p.Rate}
		if t.s.Nesterov {
			t.loops.Nesterov(w, v, dw, step)
		} else {
			t.loops.SGD(w, v, dw, step)
		}
		return
	}
}

func (q *queue) SumSquares(out, x device.Tensor) {
	if q.Err != nil {
		return
	}
	t := &q.squares
	t.loops = q.loops()
	t.x = floats(x)
	// At most len(partial) chunks, however long x is.
	t.chunk = max(grain, (len(t.x)+len(t.partial)-1)/len(t.partial))
	items := (len(t.x) + t.chunk - 1) / t.chunk
	q.pool.Acquire()
	q.pool.Run(t, items)
	q.pool.Release()
	sum := 0.0
	for _, p := range t.partial[:items] {
		sum += p
	}
	floats(out)[0] = float32(sum)
	t.x, t.loops = nil, nil
}

// squaresTask leaves the sum of squares of each chunk in partial.
type squaresTask struct {
	loops   *vec.Loops
	x       []float32
	chunk   int
	partial [1024]float64
}

func (t *squaresTask) Run(item, _ int) {
	t.partial[item] = t.loops.SumSquares(t.x[item*t.chunk : min((item+1)*t.chunk, len(t.x))])
}
