package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) PoolForward(p device.Pool, y, index, x device.Tensor) {
	if q.Err != nil {
		return
	}
	t := &q.poolForward
	*t = poolTask{loops: q.loops(), p: p, y: floats(y), index: ints(index), x: floats(x), engine: q.engine}
	runWithScratch(q, t, rowItems(p.N*p.C, p.H*p.W), p.W)
}

func (q *queue) PoolBackward(p device.Pool, dx, dy, index device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	t := &q.poolBack
	*t = poolBackTask{loops: q.loops(), p: p, dx: floats(dx), dy: floats(dy), m: m, engine: q.engine}
	if p.Op == device.MaxPool {
		t.index = ints(index)
	}
	runWithScratch(q, t, rowItems(p.N*p.C, p.H*p.W), t.room())
}

func (q *queue) PoolGather(p device.Pool, y, index, x device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	t := &q.poolGather
	*t = gatherTask{planes: p.N * p.C, in: p.H * p.W, out: p.OutH() * p.OutW(), y: floats(y), index: ints(index), x: floats(x), m: m}
	run(q, t, rowItems(t.planes, t.out))
}

// poolTask is cut into planes.
type poolTask struct {
	loops  *vec.Loops
	p      device.Pool
	y, x   []float32
	index  []int32
	engine *gemm.Engine
}

func (t *poolTask) Run(item, worker int) {
	p := &t.p
	in, out := p.H*p.W, p.OutH()*p.OutW()
	first, end := rows(item, p.N*p.C, in)
	x, y := t.x[first*in:end*in], t.y[first*out:end*out]
	if p.Op == device.MaxPool {
		index := t.index
		if index != nil {
			index = index[first*out : end*out]
		}
		t.max(y, index, x, end-first)
		return
	}
	row := t.engine.Scratch(worker, p.W)
	for plane := range end - first {
		if wholePlane(p) {
			y[plane] = float32(t.loops.Sum(x[plane*in:][:in]) / float64(in))
			continue
		}
		for i := range p.OutH() {
			t.averageRow(y[plane*out+i*p.OutW():][:p.OutW()], row, x[plane*in:], i)
		}
	}
}

// max is max pooling of some planes: block by block of windows that the edge of
// the image clips alike.
func (t *poolTask) max(y []float32, index []int32, x []float32, planes int) {
	p := &t.p
	outH, outW := p.OutH(), p.OutW()
	for i := 0; i < outH; {
		top, bottom, _ := span(i, p.StrideH, p.PadTop, p.PadBottom, p.R, p.H)
		rows := same(i, outH, p.StrideH, p.PadTop, p.R, p.H)
		for o := 0; o < outW; {
			left, right, _ := span(o, p.StrideW, p.PadLeft, p.PadRight, p.S, p.W)
			w := vec.Windows{
				Planes: planes, Plane: p.H * p.W, OutPlane: outH * outW,
				Rows: rows, Columns: same(o, outW, p.StrideW, p.PadLeft, p.S, p.W), R: bottom - top, S: right - left,
				StrideH: p.StrideH, StrideW: p.StrideW, W: p.W, OutW: outW, First: top*p.W + left,
			}
			at := i*outW + o
			if index != nil {
				t.loops.MaxPool(y[at:], index[at:], x, w)
			} else {
				t.loops.MaxPool(y[at:], nil, x, w)
			}
			o += w.Columns
		}
		i += rows
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

// same is the number of output rows or columns from o on whose windows lie
// within the image; 1 where the edge clips that of o.
func same(o, outputs, stride, before, window, size int) int {
	first := o*stride - before
	if first < 0 || first+window > size {
		return 1
	}
	return min(outputs-o, (size-window-first)/stride+1)
}

// wholePlane reports whether the only window is the plane, without padding.
func wholePlane(p *device.Pool) bool {
	return p.R == p.H && p.S == p.W && p.PadTop+p.PadBottom+p.PadLeft+p.PadRight == 0
}

// averageRow is one output row of average pooling: of the sum of the rows that
// its windows cover. Next to each other, they are sums of that sum, shifted.
func (t *poolTask) averageRow(y, row, x []float32, i int) {
	p := &t.p
	top, bottom, tall := span(i, p.StrideH, p.PadTop, p.PadBottom, p.R, p.H)
	clear(row)
	t.loops.AddRows(row, x[top*p.W:], bottom-top, p.W)
	for o := 0; o < len(y); {
		left, right, wide := span(o, p.StrideW, p.PadLeft, p.PadRight, p.S, p.W)
		count := (bottom - top) * (right - left)
		if p.CountPad {
			count = tall * wide
		}
		n := 1
		if p.StrideW == 1 {
			n = same(o, len(y), 1, p.PadLeft, p.S, p.W)
		}
		if n == 1 {
			y[o] = float32(t.loops.Sum(row[left:right]) / float64(count))
		} else {
			clear(y[o:][:n])
			t.loops.AddRows(y[o:][:n], row[left:], right-left, 1)
			t.loops.ScaleWide(y[o:][:n], y[o:][:n], 1/float64(count))
		}
		o += n
	}
}

// poolBackTask is cut into planes.
type poolBackTask struct {
	loops  *vec.Loops
	p      device.Pool
	dx, dy []float32
	index  []int32 // max pooling's
	m      device.Mode
	engine *gemm.Engine
}

// room is the elements of a row of pixels, and of one of gradients with zeros around it.
func (t *poolBackTask) room() int { return t.p.W + t.p.OutW() + 2*t.p.S }

func (t *poolBackTask) Run(item, worker int) {
	p := &t.p
	in, out := p.H*p.W, p.OutH()*p.OutW()
	room := t.engine.Scratch(worker, t.room())
	first, end := rows(item, p.N*p.C, in)
	for plane := first; plane < end; plane++ {
		dx, dy := t.dx[plane*in:][:in], t.dy[plane*out:][:out]
		if t.m == device.Overwrite {
			clear(dx)
		}
		switch {
		case p.Op == device.MaxPool:
			scatter(dx, dy, t.index[plane*out:])
			continue
		case t.m == device.Overwrite && wholePlane(p):
			t.loops.Fill(dx, dy[0]/float32(in))
			continue
		}
		for i := range p.OutH() {
			t.averageRow(dx, room[:p.W], room[p.W:], dy[i*p.OutW():][:p.OutW()], i)
		}
	}
}

// scatter adds gradients where their maxima were.
func scatter(dx, dy []float32, index []int32) {
	index = index[:len(dy)]
	for o, d := range dy {
		if at := int(index[o]); uint(at) < uint(len(dx)) {
			dx[at] += d
		}
	}
}

// averageRow spreads the gradient of one output row: within a row of pixels,
// which is then added to each that its windows cover. Windows next to each other
// add sums of gradients, which are shifted over zeros.
func (t *poolBackTask) averageRow(dx, row, spread, dy []float32, i int) {
	p := &t.p
	top, bottom, tall := span(i, p.StrideH, p.PadTop, p.PadBottom, p.R, p.H)
	clear(row)
	for o := 0; o < len(dy); {
		left, right, wide := span(o, p.StrideW, p.PadLeft, p.PadRight, p.S, p.W)
		count := (bottom - top) * (right - left)
		if p.CountPad {
			count = tall * wide
		}
		n := 1
		if p.StrideW == 1 {
			n = same(o, len(dy), 1, p.PadLeft, p.S, p.W)
		}
		if n == 1 {
			d := dy[o] / float32(count)
			for k := left; k < right; k++ {
				row[k] += d
			}
		} else {
			clear(spread[:n+2*p.S-2])
			t.loops.ScaleWide(spread[p.S-1:][:n], dy[o:][:n], 1/float64(count))
			t.loops.AddRows(row[left:][:n+p.S-1], spread, p.S, 1)
		}
		o += n
	}
	for r := top; r < bottom; r++ {
		pixels := dx[r*p.W:][:p.W]
		t.loops.Add(pixels, pixels, row)
	}
}

// gatherTask is cut into planes.
type gatherTask struct {
	planes, in, out int // a plane's elements
	y, x            []float32
	index           []int32
	m               device.Mode
}

func (t *gatherTask) Run(item, _ int) {
	first, end := rows(item, t.planes, t.out)
	for plane := first; plane < end; plane++ {
		x, y, index := t.x[plane*t.in:][:t.in], t.y[plane*t.out:][:t.out], t.index[plane*t.out:][:t.out]
		for o, at := range index {
			v := float32(0)
			if uint(int(at)) < uint(len(x)) {
				v = x[at]
			}
			if t.m == device.Accumulate {
				v += y[o]
			}
			y[o] = v
		}
	}
}
