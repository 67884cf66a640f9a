package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) ConvBackwardFilter(c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	if q.err != nil {
		return
	}
	if !dbias.IsNil() {
		q.rowSums = rowSumsTask{dst: floats(dbias), src: floats(dy), samples: c.N, length: c.OutH() * c.OutW(), m: m}
		run(q, &q.rowSums, c.K)
	}
	if !dw.IsNil() {
		q.filterGradient(c, dw, x, dy, m, ws)
	}
}

func (q *queue) filterGradient(c device.Conv, dw, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	t := &q.convFilter
	*t = convFilterTask{c: c, filterCut: cutFilter(q.engine.Tile, c), engine: q.engine, x: floats(x), dy: floats(dy), sums: scratch(ws)}
	q.filterSums = filterSumsTask{c: c, filterCut: t.filterCut, tile: q.engine.Tile, dst: floats(dw), sums: t.sums, m: m}
	q.pool.Acquire()
	defer q.pool.Release()
	q.engine.Reserve(t.copied)
	q.pool.Run(t, t.blocks()*t.parts)
	q.pool.Run(&q.filterSums, t.blocks())
	reset(t)
	reset(&q.filterSums)
}

// filterCut is how the gradient of the weights is cut into items. For each
// group it is a product [(c,r,s),K] of the pixels under each tap with dy,
// summed over the windows of all samples. It is cut into blocks of channels
// and filters; where those are few, the windows are cut into parts too, whose
// sums are added at the end.
//
// A block's sums lie in scratch as register tiles, one for each panel of
// filters and MR taps, those in the order (r,c,s).
type filterCut struct {
	channels, filters int // of a block
	across, down      int // blocks of channels and of filters in a group
	tiles             int // of a block, for one panel of filters
	panels            int // of filters in a block
	groups            int
	parts, lines      int // of windows, and rows of windows in each
	step              filterStep
	copied            int // elements of the pixels under a step's windows
}

// filterStep is the windows that are summed at a time: whole samples, some
// rows of one, or a piece of one row.
type filterStep struct{ samples, lines, columns int }

// The most taps and filters of a block, so that a block's sums and the copied
// pixels stay in the second-level cache; how many blocks are wanted, and the
// shortest part that is worth another partial sum; and how many windows a
// step has, so that a panel of dy stays in the first-level cache.
const (
	filterTaps    = 640
	filterFilters = 128
	filterCopied  = 64 << 10
	filterItems   = 32
	filterWindows = 512
	filterStepped = 192
)

// cutFilter cuts by shape alone. The number of parts does not fall when the
// batch grows: scratch for a batch holds that of a smaller one.
func cutFilter(t *gemm.Tile, c device.Conv) filterCut {
	outH, outW := c.OutH(), c.OutW()
	f := filterCut{groups: c.Groups, step: filterStep{samples: 1, lines: 1, columns: outW}}
	switch {
	case outW > filterStepped:
		_, f.step.columns = evenly(outW, filterStepped, 1)
	case outH*outW > filterStepped:
		_, f.step.lines = evenly(outH, filterStepped/outW, 1)
	default:
		f.step.samples, f.step.lines = filterStepped/(outH*outW), outH
	}
	height, width := pixels(&c, f.step.lines, f.step.columns)
	taps := c.R * c.S
	most := max(1, min(filterTaps/taps, filterCopied/(f.step.samples*height*width)))
	f.across, f.channels = evenly(c.C/c.Groups, most, 1)
	f.down, f.filters = evenly(c.K/c.Groups, filterFilters, t.NR)
	f.tiles, f.panels = (f.channels*taps+t.MR-1)/t.MR, f.filters/t.NR
	f.copied = f.step.samples*f.channels*height*width + width // the last row's zeros may go past its end

	windows, blocks := c.N*outH*outW, f.blocks()
	f.parts = min((filterItems+blocks-1)/blocks, (windows+filterWindows-1)/filterWindows)
	f.lines = (c.N*outH + f.parts - 1) / f.parts
	if c.N >= f.parts {
		f.lines = (c.N + f.parts - 1) / f.parts * outH
	}
	return f
}

// blocks is the number of blocks of all groups.
func (f *filterCut) blocks() int { return f.groups * f.down * f.across }

// block is the length of a block's sums.
func (f *filterCut) block(t *gemm.Tile) int { return f.panels * f.tiles * t.MR * t.NR }

// evenly cuts n into parts of at most most, all but the last of one length,
// a multiple of to.
func evenly(n, most, to int) (parts, length int) {
	parts = (n + most - 1) / most
	length = roundUp((n+parts-1)/parts, to)
	return (n + length - 1) / length, length
}

// pixels is the height and width of the pixels under some windows of a plane.
func pixels(c *device.Conv, lines, columns int) (h, w int) {
	return (lines-1)*c.StrideH + device.Extent(c.R, c.DilationH), (columns-1)*c.StrideW + device.Extent(c.S, c.DilationW)
}

// convFilterTask's item is a part of a block. Step by step, it copies the
// pixels under the step's windows with their padding and transposes dy; then
// each tile is an indirect product, whose rows are what its taps see.
type convFilterTask struct {
	filterCut
	c           device.Conv
	engine      *gemm.Engine
	x, dy, sums []float32
}

// filterItem is an item at one of its steps.
type filterItem struct {
	group, channel, channels, filter, filters int // channel and filter in the group
	sums                                      []float32

	filterStep
	sample, line, column int // of the step's first window
	height, width        int // of the pixels under a sample's windows
}

func (t *convFilterTask) Run(item, worker int) {
	c := &t.c
	part, block := item/t.blocks(), item%t.blocks()
	size := t.block(t.engine.Tile)
	i := filterItem{group: block / (t.down * t.across), sums: t.sums[item*size:][:size]}
	i.filter, i.channel = block/t.across%t.down*t.filters, block%t.across*t.channels
	i.filters, i.channels = min(t.filters, c.K/c.Groups-i.filter), min(t.channels, c.C/c.Groups-i.channel)

	outH, outW := c.OutH(), c.OutW()
	first := part * t.lines
	end := min(first+t.lines, c.N*outH)
	if first >= end {
		clear(i.sums)
		return
	}
	for at := first; at < end; at += i.samples * i.lines {
		i.sample, i.line = at/outH, at%outH
		i.samples, i.lines = 1, min(t.step.lines, outH-i.line, end-at)
		if i.lines == outH {
			i.samples = min(t.step.samples, (end-at)/outH)
		}
		for i.column = 0; i.column < outW; i.column += t.step.columns {
			i.columns = min(t.step.columns, outW-i.column)
			i.height, i.width = pixels(c, i.lines, i.columns)
			t.multiply(&i, t.engine.Worker(worker), t.engine.Scratch(worker, t.copied), at > first || i.column > 0)
		}
	}
}

// multiply adds the windows of a step to the sums.
func (t *convFilterTask) multiply(i *filterItem, w *gemm.Worker, x []float32, add bool) {
	tile := t.engine.Tile
	t.copyPixels(i, x)
	t.packFilters(i, w)
	i.places(&t.c, w.Steps)
	windows := i.samples * i.lines * i.columns
	taps := i.channels * t.c.R * t.c.S
	for first := 0; first < taps; first += gemm.IndirectRows {
		some := min(gemm.IndirectRows, taps-first)
		i.taps(&t.c, w.Rows, first, some, tile.MR)
		for panel := range (i.filters + tile.NR - 1) / tile.NR {
			b := w.B[panel*gemm.Panel(tile.NR, windows):]
			sums := i.sums[(panel*t.tiles*tile.MR+first)*tile.NR:]
			for row := 0; row < some; row += tile.MR {
				from, to := i.inside(&t.c, first+row, first+min(row+tile.MR, some)-1)
				tile.MultiplyIndirect(sums[row*tile.NR:], x[from*t.c.StrideH*i.width:], w.Rows[row:],
					w.Steps[from*i.columns:to*i.columns], b[from*i.columns*tile.NR:], add)
			}
		}
	}
}

// copyPixels writes the pixels under the step's windows, zero in the padding:
// a plane for each channel of each sample.
func (t *convFilterTask) copyPixels(i *filterItem, x []float32) {
	c := &t.c
	h, w := i.line*c.StrideH-c.PadTop, i.column*c.StrideW-c.PadLeft
	top, left := max(0, -h), max(0, -w)
	lines, columns := min(i.height, c.H-h)-top, min(i.width, c.W-w)-left
	size := i.height * i.width
	if lines < i.height || columns < i.width {
		clear(x[:i.samples*i.channels*size])
		if lines <= 0 || columns <= 0 {
			return
		}
	}
	for sample := range i.samples {
		for channel := range i.channels {
			plane := (i.sample+sample)*c.C + i.group*c.C/c.Groups + i.channel + channel
			// The zeros to the right of a row are those to the left of the next.
			t.engine.Tile.PackColumns(x[(sample*i.channels+channel)*size+top*i.width+left:],
				t.x[(plane*c.H+h+top)*c.W+w+left:], i.width, columns, lines, c.W)
		}
	}
}

// packFilters packs dy: a panel of filters, whose steps are the windows.
func (t *convFilterTask) packFilters(i *filterItem, w *gemm.Worker) {
	c, tile := &t.c, t.engine.Tile
	plane, windows := c.OutH()*c.OutW(), i.lines*i.columns
	for j := range tile.NR {
		w.Rows[j] = j * plane
	}
	for j := 0; j < i.filters; j += tile.NR {
		panel := w.B[j/tile.NR*gemm.Panel(tile.NR, i.samples*windows):]
		for sample := range i.samples {
			channel := (i.sample+sample)*c.K + i.group*c.K/c.Groups + i.filter + j
			tile.PackRows(panel[sample*windows*tile.NR:], t.dy[channel*plane+i.line*c.OutW()+i.column:],
				tile.NR, w.Rows[:min(tile.NR, i.filters-j)], windows)
		}
	}
}

// places writes the distances of the step's windows among the copied pixels,
// in bytes.
func (i *filterItem) places(c *device.Conv, steps []int) {
	line := 4 * (c.StrideH*i.width - (i.columns-1)*c.StrideW)
	sample := 4*(i.channels*i.height-i.lines*c.StrideH)*i.width + line
	n := 0
	for range i.samples {
		for range i.lines {
			for range i.columns {
				steps[n] = 4 * c.StrideW
				n++
			}
			steps[n-1] = line
		}
		steps[n-1] = sample
	}
}

// taps writes where n taps from first lie among the copied pixels, in bytes,
// and for the rest of a tile the first again.
func (i *filterItem) taps(c *device.Conv, rows []int, first, n, mr int) {
	r, channel, s := first/c.S/i.channels, first/c.S%i.channels, first%c.S
	for row := range n {
		rows[row] = 4 * ((channel*i.height+r*c.DilationH)*i.width + s*c.DilationW)
		if s++; s < c.S {
			continue
		}
		s = 0
		if channel++; channel == i.channels {
			channel = 0
			r++
		}
	}
	for row := n; row < roundUp(n, mr); row++ {
		rows[row] = rows[0]
	}
}

// inside is the rows of the step's windows that have one of the taps from
// first to last in the plane; the others see nothing but padding.
func (i *filterItem) inside(c *device.Conv, first, last int) (from, to int) {
	if i.samples > 1 {
		return 0, i.samples * i.lines
	}
	top, bottom := i.line*c.StrideH-c.PadTop, c.PadTop-i.line*c.StrideH+c.H-1
	from = max(0, -top-last/c.S/i.channels*c.DilationH+c.StrideH-1) / c.StrideH
	if bottom -= first / c.S / i.channels * c.DilationH; bottom >= 0 {
		to = bottom/c.StrideH + 1
	}
	from = min(from, i.lines)
	return from, max(from, min(to, i.lines))
}

// filterSumsTask adds the parts' sums, in order, and writes the gradient; an
// item is a block.
type filterSumsTask struct {
	filterCut
	c         device.Conv
	tile      *gemm.Tile
	dst, sums []float32
	m         device.Mode
}

func (t *filterSumsTask) Run(block, _ int) {
	c, nr := &t.c, t.tile.NR
	taps := c.R * c.S
	depth := c.C / c.Groups * taps // a filter's weights
	group, filter, channel := block/(t.down*t.across), block/t.across%t.down*t.filters, block%t.across*t.channels
	filters, channels := min(t.filters, c.K/c.Groups-filter), min(t.channels, c.C/c.Groups-channel)
	size := t.block(t.tile)
	dst := t.dst[(group*c.K/c.Groups+filter)*depth+channel*taps:]
	for j := 0; j < filters; j += nr {
		at := block*size + j/nr*t.tiles*t.tile.MR*nr
		sums := t.sums[at:][:channels*taps*nr]
		for part := 1; part < t.parts; part++ {
			vec.Add(sums, sums, t.sums[part*t.blocks()*size+at:][:len(sums)])
		}
		n := min(nr, filters-j)
		for r := range c.R {
			for k := range channels {
				for s := range c.S {
					to := j*depth + k*taps + r*c.S + s
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
	}
}

// rowSumsTask adds the planes of a channel of all samples, in double
// precision: the gradient of a bias.
type rowSumsTask struct {
	dst, src        []float32
	samples, length int
	m               device.Mode
}

func (t *rowSumsTask) Run(channel, _ int) {
	sum := 0.0
	for n := range t.samples {
		sum += vec.Sum(t.src[(n*len(t.dst)+channel)*t.length:][:t.length])
	}
	v := float32(sum)
	if t.m == device.Accumulate {
		v += t.dst[channel]
	}
	t.dst[channel] = v
}
