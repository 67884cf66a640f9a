package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/depthwise"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// A depthwise convolution has one input channel in each group. A matrix product would have
// one column then; instead each plane of pixels is copied with its padding and, where the
// stride is not 1, by phases: pixels stride apart lie together. Then each tap of the filter
// sees a plane that is shifted, and an output is a sum of shifted planes (package depthwise).
//
// The gradient of the data is the same with planes of dy, for each phase of dx. The gradient
// of the weights is the dot product of dy with each shifted plane.

// The largest stride, elements of a worker's planes, and multiply-adds that are worth an item.
const (
	depthwiseStride = 4
	depthwiseRoom   = 1 << 20
	depthwiseBand   = 24 << 10
	depthwiseWork   = 64 << 10
)

// usesDepthwise reports whether a convolution is depthwise and of a usual size.
func usesDepthwise(c *device.Conv) bool {
	if c.Groups != c.C || c.StrideH > depthwiseStride || c.StrideW > depthwiseStride {
		return false
	}
	for _, p := range []device.Pass{device.Forward, device.BackwardData, device.BackwardFilter} {
		d := newDepthwise(c, p)
		if d.room() > depthwiseRoom {
			return false
		}
	}
	return true
}

// depthwiseCut is a pass over a plane of pixels and the planes of outputs that see it, band
// by band of lines. A line is one row of outputs or, for the gradient of the data, of each
// phase of dx.
type depthwiseCut struct {
	c        device.Conv
	pass     device.Pass
	multiple int // outputs of a channel
	phases   int
	tall     int // rows that taps reach down a phase, and wide, columns across
	wide     int
	lines    int // of a plane
	columns  int
	band     int // lines of a band
	bands    int
	rows     int // of pixels under a band
	pitch    int // from row to row, of pixels and of outputs
}

func newDepthwise(c *device.Conv, pass device.Pass) depthwiseCut {
	d := depthwiseCut{
		c: *c, pass: pass, multiple: c.K / c.Groups, phases: c.StrideH * c.StrideW,
		tall: (device.Extent(c.R, c.DilationH) - 1) / c.StrideH, wide: (device.Extent(c.S, c.DilationW) - 1) / c.StrideW,
		lines: c.OutH(), columns: c.OutW(),
	}
	if pass == device.BackwardData {
		d.lines, d.columns = (c.H-1+c.PadTop)/c.StrideH+1, (c.W-1+c.PadLeft)/c.StrideW+1
	}
	d.pitch = d.columns + d.wide
	d.band = max(1, min(d.lines, depthwiseBand/((d.phases+1)*d.pitch)-d.tall))
	d.bands, d.band = evenly(d.lines, d.band, 1)
	d.rows = d.band + d.tall
	return d
}

// Behind planes and outputs there is room for vectors that go past their end.
const depthwiseSlack = 4 * depthwise.Width

// in is the elements of the pixels under a band, and out those of one output of a band.
func (d *depthwiseCut) in() int {
	planes := d.phases
	if d.pass == device.BackwardData {
		planes = d.multiple
	}
	return planes*d.rows*d.pitch + d.wide + depthwiseSlack
}

func (d *depthwiseCut) out() int { return roundUp(d.band*d.pitch, depthwise.Width) + depthwiseSlack }

// merged is the elements of a row of all phases of columns.
func (d *depthwiseCut) merged() int { return d.c.StrideW*d.pitch + depthwiseSlack }

// room is the elements that a worker needs.
func (d *depthwiseCut) room() int {
	taps := d.c.R * d.c.S * d.multiple
	switch d.pass {
	case device.BackwardData: // the outputs of all phases, a merged row, and the weights
		return d.in() + d.phases*d.out() + d.merged() + taps
	case device.BackwardFilter: // dy, and sums
		return d.in() + d.out() + taps*depthwise.Width
	}
	return d.in() + d.out()
}

// units are what items are made of: a band of a plane.
func (d *depthwiseCut) units() int { return d.c.N * d.c.C * d.bands }

// each is the units of an item.
func (d *depthwiseCut) each() int {
	return max(1, depthwiseWork/(d.band*d.pitch*d.multiple*max(4, d.c.R*d.c.S)))
}

func (d *depthwiseCut) items() int { return (d.units() + d.each() - 1) / d.each() }

// depthwiseTask is the forward pass, or the gradient of the data.
type depthwiseTask struct {
	depthwiseCut
	engine     *gemm.Engine
	loops      *depthwise.Loops
	dst, src   []float32
	w, bias    []float32
	activation device.Activation
	m          device.Mode
	at, taps   []int // of each phase, what a tap adds to a place among the pixels, and its number
}

func (q *queue) depthwiseForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue) {
	q.depthwise = depthwiseTask{
		depthwiseCut: newDepthwise(&c, device.Forward), dst: floats(y), src: floats(x), w: floats(w.Tensor),
		bias: floats(e.Bias), activation: e.Activation,
	}
	q.depthwiseRun()
}

func (q *queue) depthwiseBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode) {
	q.depthwise = depthwiseTask{
		depthwiseCut: newDepthwise(&c, device.BackwardData), dst: floats(dx), src: floats(dy), w: floats(w.Tensor), m: m,
	}
	q.depthwiseRun()
}

func (q *queue) depthwiseRun() {
	t := &q.depthwise
	t.engine, t.loops = q.engine, depthwise.Named(q.engine.Tile.Name)
	t.at, t.taps = q.depthwiseSteps(&t.depthwiseCut)
	runWithScratch(q, t, t.items(), t.room())
}

// depthwiseSteps has room for what taps add, and their numbers.
func (q *queue) depthwiseSteps(d *depthwiseCut) (at, taps []int) {
	n := d.c.R * d.c.S * d.multiple
	if 2*n > len(q.convSteps) {
		q.convSteps = make([]int, 2*n)
	}
	at, taps = q.convSteps[:n:n], q.convSteps[n:2*n]
	c, i := &d.c, 0
	if d.pass != device.BackwardData {
		for r := range c.R {
			for s := range c.S {
				v, u := r*c.DilationH, s*c.DilationW
				phase := v%c.StrideH*c.StrideW + u%c.StrideW
				at[i] = (phase*d.rows+v/c.StrideH)*d.pitch + u/c.StrideW
				i++
			}
		}
		return at[:i], nil
	}
	for phase := range d.phases {
		for k := range d.multiple {
			for r := range c.R {
				for s := range c.S {
					v, u := r*c.DilationH, s*c.DilationW
					if v%c.StrideH*c.StrideW+u%c.StrideW == phase {
						at[i] = (k*d.rows+d.tall-v/c.StrideH)*d.pitch + d.wide - u/c.StrideW
						taps[i] = (k*c.R+r)*c.S + s
						i++
					}
				}
			}
		}
	}
	return at, taps
}

func (t *depthwiseTask) Run(item, worker int) {
	room := t.engine.Scratch(worker, t.room())
	x, out := room[:t.in()], room[t.in():]
	for unit := item * t.each(); unit < min((item+1)*t.each(), t.units()); unit++ {
		plane, first := unit/t.bands, unit%t.bands*t.band
		lines := min(t.band, t.lines-first)
		if t.pass == device.Forward {
			t.forward(x, out, plane, first, lines)
		} else {
			t.backward(x, out, plane, first, lines)
		}
	}
}

// forward is some lines of the outputs of a channel of a sample.
func (t *depthwiseTask) forward(x, y []float32, plane, first, lines int) {
	c := &t.c
	t.strided(t.loops, x, t.src[plane*c.H*c.W:], first)
	taps, size := c.R*c.S, t.lines*t.columns
	n := roundUp(lines*t.pitch, depthwise.Width)
	for k := range t.multiple {
		filter := plane%c.C*t.multiple + k
		start := float32(0)
		if t.bias != nil {
			start = t.bias[filter]
		}
		t.loops.Correlate(y[:n], x, t.w[filter*taps:][:taps], t.at, start)
		if t.activation.On {
			t.engine.Tile.Loops.Unary(t.activation.Unary, y[:n], y[:n])
		}
		dst := t.dst[(plane*t.multiple+k)*size:][:size]
		for i := range lines {
			copy(dst[(first+i)*t.columns:][:t.columns], y[i*t.pitch:])
		}
	}
}

// backward is the rows of dx, of one channel of a sample, that some lines of all phases have.
func (t *depthwiseTask) backward(x, out []float32, plane, first, lines int) {
	c, taps := &t.c, t.c.R*t.c.S*t.multiple
	outH, outW := c.OutH(), c.OutW()
	for k := range t.multiple {
		// Row i of the pixels is row first+i-tall of dy.
		pixels := x[k*t.rows*t.pitch:][:t.rows*t.pitch]
		dy := t.src[(plane*t.multiple+k)*outH*outW:][:outH*outW]
		for i := range t.rows {
			row, from := pixels[i*t.pitch:][:t.pitch], first+i-t.tall
			if from < 0 || from >= outH {
				clear(row)
				continue
			}
			clear(row[:t.wide])
			clear(row[t.wide+copy(row[t.wide:], dy[from*outW:][:outW]):])
		}
	}
	n, size := roundUp(lines*t.pitch, depthwise.Width), t.out()
	merged, w := out[t.phases*size:], out[t.phases*size+t.merged():][:taps]
	for i, tap := range t.taps {
		w[i] = t.w[plane%c.C*taps+tap]
	}
	done := 0
	for phase := range t.phases {
		of := t.phaseTaps(phase)
		t.loops.Correlate(out[phase*size:][:n], x, w[done:done+of], t.at[done:done+of], 0)
		done += of
	}
	dx := t.dst[plane*c.H*c.W:][:c.H*c.W]
	for i := range lines {
		for a := range c.StrideH {
			to := (first+i)*c.StrideH + a - c.PadTop
			if to < 0 || to >= c.H {
				continue
			}
			row := t.merge(merged, out[a*c.StrideW*size+i*t.pitch:], size)[c.PadLeft:][:c.W]
			if t.m == device.Accumulate {
				t.engine.Tile.Loops.Add(dx[to*c.W:][:c.W], dx[to*c.W:][:c.W], row)
			} else {
				copy(dx[to*c.W:][:c.W], row)
			}
		}
	}
}

// phaseTaps is the number of taps, of all outputs of a channel, that meet a phase.
func (d *depthwiseCut) phaseTaps(phase int) int {
	count := func(taps, dilation, stride, phase int) (n int) {
		for i := range taps {
			if i*dilation%stride == phase {
				n++
			}
		}
		return n
	}
	c := &d.c
	return d.multiple * count(c.R, c.DilationH, c.StrideH, phase/c.StrideW) * count(c.S, c.DilationW, c.StrideW, phase%c.StrideW)
}

// merge is a row of pixels of rows of the phases, which lie apart.
func (t *depthwiseTask) merge(row, phases []float32, apart int) []float32 {
	switch t.c.StrideW {
	case 1:
		return phases
	case 2:
		n := roundUp(t.columns, depthwise.Width)
		t.loops.Merge(row[:2*n], phases[:n], phases[apart:][:n])
	default:
		for b := range t.c.StrideW {
			for j, v := range phases[b*apart:][:t.columns] {
				row[j*t.c.StrideW+b] = v
			}
		}
	}
	return row
}

// strided copies the pixels under lines from first on, phase by phase, with their padding,
// and clears what vectors may read behind them.
func (d *depthwiseCut) strided(loops *depthwise.Loops, x, plane []float32, first int) {
	c := &d.c
	plane = plane[:c.H*c.W]
	for a := range c.StrideH {
		phases := x[a*c.StrideW*d.rows*d.pitch:]
		if a >= device.Extent(c.R, c.DilationH) { // no tap sees it
			clear(phases)
			break
		}
		for i := range d.rows {
			to, from := phases[i*d.pitch:], (first+i)*c.StrideH+a-c.PadTop
			if from < 0 || from >= c.H {
				for b := range c.StrideW {
					clear(to[b*d.rows*d.pitch:][:d.pitch])
				}
				continue
			}
			d.stridedRow(loops, to, plane[from*c.W:], (d.rows-i)*d.pitch)
		}
	}
	clear(x[d.phases*d.rows*d.pitch:])
}

// stridedRow copies a row of pixels, behind which others may lie, into rows of the phases,
// behind which there is so much room that is written later.
func (d *depthwiseCut) stridedRow(loops *depthwise.Loops, to, row []float32, room int) {
	c := &d.c
	apart, copied := d.rows*d.pitch, 0
	if c.StrideW == 1 {
		to = to[:d.pitch]
		left := min(c.PadLeft, d.pitch)
		clear(to[:left])
		clear(to[left+copy(to[left:], row[:c.W]):])
		return
	}
	if left := (c.PadLeft + 1) / 2; c.StrideW == 2 && left < d.pitch {
		// Even pixels go to the phase of the padding, odd ones to the other.
		even, odd := to[c.PadLeft/2:], to[apart+left:]
		if c.PadLeft%2 > 0 {
			even, odd = to[apart+c.PadLeft/2:], to[left:]
		}
		pairs := min((c.W+1)/2, d.pitch-left)
		n := roundUp(pairs, depthwise.Width)
		if left+n > room || 2*n > len(row) {
			n -= depthwise.Width
		}
		if n > 0 {
			loops.Split(even[:n], odd[:n], row[:2*n])
			copied = min(2*n, c.W)
		}
	}
	for b := range c.StrideW {
		to := to[b*apart:][:d.pitch]
		// Pixel j of the phase is pixel j*stride+b-pad of the row.
		from, end := d.phasePlace(0, b), d.phasePlace(c.W, b)
		clear(to[:from])
		for j := d.phasePlace(copied, b); j < end; j++ {
			to[j] = row[j*c.StrideW+b-c.PadLeft]
		}
		clear(to[end:])
	}
}

// phasePlace is the first place in a row of phase b whose pixel is not before that of a
// number, at most the pitch.
func (d *depthwiseCut) phasePlace(pixel, b int) int {
	return min(d.pitch, max(0, (pixel+d.c.PadLeft-b+d.c.StrideW-1)/d.c.StrideW))
}
