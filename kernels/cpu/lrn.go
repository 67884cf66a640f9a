package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) LRNForward(l device.LRN, y, scale, x device.Tensor) {
	if q.Err != nil {
		return
	}
	q.lrn = lrnTask{loops: q.loops(), l: l, y: floats(y), scale: floats(scale), x: floats(x), engine: q.engine}
	q.lrn.run(q)
}

func (q *queue) LRNBackward(l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.lrn = lrnTask{loops: q.loops(), l: l, dx: floats(dx), x: floats(x), scale: floats(scale), dy: floats(dy), m: m, engine: q.engine}
	q.lrn.run(q)
}

// lrnTask is the forward pass or, where dx is there, the gradient. An item is
// all channels of a strip of positions of one image, so that what a window
// reads stays in the caches.
type lrnTask struct {
	loops               *vec.Loops
	l                   device.LRN
	y, scale, x, dx, dy []float32
	m                   device.Mode
	engine              *gemm.Engine
	strip               int // positions of an item
}

// An item has the positions of whole planes up to maxStrip, which are read as
// they lie in memory; where there are few images, for the workers too, it has fewer.
const (
	maxStrip = 4096
	fewStrip = 256
	few      = 8 // images
)

func (t *lrnTask) run(q *queue) {
	plane := t.l.H * t.l.W
	longest := maxStrip
	if workers := q.engine.CutFor; t.l.N < few {
		longest = fewStrip
	} else if workers > gemm.FewWorkers {
		longest = max(64, min(maxStrip, t.l.N*plane/workers))
	}
	_, t.strip = evenly(plane, longest, 16)
	runWithScratch(q, t, t.l.N*((plane+t.strip-1)/t.strip), t.rows()*t.strip)
}

// ring is the number of channels that backward keeps in each of two rings.
func (t *lrnTask) ring() int { return min(t.l.Size, t.l.C) }

// rows is the number of rows of scratch that backward works in.
func (t *lrnTask) rows() int {
	if t.dx == nil {
		return 0
	}
	return 2*t.ring() + 1
}

func (t *lrnTask) Run(item, worker int) {
	plane := t.l.H * t.l.W
	strips := (plane + t.strip - 1) / t.strip
	p := item % strips * t.strip
	first, n := item/strips*t.l.C*plane+p, min(t.strip, plane-p)
	if t.dx == nil {
		t.forward(first, n)
		return
	}
	t.backward(first, n, t.engine.Scratch(worker, t.rows()*n))
}

// half is the number of channels on each side of a window, of those there can
// be.
func (t *lrnTask) half() int { return min(t.l.Size/2, t.l.C-1) }

// forward works on the n positions at first, in every channel. The sums of
// squares of the windows are taken afresh for each channel: a running sum
// would carry the rounding of large values into small ones.
func (t *lrnTask) forward(first, n int) {
	c, plane, half := t.l.C, t.l.H*t.l.W, t.half()
	a, k := t.l.A(), t.l.K
	for i := range c {
		from, to := max(i-half, 0), min(i+half, c-1)
		rows, window := to-from+1, t.x[first+from*plane:]
		at := first + i*plane
		y := t.y[at:][:n]
		scale := y
		if t.scale != nil {
			scale = t.scale[at:][:n]
		}
		if t.fast() {
			t.loops.Normalise75(y, scale, window, rows, plane, i-from, a, k)
			continue
		}
		t.loops.SquareRows(scale, window, rows, plane, a, k)
		t.power(y, scale)
		t.loops.Mul(y, y, t.x[at:][:n])
	}
}

// backward works on the n positions at first, in every channel. Two rings of
// as many rows as a window has channels keep
//
//	s = scale^-Beta and t = dy x scale^(-Beta-1)
//
// of the channels around, so that each power is taken once.
func (t *lrnTask) backward(first, n int, space []float32) {
	c, plane, half := t.l.C, t.l.H*t.l.W, t.half()
	ring := t.ring()
	powers, terms, sum := space[:ring*n], space[ring*n:2*ring*n], space[2*ring*n:]
	factor := 2 * t.l.A() * t.l.Beta
	for ahead := range c + half {
		if ahead < c {
			slot, at := ahead%ring*n, first+ahead*plane
			s, x, dy, scale := powers[slot:][:n], t.x[at:][:n], t.dy[at:][:n], t.scale[at:][:n]
			if t.fast() {
				t.loops.LRNTerms75(terms[slot:][:n], s, scale, x, dy)
			} else {
				t.power(s, scale)
				t.loops.LRNTerms(terms[slot:][:n], s, scale, x, dy)
			}
		}
		i := ahead - half
		if i < 0 {
			continue
		}
		clear(sum)
		from, to := max(i-half, 0), min(ahead, c-1)
		slot := from % ring
		before := min(to-from+1, ring-slot) // rows up to the end of the ring
		t.loops.AddRows(sum, terms[slot*n:], before, n)
		if rest := to - from + 1 - before; rest > 0 {
			t.loops.AddRows(sum, terms, rest, n)
		}
		at := first + i*plane
		t.loops.LRNGradient[t.m](t.dx[at:][:n], powers[i%ring*n:][:n], sum, t.x[at:][:n], t.dy[at:][:n], factor)
	}
}

// power is s = scale^-Beta.
func (t *lrnTask) power(s, scale []float32) {
	if t.l.Beta == 0 {
		t.loops.Fill(s, 1)
		return
	}
	t.loops.Power(s, scale, -float64(t.l.Beta))
}

// fast says whether the powers are those of Beta 0.75, which everybody uses,
// and of normal numbers: no scale is below K.
func (t *lrnTask) fast() bool { return t.l.Beta == 0.75 && t.l.K >= 0x1p-126 }
