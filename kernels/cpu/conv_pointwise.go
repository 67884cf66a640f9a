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
// images waste the last tile of a row: they go by windows.

// pointwisePixels is how many pixels an image has at least.
const pointwisePixels = 96

// usesPointwise reports whether a convolution is pointwise, and large enough.
func usesPointwise(c *device.Conv) bool {
	return c.R == 1 && c.S == 1 && c.StrideH == 1 && c.StrideW == 1 &&
		c.PadTop == 0 && c.PadBottom == 0 && c.PadLeft == 0 && c.PadRight == 0 &&
		c.H*c.W >= pointwisePixels && c.C > 0
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

// pointwiseTask multiplies. An item is some columns of a sample and, where those are few, a piece
// of the rows of a group.
type pointwiseTask struct {
	pointwise
	engine        *gemm.Engine
	dst, src      []float32
	weights, bias []float32
	activation    device.Activation
	maps          epilogue
	m             device.Mode

	columns, across int // of an item, and items of a plane
	pieces, few     int // of the rows, and panels in each
}

// pointwiseColumns is the most columns of an item, and pointwiseTiles how many tiles may read
// columns where they lie: for more it pays to pack them. Sums begin with the bias for
// pointwiseBias tiles at a time.
const (
	pointwiseColumns = 256
	pointwiseTiles   = 8
	pointwiseBias    = 2
)

// runPointwise runs a product that is set up.
func (q *queue) runPointwise(set *pointwiseTask) {
	t := &q.pointwise
	*t = *set
	t.engine = q.engine
	t.across, t.columns = evenly(t.plane, pointwiseColumns, t.tile.NR)
	items := t.c.Groups * t.c.N * t.across
	pieces := (fewItems + items - 1) / items
	if workers := q.engine.CutFor; workers > gemm.FewWorkers {
		pieces = max(pieces, (workers+items-1)/items)
	}
	t.pieces, t.few = evenly(t.panels(), (t.panels()+pieces-1)/pieces, 1)
	room := t.columns / t.tile.NR * gemm.Panel(t.tile.NR, t.length)
	runWithScratch(q, t, items*t.pieces, t.maps.room(room, 0))
}

func (t *pointwiseTask) Run(item, worker int) {
	piece, item := item%t.pieces, item/t.pieces
	across, item := item%t.across, item/t.across
	group, sample := item%t.c.Groups, item/t.c.Groups
	w, tile := t.engine.Worker(worker), t.tile
	first := across * t.columns
	columns := min(t.columns, t.plane-first)
	row := piece * t.few * tile.MR
	rows := min(t.few*tile.MR, t.rows-row)
	at := ((sample*t.c.Groups+group)*t.rows+row)*t.plane + first
	dst := t.dst[at:]
	src := t.src[(sample*t.c.Groups+group)*t.depth*t.plane+first:]
	weights := t.weights[group*t.packed:][:t.packed]

	var bias []float32
	if t.bias != nil {
		bias = t.bias[group*t.rows+row:]
	}
	inPlace := 0 // columns that are read where they lie
	if tile.AnyStep && rows <= pointwiseTiles*tile.MR {
		inPlace = columns / tile.NR * tile.NR
	}
	packed := t.engine.Scratch(worker, t.columns/tile.NR*gemm.Panel(tile.NR, t.length))
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
		panels := weights[t.blockOf(block)+row/tile.MR*gemm.Panel(tile.MR, k):]
		for i := 0; i < rows; i += together {
			b.M, b.A = min(together, rows-i), panels[i/tile.MR*gemm.Panel(tile.MR, k):]
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
	t.maps.rows(worker, at, columns, rows, t.plane)
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
