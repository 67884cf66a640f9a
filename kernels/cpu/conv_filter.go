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
	outH, outW := c.OutH(), c.OutW()
	t := &q.convFilter
	*t = convFilterTask{
		c: c, filterCut: cutFilter(q.engine.Tile, c), engine: q.engine,
		dst: floats(dw), dy: floats(dy), beta: beta(m),
		patches: gemm.Patches{
			X: floats(x), Sample: c.C * c.H * c.W, H: c.H, W: c.W,
			OutH: outH, OutW: outW, StrideH: c.StrideH, StrideW: c.StrideW, Top: c.PadTop, Left: c.PadLeft,
			R: c.R, S: c.S, StepH: c.DilationH, StepW: c.DilationW,
		},
	}
	sums, ranges := t.dst, t.ranges
	if ranges > 1 {
		t.dst, t.beta = scratch(ws)[:ranges*len(sums)], 0
	}
	q.partials = partialsTask{dst: sums, src: t.dst, ranges: ranges, m: m}
	share(q, t, t.tiles*ranges)
	if ranges > 1 {
		run(q, &q.partials, chunks(len(sums)))
	}
	reset(&q.partials)
}

// filterCut is how the gradient of the weights is cut into items. For each
// group it is a product [K,(c,r,s)] of dy with the patches of x, transposed,
// summed over the pixels of all samples. It is cut into blocks of rows and
// columns; where those are few, the pixels are cut into ranges too, whose
// sums are added at the end.
type filterCut struct {
	rows, columns   int // of a block
	down, across    int // blocks of a group
	tiles           int // blocks of all groups
	ranges, windows int // ranges of pixels, and the length of each
}

// filterItems is how many items are wanted, and filterWindows the shortest
// range that is worth another partial sum.
const (
	filterItems   = 32
	filterWindows = 512
)

// cutFilter cuts by shape alone. The number of ranges does not fall when the
// batch grows: scratch for a batch holds that of a smaller one.
func cutFilter(t *gemm.Tile, c device.Conv) filterCut {
	m, n := c.K/c.Groups, c.C/c.Groups*c.R*c.S
	var f filterCut
	f.down, f.rows = evenly(m, gemm.PanelRows, t.MR)
	f.across, f.columns = evenly(n, gemm.PanelColumns, t.NR)
	f.tiles = c.Groups * f.down * f.across
	windows := c.N * c.OutH() * c.OutW()
	f.ranges = min((filterItems+f.tiles-1)/f.tiles, (windows+filterWindows-1)/filterWindows)
	f.windows = (windows + f.ranges - 1) / f.ranges
	return f
}

// evenly cuts n into parts of at most most, all but the last of one length,
// a multiple of to.
func evenly(n, most, to int) (parts, length int) {
	parts = (n + most - 1) / most
	length = roundUp((n+parts-1)/parts, to)
	return (n + length - 1) / length, length
}

// convFilterTask's item is a range of a block.
type convFilterTask struct {
	filterCut
	c       device.Conv
	engine  *gemm.Engine
	patches gemm.Patches
	dst, dy []float32 // dst is one gradient a range
	beta    float32
}

func (t *convFilterTask) Run(item, worker int) {
	c, tile := &t.c, t.engine.Tile
	part, item := item/t.tiles, item%t.tiles
	group, i, j := item/(t.down*t.across), item/t.across%t.down*t.rows, item%t.across*t.columns
	m, n := c.K/c.Groups, c.C/c.Groups*c.R*c.S
	rows, columns := min(t.rows, m-i), min(t.columns, n-j)

	w := t.engine.Worker(worker)
	patches := t.patches
	patches.X = patches.X[group*c.C/c.Groups*c.H*c.W:]
	first := part * t.windows
	windows := max(0, min(t.windows, c.N*patches.OutH*patches.OutW-first))
	blocks, length := tile.Depth(windows)
	for block := range blocks {
		at := first + block*length
		depth := min(length, first+windows-at)
		t.packRows(w, group*m+i, rows, at, depth)
		if depth > 0 {
			patches.PackTransposed(w, w.B, tile.NR, j, columns, at, depth)
		}
		b := gemm.Block{
			M: rows, N: columns, K: depth, A: w.A, B: w.B,
			C: t.dst[((part*c.Groups+group)*m+i)*n+j:], LDC: n,
			Alpha: 1, Beta: 1,
		}
		if block == 0 {
			b.Beta = t.beta
		}
		tile.Multiply(w, &b)
	}
}

// packRows packs rows of dy, from channel, over the windows [first,first+k)
// of all samples.
func (t *convFilterTask) packRows(w *gemm.Worker, channel, rows, first, k int) {
	plane, mr := t.patches.OutH*t.patches.OutW, t.engine.Tile.MR
	for i := 0; i < rows; i += mr {
		panel := w.A[i/mr*gemm.Panel(mr, k):][:mr*k]
		if rows-i < mr {
			clear(panel)
		}
		for r := range min(mr, rows-i) {
			to := r
			for at := first; at < first+k; {
				sample, place := at/plane, at%plane
				n := min(plane-place, first+k-at)
				src := t.dy[(sample*t.c.K+channel+i+r)*plane+place:][:n]
				for _, v := range src {
					panel[to] = v
					to += mr
				}
				at += n
			}
		}
	}
}

// partialsTask adds the ranges' gradients, in order.
type partialsTask struct {
	dst, src []float32
	ranges   int
	m        device.Mode
}

func (t *partialsTask) Run(item, _ int) {
	i, end := chunk(item, len(t.dst))
	dst := t.dst[i:end]
	for r := range t.ranges {
		src := t.src[r*len(t.dst)+i:][:end-i]
		if r == 0 && t.m == device.Overwrite {
			copy(dst, src)
			continue
		}
		vec.Add(dst, dst, src)
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
