package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// windows is what a product of a convolution sees of images: planes of h by w
// pixels, zero outside, and over each outH by outW windows of r by s taps.
// Window (i,j) begins at pixel (i*strideH-top, j*strideW-left); its taps lie
// stepH and stepW apart, and with turned the first tap is the window's last
// pixel: going back over a convolution turns the filter around.
//
// Taps are in the order (r,c,s), c being the channel: then the taps that only
// see padding above or below an image lie together at an end.
type windows struct {
	channels         int // of a sample
	h, w             int
	outH, outW       int
	strideH, strideW int
	top, left        int // may be negative: windows that begin inside
	r, s             int
	stepH, stepW     int
	turned           bool
}

// newWindows are the windows of a convolution over its input.
func newWindows(c *device.Conv) windows {
	return windows{
		channels: c.C, h: c.H, w: c.W, outH: c.OutH(), outW: c.OutW(),
		strideH: c.StrideH, strideW: c.StrideW, top: c.PadTop, left: c.PadLeft,
		r: c.R, s: c.S, stepH: c.DilationH, stepW: c.DilationW,
	}
}

// block is some windows: of whole samples, or some rows of one, or a piece of
// one row.
type block struct {
	samples, lines, columns int
	sample, line, column    int // of the first
}

// move moves a largest block to its place, and makes it smaller at an end.
func (b *block) move(g *windows, deep, down, across, samples int) {
	b.sample, b.line, b.column = deep*b.samples, down*b.lines, across*b.columns
	b.samples = min(b.samples, samples-b.sample)
	b.lines = min(b.lines, g.outH-b.line)
	b.columns = min(b.columns, g.outW-b.column)
}

// each is the number of windows of a sample.
func (b *block) each() int { return b.lines * b.columns }

// apart is how far rows of windows lie apart in a copy of the pixels, and every how many
// rows of the image one is copied: of windows of one row, the rows between them are not.
func (g *windows) apart() (lines, every int) {
	if g.r <= 1 {
		return 1, g.strideH
	}
	return g.strideH, 1
}

// extent is the height and width of the pixels that are copied for windows of a plane.
func (g *windows) extent(lines, columns int) (h, w int) {
	down, _ := g.apart()
	return (lines-1)*down + device.Extent(max(g.r, 1), g.stepH), (columns-1)*g.strideW + device.Extent(max(g.s, 1), g.stepW)
}

// cut returns blocks of at most limit windows, over pixels of at most room
// elements in a number of channels. A block of one row may need more room.
func (g *windows) cut(limit, room, channels int) block {
	if g.outW > limit {
		_, columns := evenly(g.outW, limit, 1)
		return block{samples: 1, lines: 1, columns: columns}
	}
	b := block{samples: 1, lines: min(g.outH, limit/g.outW), columns: g.outW}
	for ; b.lines > 1 && b.copied(g, channels) > room; b.lines-- {
	}
	if b.lines < g.outH {
		_, b.lines = evenly(g.outH, b.lines, 1)
		return b
	}
	b.samples = max(1, min(limit/b.each(), room/b.copied(g, channels)))
	return b
}

// copied is the elements of the pixels under the windows, in whole cache lines:
// samples of h rows, each of w pixels of every channel, and w more. No product
// reads past the samples, whatever stride, padding and dilation are. Window (i,j),
// for i < lines and j < columns, sees through tap (r,s) the pixel in row
//
//	i*down + r*stepH <= (lines-1)*down + (g.r-1)*stepH = h-1
//
// where down is that of apart, and, likewise, in a column of at most w-1, which is what
// places and tap add up to; and a product that begins at a row of windows (inside) or of
// taps (seen)
// begins at one there is. The w more are for copy: a row of the image is written
// from column left < w on and as long as a row of the copy, so that the zeros
// behind the last one go past the samples by left elements.
func (b *block) copied(g *windows, channels int) int {
	h, w := g.extent(b.lines, b.columns)
	return roundUp(b.samples*channels*h*w+w, 16)
}

// evenly cuts n into parts of at most limit, all but the last of one length,
// a multiple of to.
func evenly(n, limit, to int) (parts, length int) {
	parts = (n + limit - 1) / limit
	length = roundUp((n+parts-1)/parts, to)
	return (n + length - 1) / length, length
}

// pixels is how the pixels under the windows of a block lie, for some
// channels: row after row, and in a row channel after channel.
type pixels struct {
	channels, height, width int
	sample, line            int // distance of two
}

// under is how the pixels under a block lie. Under a smaller one, at an end,
// they lie the same way.
func (g *windows) under(b *block, channels int) pixels {
	h, w := g.extent(b.lines, b.columns)
	return pixels{channels: channels, height: h, width: w, sample: h * channels * w, line: channels * w}
}

// copy writes the pixels of channels from first into x, zero in the padding.
func (g *windows) copy(t *gemm.Tile, x, src []float32, b *block, first int, p *pixels) {
	_, every := g.apart()
	h, w := b.line*g.strideH-g.top, b.column*g.strideW-g.left
	top, left := max(0, -h+every-1)/every, max(0, -w)
	lines, n := min(p.height, (g.h-h+every-1)/every)-top, min(p.width, g.w-w)-left
	if lines < p.height || n < p.width {
		clear(x[:b.samples*p.sample])
	}
	if n <= 0 {
		return
	}
	for sample := range b.samples {
		for line := top; line < top+lines; line++ {
			from := (((b.sample+sample)*g.channels+first)*g.h+h+line*every)*g.w + w + left
			// The zeros right of a row are those left of the next.
			t.PackColumns(x[sample*p.sample+line*p.line+left:], src[from:], p.width, n, p.channels, g.h*g.w)
		}
	}
}

// places writes where the windows of a block begin among the pixels, in
// bytes, and returns their number.
func (g *windows) places(dst []int, b *block, p *pixels) int {
	n := 0
	down, _ := g.apart()
	for sample := range b.samples {
		for i := range b.lines {
			at := 4 * (sample*p.sample + i*down*p.line)
			for range b.columns {
				dst[n] = at
				at += 4 * g.strideW
				n++
			}
		}
	}
	return n
}

// taps writes where taps from first lie among the pixels, in bytes, counted
// from where a window begins.
func (g *windows) taps(dst []int, first int, p *pixels) {
	if len(dst) == 0 {
		return
	}
	r, c, s := g.split(first, p)
	for i := range dst {
		dst[i] = g.tap(r, c, s, p)
		if s++; s == g.s {
			s = 0
			if c++; c == p.channels {
				c = 0
				r++
			}
		}
	}
}

// split is the row, the channel and the column of a tap.
func (g *windows) split(tap int, p *pixels) (r, c, s int) {
	return tap / g.s / p.channels, tap / g.s % p.channels, tap % g.s
}

func (g *windows) tap(r, c, s int, p *pixels) int {
	if g.turned {
		r, s = g.r-1-r, g.s-1-s
	}
	return 4 * (r*g.stepH*p.line + c*p.width + s*g.stepW)
}

// inside is the rows of a block's windows that have one of the rows of taps
// from first to last in the plane; the others see nothing but padding. Of
// several samples it is all. Where there is none it is 0 and 0: row lines, where a
// search from above would end, need not begin in the copy of the pixels.
func (g *windows) inside(b *block, first, last int) (from, to int) {
	if b.samples > 1 {
		return 0, b.samples * b.lines
	}
	h := b.line*g.strideH - g.top
	from = min(b.lines, max(0, -h-last*g.stepH+g.strideH-1)/g.strideH)
	if below := g.h - 1 - h - first*g.stepH; below >= 0 {
		to = min(b.lines, below/g.strideH+1)
	}
	if from >= to {
		return 0, 0
	}
	return from, to
}

// seen is the rows of taps that one of the rows of windows from first to last
// has in the plane.
func (g *windows) seen(b *block, first, last int) (from, to int) {
	top := (b.line+first)*g.strideH - g.top
	bottom := (b.line+last)*g.strideH - g.top
	from = min(g.r, max(0, -bottom+g.stepH-1)/g.stepH)
	if below := g.h - 1 - top; below >= 0 {
		to = min(g.r, below/g.stepH+1)
	}
	to = max(from, to)
	if g.turned {
		from, to = g.r-to, g.r-from
	}
	return from, to
}

// steps makes distances of places, of each to the next.
func steps(places []int) {
	for i := range max(0, len(places)-1) {
		places[i] = places[i+1] - places[i]
	}
}
