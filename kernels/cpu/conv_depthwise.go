package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/depthwise"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// A depthwise convolution has one input channel in each group. A matrix product would have
// one column then; instead planes of pixels are copied with their padding and, where the
// stride is not 1, by phases: pixels stride apart lie together. Then each tap of the filter
// sees a plane that is shifted, and an output is a sum of shifted planes (package depthwise).
//
// The gradient of the data is the same with planes of dy, for each phase of dx. The gradient
// of the weights is the dot product of dy with each shifted plane.

// The largest stride, and the most outputs of a channel: up to here shifted planes are at
// least as quick as a product (BenchmarkConv/outputs); the most elements that a worker
// needs; those that stay in its first-level cache; and the multiply-adds that are worth an
// item.
const (
	depthwiseStride  = 4
	depthwiseOutputs = 16
	depthwiseRoom    = 1 << 20
	depthwiseBlock   = 8 << 10
	depthwiseWork    = 64 << 10
)

// usesDepthwise reports whether a convolution is depthwise and of a usual size.
func usesDepthwise(c *device.Conv) bool {
	if c.Groups != c.C || c.K/c.Groups > depthwiseOutputs || c.StrideH > depthwiseStride || c.StrideW > depthwiseStride {
		return false
	}
	for _, pass := range []device.Pass{device.Forward, device.BackwardData, device.BackwardFilter} {
		if d := newDepthwise(c, pass); d.room() > depthwiseRoom {
			return false
		}
	}
	return true
}

// depthwiseCut is how a pass is cut into units: some channels of a sample or, where a plane
// is large, a band of lines of one. A line is one row of outputs or, for the gradient of the
// data, of each phase of dx.
type depthwiseCut struct {
	c              device.Conv
	pass           device.Pass
	multiple       int // outputs of a channel
	phases         int
	tall, wide     int // how far taps reach down and across a phase
	lines, columns int // of a plane
	band, bands    int // lines of a band
	channels       int // of a unit
	most           int // units of an item
	rows           int // of pixels under a band
	pitch          int // from row to row, of pixels and of outputs
}

func newDepthwise(c *device.Conv, pass device.Pass) depthwiseCut {
	d := depthwiseCut{
		c: *c, pass: pass, multiple: c.K / c.Groups, phases: c.StrideH * c.StrideW,
		tall: (device.Extent(c.R, c.DilationH) - 1) / c.StrideH, wide: (device.Extent(c.S, c.DilationW) - 1) / c.StrideW,
		lines: c.OutH(), columns: c.OutW(), channels: 1,
	}
	if pass == device.BackwardData {
		d.lines, d.columns = (c.H-1+c.PadTop)/c.StrideH+1, (c.W-1+c.PadLeft)/c.StrideW+1
	}
	d.pitch = d.columns + d.wide
	d.bands, d.band = evenly(d.lines, max(1, depthwiseBlock/((d.phases+1)*d.pitch)-d.tall), 1)
	d.rows = d.band + d.tall
	if d.bands == 1 {
		d.channels = min(c.C, max(1, depthwiseBlock/(d.in()+d.out())))
	}
	return d
}

// planes are the pixels of a channel, in so many planes, and outputs what is made of them.
func (d *depthwiseCut) planes() int {
	if d.pass == device.BackwardData {
		return d.multiple
	}
	return d.phases
}

func (d *depthwiseCut) outputs() int {
	if d.pass == device.BackwardData {
		return d.phases
	}
	return d.multiple
}

// plane is the elements of a plane of pixels, with zeros for vectors that go past its end,
// and output those of one of outputs.
func (d *depthwiseCut) plane() int { return d.rows*d.pitch + d.wide + 3*depthwise.Width }

func (d *depthwiseCut) output() int { return d.band*d.pitch + 3*depthwise.Width }

// in and out are the elements of a channel.
func (d *depthwiseCut) in() int { return d.planes() * d.plane() }

func (d *depthwiseCut) out() int { return d.outputs() * d.output() }

// room is the elements that a worker needs: for pixels, outputs and, in the gradients,
// weights and a row of pixels, or sums.
func (d *depthwiseCut) room() int {
	taps := d.c.R * d.c.S * d.multiple
	room := d.channels*(d.in()+d.out()) + depthwise.Width
	switch d.pass {
	case device.BackwardData:
		room += d.channels*taps + d.c.W
	case device.BackwardFilter:
		room += taps * depthwise.Width
	}
	return room
}

// blocks are the units of a band of a sample.
func (d *depthwiseCut) blocks() int { return (d.c.C + d.channels - 1) / d.channels }

func (d *depthwiseCut) units() int { return d.c.N * d.blocks() * d.bands }

// each is the units of an item.
func (d *depthwiseCut) each() int {
	each := max(1, depthwiseWork/(d.channels*d.band*d.pitch*d.multiple*max(4, d.c.R*d.c.S)))
	if d.most > 0 {
		each = min(each, d.most)
	}
	return each
}

// spread cuts finer where workers are more than items: what a channel gives does not depend
// on those beside it.
func (d *depthwiseCut) spread(workers int) {
	if d.items() >= workers {
		return
	}
	if d.units() < workers && d.bands == 1 {
		d.channels = max(1, min(d.channels, d.c.N*d.c.C/workers))
	}
	d.most = max(1, d.units()/workers)
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
	maps       epilogue
	m          device.Mode
	at, taps   []int // what a tap adds to a place among the pixels, and its number
}

func (q *queue) depthwiseForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, maps epilogue) {
	q.depthwise = depthwiseTask{
		depthwiseCut: newDepthwise(&c, device.Forward), dst: floats(y), src: floats(x), w: floats(w.Tensor),
		bias: floats(e.Bias), activation: e.Activation, maps: maps,
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
	if workers := q.engine.CutFor; workers > gemm.FewWorkers {
		t.spread(workers)
	}
	runWithScratch(q, t, t.items(), t.maps.room(t.room(), 0))
}

// depthwiseSteps are what the taps add to a place, and their numbers. Those of the gradient
// of the data are in the order of the phases that they meet.
func (q *queue) depthwiseSteps(d *depthwiseCut) (at, taps []int) {
	c := &d.c
	n := c.R * c.S * d.multiple
	if 2*n > len(q.convSteps) {
		q.convSteps = make([]int, 2*n)
	}
	at, taps = q.convSteps[:0:n], q.convSteps[n:n:2*n]
	phases, multiple := d.phases, d.multiple
	if d.pass != device.BackwardData {
		phases, multiple = 1, 1
	}
	for phase := range phases {
		for k := range multiple {
			for r := range c.R {
				for s := range c.S {
					v, u := r*c.DilationH, s*c.DilationW
					meets := v%c.StrideH*c.StrideW + u%c.StrideW
					v, u = v/c.StrideH, u/c.StrideW
					switch {
					case d.pass != device.BackwardData:
						at = append(at, meets*d.plane()+v*d.pitch+u)
					case meets == phase:
						at = append(at, k*d.plane()+(d.tall-v)*d.pitch+d.wide-u)
						taps = append(taps, (k*c.R+r)*c.S+s)
					}
				}
			}
		}
	}
	return at, taps
}

func (t *depthwiseTask) Run(item, worker int) {
	room := t.engine.Scratch(worker, t.room())
	begin, end := 0, 0 // of outputs that lie together: units of whole planes do
	for unit := item * t.each(); unit < min((item+1)*t.each(), t.units()); unit++ {
		first, block := unit%t.bands*t.band, unit/t.bands
		sample, channel := block/t.blocks(), block%t.blocks()*t.channels
		channels, lines := min(t.channels, t.c.C-channel), min(t.band, t.lines-first)
		if t.pass == device.Forward {
			t.forward(room, sample, channel, channels, first, lines)
			plane := t.lines * t.columns
			at := (sample*t.c.C+channel)*t.multiple*plane + first*t.columns
			switch {
			case t.bands > 1:
				t.maps.rows(worker, at, lines*t.columns, channels*t.multiple, plane)
			case end == 0:
				begin = at
			}
			end = at + channels*t.multiple*plane
		} else {
			t.backward(room, sample, channel, channels, first, lines)
		}
	}
	if t.bands == 1 {
		t.maps.rows(worker, begin, end-begin, 1, end-begin)
	}
}

// forward is some lines of the outputs of some channels of a sample.
func (t *depthwiseTask) forward(room []float32, sample, channel, channels, first, lines int) {
	c, taps := &t.c, t.c.R*t.c.S
	x, y := room[:channels*t.in()], room[channels*t.in():][:channels*t.out()]
	plane := sample*c.C + channel
	t.pad(t.loops, x, t.src[plane*c.H*c.W:], channels, c.H*c.W, first)

	filter, filters := channel*t.multiple, channels*t.multiple
	n := roundUp(lines*t.pitch, depthwise.Width)
	w, bias := t.w[filter*taps:][:filters*taps], []float32(nil)
	if t.bias != nil {
		bias = t.bias[filter:][:filters]
	}
	if t.multiple == 1 {
		t.loops.Correlate(y, x, w, t.at, bias, n, depthwise.Planes{Count: channels, Y: t.output(), X: t.in()})
	} else {
		for i := range channels {
			var own []float32
			if bias != nil {
				own = bias[i*t.multiple:]
			}
			t.loops.Correlate(y[i*t.out():], x[i*t.in():], w[i*t.multiple*taps:], t.at, own, n, depthwise.Planes{Count: t.multiple, Y: t.output()})
		}
	}
	if t.activation.On {
		for i := range filters {
			y := y[i*t.output():][:n]
			t.engine.Tile.Loops.Unary(t.activation.Unary, y, y)
		}
	}
	size := t.lines * t.columns
	t.loops.Unpad(t.dst[plane*t.multiple*size+first*t.columns:], y, depthwise.Rows{
		Planes: filters, Rows: lines, Width: t.columns, Next: t.columns, NextPlane: size, Pitch: t.pitch, Plane: t.output(),
	})
}

// backward is the rows of dx, of some channels of a sample, that some lines of all phases
// have.
func (t *depthwiseTask) backward(room []float32, sample, channel, channels, first, lines int) {
	c, taps := &t.c, t.c.R*t.c.S*t.multiple
	x, room := room[:channels*t.in()], room[channels*t.in():]
	out, room := room[:channels*t.out()], room[channels*t.out():]
	plane, outH, outW := sample*c.C+channel, c.OutH(), c.OutW()

	// Row i of the pixels is row first+i-tall of dy.
	from, to := min(t.rows, max(0, t.tall-first)), min(t.rows, outH+t.tall-first)
	r := depthwise.Rows{
		Planes: channels * t.multiple, Rows: max(0, to-from), Width: min(outW, t.columns), Next: outW, NextPlane: outH * outW,
		Head: from * t.pitch, Left: t.wide, Pitch: t.pitch, Plane: t.plane(),
	}
	r.Tail = t.plane() - 2*depthwise.Width - r.Head - r.Rows*r.Pitch
	at := plane * t.multiple * outH * outW
	if r.Rows > 0 {
		at += (first + from - t.tall) * outW
	}
	t.loops.Pad(x, t.src[at:], r)

	w := t.w[channel*taps:][:channels*taps]
	n, done := roundUp(lines*t.pitch, depthwise.Width), 0
	for phase := range t.phases {
		of := t.phaseTaps(phase)
		if t.phases > 1 {
			for i := range channels {
				for j, tap := range t.taps[done : done+of] {
					room[i*of+j] = t.w[(channel+i)*taps+tap]
				}
			}
			w = room[:channels*of]
		}
		t.loops.Correlate(out[phase*t.output():], x, w, t.at[done:done+of], nil, n, depthwise.Planes{Count: channels, Y: t.out(), X: t.in()})
		done += of
	}
	for a := range c.StrideH {
		t.store(out, room, plane, channels, first, lines, a)
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

// store writes the rows of dx that some lines of the phases with row a have.
func (t *depthwiseTask) store(out, row []float32, plane, channels, first, lines, a int) {
	c := &t.c
	// Line i is row (first+i)*stride+a-pad of dx.
	from, to := phasePlace(0, c.PadTop, a, c.StrideH)-first, phasePlace(c.H, c.PadTop, a, c.StrideH)-first
	from, to = max(0, from), min(lines, to)
	if from >= to {
		return
	}
	dx := t.dst[plane*c.H*c.W+((first+from)*c.StrideH+a-c.PadTop)*c.W:]
	r := depthwise.Rows{
		Planes: channels, Rows: to - from, Width: c.W, Next: c.StrideH * c.W, NextPlane: c.H * c.W, Pitch: t.pitch, Plane: t.out(),
	}
	phases := out[a*c.StrideW*t.output()+from*t.pitch:]
	if t.m == device.Overwrite {
		t.unpad(dx, phases, r)
		return
	}
	one := depthwise.Rows{Planes: 1, Rows: 1, Width: c.W}
	for i := range channels {
		for k := range r.Rows {
			t.unpad(row[:c.W], phases[i*r.Plane+k*r.Pitch:], one)
			dx := dx[i*r.NextPlane+k*r.Next:][:c.W]
			t.engine.Tile.Loops.Add(dx, dx, row[:c.W])
		}
	}
}

// unpad copies rows of the phases into rows of dx, where the pixels of all columns are.
func (t *depthwiseTask) unpad(dx, phases []float32, r depthwise.Rows) {
	pad, stride := t.c.PadLeft, t.c.StrideW
	switch stride {
	case 1:
		t.loops.Unpad(dx, phases[pad:], r)
	case 2:
		t.loops.Merge(dx, phases[pad%2*t.output()+pad/2:], phases[(pad+1)%2*t.output()+(pad+1)/2:], r)
	default:
		for i := range r.Planes {
			for k := range r.Rows {
				row := dx[i*r.NextPlane+k*r.Next:][:r.Width]
				for j := range row {
					row[j] = phases[i*r.Plane+(j+pad)%stride*t.output()+k*r.Pitch+(j+pad)/stride]
				}
			}
		}
	}
}

// phasePlace is the first place of phase b along an axis whose pixel, place*stride+b-pad, is
// not before that of a number.
func phasePlace(pixel, pad, b, stride int) int { return max(0, (pixel+pad-b+stride-1)/stride) }

// pad copies the pixels under lines from first on, of so many planes that lie apart, phase by
// phase, with their padding.
func (d *depthwiseCut) pad(loops *depthwise.Loops, x, image []float32, planes, apart, first int) {
	c := &d.c
	for a := range c.StrideH {
		// Row i of the phase is row (first+i)*stride+a-pad of the image.
		from := min(d.rows, max(0, phasePlace(0, c.PadTop, a, c.StrideH)-first))
		to := min(d.rows, phasePlace(c.H, c.PadTop, a, c.StrideH)-first)
		r := depthwise.Rows{
			Planes: planes, Rows: max(0, to-from), Width: c.W, Next: c.StrideH * c.W, NextPlane: apart,
			Head: from * d.pitch, Pitch: d.pitch, Plane: d.in(),
		}
		r.Tail = d.plane() - 2*depthwise.Width - r.Head - r.Rows*r.Pitch
		image := image
		if r.Rows > 0 {
			image = image[((first+from)*c.StrideH+a-c.PadTop)*c.W:]
		}
		phases := x[a*c.StrideW*d.plane():]
		left := func(b int) int { return min(d.pitch, phasePlace(0, c.PadLeft, b, c.StrideW)) }
		switch c.StrideW {
		case 1:
			r.Left = left(0)
			r.Width = min(c.W, d.pitch-r.Left)
			loops.Pad(phases, image, r)
		case 2:
			even := c.PadLeft % 2
			r.Left, r.LeftOdd = left(even), left(1-even)
			r.Width = min(c.W, 2*(d.pitch-min(r.Left, r.LeftOdd)))
			loops.Split(phases[even*d.plane():], phases[(1-even)*d.plane():], image, r)
		default:
			for b := range c.StrideW {
				r.Left = left(b)
				pixel := r.Left*c.StrideW + b - c.PadLeft
				r.Width = min(c.W, pixel+(d.pitch-r.Left)*c.StrideW)
				depthwise.PadEvery(phases[b*d.plane():], image, r, r.Left, pixel, c.StrideW)
			}
		}
	}
}
