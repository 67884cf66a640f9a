package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/winograd"
)

// winogradProduct is the forward pass or the gradient of the data by
// Winograd's algorithm. Each group is 49 products, one a frequency: tiles of
// the pass's input, as rows, times its filters. The gradient of the data is a
// convolution of dy with the filters turned around or, where that has fewer
// tiles, the adjoint of the forward pass: tiles of dy, which do not overlap, make
// tiles of dx that do.
type winogradProduct struct {
	tile         *gemm.Tile
	path         winograd.Path
	strided      device.Conv // as it was asked for
	c            device.Conv // of stride 1
	pass         device.Pass
	rows, depth  int // output and input channels of one group, of the pass
	h, w         int // input
	outH, outW   int // output
	top, left    int // padding; may be negative
	adjoint      bool
	size         int // outputs of a tile, in each direction; of the adjoint, inputs
	down, across int // tiles of a plane
	panels       int // of packed filters
	panel, step  int // distance of two panels, and of two frequencies
}

func newWinogradProduct(t *gemm.Tile, strided device.Conv, pass device.Pass) winogradProduct {
	c := unstride(strided)
	p := winogradProduct{
		tile: t, path: winograd.PathOf(t), strided: strided, c: c, pass: pass, rows: c.K / c.Groups, depth: c.C / c.Groups,
		h: c.H, w: c.W, outH: c.OutH(), outW: c.OutW(), top: c.PadTop, left: c.PadLeft, size: winograd.Outputs(c.R),
	}
	if pass == device.BackwardData {
		p.rows, p.depth = p.depth, p.rows
		p.h, p.w, p.outH, p.outW = p.outH, p.outW, p.h, p.w
		p.top, p.left = c.R-1-p.top, c.S-1-p.left
	}
	p.down, p.across = (p.outH+p.size-1)/p.size, (p.outW+p.size-1)/p.size
	down, across := (p.h+p.size-1)/p.size, (p.w+p.size-1)/p.size
	if pass == device.BackwardData && 4*down*across <= 3*p.down*p.across && down*across <= adjointTiles {
		p.adjoint, p.down, p.across, p.top, p.left = true, down, across, 0, 0
	}
	p.panels = (p.rows + t.NR - 1) / t.NR
	p.panel = gemm.Panel(t.NR, p.depth)
	p.step = p.panels*p.panel + apart
	return p
}

// apart is a cache line between frequencies: without it all 49 would often lie
// in one set of the first-level cache.
const apart = 16

// packed is the length of a group's packed filters.
func (p *winogradProduct) packed() int { return winograd.Frequencies * p.step }

// winogradTask's item is a block of tiles and, where those are few, a piece of
// the rows.
type winogradTask struct {
	winogradProduct
	winogradCut
	engine           *gemm.Engine
	dst, src, packed []float32
	bias             []float32
	activation       device.Activation
	accumulate       bool
}

func (q *queue) winogradForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, ws device.Buffer) {
	t := &q.winograd
	*t = winogradTask{
		winogradProduct: newWinogradProduct(q.engine.Tile, c, device.Forward),
		dst:             floats(y), src: floats(x), packed: scratch(w.Packed),
		bias: floats(e.Bias), activation: e.Activation,
	}
	q.pool.Acquire()
	defer q.pool.Release()
	if c.StrideH == 1 {
		t.run(q)
		reset(t)
		return
	}
	whole, sample := t.dst, t.c.K*t.outH*t.outW
	q.phases = phaseTask{c: c, u: t.c, dst: scratch(ws), src: t.src}
	t.src = q.phases.dst
	for first := 0; first < c.N; first += phaseSamples {
		t.c.N = min(phaseSamples, c.N-first)
		q.phases.run(q, first, t.c.N)
		t.dst = whole[first*sample:]
		t.run(q)
	}
	reset(&q.phases)
	reset(t)
}

func (q *queue) winogradBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode) {
	q.winograd = winogradTask{
		winogradProduct: newWinogradProduct(q.engine.Tile, c, device.BackwardData),
		dst:             floats(dx), src: floats(dy), packed: scratch(w.Packed),
		accumulate: m == device.Accumulate,
	}
	q.pool.Acquire()
	defer q.pool.Release()
	q.winograd.run(q)
	reset(&q.winograd)
}

// run runs the items. The pool is acquired.
func (t *winogradTask) run(q *queue) {
	t.engine = q.engine
	t.winogradCut = t.cut(q.engine.CutFor)
	q.engine.Reserve(t.length())
	q.pool.Run(t, t.c.Groups*t.blocks*t.pieces)
}

// winogradCut is how a pass is cut into items.
type winogradCut struct{ blocks, tiles, pieces, piece int }

const (
	// winogradTiles is the most tiles of an item, and winogradFew the fewest it
	// has where there are as many. More read the packed filters less often; fewer
	// stay in the second-level cache: winogradBlock is the most tiles times
	// channels.
	winogradTiles = 96
	winogradFew   = 24
	winogradBlock = 24 * 256

	// winogradColumns is how many rows of the output are multiplied before
	// they are transformed back.
	winogradColumns = 64

	// adjointTiles is the most tiles of an item of an adjoint, which has whole
	// samples. That is whole panels of LeNet's, in the second-level cache with their
	// products.
	adjointTiles = 36

	// winogradPiece is the fewest rows that are worth to transform the tiles
	// again for.
	winogradPiece = 96
)

// cut cuts by the shape, and finer where workers are more than items: what a tile gives does
// not depend on the other tiles and rows of its item.
func (p *winogradProduct) cut(workers int) winogradCut {
	var cut winogradCut
	all, sample := p.c.N*p.down*p.across, p.down*p.across
	tiles := roundUp(max(winogradFew, min(winogradTiles, winogradBlock/p.depth)), p.tile.MR)
	samples, few, piece := max(1, adjointTiles/sample), fewItems, winogradPiece
	if workers > gemm.FewWorkers {
		each := (workers + p.c.Groups - 1) / p.c.Groups
		tiles = min(tiles, max(1, all/each/p.tile.MR)*p.tile.MR)
		samples = min(samples, max(1, p.c.N/each))
		few, piece = workers, p.tile.NR
	}
	if cut.blocks, cut.tiles = evenly(all, tiles, p.tile.MR); p.adjoint {
		cut.blocks, samples = evenly(p.c.N, samples, 1)
		cut.tiles = samples * sample
	}
	pieces := min((few+p.c.Groups*cut.blocks-1)/(p.c.Groups*cut.blocks), max(1, p.rows/piece))
	cut.pieces, cut.piece = evenly(p.rows, (p.rows+pieces-1)/pieces, p.tile.NR)
	return cut
}

// The scratch memory of a worker: transformed tiles, products, one tile at
// work, and the bias of a piece or the image of an adjoint.
func (t *winogradTask) length() int {
	return winograd.Frequencies*(t.tilesStep()+t.productsStep()) + winograd.WorkSize + max(roundUp(t.piece, t.tile.NR), t.image())
}

// image is the length of the image [h,w,columns] that the overlapping tiles of an
// adjoint cover.
func (t *winogradTask) image() int {
	if !t.adjoint {
		return 0
	}
	return (t.down*t.size + t.c.R - 1) * t.imageRow()
}

func (t *winogradTask) imageRow() int { return (t.across*t.size + t.c.S - 1) * t.columns() }

func (t *winogradTask) tilesStep() int {
	return (t.tiles+t.tile.MR-1)/t.tile.MR*gemm.Panel(t.tile.MR, t.depth) + apart
}

func (t *winogradTask) columns() int { return roundUp(min(winogradColumns, t.piece), t.tile.NR) }

func (t *winogradTask) productsStep() int { return roundUp(t.tiles*t.columns(), 16) + apart }

func (t *winogradTask) Run(item, worker int) {
	block, piece, group := item%t.blocks, item/t.blocks%t.pieces, item/t.blocks/t.pieces
	first := block * t.tiles
	tiles := min(t.tiles, t.c.N*t.down*t.across-first)
	row := piece * t.piece
	rows := min(t.piece, t.rows-row)

	memory := t.engine.Scratch(worker, t.length())
	transformed, memory := cutOff(memory, winograd.Frequencies*t.tilesStep())
	products, memory := cutOff(memory, winograd.Frequencies*t.productsStep())
	work, memory := cutOff(memory, winograd.WorkSize)
	var bias []float32
	if t.bias != nil {
		bias = memory
		clear(bias[copy(bias, t.bias[group*t.rows+row:][:rows]):])
	}
	t.transform(transformed, work, group, first, tiles)
	for column := 0; column < rows; column += t.columns() {
		n := min(t.columns(), rows-column)
		t.multiply(t.engine.Worker(worker), products, transformed, group, tiles, row+column, n)
		if t.adjoint {
			s := winograd.Spread{Src: products, Step: t.productsStep(), Work: work}
			t.spread(&s, memory[:t.image()], t.engine.Worker(worker), group, first, tiles, row+column, n)
			continue
		}
		s := winograd.Scatter{Dst: t.dst, Src: products, Step: t.productsStep(), Work: work, Accumulate: t.accumulate}
		if bias != nil {
			s.Bias = bias[column:]
		}
		t.store(&s, group, first, tiles, row+column, n)
	}
}

// cutOff cuts the first n elements off.
func cutOff(s []float32, n int) (first, rest []float32) { return s[:n:n], s[n:] }

// place is the sample of a tile and its first output.
func (p *winogradProduct) place(tile int) (sample, i, j int) {
	return tile / (p.down * p.across), tile / p.across % p.down * p.size, tile % p.across * p.size
}

// transform writes tiles of all channels as panels, for each frequency.
func (t *winogradTask) transform(dst, work []float32, group, first, tiles int) {
	mr, side := t.tile.MR, winograd.Points
	if t.adjoint {
		side = t.size
	}
	for panel := 0; panel < tiles; panel += mr {
		var patches winograd.Patches
		for lane := range min(mr, tiles-panel) {
			sample, i, j := t.place(first + panel + lane)
			i, j = i-t.top, j-t.left
			offset := (sample*t.c.Groups*t.depth*t.h+i)*t.w + j
			patches.Set(lane, offset, side, side, i, j, t.h, t.w)
		}
		g := winograd.Gather{
			Dst: dst[panel/mr*gemm.Panel(mr, t.depth):], Step: t.tilesStep(), DstStep: mr, Store: mr,
			Src: t.src, Base: group * t.depth * t.h * t.w, Pitch: t.w, SrcStep: t.h * t.w,
			N: t.depth, Patches: &patches, Work: work,
		}
		if t.adjoint {
			t.path.Evaluate(&g, side)
		} else {
			t.path.Image(&g)
		}
	}
}

// multiply writes, for each frequency, the products [tiles,columns] of tiles
// with n filters from row.
func (t *winogradTask) multiply(w *gemm.Worker, dst, tiles []float32, group, n, row, rows int) {
	filters := t.packed[group*t.winogradProduct.packed()+row/t.tile.NR*t.panel:]
	for f := range winograd.Frequencies {
		alpha := float32(1)
		if t.adjoint {
			alpha = winograd.Unscaled[f]
		}
		t.tile.Multiply(w, &gemm.Block{
			M: n, N: roundUp(rows, t.tile.Narrow), K: t.depth,
			A: tiles[f*t.tilesStep():], B: filters[f*t.step:],
			C: dst[f*t.productsStep():], LDC: t.columns(), Alpha: alpha,
		})
	}
}

// store transforms products back.
func (t *winogradTask) store(s *winograd.Scatter, group, first, tiles, row, rows int) {
	s.ReLU = t.activation.On && t.activation.Op == device.ReLU
	s.Pitch, s.Plane = t.outW, t.outH*t.outW
	products, bias, lanes := s.Src, s.Bias, t.path.Lanes
	for tile := range tiles {
		sample, i, j := t.place(first + tile)
		base := ((sample*t.c.Groups+group)*t.rows+row)*s.Plane + i*t.outW + j
		s.Rows = min(t.size, t.outH-i)
		columns := min(t.size, t.outW-j)
		s.Src, s.Base, s.Bias, s.N = products[tile*t.columns():], base, bias, rows/lanes
		if s.N > 0 {
			s.SetColumns(lanes, columns)
			t.path.Interpolate(s, t.size)
		}
		if rest := rows % lanes; rest > 0 {
			s.Src, s.Base = s.Src[s.N*lanes:], base+s.N*lanes*s.Plane
			if bias != nil {
				s.Bias = bias[s.N*lanes:]
			}
			s.N = 1
			s.SetColumns(rest, columns)
			t.path.Interpolate(s, t.size)
		}
		if t.activation.On && !s.ReLU {
			for k := range rows * s.Rows {
				y := t.dst[base+k/s.Rows*s.Plane+k%s.Rows*s.Pitch:][:columns]
				t.tile.Loops.Unary(t.activation.Unary, y, y)
			}
		}
	}
}

// spread adds the products of each sample up in an image, and stores that.
func (t *winogradTask) spread(s *winograd.Spread, image []float32, w *gemm.Worker, group, first, tiles, row, rows int) {
	columns, plane, products := t.columns(), t.outH*t.outW, s.Src
	s.N, s.Pixel, s.Pitch = (rows+t.path.Lanes-1)/t.path.Lanes, columns, t.imageRow()
	planes := w.Rows[:rows]
	for i := range planes {
		planes[i] = i * plane
	}
	for tile := 0; tile < tiles; {
		sample, _, _ := t.place(first + tile)
		dst := t.dst[((sample*t.c.Groups+group)*t.rows+row)*plane:]
		inside := image[t.c.PadTop*s.Pitch+t.c.PadLeft*columns:]
		clear(image)
		for i := 0; t.accumulate && i < t.outH; i++ {
			t.tile.PackRows(inside[i*s.Pitch:], dst[i*t.outW:], columns, planes, t.outW)
		}
		for range t.down * t.across {
			_, i, j := t.place(first + tile)
			s.Src, s.Dst = products[tile*columns:], image[i*s.Pitch+j*columns:]
			t.path.Spread(s)
			tile++
		}
		for i := range t.outH {
			t.tile.Unpack(dst[i*t.outW:], inside[i*s.Pitch:], columns, rows, t.outW, plane)
		}
	}
}

// winogradPackTask transforms the filters; an item is as many of a group as there
// are lanes, and where those are few a part of their depth.
type winogradPackTask struct {
	winogradProduct
	engine      *gemm.Engine
	packed, w   []float32
	parts, part int // of the depth, and the length of each
}

// flips is how many filters of each lane are turned around at a time, and packDepth the
// fewest of a part.
const (
	flips     = 32
	packDepth = 8
)

func (q *queue) winogradPack(c device.Conv, p device.Pass, packed device.Buffer, w device.Tensor) {
	t := &q.winogradFilters
	*t = winogradPackTask{winogradProduct: newWinogradProduct(q.engine.Tile, c, p), engine: q.engine, packed: scratch(packed), w: floats(w)}
	t.parts, t.part = 1, t.depth
	if items, workers := c.Groups*t.pieces(), q.engine.CutFor; workers > gemm.FewWorkers && items < workers {
		t.parts, t.part = evenly(t.depth, max(packDepth, t.depth*items/workers), 1)
	}
	runWithScratch(q, t, c.Groups*t.pieces()*t.parts, t.scratch())
}

// pieces is the items of a group: a panel has several.
func (t *winogradPackTask) pieces() int { return t.panels * t.tile.NR / t.path.Lanes }

// scratch is the length of a worker's: a tile at work, and filters of each
// lane that are turned around or cut into phases.
func (t *winogradPackTask) scratch() int {
	filters := flips
	if t.strided.StrideH > 1 {
		filters = t.depth
	}
	return winograd.WorkSize + filters*t.path.Lanes*t.c.R*t.c.S
}

func (t *winogradPackTask) Run(item, worker int) {
	lanes, taps := t.path.Lanes, t.c.R*t.c.S
	first, item := item%t.parts*t.part, item/t.parts
	end := min(first+t.part, t.depth)
	group, row := item/t.pieces(), item%t.pieces()*lanes
	work, filters := cutOff(t.engine.Scratch(worker, t.scratch()), winograd.WorkSize)
	g := winograd.Gather{
		Dst:  t.packed[group*t.winogradProduct.packed()+row/t.tile.NR*t.panel+row%t.tile.NR+first*t.tile.NR:],
		Step: t.step, DstStep: t.tile.NR, Store: lanes, Pitch: t.c.S, Work: work, N: end - first,
	}
	if t.strided.StrideH > 1 {
		t.phases(filters, group, row) // of all the depth
		g.Src, g.Base, g.SrcStep = filters, first*taps, taps
		t.evaluate(g, row, t.depth*taps)
		return
	}
	if t.pass == device.Forward { // w is [rows,depth,taps]
		g.Src, g.Base, g.SrcStep = t.w, ((group*t.rows+row)*t.depth+first)*taps, taps
		t.evaluate(g, row, t.depth*taps)
		return
	}
	if t.adjoint { // w is [depth,rows,taps]
		g.Src, g.Base, g.SrcStep = t.w, ((group*t.depth+first)*t.rows+row)*taps, t.rows*taps
		t.evaluate(g, row, taps)
		return
	}
	for k := first; k < end; k += flips { // w is [depth,rows,taps]
		g.Src, g.SrcStep, g.N = filters, lanes*taps, min(flips, end-k)
		t.flip(filters, group*t.depth+k, g.N, row)
		t.evaluate(g, row, taps)
		g.Dst = g.Dst[min(flips*t.tile.NR, len(g.Dst)):]
	}
}

// evaluate transforms filters whose lanes lie apart; those past the last row
// are zero.
func (t *winogradPackTask) evaluate(g winograd.Gather, row, lane int) {
	var patches winograd.Patches
	for l := range max(0, min(t.path.Lanes, t.rows-row)) {
		patches.Set(l, l*lane, t.c.R, t.c.S, 0, 0, t.c.R, t.c.S)
	}
	g.Patches = &patches
	t.path.Evaluate(&g, t.c.R)
}

// phases writes the phases of the filters of each lane from row.
func (t *winogradPackTask) phases(dst []float32, group, row int) {
	from, to := t.strided.R*t.strided.S, t.c.C/t.strided.C*t.c.R*t.c.S
	channels := t.strided.C / t.strided.Groups
	for i := range max(0, min(t.path.Lanes, t.rows-row)) * channels {
		phaseFilter(&t.strided, &t.c, dst[i*to:], t.w[((group*t.rows+row)*channels+i)*from:])
	}
}

// flip turns n filters of each lane from row around.
func (t *winogradPackTask) flip(dst []float32, first, n, row int) {
	lanes, taps := t.path.Lanes, t.c.R*t.c.S
	rows := max(0, min(lanes, t.rows-row))
	for k := range n {
		src := t.w[((first+k)*t.rows+min(row, t.rows))*taps:][:rows*taps]
		for l := range rows {
			to := dst[(k*lanes+l)*taps:][:taps]
			for i, v := range src[l*taps : (l+1)*taps] {
				to[taps-1-i] = v
			}
		}
	}
}

// The fewest channels, in and out, for which transforms cost little beside the
// products, and errors are small beside what a sum so long may have.
const winogradChannels = 16

// usesWinograd reports whether a pass goes by Winograd's algorithm: where it
// multiplies at most two thirds as often as the direct one. Tiles that overlap
// the edge of the output can take that away, for they cost as much as others,
// and so can the zeros that fill phases.
func (t traits) usesWinograd(c device.Conv, p device.Pass) bool {
	if t.direct || c.StrideH != c.StrideW || c.DilationH != 1 || c.DilationW != 1 ||
		c.StrideH > 1 && p == device.BackwardData || c.StrideH > c.R {
		return false
	}
	u := unstride(c)
	if u.R != u.S || winograd.Outputs(u.R) == 0 || min(u.C, u.K)/u.Groups < winogradChannels {
		return false
	}
	w := newWinogradProduct(t.tile, c, p)
	return 3*w.down*w.across*winograd.Frequencies*u.C <= 2*w.outH*w.outW*c.R*c.S*c.C
}
