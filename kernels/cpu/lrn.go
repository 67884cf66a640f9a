package cpu

import (
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) LRNForward(l device.LRN, y, scale, x device.Tensor) {
	if q.err != nil {
		return
	}
	q.lrn = lrnTask{l: l, y: floats(y), scale: floats(scale), x: floats(x), engine: q.engine}
	q.lrn.run(q)
}

func (q *queue) LRNBackward(l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode) {
	if q.err != nil {
		return
	}
	q.lrn = lrnTask{l: l, dx: floats(dx), x: floats(x), scale: floats(scale), dy: floats(dy), m: m, engine: q.engine}
	q.lrn.run(q)
}

// lrnTask is the forward pass or, where dx is there, the gradient. An item is
// all channels of a strip of positions of one image, so that what a window
// reads is in the first-level cache.
type lrnTask struct {
	l                   device.LRN
	y, scale, x, dx, dy []float32
	m                   device.Mode
	engine              *gemm.Engine
}

// strip is the number of positions of an item.
const strip = 128

func (t *lrnTask) run(q *queue) {
	plane := t.l.H * t.l.W
	q.pool.Acquire()
	defer q.pool.Release()
	if t.dx != nil {
		t.engine.Reserve(t.rows() * min(strip, plane))
	}
	q.pool.Run(t, t.l.N*((plane+strip-1)/strip))
	reset(t)
}

// ring is the number of channels that backward keeps in each of two rings.
func (t *lrnTask) ring() int { return min(t.l.Size, t.l.C) }

// rows is the number of rows of scratch that backward works in.
func (t *lrnTask) rows() int { return 2*t.ring() + 1 }

func (t *lrnTask) Run(item, worker int) {
	plane := t.l.H * t.l.W
	strips := (plane + strip - 1) / strip
	p := item % strips * strip
	first, n := item/strips*t.l.C*plane+p, min(strip, plane-p)
	if t.dx == nil {
		t.forward(first, n)
		return
	}
	t.backward(first, n, worker)
}

// half is the number of channels on each side of a window, of those there can
// be.
func (t *lrnTask) half() int { return min(t.l.Size/2, t.l.C-1) }

// forward works on the n positions at first, in every channel. The sums of
// squares of the windows are taken afresh for each channel: a running sum
// would carry the rounding of large values into small ones.
func (t *lrnTask) forward(first, n int) {
	var sums [strip]float32
	sum := sums[:n]
	c, plane, half := t.l.C, t.l.H*t.l.W, t.half()
	a, k := t.l.A(), t.l.K
	for i := range c {
		clear(sum)
		for j := max(i-half, 0); j <= min(i+half, c-1); j++ {
			vec.AddSquares(sum, t.x[first+j*plane:][:n])
		}
		for p, s := range sum {
			sum[p] = k + float32(a*s)
		}
		at := first + i*plane
		if t.scale != nil {
			copy(t.scale[at:], sum)
		}
		power(sum, sum, t.l.Beta)
		y, x := t.y[at:][:n], t.x[at:][:n]
		for p, s := range sum {
			y[p] = x[p] * s
		}
	}
}

// backward works on the n positions at first, in every channel. Two rings of
// as many rows as a window has channels keep
//
//	s = scale^-Beta and t = dy x scale^(-Beta-1)
//
// of the channels around, so that each power is taken once.
func (t *lrnTask) backward(first, n, worker int) {
	c, plane, half := t.l.C, t.l.H*t.l.W, t.half()
	ring := t.ring()
	space := t.engine.Scratch(worker, t.rows()*n)
	powers, terms, sum := space[:ring*n], space[ring*n:2*ring*n], space[2*ring*n:]
	factor := 2 * t.l.A() * t.l.Beta
	for ahead := range c + half {
		if ahead < c {
			slot, at := ahead%ring*n, first+ahead*plane
			s, term := powers[slot:][:n], terms[slot:][:n]
			x, dy, scale := t.x[at:][:n], t.dy[at:][:n], t.scale[at:][:n]
			power(s, scale, t.l.Beta)
			for p, v := range s {
				term[p] = dy[p] * x[p] * v / scale[p]
			}
		}
		i := ahead - half
		if i < 0 {
			continue
		}
		clear(sum)
		for j := max(i-half, 0); j <= min(ahead, c-1); j++ {
			vec.Add(sum, sum, terms[j%ring*n:][:n])
		}
		at := first + i*plane
		dx, x, dy, s := t.dx[at:][:n], t.x[at:][:n], t.dy[at:][:n], powers[i%ring*n:][:n]
		for p, v := range sum {
			d := float32(dy[p]*s[p]) - float32(factor*x[p]*v)
			if t.m == device.Accumulate {
				d += dx[p]
			}
			dx[p] = d
		}
	}
}

// power is y = x^-beta for positive x. Beta 0.75, which everybody uses, takes
// two square roots.
func power(y, x []float32, beta float32) {
	y = y[:len(x)]
	if beta == 0.75 {
		for p, v := range x {
			root := float32(math.Sqrt(float64(v)))
			y[p] = 1 / (root * float32(math.Sqrt(float64(root))))
		}
		return
	}
	for p, v := range x {
		y[p] = float32(vec.Exp(-float64(beta) * math.Log(float64(v))))
	}
}
