package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

func (q *queue) ConvForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, _ device.Buffer) {
	if q.err != nil {
		return
	}
	q.conv = convTask{
		convProduct: newConvProduct(q.engine.Tile, c, device.Forward),
		engine:      q.engine,
		dst:         floats(y), src: floats(x), packed: scratch(w.Packed),
		bias: floats(e.Bias), activation: e.Activation,
	}
	q.conv.run(q)
}

func (q *queue) ConvBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode, _ device.Buffer) {
	if q.err != nil {
		return
	}
	q.conv = convTask{
		convProduct: newConvProduct(q.engine.Tile, c, device.BackwardData),
		engine:      q.engine,
		dst:         floats(dx), src: floats(dy), packed: scratch(w.Packed),
		beta: beta(m),
	}
	q.conv.run(q)
}

func (q *queue) ConvPack(c device.Conv, p device.Pass, packed device.Buffer, w device.Tensor) {
	if q.err != nil || p == device.BackwardFilter {
		return
	}
	t := &q.convPack
	*t = convPackTask{convProduct: newConvProduct(q.engine.Tile, c, p), packed: scratch(packed), w: floats(w)}
	items := 0
	for i := range t.classes {
		blocks, _ := t.tile.Depth(t.class(i).depth)
		items += blocks * c.Groups
	}
	run(q, t, items)
}

// convProduct is the forward pass or the gradient of the data as a matrix
// product, for each group: packed weights times patches of an image. The
// forward pass multiplies weights [K,(c,r,s)] with patches of x.
//
// The gradient of the data multiplies weights [C,(k,r,s)] with patches of dy.
// With a stride, pixel h of dx meets only the taps r for which
// h+PadTop-r*DilationH is a multiple of the stride. So the pixels are cut
// into classes of equal (h+PadTop) mod StrideH and equal (w+PadLeft) mod
// StrideW; each is a convolution of dy of stride 1 with the taps of its class,
// and no product with a zero between is ever taken.
type convProduct struct {
	tile    *gemm.Tile
	c       device.Conv
	pass    device.Pass
	rows    int // of the product, for one group: output channels of the pass
	depth   int // input channels of one group
	plane   int // pixels of an output channel
	classes int // 1 for the forward pass
	packed  int // length of a group's packed weights
}

func newConvProduct(t *gemm.Tile, c device.Conv, pass device.Pass) convProduct {
	// A stride past the padded image takes no step; bounded, it makes no
	// classes without pixels.
	c.StrideH = min(c.StrideH, c.H+c.PadTop+c.PadBottom)
	c.StrideW = min(c.StrideW, c.W+c.PadLeft+c.PadRight)
	p := convProduct{tile: t, c: c, pass: pass, rows: c.K / c.Groups, depth: c.C / c.Groups, plane: c.OutH() * c.OutW(), classes: 1}
	if pass == device.BackwardData {
		p.rows, p.depth, p.plane, p.classes = p.depth, p.rows, c.H*c.W, c.StrideH*c.StrideW
	}
	for i := range p.classes {
		p.packed += t.PackedA(p.rows, p.class(i).depth)
	}
	return p
}

// convClass is the pixels of a class with their taps, as a product.
type convClass struct {
	h, w   residue
	depth  int // of the sum
	column int // pixels of one sample
}

// class returns class i, which is cheap enough to be done for each item.
func (p *convProduct) class(i int) convClass {
	c := &p.c
	var k convClass
	if p.pass == device.Forward {
		k.h = residue{count: c.OutH(), stride: c.StrideH, pad: c.PadTop, taps: c.R, tapStep: 1, step: c.DilationH, place: 1}
		k.w = residue{count: c.OutW(), stride: c.StrideW, pad: c.PadLeft, taps: c.S, tapStep: 1, step: c.DilationW, place: 1}
	} else {
		k.h = newResidue(i/c.StrideW, c.H, c.R, c.PadTop, c.StrideH, c.DilationH)
		k.w = newResidue(i%c.StrideW, c.W, c.S, c.PadLeft, c.StrideW, c.DilationW)
	}
	k.depth = p.depth * k.h.taps * k.w.taps
	k.column = k.h.count * k.w.count
	return k
}

// patches of an image of the pass's input.
func (p *convProduct) patches(k *convClass, src []float32) gemm.Patches {
	h, w := p.c.H, p.c.W
	if p.pass == device.BackwardData {
		h, w = p.c.OutH(), p.c.OutW()
	}
	return gemm.Patches{
		X: src, Sample: p.c.Groups * p.depth * h * w, H: h, W: w,
		OutH: k.h.count, OutW: k.w.count, StrideH: k.h.stride, StrideW: k.w.stride, Top: k.h.pad, Left: k.w.pad,
		R: k.h.taps, S: k.w.taps, StepH: k.h.step, StepW: k.w.step,
	}
}

// residue is one axis of a class: its places in the output of the pass, and
// the convolution that makes them.
type residue struct {
	count        int // places
	first, place int // the first, and the distance of two

	stride, pad, step int // windows begin at i*stride - pad; taps lie step apart
	taps              int
	tap, tapStep      int // the filter's row of the first tap, and the distance of two
}

// newResidue is the axis of the pixels with (h+pad) mod stride = rho. Its taps
// are every stride/gcd(stride,dilation)-th; the last comes first, for going
// back over a convolution turns the filter around.
func newResidue(rho, size, filter, pad, stride, dilation int) residue {
	first := ((rho-pad)%stride + stride) % stride
	a := residue{first: first, place: stride, stride: 1, step: 1}
	if first < size {
		a.count = (size-1-first)/stride + 1
	}
	divisor := gcd(stride, dilation)
	apart := stride / divisor
	for r := range min(apart, filter) {
		if r*dilation%stride != rho {
			continue
		}
		a.taps = (filter-1-r)/apart + 1
		a.step = dilation / divisor
		a.tap, a.tapStep = r+(a.taps-1)*apart, -apart
		a.pad = (r*dilation-rho)/stride + (a.taps-1)*a.step - (first+pad-rho)/stride
	}
	return a
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// convTask is a product whose items are blocks of columns (pixels of one or
// several samples) and, where those are few, pieces of the rows.
type convTask struct {
	convProduct
	engine           *gemm.Engine
	dst, src, packed []float32
	bias             []float32
	activation       device.Activation
	beta             float32
}

func (t *convTask) run(q *queue) {
	items := 0
	for i := range t.classes {
		k := t.class(i)
		items += t.cut(&k).items()
	}
	share(q, t, items)
}

// convCut is how a class is cut into items.
type convCut struct{ groups, blocks, columns, pieces, rows int }

func (c convCut) items() int { return c.groups * c.blocks * c.pieces }

// fewItems is how many items a product has at least, if it has rows for it;
// each packs the image again, so a piece has at least pieceRows.
const (
	fewItems  = 16
	pieceRows = 48
)

// cut cuts a class by its shape alone.
func (p *convProduct) cut(k *convClass) convCut {
	n := p.c.N * k.column
	if n == 0 {
		return convCut{}
	}
	cut := convCut{groups: p.c.Groups}
	cut.blocks = (n + gemm.PanelColumns - 1) / gemm.PanelColumns
	cut.columns = roundUp((n+cut.blocks-1)/cut.blocks, p.tile.NR)
	cut.blocks = (n + cut.columns - 1) / cut.columns
	pieces := min((fewItems+cut.groups*cut.blocks-1)/(cut.groups*cut.blocks), max(1, p.rows/pieceRows))
	cut.rows = roundUp((p.rows+pieces-1)/pieces, p.tile.MR)
	cut.pieces = (p.rows + cut.rows - 1) / cut.rows
	return cut
}

func (t *convTask) Run(item, worker int) {
	packed := 0
	for i := range t.classes {
		k := t.class(i)
		cut := t.cut(&k)
		if n := cut.items(); item >= n {
			item -= n
			packed += t.tile.PackedA(t.rows, k.depth)
			continue
		}
		block, piece, group := item%cut.blocks, item/cut.blocks%cut.pieces, item/cut.blocks/cut.pieces
		first := block * cut.columns
		columns := min(cut.columns, t.c.N*k.column-first)
		w := t.engine.Worker(worker)
		t.places(&k, w.Columns[:columns], first)
		t.multiply(w, &k, group, t.packed[group*t.convProduct.packed+packed:], first, columns, piece*cut.rows, cut.rows)
		return
	}
}

// places writes where the columns from first lie in the output, from the
// group's first channel.
func (p *convProduct) places(k *convClass, dst []int, first int) {
	_, width := p.output()
	sample, at := first/k.column, first%k.column
	i, j := at/k.w.count, at%k.w.count
	size := p.c.Groups * p.rows * p.plane
	for n := range dst {
		dst[n] = sample*size + (k.h.first+i*k.h.place)*width + k.w.first + j*k.w.place
		j++
		if j == k.w.count {
			j = 0
			i++
			if i == k.h.count {
				i = 0
				sample++
			}
		}
	}
}

// output is the height and width of the pass's output.
func (p *convProduct) output() (h, w int) {
	if p.pass == device.BackwardData {
		return p.c.H, p.c.W
	}
	return p.c.OutH(), p.c.OutW()
}

// multiply computes the columns [first,first+columns) of the rows from row,
// block by block of the depth.
func (t *convTask) multiply(w *gemm.Worker, k *convClass, group int, packed []float32, first, columns, row, rows int) {
	tile := t.tile
	patches := t.patches(k, t.src)
	patches.X = patches.X[group*t.depth*patches.H*patches.W:]
	rows = min(rows, t.rows-row)
	panels := (t.rows + tile.MR - 1) / tile.MR
	blocks, length := tile.Depth(k.depth)
	for block := range blocks {
		depth := min(length, k.depth-block*length)
		if depth > 0 {
			patches.Pack(w, w.B, tile.NR, first, columns, block*length, depth)
		}
		b := gemm.Block{
			M: rows, N: columns, K: depth,
			A: packed[block*panels*gemm.Panel(tile.MR, length)+row/tile.MR*gemm.Panel(tile.MR, depth):], B: w.B,
			C: t.dst[(group*t.rows+row)*t.plane:], LDC: t.plane, Columns: w.Columns[:columns],
			Alpha: 1, Beta: 1,
		}
		if block == 0 {
			b.Beta = t.beta
		}
		if block == blocks-1 {
			if t.bias != nil {
				b.RowBias = t.bias[group*t.rows+row:]
			}
			b.Activation = t.activation
		}
		tile.Multiply(w, &b)
	}
}

// convPackTask packs the weights; an item is a block of the depth of a class
// of a group.
type convPackTask struct {
	convProduct
	packed, w []float32
}

func (t *convPackTask) Run(item, _ int) {
	packed := 0
	for i := range t.classes {
		k := t.class(i)
		blocks, _ := t.tile.Depth(k.depth)
		if n := blocks * t.c.Groups; item >= n {
			item -= n
			packed += t.tile.PackedA(t.rows, k.depth)
			continue
		}
		group := item / blocks
		t.pack(&k, t.packed[group*t.convProduct.packed+packed:], group, item%blocks)
		return
	}
}

// pack writes one block of panels.
func (t *convPackTask) pack(k *convClass, packed []float32, group, block int) {
	c, mr := &t.c, t.tile.MR
	_, length := t.tile.Depth(k.depth)
	first := block * length
	depth := min(length, k.depth-first)
	panels := (t.rows + mr - 1) / mr
	packed = packed[block*panels*gemm.Panel(mr, length):]

	// w is [K,C/Groups,R,S]: the rows of the product are K forward and C
	// backward, and the other is its depth.
	taps := c.R * c.S
	rowStep, depthStep, base := t.depth*taps, taps, group*t.rows*t.depth*taps
	if t.pass == device.BackwardData {
		rowStep, depthStep = taps, t.rows*taps
	}
	for panel := range panels {
		dst := packed[panel*gemm.Panel(mr, depth):][:mr*depth]
		rows := min(mr, t.rows-panel*mr)
		for step := range depth {
			channel, tap := (first+step)/(k.h.taps*k.w.taps), (first+step)%(k.h.taps*k.w.taps)
			r, s := k.h.tap+tap/k.w.taps*k.h.tapStep, k.w.tap+tap%k.w.taps*k.w.tapStep
			at := base + panel*mr*rowStep + channel*depthStep + r*c.S + s
			row := dst[step*mr : step*mr+mr]
			for i := range rows {
				row[i] = t.w[at]
				at += rowStep
			}
			clear(row[rows:])
		}
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
