package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// A pointwise convolution has filters of one pixel and no stride: the output of a sample is a
// product of matrices, and both images lie as it wants them,
//
//	y[K,HW] = w[K,C] x[C,HW]  and  dx[C,HW] = wᵀ[C,K] dy[K,HW].
//
// So no pixels are copied to where windows see them, and no outputs are turned around. Small
// images waste the last tile of a row: those of several samples are columns of one product, which
// are copied together before it and apart after it.

// usesPointwise reports whether a convolution is pointwise, whatever its images are: plans of
// several sizes share packed weights.
func usesPointwise(c *device.Conv) bool {
	return c.R == 1 && c.S == 1 && c.StrideH == 1 && c.StrideW == 1 &&
		c.PadTop == 0 && c.PadBottom == 0 && c.PadLeft == 0 && c.PadRight == 0 && c.C > 0
}

// pointwise is a pass as a product of each group and sample.
type pointwise struct {
	tile           *gemm.Tile
	c              device.Conv
	pass           device.Pass
	rows, depth    int // of a group's weights: channels of the output and of the input
	plane          int // pixels
	blocks, length int // of the depth
	packed         int // length of a group's packed weights
}

func newPointwise(t *gemm.Tile, c device.Conv, pass device.Pass) pointwise {
	p := pointwise{tile: t, c: c, pass: pass, rows: c.K / c.Groups, depth: c.C / c.Groups, plane: c.H * c.W}
	if pass == device.BackwardData {
		p.rows, p.depth = p.depth, p.rows
	}
	p.blocks, p.length = t.Depth(p.depth)
	p.packed = p.blockOf(p.blocks)
	return p
}

// panels of a group's weights.
func (p *pointwise) panels() int { return (p.rows + p.tile.MR - 1) / p.tile.MR }

// steps is the depth of a block.
func (p *pointwise) steps(block int) int { return min(p.length, p.depth-block*p.length) }

// blockOf is where a block lies among a group's packed weights.
func (p *pointwise) blockOf(block int) int {
	return block * p.panels() * gemm.Panel(p.tile.MR, p.length)
}

// pointwiseTask multiplies. An item is some columns of a sample, or several samples, and, where
// those are few, a piece of the rows of a group.
type pointwiseTask struct {
	pointwise
	engine        *gemm.Engine
	dst, src      []float32
	weights, bias []float32
	activation    device.Activation
	maps          epilogue
	m             device.Mode

	samples, deep   int // of an item, and items of the batch
	columns, across int // of an item, and items of a plane
	pieces, few     int // of the rows, and panels in each
}

// pointwiseColumns is the most columns of an item, and pointwiseTiles how many tiles may read
// columns where they lie: for more it pays to pack them. Sums begin with the bias for
// pointwiseBias tiles at a time. An image of fewer than pointwisePixels goes with others, of at
// most pointwiseTogether columns, pointwiseRows tiles at a time, and a piece of the rows has at least
// pointwisePiece panels.
const (
	pointwiseColumns  = 256
	pointwiseTiles    = 8
	pointwiseBias     = 2
	pointwisePixels   = 96
	pointwiseTogether = 160
	pointwiseRows     = 4
	pointwisePiece    = 8
)

// runPointwise runs a product that is set up.
func (q *queue) runPointwise(set *pointwiseTask) {
	t := &q.pointwise
	*t = *set
	t.engine = q.engine
	t.samples, t.across, t.columns = 1, 1, t.plane
	if t.together() {
		t.samples = min(t.c.N, max(1, pointwiseTogether/t.plane))
	} else {
		t.across, t.columns = evenly(t.plane, pointwiseColumns, t.tile.NR)
	}
	t.deep = (t.c.N + t.samples - 1) / t.samples
	items := t.c.Groups * t.deep * t.across
	pieces := (fewItems + items - 1) / items
	if workers := q.engine.CutFor; workers > gemm.FewWorkers {
		pieces = max(pieces, (workers+items-1)/items)
	}
	few := (t.panels() + pieces - 1) / pieces
	if t.together() && q.engine.CutFor <= gemm.FewWorkers {
		few = max(few, pointwisePiece) // each gathers the columns
	}
	t.pieces, t.few = evenly(t.panels(), few, 1)
	runWithScratch(q, t, items*t.pieces, t.maps.room(t.room(), 0))
}

// together reports whether images go with those of other samples.
func (t *pointwiseTask) together() bool { return t.plane < pointwisePixels }

// room is the elements of memory that an item needs: for columns and, of several samples, for
// outputs.
func (t *pointwiseTask) room() int {
	if !t.together() {
		return t.packedColumns(t.columns)
	}
	columns := t.samples * t.plane
	return t.blocks*t.packedColumns(columns) + pointwiseRows*t.tile.MR*columns
}

// packedColumns is the length of so many columns in panels, a block deep.
func (t *pointwiseTask) packedColumns(n int) int {
	return (n + t.tile.NR - 1) / t.tile.NR * gemm.Panel(t.tile.NR, t.length)
}

// pointwiseItem is an item at work.
type pointwiseItem struct {
	w             *gemm.Worker
	room          []float32
	group, sample int
	samples       int
	row, rows     int // of the group
	weights, bias []float32
}

func (t *pointwiseTask) Run(item, worker int) {
	piece, item := item%t.pieces, item/t.pieces
	across, item := item%t.across, item/t.across
	u := pointwiseItem{w: t.engine.Worker(worker), room: t.engine.Scratch(worker, t.room()), group: item % t.c.Groups}
	u.sample = item / t.c.Groups * t.samples
	u.samples = min(t.samples, t.c.N-u.sample)
	u.row = piece * t.few * t.tile.MR
	u.rows = min(t.few*t.tile.MR, t.rows-u.row)
	u.weights = t.weights[u.group*t.packed:][:t.packed]
	if t.bias != nil {
		u.bias = t.bias[u.group*t.rows+u.row:]
	}
	if t.together() {
		t.multiplySamples(&u)
	} else {
		t.multiplyColumns(&u, across*t.columns)
	}
	for sample := range u.samples {
		first := across * t.columns
		t.maps.rows(worker, t.output(&u, sample)+first, min(t.columns, t.plane-first), u.rows, t.plane)
	}
}

// output is where the first row of an item begins, for one of its samples.
func (t *pointwiseTask) output(u *pointwiseItem, sample int) int {
	return (((u.sample+sample)*t.c.Groups+u.group)*t.rows + u.row) * t.plane
}

// input is where the images of a group begin, for one of an item's samples.
func (t *pointwiseTask) input(u *pointwiseItem, sample int) int {
	return ((u.sample+sample)*t.c.Groups + u.group) * t.depth * t.plane
}

// panel is an item's weights from a row on, which begins a panel, in a block.
func (t *pointwiseTask) panel(u *pointwiseItem, block, row int) []float32 {
	return u.weights[t.blockOf(block)+(u.row+row)/t.tile.MR*gemm.Panel(t.tile.MR, t.steps(block)):]
}

// multiplySamples computes all columns of some samples.
func (t *pointwiseTask) multiplySamples(u *pointwiseItem) {
	tile, columns := t.tile, u.samples*t.plane
	size := t.packedColumns(columns)
	for block := range t.blocks {
		t.gather(u, u.room[block*size:], block)
	}
	outputs := u.room[t.blocks*size:]
	for i := 0; i < u.rows; i += pointwiseRows * tile.MR {
		m := min(pointwiseRows*tile.MR, u.rows-i)
		for block := range t.blocks {
			b := gemm.Block{M: m, N: columns, K: t.steps(block), A: t.panel(u, block, i), B: u.room[block*size:], C: outputs, LDC: columns, Alpha: 1, Beta: 1}
			switch {
			case block == 0 && u.bias != nil:
				for r := range m {
					tile.Loops.Fill(outputs[r*columns:][:columns], u.bias[i+r])
				}
			case block == 0:
				b.Beta = 0
			}
			if block == t.blocks-1 {
				b.Activation = t.activation
			}
			tile.Multiply(u.w, &b)
		}
		for sample := range u.samples {
			to := t.dst[t.output(u, sample)+i*t.plane:][:m*t.plane]
			for r := range m {
				row, from := to[r*t.plane:][:t.plane], outputs[r*columns+sample*t.plane:][:t.plane]
				if t.m == device.Accumulate {
					tile.Loops.Add(row, row, from)
				} else {
					copy(row, from)
				}
			}
		}
	}
}

// gather packs a block of the columns of some samples, zero behind the last one.
func (t *pointwiseTask) gather(u *pointwiseItem, dst []float32, block int) {
	nr, k, columns := t.tile.NR, t.steps(block), u.samples*t.plane
	panel := gemm.Panel(nr, k)
	for first := 0; first < columns; first += nr {
		to := dst[first/nr*panel:]
		for at := first; at < min(first+nr, columns); {
			sample, pixel := at/t.plane, at%t.plane
			n := min(t.plane-pixel, first+nr-at)
			from := t.src[t.input(u, sample)+block*t.length*t.plane+pixel:]
			for p := range k {
				copy(to[p*nr+at-first:][:n], from[p*t.plane:])
			}
			at += n
		}
		if rest := first + nr - columns; rest > 0 {
			for p := range k {
				clear(to[(p+1)*nr-rest : (p+1)*nr])
			}
		}
	}
}

// multiplyColumns computes some columns of one sample from the first on.
func (t *pointwiseTask) multiplyColumns(u *pointwiseItem, first int) {
	w, tile, rows, bias, packed := u.w, t.tile, u.rows, u.bias, u.room
	columns := min(t.columns, t.plane-first)
	dst, src := t.dst[t.output(u, 0)+first:], t.src[t.input(u, 0)+first:]
	inPlace := 0 // columns that are read where they lie
	if tile.AnyStep && rows <= pointwiseTiles*tile.MR {
		inPlace = columns / tile.NR * tile.NR
	}
	for block := range t.blocks {
		k := t.steps(block)
		x := src[block*t.length*t.plane:]
		for i := inPlace; i < columns; i += tile.NR {
			tile.PackColumns(packed[(i-inPlace)/tile.NR*gemm.Panel(tile.NR, k):], x[i:], tile.NR, min(tile.NR, columns-i), k, t.plane)
		}
		b := gemm.Block{K: k, LDC: t.plane, Alpha: 1, Beta: 1}
		together := tile.MC
		switch {
		case block == 0 && bias != nil:
			together = pointwiseBias * tile.MR
		case block == 0:
			b.Beta = t.m.Beta()
		}
		if block == t.blocks-1 {
			b.Activation = t.activation
		}
		for i := 0; i < rows; i += together {
			b.M, b.A = min(together, rows-i), t.panel(u, block, i)
			if block == 0 && bias != nil { // what is added to stays in the first-level cache
				for r := range b.M {
					tile.Loops.Fill(dst[(i+r)*t.plane:][:columns], bias[i+r])
				}
			}
			if inPlace > 0 {
				b.N, b.B, b.LDB, b.C = inPlace, x, t.plane, dst[i*t.plane:]
				tile.Multiply(w, &b)
			}
			if inPlace < columns {
				b.N, b.B, b.LDB, b.C = columns-inPlace, packed, 0, dst[i*t.plane+inPlace:]
				tile.Multiply(w, &b)
			}
		}
	}
}

// pointwisePackTask packs the weights; an item is a panel of a group.
type pointwisePackTask struct {
	pointwise
	packed, w []float32
	engine    *gemm.Engine
}

func (t *pointwisePackTask) Run(item, worker int) {
	panel, group := item%t.panels(), item/t.panels()
	mr, first := t.tile.MR, item%t.panels()*t.tile.MR
	n := min(mr, t.rows-first)
	w := t.w[group*t.rows*t.depth:] // [K,C] of the group
	rows := t.engine.Worker(worker).Rows[:n]
	for i := range rows {
		rows[i] = i * t.depth
	}
	for block := range t.blocks {
		k, step := t.steps(block), block*t.length
		dst := t.packed[group*t.pointwise.packed+t.blockOf(block)+panel*gemm.Panel(mr, k):]
		if t.pass == device.BackwardData {
			t.tile.PackColumns(dst, w[step*t.rows+first:], mr, n, k, t.rows)
			continue
		}
		t.tile.PackRows(dst, w[first*t.depth+step:], mr, rows, k)
	}
}
