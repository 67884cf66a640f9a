package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) SoftmaxForward(s device.Softmax, y, x device.Tensor) {
	if q.Err != nil {
		return
	}
	q.softmax = softmaxTask{loops: q.loops(), s: s, dst: floats(y), src: floats(x)}
	run(q, &q.softmax, rowItems(s.N, s.C*s.Inner))
}

func (q *queue) SoftmaxBackward(s device.Softmax, dx, y, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.softmax = softmaxTask{loops: q.loops(), s: s, dst: floats(dx), src: floats(dy), y: floats(y), m: m}
	run(q, &q.softmax, rowItems(s.N, s.C*s.Inner))
}

// softmaxTask is the softmax or, where y is there, its gradient.
type softmaxTask struct {
	loops       *vec.Loops
	s           device.Softmax
	dst, src, y []float32
	m           device.Mode
}

func (t *softmaxTask) Run(item, _ int) {
	size := t.s.C * t.s.Inner
	for n, end := rows(item, t.s.N, size); n < end; n++ {
		dst, src := t.dst[n*size:][:size], t.src[n*size:][:size]
		switch {
		case t.y != nil:
			softmaxGradients(dst, t.y[n*size:][:size], src, t.s.Inner, t.m)
		case t.s.Inner == 1:
			softmax(t.loops, dst, src)
		default:
			softmaxes(dst, src, t.s.Inner)
		}
	}
}

// softmax writes the softmax of x.
func softmax(l *vec.Loops, y, x []float32) {
	sum := l.ExpSum(y, x, l.Largest(x))
	l.ScaleWide(y, y, 1/sum)
}

// positions is how many places of a feature map are worked on together: the
// scores of one place lie a whole map apart.
const positions = 64

// softmaxes writes the softmax at each of inner positions.
func softmaxes(y, x []float32, inner int) {
	for p := 0; p < inner; p += positions {
		n := min(positions, inner-p)
		var largest [positions]float32
		var sum [positions]float64
		copy(largest[:n], x[p:])
		for i := p + inner; i < len(x); i += inner {
			for j, v := range x[i : i+n] {
				largest[j] = max(largest[j], v)
			}
		}
		for i := p; i < len(x); i += inner {
			for j, v := range x[i : i+n] {
				e := vec.Exp(float64(v) - float64(largest[j]))
				y[i+j] = float32(e)
				sum[j] += e
			}
		}
		for j := range n {
			sum[j] = 1 / sum[j]
		}
		for i := p; i < len(y); i += inner {
			for j, v := range y[i : i+n] {
				y[i+j] = float32(float64(v) * sum[j])
			}
		}
	}
}

// softmaxGradients is dx_c = y_c (dy_c - sum of dy_k y_k) at each of inner
// positions.
func softmaxGradients(dx, y, dy []float32, inner int, m device.Mode) {
	for p := 0; p < inner; p += positions {
		n := min(positions, inner-p)
		var sum [positions]float64
		for i := p; i < len(y); i += inner {
			for j, v := range y[i : i+n] {
				sum[j] += float64(float64(v) * float64(dy[i+j]))
			}
		}
		for i := p; i < len(y); i += inner {
			for j, v := range y[i : i+n] {
				d := float32(float64(v) * (float64(dy[i+j]) - sum[j]))
				if m == device.Accumulate {
					d += dx[i+j]
				}
				dx[i+j] = d
			}
		}
	}
}
