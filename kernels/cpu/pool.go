package cpu

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) PoolForward(p device.Pool, y, index, x device.Tensor) {
	if q.err != nil {
		return
	}
	q.poolForward = poolTask{p: p, y: floats(y), index: ints(index), x: floats(x)}
	run(q, &q.poolForward, rowItems(p.N*p.C, p.H*p.W))
}

func (q *queue) PoolBackward(p device.Pool, dx, dy, index device.Tensor, m device.Mode) {
	if q.err != nil {
		return
	}
	q.poolBack = poolBackTask{p: p, dx: floats(dx), dy: floats(dy), m: m}
	if p.Op == device.MaxPool {
		q.poolBack.index = ints(index)
	}
	run(q, &q.poolBack, rowItems(p.N*p.C, p.H*p.W))
}

// poolTask is cut into planes.
type poolTask struct {
	p     device.Pool
	y, x  []float32
	index []int32
}

func (t *poolTask) Run(item, _ int) {
	p := &t.p
	outH, outW := p.OutH(), p.OutW()
	first, end := rows(item, p.N*p.C, p.H*p.W)
	for plane := first; plane < end; plane++ {
		x := t.x[plane*p.H*p.W:][:p.H*p.W]
		for i := range outH {
			at := (plane*outH + i) * outW
			y := t.y[at:][:outW]
			var index []int32
			if t.index != nil {
				index = t.index[at:][:outW]
			}
			if p.Op == device.MaxPool {
				maxRow(p, y, index, x, i)
			} else {
				averageRow(p, y, x, i)
			}
		}
	}
}

// span is the pixels of one output row or column: those there, and how many
// places it has in the padded image.
func span(o, stride, before, after, window, size int) (first, end, padded int) {
	first = o*stride - before
	end = min(first+window, size+after)
	padded = end - first
	return max(first, 0), min(end, size), padded
}

// maxRow is one output row of max pooling. The running maximum and its place
// change by conditional moves: a branch would be mispredicted half the time.
func maxRow(p *device.Pool, y []float32, index []int32, x []float32, i int) {
	top, bottom, _ := span(i, p.StrideH, p.PadTop, p.PadBottom, p.R, p.H)
	for o := range y {
		left, right, _ := span(o, p.StrideW, p.PadLeft, p.PadRight, p.S, p.W)
		at := top*p.W + left
		best := math.Float32bits(x[at])
		nans := 0
		for r := top; r < bottom; r++ {
			row := x[r*p.W+left : r*p.W+right]
			for s, v := range row {
				k := r*p.W + left + s
				b := math.Float32bits(v)
				more := v > math.Float32frombits(best)
				if more {
					at = k
				}
				if more {
					best = b
				}
				if v != v {
					nans++
				}
			}
		}
		if nans > 0 {
			at = firstNaN(p, x, top, bottom, left, right)
		}
		y[o] = x[at]
		if index != nil {
			index[o] = int32(at)
		}
	}
}

// firstNaN is the first NaN of a window, which has one.
func firstNaN(p *device.Pool, x []float32, top, bottom, left, right int) int {
	for r := top; r < bottom; r++ {
		for k := r*p.W + left; k < r*p.W+right; k++ {
			if x[k] != x[k] {
				return k
			}
		}
	}
	panic("cpu: no NaN in the window")
}

// averageRow is one output row of average pooling.
func averageRow(p *device.Pool, y, x []float32, i int) {
	top, bottom, tall := span(i, p.StrideH, p.PadTop, p.PadBottom, p.R, p.H)
	for o := range y {
		left, right, wide := span(o, p.StrideW, p.PadLeft, p.PadRight, p.S, p.W)
		sum := 0.0
		for r := top; r < bottom; r++ {
			for _, v := range x[r*p.W+left : r*p.W+right] {
				sum += float64(v)
			}
		}
		count := (bottom - top) * (right - left)
		if p.CountPad {
			count = tall * wide
		}
		y[o] = float32(sum / float64(count))
	}
}

// poolBackTask is cut into planes.
type poolBackTask struct {
	p      device.Pool
	dx, dy []float32
	index  []int32 // max pooling's
	m      device.Mode
}

func (t *poolBackTask) Run(item, _ int) {
	p := &t.p
	outH, outW := p.OutH(), p.OutW()
	out := outH * outW
	first, end := rows(item, p.N*p.C, p.H*p.W)
	for plane := first; plane < end; plane++ {
		dx, dy := t.dx[plane*p.H*p.W:][:p.H*p.W], t.dy[plane*out:][:out]
		if t.m == device.Overwrite {
			clear(dx)
		}
		if p.Op == device.MaxPool {
			index := t.index[plane*out:][:out]
			for o, d := range dy {
				dx[index[o]] += d
			}
			continue
		}
		for i := range outH {
			averageRowGradient(p, dx, dy[i*outW:][:outW], i)
		}
	}
}

// averageRowGradient spreads the gradient of one output row.
func averageRowGradient(p *device.Pool, dx, dy []float32, i int) {
	top, bottom, tall := span(i, p.StrideH, p.PadTop, p.PadBottom, p.R, p.H)
	for o, d := range dy {
		left, right, wide := span(o, p.StrideW, p.PadLeft, p.PadRight, p.S, p.W)
		count := (bottom - top) * (right - left)
		if p.CountPad {
			count = tall * wide
		}
		d /= float32(count)
		for r := top; r < bottom; r++ {
			row := dx[r*p.W+left : r*p.W+right]
			for k := range row {
				row[k] += d
			}
		}
	}
}
