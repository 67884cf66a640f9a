package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

func (q *queue) ConvForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	maps, ok := q.newEpilogue(e.Maps, y)
	if !ok {
		return
	}
	defer maps.release()
	switch {
	case usesDepthwise(&c):
		q.depthwiseForward(c, y, x, w, e, maps)
		return
	case q.traits.usesWinograd(c, device.Forward):
		q.winogradForward(c, y, x, w, e, ws)
		q.mapAfter(maps)
		return
	case usesPointwise(&c):
		q.runPointwise(&pointwiseTask{
			pointwise: newPointwise(q.engine.Tile, c, device.Forward),
			dst:       floats(y), src: floats(x), weights: scratch(w.Packed),
			bias: floats(e.Bias), activation: e.Activation, maps: maps,
		})
		return
	}
	q.conv = convTask{
		convProduct: newConvProduct(q.engine.Tile, c, device.Forward),
		dst:         floats(y), src: floats(x), packed: scratch(w.Packed),
		bias: floats(e.Bias), activation: e.Activation, maps: maps,
	}
	q.convolve()
}

func (q *queue) ConvBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	switch {
	case usesDepthwise(&c):
		q.depthwiseBackwardData(c, dx, dy, w, m)
		return
	case q.traits.usesWinograd(c, device.BackwardData):
		q.winogradBackwardData(c, dx, dy, w, m)
		return
	case usesPointwise(&c):
		q.runPointwise(&pointwiseTask{
			pointwise: newPointwise(q.engine.Tile, c, device.BackwardData),
			dst:       floats(dx), src: floats(dy), weights: scratch(w.Packed), m: m,
		})
		return
	}
	q.conv = convTask{
		convProduct: newConvProduct(q.engine.Tile, c, device.BackwardData),
		dst:         floats(dx), src: floats(dy), packed: scratch(w.Packed), m: m,
	}
	q.convolve()
}

// convolve runs the product that is set up.
func (q *queue) convolve() {
	t := &q.conv
	items, depth, room, windows := 0, 0, 0, 0
	for i := range t.phases {
		k := t.phase(i)
		cut := t.cut(&k, q.engine.CutFor)
		items += cut.items()
		depth += k.depth
		room = max(room, cut.room(t, &k))
		windows = max(windows, cut.samples*cut.each())
	}
	if depth > len(q.convSteps) {
		q.convSteps = make([]int, depth)
	}
	t.engine, t.steps = q.engine, q.convSteps
	depth = 0
	for i := range t.phases {
		k := t.phase(i)
		cut := t.cut(&k, q.engine.CutFor)
		some := t.steps[depth:][:k.depth]
		p := k.under(&cut.block, t.depth)
		k.taps(some, 0, &p)
		steps(some)
		depth += k.depth
	}
	runWithScratch(q, t, items, t.maps.room(room, windows*t.tile.NR))
}

// convTask is a product. An item copies the pixels under its windows with
// their padding, for a few panels of output channels; each tile is an indirect
// product, whose rows are what its windows see.
type convTask struct {
	convProduct
	engine           *gemm.Engine
	dst, src, packed []float32
	bias             []float32
	activation       device.Activation
	maps             epilogue
	m                device.Mode
	steps            []int // the distances of taps, phase after phase
}

// convCut is how a phase is cut into items: into blocks of windows and, where
// those are few, pieces of the output channels.
type convCut struct {
	block                  // the largest
	deep, down, across int // blocks of samples, of lines and of columns
	pieces, panels     int // of output channels, and panels in each
	groups             int
}

func (c *convCut) items() int { return c.groups * c.pieces * c.deep * c.down * c.across }

// A block has at most convWindows windows, or convSamples if they are of
// several samples, and the pixels under them stay in the second-level cache.
// fewItems is how many items a product has at least, if it has panels and
// lines for it. Sums are formed convDepth steps at a time: the weights for as
// many stay in the first-level cache.
const (
	convWindows = 768
	convSamples = 256
	convRoom    = 128 << 10
	convDepth   = 384
	fewItems    = 16
)

// cut cuts a phase by its shape and, for many workers, into more pieces: what an output is does
// not depend on the channels beside it. It may depend, in the sign of a zero and for weights that
// are no numbers, on the lines of its block, which the shape alone decides.
func (p *convProduct) cut(k *convPhase, workers int) convCut {
	if k.outH == 0 || k.outW == 0 {
		return convCut{}
	}
	c := convCut{block: k.windows.cut(convWindows, convRoom, p.depth), groups: p.c.Groups}
	c.samples = min(c.samples, max(1, convSamples/c.each()), p.c.N)
	c.deep = (p.c.N + c.samples - 1) / c.samples
	c.down = (k.outH + c.lines - 1) / c.lines
	c.across = (k.outW + c.columns - 1) / c.columns
	blocks := func() int { return c.groups * c.deep * c.down * c.across }
	few := (fewItems + blocks() - 1) / blocks()
	c.pieces, c.panels = evenly(p.panels(), (p.panels()+few-1)/few, 1)
	if few = (few + c.pieces - 1) / c.pieces; few > 1 && c.samples == 1 {
		_, c.lines = evenly(c.lines, (c.lines+few-1)/few, 1)
		c.down = (k.outH + c.lines - 1) / c.lines
	}
	if workers > gemm.FewWorkers {
		few = max(c.pieces, (workers+blocks()-1)/blocks()) // never fewer pieces than by the shape
		c.pieces, c.panels = evenly(p.panels(), (p.panels()+few-1)/few, 1)
	}
	return c
}

// room is the elements of memory that an item needs: for pixels, for sums,
// outputs and biases.
func (c *convCut) room(t *convTask, k *convPhase) int {
	windows := c.samples * c.each()
	return c.copied(&k.windows, t.depth) + (roundUp(windows, t.tile.IR)+windows+1)*t.tile.NR
}

// convItem is an item at work on a panel.
type convItem struct {
	convPhase
	block
	tiles             int
	x                 []float32 // the pixels
	packed            []float32 // the panel's weights
	steps             []int
	pixels            pixels
	sums, outputs     []float32 // [windows][NR] and, in part, [NR][windows]
	biases            []float32 // [NR]
	channel, channels int       // of the output: the first, and how many
}

func (t *convTask) Run(item, worker int) {
	packed, depth := 0, 0
	for i := range t.phases {
		k := t.phase(i)
		cut := t.cut(&k, t.engine.CutFor)
		if n := cut.items(); item >= n {
			item -= n
			packed += k.packed(&t.convProduct)
			depth += k.depth
			continue
		}
		u := convItem{convPhase: k, block: cut.block, steps: t.steps[depth:][:k.depth]}
		across, item := item%cut.across, item/cut.across
		down, item := item%cut.down, item/cut.down
		deep, item := item%cut.deep, item/cut.deep
		piece, group := item%cut.pieces, item/cut.pieces
		u.move(&k.windows, deep, down, across, t.c.N)

		w, room := t.engine.Worker(worker), t.engine.Scratch(worker, cut.room(t, &k))
		copied := cut.copied(&k.windows, t.depth)
		u.x, room = room[:copied:copied], room[copied:]
		u.biases, room = room[:t.tile.NR], room[t.tile.NR:]
		u.pixels = k.under(&cut.block, t.depth)
		k.copy(t.tile, u.x, t.src, &u.block, group*t.depth, &u.pixels)
		u.tiles = u.rows(t.tile, w)
		u.sums, u.outputs = room[:u.tiles*t.tile.IR*t.tile.NR], room[u.tiles*t.tile.IR*t.tile.NR:]
		for panel := piece * cut.panels; panel < min((piece+1)*cut.panels, t.panels()); panel++ {
			u.packed = t.packed[group*t.convProduct.packed+packed+panel*k.depth*t.tile.NR:]
			u.channel = group*t.rows + panel*t.tile.NR
			u.channels = min(t.tile.NR, t.rows-panel*t.tile.NR)
			t.sum(&u, w)
			if t.activation.On {
				t.tile.Loops.Unary(t.activation.Unary, u.sums, u.sums)
			}
			t.maps.block(worker, u.sums[:u.samples*u.each()*t.tile.NR], func(dst, src []float32) { t.gather(dst, src, &u, w) })
			t.store(&u)
		}
		return
	}
}

// gather writes what src, like the output, has for a panel's sums.
func (t *convTask) gather(dst, src []float32, u *convItem, w *gemm.Worker) {
	windows, outputs := u.each(), t.c.Groups*t.rows*t.plane
	planes := w.Steps[:u.channels]
	for i := range planes {
		planes[i] = i * t.plane
	}
	for sample := range u.samples {
		first := (u.sample+sample)*outputs + u.channel*t.plane + u.line*t.c.OutW() + u.column
		t.tile.PackRows(dst[sample*windows*t.tile.NR:], src[first:], t.tile.NR, planes, windows)
	}
}

// rows writes where the windows lie, tile after tile and in the last one the
// first again, and which rows of taps each tile sees. It returns the number of
// tiles.
func (u *convItem) rows(t *gemm.Tile, w *gemm.Worker) int {
	n := u.places(w.Rows, &u.block, &u.pixels)
	tiles := (n + t.IR - 1) / t.IR
	for i := n; i < tiles*t.IR; i++ {
		w.Rows[i] = w.Rows[0]
	}
	for i := range tiles {
		from, to := 0, u.r
		if u.samples == 1 {
			from, to = u.seen(&u.block, i*t.IR/u.columns, min(i*t.IR+t.IR, n)-1)
		}
		w.Spans[i] = [2]int{from, to}
	}
	return tiles
}

// sum forms the sums of a panel, block by block of the depth; the first begins
// with the bias. Steps that see nothing but padding are left out.
func (t *convTask) sum(u *convItem, w *gemm.Worker) {
	nr, size := t.tile.NR, t.tile.IR*t.tile.NR
	var plus []float32
	if t.bias != nil {
		plus = u.biases
		clear(plus[copy(plus, t.bias[u.channel:][:u.channels]):])
	}
	line := t.depth * u.s // steps of one row of taps
	_, length := evenly(max(1, u.depth), convDepth, 8)
	for first := 0; first == 0 || first < u.depth; first += length {
		end, at := min(first+length, u.depth), 0
		for i := range u.tiles {
			c, ld := u.sums[i*size:], 0
			if first > 0 {
				plus, ld = c, nr
			}
			from, to := max(first, w.Spans[i][0]*line), min(end, w.Spans[i][1]*line)
			switch {
			case from >= to && first > 0:
				continue
			case from >= to:
				from, to = 0, 0
			case i == 0 || w.Spans[i] != w.Spans[i-1]:
				r, channel, s := u.split(from, &u.pixels)
				at = u.tap(r, channel, s, &u.pixels)
			}
			t.tile.MultiplyIndirect(c, u.x, w.Rows[i*t.tile.IR:], at, u.steps[from:to], u.packed[from*nr:], u.channels, plus, ld)
		}
	}
}

// store writes a panel's sums to where the windows are in the output.
func (t *convTask) store(u *convItem) {
	windows := u.each()
	outputs := t.c.Groups * t.rows * t.plane // of a sample
	_, width := t.output()
	for sample := range u.samples {
		sums := u.sums[sample*windows*t.tile.NR:]
		dst := t.dst[(u.sample+sample)*outputs+u.channel*t.plane:]
		first := (u.height.First+u.line*u.height.Place)*width + u.width.First + u.column*u.width.Place
		whole := u.height.Place == 1 && u.width.Place == 1
		if whole && t.m == device.Overwrite {
			t.tile.Unpack(dst[first:], sums, t.tile.NR, u.channels, windows, t.plane)
			continue
		}
		t.tile.Unpack(u.outputs, sums, t.tile.NR, u.channels, windows, windows)
		for channel := range u.channels {
			from, to := u.outputs[channel*windows:][:windows], dst[channel*t.plane+first:]
			if whole {
				t.tile.Loops.Add(to[:windows], to[:windows], from)
				continue
			}
			for i := range u.lines {
				for j := range u.columns {
					v, at := from[i*u.columns+j], i*u.height.Place*width+j*u.width.Place
					if t.m == device.Accumulate {
						v += to[at]
					}
					to[at] = v
				}
			}
		}
	}
}

func (q *queue) ConvPack(c device.Conv, p device.Pass, packed device.Buffer, w device.Tensor) {
	if q.Err != nil || p == device.BackwardFilter || usesDepthwise(&c) {
		return
	}
	if q.traits.usesWinograd(c, p) {
		q.winogradPack(c, p, packed, w)
		return
	}
	if usesPointwise(&c) {
		t := &q.pointwisePack
		*t = pointwisePackTask{pointwise: newPointwise(q.engine.Tile, c, p), engine: q.engine, packed: scratch(packed), w: floats(w)}
		runWithScratch(q, t, c.Groups*t.panels(), 0)
		return
	}
	t := &q.convPack
	*t = convPackTask{convProduct: newConvProduct(q.engine.Tile, c, p), engine: q.engine, packed: scratch(packed), w: floats(w)}
	runWithScratch(q, t, c.Groups*t.phases*t.panels(), 0)
}

// convPackTask packs the weights; an item is a panel of a phase of a group.
type convPackTask struct {
	convProduct
	engine    *gemm.Engine
	packed, w []float32
}

func (t *convPackTask) Run(item, worker int) {
	panel, item := item%t.panels(), item/t.panels()
	phase, group := item%t.phases, item/t.phases
	at := group * t.convProduct.packed
	for i := range phase {
		k := t.phase(i)
		at += k.packed(&t.convProduct)
	}
	k := t.phase(phase)
	c, nr := &t.c, t.tile.NR
	dst := t.packed[at+panel*k.depth*nr:]

	// w is [K,C/Groups,R,S]: the output channels are K forward and C backward,
	// and the depth is over the others.
	taps := c.R * c.S
	row, step, first := t.depth*taps, taps, (group*t.rows+panel*nr)*t.depth*taps
	if t.pass == device.BackwardData {
		row, step, first = taps, t.rows*taps, (group*t.depth*t.rows+panel*nr)*taps
	}
	rows := t.engine.Worker(worker).Rows[:min(nr, t.rows-panel*nr)]
	for i := range rows {
		rows[i] = i * row
	}
	for r := range k.r {
		for channel := range t.depth {
			src := t.w[first+channel*step+(k.height.Tap+r*k.height.Apart)*c.S+k.width.Tap:]
			if k.width.Apart == 1 {
				t.tile.PackRows(dst, src, nr, rows, k.s)
				dst = dst[k.s*nr:]
				continue
			}
			for s := range k.s {
				t.tile.PackRows(dst, src[s*k.width.Apart:], nr, rows, 1)
				dst = dst[nr:]
			}
		}
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
