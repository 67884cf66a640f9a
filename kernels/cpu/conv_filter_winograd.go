package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/winograd"
)

// winogradFilter is the gradient of the filters by Winograd's algorithm. For
// each group and frequency it is a product [C,K] of tiles of x, transposed,
// with tiles of dy, summed over the tiles of all samples: block by block, all
// workers transform, and then share the frequencies. Where all that is about
// what a second-level cache holds, the tiles are cut into parts instead, each of
// which one worker sums by itself: nothing goes from core to core but the sums.
type winogradFilter struct {
	tile          *gemm.Tile
	path          winograd.Path
	strided       device.Conv // as it was asked for
	c             device.Conv // of stride 1
	rows, columns int         // of a group's product: input and output channels
	size          int         // of a tile of dy
	down, across  int         // tiles of a plane
	tiles         int         // of all samples
	parts, part   int         // parts of tiles, and the length of each
	depth         int         // of a block of a part
	longest       int         // that any batch up to this one makes of depth
	samples       int         // whose phases are in scratch at a time, 0 without a stride
}

// winogradDepth is the fewest tiles of a block, where there are as many. Long
// blocks read and write the sums less often, short ones stay in the shared
// cache.
const winogradDepth = 96

// winogradParts is how many parts the tiles of a small layer are cut into,
// partDepth the length of their blocks, and smallSums how many elements of
// transformed tiles and sums a part has at most.
const (
	winogradParts = 4
	partDepth     = 48
	smallSums     = 300 << 10
)

func newWinogradFilter(t *gemm.Tile, strided device.Conv) winogradFilter {
	c := unstride(strided)
	f := winogradFilter{tile: t, path: winograd.PathOf(t), strided: strided, c: c, rows: c.C / c.Groups, columns: c.K / c.Groups, size: winograd.Outputs(c.R)}
	f.down, f.across = (c.OutH()+f.size-1)/f.size, (c.OutW()+f.size-1)/f.size
	f.tiles = c.N * f.down * f.across
	// The traffic of the sums and of the tiles are alike at half that length.
	longest := max(winogradDepth, roundUp(2*f.rows*f.columns/(f.rows+f.columns), 8))
	f.parts, f.part = 1, f.tiles
	if f.small() {
		longest = partDepth
		f.parts, f.part = evenly(f.tiles, (f.tiles+winogradParts-1)/winogradParts, 8)
	}
	_, f.depth = evenly(f.part, longest, 8)
	f.longest = min(longest, roundUp(f.tiles, 8))
	if strided.StrideH > 1 { // a block may begin inside a sample, and end inside another
		f.samples = min(c.N, (f.longest-1)/(f.down*f.across)+2)
	}
	return f
}

// small reports whether the tiles are cut into parts, whatever the batch.
func (f *winogradFilter) small() bool {
	return f.strided.StrideH == 1 && f.frequencies()*(f.xStep(partDepth)+f.yStep(partDepth)+f.sumStep()) <= smallSums
}

// frequencies is how many products there are.
func (f *winogradFilter) frequencies() int { return f.c.Groups * winograd.Frequencies }

// The distances of two frequencies of a group: of tiles of x and of dy, for
// a depth, and of sums.
func (f *winogradFilter) xStep(depth int) int {
	return (f.rows+f.tile.MR-1)/f.tile.MR*gemm.Panel(f.tile.MR, depth) + apart
}

func (f *winogradFilter) yStep(depth int) int {
	return (f.columns+f.tile.NR-1)/f.tile.NR*gemm.Panel(f.tile.NR, depth) + apart
}

func (f *winogradFilter) width() int { return roundUp(f.columns, f.tile.NR) }

func (f *winogradFilter) sumStep() int {
	return roundUp(roundUp(f.rows, f.tile.MR)*f.width(), 16) + apart
}

// phases is the length of the phases of one sample, and phaseGradient that of
// the gradient of their filters; both 0 without a stride.
func (f *winogradFilter) phases() int {
	if f.samples == 0 {
		return 0
	}
	return f.c.C * f.c.H * f.c.W
}

func (f *winogradFilter) phaseGradient() int {
	if f.samples == 0 {
		return 0
	}
	return roundUp(device.Elements(f.c.WShape()), 16)
}

// scratch is the length of all of them.
func (f *winogradFilter) scratch() int {
	parts := 1
	if f.small() {
		parts = winogradParts
	}
	return parts*f.frequencies()*(f.xStep(f.longest)+f.yStep(f.longest)+f.sumStep()) + f.phaseGradient() + f.samples*f.phases()
}

// winogradFilterTask transforms, multiplies, and transforms back.
type winogradFilterTask struct {
	winogradFilter
	engine      *gemm.Engine
	dw, x, dy   []float32
	m           device.Mode
	tx, ty, sum []float32
	dphases     []float32 // gradient of the phases' filters
	sample      int       // whose x is the first there is

	// The block at hand: its part's first tile, its own, and their number.
	stage           stage
	start, first, n int

	chunk         int // tiles of an item that transforms
	halves        int // 2 where an item transforms those of x or of dy, 1 where both
	pieces, piece int // of the rows of a frequency, for an item each
}

type stage uint8

const (
	transforms stage = iota
	multiplies
	sums // a part
	stores
	joins // the phases of filters
)

// chunkTiles is the most tiles that an item transforms.
const chunkTiles = 8

func (q *queue) winogradFilter(c device.Conv, dw, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	t := &q.winogradFilterTask
	*t = winogradFilterTask{winogradFilter: newWinogradFilter(q.engine.Tile, c), engine: q.engine, dw: floats(dw), x: floats(x), dy: floats(dy), m: m}
	memory := scratch(ws)
	all := t.parts * t.frequencies()
	t.tx, memory = cutOff(memory, all*t.xStep(t.longest))
	t.ty, memory = cutOff(memory, all*t.yStep(t.longest))
	t.sum, memory = cutOff(memory, all*t.sumStep())
	t.dphases, memory = cutOff(memory, t.phaseGradient())
	if t.samples > 0 {
		q.phases = phaseTask{c: c, u: t.c, src: t.x, dst: memory}
		t.x = memory
	}
	t.chunk, t.halves, t.pieces, t.piece = chunkTiles, 1, 1, t.rows
	if workers := q.engine.CutFor; workers > gemm.FewWorkers {
		t.chunk, t.halves = min(chunkTiles, max(1, 2*t.depth*c.Groups/workers)), 2
		pieces := (workers + t.frequencies() - 1) / t.frequencies()
		t.pieces, t.piece = evenly(t.rows, max(t.tile.MR, t.rows/pieces/t.tile.MR*t.tile.MR), t.tile.MR)
	}
	q.pool.Acquire()
	defer q.pool.Release()
	q.engine.Reserve(winograd.WorkSize)
	if t.small() {
		t.stage = sums
		q.pool.Run(t, t.parts)
	} else {
		t.whole(q)
	}
	t.stage = stores
	q.pool.Run(t, c.Groups*t.rows)
	if t.samples > 0 {
		t.stage = joins
		q.pool.Run(t, c.K)
	}
	reset(&q.phases)
	reset(t)
}

// whole makes the sums of all tiles, with all workers. The pool is acquired.
func (t *winogradFilterTask) whole(q *queue) {
	for t.first = 0; t.first < t.tiles; t.first += t.depth {
		t.n = min(t.depth, t.tiles-t.first)
		if t.samples > 0 {
			t.sample = t.first / (t.down * t.across)
			q.phases.run(q, t.sample, (t.first+t.n-1)/(t.down*t.across)-t.sample+1)
		}
		t.stage = transforms
		q.pool.Run(t, t.chunks())
		t.stage = multiplies
		q.pool.Run(t, t.frequencies()*t.pieces)
	}
}

// sums makes the sums of a part.
func (t *winogradFilterTask) sums(part, worker int) {
	p, all := *t, t.frequencies()
	p.tx, p.ty, p.sum = t.tx[part*all*t.xStep(t.longest):], t.ty[part*all*t.yStep(t.longest):], t.sum[part*all*t.sumStep():]
	p.start = part * t.part
	end := min(p.start+t.part, t.tiles)
	for p.first = p.start; p.first < end; p.first += t.depth {
		p.n = min(t.depth, end-p.first)
		for i := range p.chunks() {
			p.transform(i, t.engine.Scratch(worker, winograd.WorkSize))
		}
		for i := range all * p.pieces {
			p.multiply(i, t.engine.Worker(worker))
		}
	}
}

// chunks is the items that transform a block.
func (t *winogradFilterTask) chunks() int {
	return t.c.Groups * t.halves * ((t.n + t.chunk - 1) / t.chunk)
}

func (t *winogradFilterTask) Run(item, worker int) {
	switch t.stage {
	case transforms:
		t.transform(item, t.engine.Scratch(worker, winograd.WorkSize))
	case multiplies:
		t.multiply(item, t.engine.Worker(worker))
	case sums:
		t.sums(item, worker)
	case stores:
		t.store(item, t.engine.Scratch(worker, winograd.WorkSize))
	case joins:
		t.join(item)
	}
}

// transform writes a chunk of tiles of a group, of x and of dy, or of one of them.
func (t *winogradFilterTask) transform(item int, work []float32) {
	half, item := item%t.halves, item/t.halves
	chunks := (t.n + t.chunk - 1) / t.chunk
	group, first := item/chunks, item%chunks*t.chunk
	if half == 0 {
		t.transformX(group, first, work)
	}
	if half == t.halves-1 {
		t.transformY(group, first, work)
	}
}

// place is the sample of a tile, and its first output.
func (f *winogradFilter) place(tile int) (sample, i, j int) {
	return tile / (f.down * f.across), tile / f.across % f.down * f.size, tile % f.across * f.size
}

// transformX writes the chunk of tiles of x that begins with one of the block: channels are
// lanes.
func (t *winogradFilterTask) transformX(group, first int, work []float32) {
	c, mr := &t.c, t.tile.MR
	n := min(t.chunk, t.n-first)
	var patches [chunkTiles]winograd.Patches
	var at [chunkTiles]int
	for k := range n {
		sample, i, j := t.place(t.first + first + k)
		i, j = i-c.PadTop, j-c.PadLeft
		at[k] = (((sample-t.sample)*c.Groups+group)*t.rows*c.H+i)*c.W + j
		patches[k].Set(0, 0, winograd.Points, winograd.Points, i, j, c.H, c.W)
		patches[k].Repeat(c.H * c.W)
		patches[k].Keep(mr)
	}
	g := winograd.Gather{Src: t.x, Pitch: c.W, Step: t.xStep(t.n), N: 1, Store: mr, Work: work}
	for row := 0; row < t.rows; row += mr {
		for k := range n {
			patches[k].Keep(t.rows - row)
			g.Dst = t.tx[group*winograd.Frequencies*g.Step+row/mr*gemm.Panel(mr, t.n)+(first+k)*mr:]
			g.Base, g.Patches = at[k]+row*c.H*c.W, &patches[k]
			t.path.Image(&g)
		}
	}
}

// transformY writes the same of dy.
func (t *winogradFilterTask) transformY(group, first int, work []float32) {
	nr, lanes := t.tile.NR, t.path.Lanes
	outH, outW := t.c.OutH(), t.c.OutW()
	n := min(t.chunk, t.n-first)
	var patches [chunkTiles]winograd.Patches
	var at [chunkTiles]int
	for k := range n {
		sample, i, j := t.place(t.first + first + k)
		at[k] = ((sample*t.c.Groups+group)*t.columns*outH+i)*outW + j
		patches[k].Set(0, 0, t.size, t.size, i, j, outH, outW)
		patches[k].Repeat(outH * outW)
	}
	g := winograd.Gather{Src: t.dy, Pitch: outW, Step: t.yStep(t.n), N: 1, Store: lanes, Work: work}
	for column := 0; column < roundUp(t.columns, nr); column += lanes {
		for k := range n {
			patches[k].Keep(t.columns - column)
			g.Dst = t.ty[group*winograd.Frequencies*g.Step+column/nr*gemm.Panel(nr, t.n)+(first+k)*nr+column%nr:]
			g.Base, g.Patches = at[k]+column*outH*outW, &patches[k]
			t.path.Evaluate(&g, t.size)
		}
	}
}

// multiply adds the block's product of some rows of one frequency.
func (t *winogradFilterTask) multiply(item int, w *gemm.Worker) {
	row, item := item%t.pieces*t.piece, item/t.pieces
	b := gemm.Block{
		M: min(t.piece, t.rows-row), N: roundUp(t.columns, t.tile.Narrow), K: t.n,
		A: t.tx[item*t.xStep(t.n)+row/t.tile.MR*gemm.Panel(t.tile.MR, t.n):], B: t.ty[item*t.yStep(t.n):],
		C: t.sum[item*t.sumStep()+row*t.width():], LDC: t.width(), Alpha: 1, Beta: 1,
	}
	if t.first == t.start {
		b.Beta = 0
	}
	t.tile.Multiply(w, &b)
}

// store adds the parts' sums of an input channel, in order, and transforms them
// back.
func (t *winogradFilterTask) store(item int, work []float32) {
	c, lanes := &t.c, t.path.Lanes
	group, row := item/t.rows, item%t.rows
	if part := t.frequencies() * t.sumStep(); t.parts > 1 {
		for f := range winograd.Frequencies {
			sum := t.sum[(group*winograd.Frequencies+f)*t.sumStep()+row*t.width():]
			t.tile.Loops.AddRows(sum[:t.width()], sum[part:], t.parts-1, part)
		}
	}
	taps := c.R * c.S
	s := winograd.Scatter{
		Dst: t.dw, Base: (group*t.columns*t.rows + row) * taps, Plane: t.rows * taps, Pitch: c.S, Rows: c.R,
		Src: t.sum[group*winograd.Frequencies*t.sumStep()+row*t.width():], Step: t.sumStep(),
		N: t.columns / lanes, Accumulate: t.m == device.Accumulate, Work: work,
	}
	if t.samples > 0 {
		s.Dst, s.Accumulate = t.dphases, false
	}
	if s.N > 0 {
		s.SetColumns(lanes, c.S)
		t.path.Interpolate(&s, c.R)
	}
	if rest := t.columns % lanes; rest > 0 {
		s.Src, s.Base, s.N = s.Src[s.N*lanes:], s.Base+s.N*lanes*s.Plane, 1
		s.SetColumns(rest, c.S)
		t.path.Interpolate(&s, c.R)
	}
}

// join writes the gradient of a filter from that of its phases.
func (t *winogradFilterTask) join(filter int) {
	c, u := &t.strided, &t.c
	channels, from, to := c.C/c.Groups, u.C/c.C*u.R*u.S, c.R*c.S
	for i := filter * channels; i < (filter+1)*channels; i++ {
		filterPhases(c, u, t.dw[i*to:][:to], t.dphases[i*from:][:from], t.m)
	}
}
