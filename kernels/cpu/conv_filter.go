package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) ConvBackwardFilter(c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	if !dbias.IsNil() {
		q.rowSums = rowSumsTask{loops: q.loops(), dst: floats(dbias), src: floats(dy), samples: c.N, length: c.OutH() * c.OutW(), m: m}
		run(q, &q.rowSums, c.K)
	}
	switch {
	case dw.IsNil():
	case usesDepthwise(&c):
		q.depthwiseFilter(c, dw, x, dy, m, ws)
	case q.traits.usesWinograd(c, device.BackwardFilter):
		q.winogradFilter(c, dw, x, dy, m, ws)
	default:
		q.filterGradient(c, dw, x, dy, m, ws)
	}
}

func (q *queue) filterGradient(c device.Conv, dw, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	t := &q.convFilter
	*t = convFilterTask{
		filterCut: cutFilter(q.engine.Tile, &c), windows: newWindows(&c), c: c, engine: q.engine,
		x: floats(x), dy: floats(dy), sums: scratch(ws),
	}
	q.filterSums = filterSumsTask{c: c, filterCut: t.filterCut, tile: q.engine.Tile, dst: floats(dw), sums: t.sums, m: m}
	q.pool.Acquire()
	defer q.pool.Release()
	q.engine.Reserve(t.room())
	t.slices, t.slice = 1, t.panels
	if items, workers := t.pieces()*t.parts, q.engine.CutFor; workers > items {
		t.slices, t.slice = evenly(t.panels, max(1, t.panels*items/workers), 1)
	}
	q.pool.Run(t, t.pieces()*t.parts*t.slices)
	q.pool.Run(&q.filterSums, t.pieces()*t.panels*c.R)
	reset(t)
	reset(&q.filterSums)
}

// filterCut is how the gradient of the weights is cut into items. For each
// group it is a product [(r,c,s),K] of the pixels that each tap sees with dy,
// summed over the windows of all samples. It is cut into pieces of channels and
// filters; where those are few, the windows are cut into parts too, whose sums
// are added at the end.
//
// A piece's sums lie in scratch as register tiles, one for each panel of
// filters and IR taps.
type filterCut struct {
	groups, across, down int // pieces of channels and of filters in a group
	channels, filters    int // of a piece
	tiles, panels        int // of taps, and of filters
	parts, lines         int // of windows, and rows of windows in each
	step                 block
}

// The most taps and filters of a piece, and elements of the pixels under a
// step, so that both and the sums stay in the second-level cache; how many
// pieces are wanted, and the shortest part that is worth another partial sum;
// and how many windows a step has, so that a panel of dy stays in the
// first-level cache.
const (
	filterTaps    = 640
	filterFilters = 128
	filterRoom    = 64 << 10
	filterItems   = 32
	filterWindows = 512
	filterStepped = 192
)

// cutFilter cuts by shape alone. The number of parts does not fall when the
// batch grows: scratch for a batch holds that of a smaller one.
func cutFilter(t *gemm.Tile, c *device.Conv) filterCut {
	g := newWindows(c)
	f := filterCut{groups: c.Groups, step: g.cut(filterStepped, filterRoom, 1)}
	taps := c.R * c.S
	limit := max(1, min(filterTaps/taps, filterRoom/f.step.copied(&g, 1)))
	f.across, f.channels = evenly(c.C/c.Groups, limit, 1)
	f.down, f.filters = evenly(c.K/c.Groups, filterFilters, t.NR)
	f.tiles, f.panels = (f.channels*taps+t.IR-1)/t.IR, f.filters/t.NR

	windows, lines := c.N*g.outH*g.outW, c.N*g.outH
	f.parts = min((filterItems+f.pieces()-1)/f.pieces(), (windows+filterWindows-1)/filterWindows)
	f.lines = (lines + f.parts - 1) / f.parts
	if c.N >= f.parts {
		f.lines = (c.N + f.parts - 1) / f.parts * g.outH
	}
	return f
}

// pieces is the number of pieces of all groups.
func (f *filterCut) pieces() int { return f.groups * f.down * f.across }

// sums is the length of a piece's sums.
func (f *filterCut) sums(t *gemm.Tile) int { return f.panels * f.tiles * t.IR * t.NR }

// filterPiece is the channels and filters of a piece.
type filterPiece struct {
	group             int
	channel, channels int // of x: the first of the group, and how many
	filter, filters   int
}

func (f *filterCut) piece(c *device.Conv, i int) filterPiece {
	p := filterPiece{group: i / (f.down * f.across), channel: i % f.across * f.channels, filter: i / f.across % f.down * f.filters}
	p.channels, p.filters = min(f.channels, c.C/c.Groups-p.channel), min(f.filters, c.K/c.Groups-p.filter)
	return p
}

// convFilterTask's item is a part of a piece and, where workers are more than those, a slice of
// its panels. Step by step, it copies the pixels under the step's windows with their padding and
// transposes dy; then each tile is an indirect product, whose rows are what its taps see.
type convFilterTask struct {
	filterCut
	windows
	c             device.Conv
	engine        *gemm.Engine
	x, dy, sums   []float32
	slices, slice int // of a piece, and panels in each
}

// filterItem is an item at one of its steps.
type filterItem struct {
	filterPiece
	block
	sums   []float32
	x      []float32 // the pixels
	pixels pixels
	dy     []float32 // panels of filters, whose steps are the windows
	add    bool      // to the sums of the steps before

	panel, panels int // of the slice: the first, and the end
}

// room is the elements of memory that an item needs: for pixels and dy.
func (t *convFilterTask) room() int {
	return t.step.copied(&t.windows, t.filterCut.channels) + t.filters*t.step.samples*t.step.each()
}

func (t *convFilterTask) Run(item, worker int) {
	panel, item := item%t.slices*t.slice, item/t.slices
	part, size := item/t.pieces(), t.filterCut.sums(t.engine.Tile)
	u := filterItem{filterPiece: t.piece(&t.c, item%t.pieces()), sums: t.sums[item*size:][:size], panel: panel}
	u.panels = min(panel+t.slice, (u.filters+t.engine.Tile.NR-1)/t.engine.Tile.NR)
	first := part * t.lines
	end := min(first+t.lines, t.c.N*t.outH)
	if first >= end {
		each := size / t.panels
		clear(u.sums[min(panel, t.panels)*each : min(panel+t.slice, t.panels)*each])
		return
	}
	room := t.engine.Scratch(worker, t.room())
	copied := t.step.copied(&t.windows, t.filterCut.channels)
	u.x, u.dy = room[:copied:copied], room[copied:]
	for at := first; at < end; at += u.samples * u.lines {
		u.sample, u.line = at/t.outH, at%t.outH
		u.samples, u.lines = 1, min(t.step.lines, t.outH-u.line, end-at)
		if u.lines == t.outH {
			u.samples = min(t.step.samples, (end-at)/t.outH)
		}
		for u.column = 0; u.column < t.outW; u.column += t.step.columns {
			u.columns = min(t.step.columns, t.outW-u.column)
			t.multiply(&u, t.engine.Worker(worker))
			u.add = true
		}
	}
}

// multiply adds the windows of a step to the sums.
func (t *convFilterTask) multiply(u *filterItem, w *gemm.Worker) {
	tile := t.engine.Tile
	u.pixels = t.under(&u.block, u.channels)
	t.copy(tile, u.x, t.x, &u.block, u.group*t.c.C/t.c.Groups+u.channel, &u.pixels)
	t.packFilters(u, w)
	windows := t.places(w.Steps, &u.block, &u.pixels)
	steps(w.Steps[:windows])

	down, _ := t.apart()
	taps, some, line := u.channels*t.r*t.s, gemm.IndirectRows/tile.IR*tile.IR, u.channels*t.s
	for first := 0; first < taps; first += some {
		rows := w.Rows[:min(some, taps-first)]
		t.taps(rows, first, &u.pixels)
		for i := len(rows); i%tile.IR != 0; i++ {
			w.Rows[i] = w.Rows[0]
		}
		for panel := u.panel; panel < u.panels; panel++ {
			b := u.dy[panel*tile.NR*windows:]
			sums := u.sums[(panel*t.tiles*tile.IR+first)*tile.NR:]
			for row := 0; row < len(rows); row += tile.IR {
				from, to := t.inside(&u.block, (first+row)/line, (first+min(row+tile.IR, len(rows))-1)/line)
				c := sums[row*tile.NR:]
				plus := c
				if !u.add {
					plus = nil
				}
				tile.MultiplyIndirect(c, u.x, w.Rows[row:], 4*from*down*u.pixels.line,
					w.Steps[from*u.columns:to*u.columns], b[from*u.columns*tile.NR:], u.filters-panel*tile.NR, plus, tile.NR)
			}
		}
	}
}

// packFilters packs dy.
func (t *convFilterTask) packFilters(u *filterItem, w *gemm.Worker) {
	c, tile := &t.c, t.engine.Tile
	plane, windows := t.outH*t.outW, u.each()
	for i := range tile.NR {
		w.Rows[i] = i * plane
	}
	for i := u.panel * tile.NR; i < min(u.filters, u.panels*tile.NR); i += tile.NR {
		panel := u.dy[i*u.samples*windows:]
		for sample := range u.samples {
			channel := (u.sample+sample)*c.K + u.group*c.K/c.Groups + u.filter + i
			tile.PackRows(panel[sample*windows*tile.NR:], t.dy[channel*plane+u.line*t.outW+u.column:],
				tile.NR, w.Rows[:min(tile.NR, u.filters-i)], windows)
		}
	}
}

// filterSumsTask adds the parts' sums, in order, and writes the gradient; an
// item is a row of taps of a panel of a piece.
type filterSumsTask struct {
	filterCut
	c         device.Conv
	tile      *gemm.Tile
	dst, sums []float32
	m         device.Mode
}

func (t *filterSumsTask) Run(item, _ int) {
	c, nr := &t.c, t.tile.NR
	r, item := item%c.R, item/c.R
	panel, piece := item%t.panels, item/t.panels
	u := t.piece(c, piece)
	first := u.filter + panel*nr
	n := min(nr, u.filter+u.filters-first)
	if n <= 0 { // the last piece may have fewer panels
		return
	}
	taps := c.R * c.S
	depth := c.C / c.Groups * taps // a filter's weights
	line := u.channels * c.S * nr
	at := piece*t.filterCut.sums(t.tile) + panel*t.tiles*t.tile.IR*nr + r*line
	sums := t.sums[at:][:line]
	for part := 1; part < t.parts; part++ {
		t.tile.Loops.Add(sums, sums, t.sums[part*t.pieces()*t.filterCut.sums(t.tile)+at:][:line])
	}
	dst := t.dst[(u.group*c.K/c.Groups+first)*depth+u.channel*taps:]
	for channel := range u.channels {
		for s := range c.S {
			to := channel*taps + r*c.S + s
			for _, v := range sums[:n] {
				if t.m == device.Accumulate {
					v += dst[to]
				}
				dst[to] = v
				to += depth
			}
			sums = sums[nr:]
		}
	}
}

// rowSumsTask adds the planes of a channel of all samples, in double
// precision: the gradient of a bias.
type rowSumsTask struct {
	loops           *vec.Loops
	dst, src        []float32
	samples, length int
	m               device.Mode
}

func (t *rowSumsTask) Run(channel, _ int) {
	sum := 0.0
	for n := range t.samples {
		sum += t.loops.Sum(t.src[(n*len(t.dst)+channel)*t.length:][:t.length])
	}
	v := float32(sum)
	if t.m == device.Accumulate {
		v += t.dst[channel]
	}
	t.dst[channel] = v
}
