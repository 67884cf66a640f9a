package cuda

import (
	"cmp"
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// convTiles is the tiles of conv.cuh. The first and, in float32, the last have no
// kernel for taps, since only first layers have few channels.
var convTiles = [arithmetics][]tile{
	{
		{m: 128, n: 128, threads: 256, resident: 2, efficiency: 0.87},
		{m: 96, n: 128, threads: 128, resident: 3, efficiency: 0.87},
		{m: 64, n: 64, threads: 64, resident: 6, efficiency: 0.75},
		{m: 32, n: 64, threads: 64, resident: 10, efficiency: 0.55},
		{m: 48, n: 128, threads: 128, resident: 4, efficiency: 0.74},
	}, {
		{m: 128, n: 128, threads: 128, resident: 2, efficiency: 0.85},
		{m: 96, n: 128, threads: 128, resident: 3, efficiency: 0.8},
		{m: 64, n: 64, threads: 64, resident: 8, efficiency: 0.65},
		{m: 32, n: 64, threads: 64, resident: 12, efficiency: 0.45},
	},
}

const (
	tallTile      = 1 // has a kernel for windows that lie inside the image too
	lowTile       = 4 // has none for taps
	mostConvTiles = 5
)

// convKernels are the kernels of conv.cuh, by tile.
type convKernels struct {
	pack           driver.Function
	channels, taps [mostConvTiles]driver.Function
	inside         driver.Function
}

// products names the kernels of an arithmetic.
func (k *convKernels) products(a arithmetic) map[string]*driver.Function {
	names := map[string]*driver.Function{}
	for i, t := range convTiles[a] {
		name := fmt.Sprintf("conv%s_%dx%d_", a.suffix(), t.m, t.n)
		names[name+"channels"] = &k.channels[i]
		if i > 0 && i < lowTile {
			names[name+"taps"] = &k.taps[i]
		}
		if i == tallTile {
			names[name+"inside"] = &k.inside
		}
	}
	return names
}

func (k *convKernels) declare(d driver.Driver, a arithmetic) {
	declare(d, "conv"+a.suffix(), k.products(a))
	declare(d, "conv_pack", map[string]*driver.Function{"conv_pack": &k.pack})
}

// convProduct is the forward pass or the gradient of the data as a matrix
// product, for each group: weights [rows, channels x taps] times patches of the
// pass's input.
//
// The gradient of the data multiplies weights [C,(k,r,s)] with patches of dy,
// for each phase of pixels (device.Conv.Phase).
type convProduct struct {
	c              device.Conv
	pass           device.Pass
	rows, channels int // output and input channels of a group
	phases         int // 1 for the forward pass

	inH, inW, outH, outW int // of the pass
}

func newConvProduct(c device.Conv, pass device.Pass) convProduct {
	c = c.Bounded()
	p := convProduct{c: c, pass: pass, rows: c.K / c.Groups, channels: c.C / c.Groups, phases: 1,
		inH: c.H, inW: c.W, outH: c.OutH(), outW: c.OutW()}
	if pass == device.BackwardData {
		p.rows, p.channels = p.channels, p.rows
		p.inH, p.inW, p.outH, p.outW = p.outH, p.outW, p.inH, p.inW
		p.phases = c.Phases()
	}
	return p
}

// fits says why the kernels cannot index a convolution, if so: offsets within a
// sample, and numbers of pixels, are kept in 32 bits.
func (p *convProduct) fits() error {
	const maxElements, maxPlane, maxGroups = 1<<31 - 256, 1 << 24, 65535
	c := &p.c
	in, out := int64(p.inH)*int64(p.inW), int64(p.outH)*int64(p.outW)
	// Where a window begins and how far a tap lies from that may be outside of
	// the image by its padding.
	height, width := int64(c.H+c.PadTop+c.PadBottom), int64(c.W+c.PadLeft+c.PadRight)
	switch {
	case max(in, out) > maxPlane:
		return fmt.Errorf("an image of %dx%d is larger than %d pixels", max(p.inH, p.outH), max(p.inW, p.outW), maxPlane)
	case height > maxPlane || width > maxPlane || height*width > maxPlane:
		return fmt.Errorf("an image of %dx%d with its padding is larger than %d pixels", height, width, maxPlane)
	case max(in*int64(p.channels), out*int64(p.rows))*int64(c.Groups)+height*width > maxElements:
		return fmt.Errorf("a sample is larger than %d elements", maxElements)
	case int64(c.N)*max(in, out) > maxElements:
		return fmt.Errorf("a batch of %d has more than %d pixels", c.N, maxElements)
	case int64(device.Elements(c.WShape())) > maxElements || roundUp(int64(p.depth()), sliceDepth)*int64(p.padded()) > maxElements:
		return fmt.Errorf("more than %d weights", maxElements)
	case c.Groups > maxGroups:
		return fmt.Errorf("%d groups are more than %d", c.Groups, maxGroups)
	}
	return nil
}

// packedFits says why the kernels cannot read packed weights, if so: they load
// four at a time, and entries of the table of taps.
func packedFits(packed driver.Ptr) error {
	if packed%16 != 0 {
		return fmt.Errorf("packed weights begin at %#x, which is no multiple of 16 bytes: Traits.Alignment is enough", uint64(packed))
	}
	return nil
}

// depth is the sum's of a phase with all taps.
func (p *convProduct) depth() int { return p.channels * p.c.R * p.c.S }

// padded is the row of packed weights, for loads of four.
func (p *convProduct) padded() int { return ceil(p.rows, 4) * 4 }

// byChannels reports whether a slice is one tap of eight channels.
func (p *convProduct) byChannels() bool { return p.channels%sliceDepth == 0 }

// convPhase is the pixels of a phase with their taps, as a product.
type convPhase struct {
	h, w          axis
	taps          int
	depth, padded int // of the sum, and rounded up to slices
	pixels        int // of a sample
	table, bytes  int64
}

// phase returns phase i, which is cheap enough to be done for each call.
func (p *convProduct) phase(i int) convPhase {
	c := &p.c
	var k convPhase
	if p.pass == device.Forward {
		k.h = axis{count: p.outH, stride: c.StrideH, pad: c.PadTop, taps: c.R, tapStep: 1, step: c.DilationH, place: 1}
		k.w = axis{count: p.outW, stride: c.StrideW, pad: c.PadLeft, taps: c.S, tapStep: 1, step: c.DilationW, place: 1}
	} else {
		h, w := c.Phase(i)
		k.h, k.w = newAxis(h), newAxis(w)
	}
	k.taps = k.h.taps * k.w.taps
	k.depth = p.channels * k.taps
	k.padded = ceil(k.depth, sliceDepth) * sliceDepth
	k.pixels = k.h.count * k.w.count
	entries := k.padded
	if p.byChannels() {
		entries /= sliceDepth
	}
	k.table = roundUp(16*int64(entries), alignment)
	k.bytes = k.table + roundUp(4*int64(c.Groups)*int64(k.padded)*int64(p.padded()), alignment)
	return k
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// axis is one axis of a phase: its places in the output of the pass, and the
// convolution that makes them.
type axis struct {
	count        int // places
	first, place int // the first, and the distance of two

	stride, pad, step int // windows begin at i*stride - pad; taps lie step apart
	taps              int
	tap, tapStep      int // the filter's row of the first tap, and the distance of two
}

// newAxis is an axis of the gradient of the data. The last tap comes first, for
// going back over a convolution turns the filter around.
func newAxis(a device.PhaseAxis) axis {
	return axis{count: a.Count, first: a.First, place: a.Place, stride: 1, pad: a.Pad, step: a.Step,
		taps: a.Taps, tap: a.Tap + (a.Taps-1)*a.Apart, tapStep: -a.Apart}
}

// inside reports whether every window lies in an image of size.
func (a *axis) inside(size int) bool {
	return a.pad <= 0 && (a.count-1)*a.stride-a.pad+(a.taps-1)*a.step < size
}

// convPacked is the size of packed weights: for each phase a table of taps and the
// weights.
func convPacked(c device.Conv, pass device.Pass) int64 {
	if pass == device.BackwardFilter {
		return 0
	}
	p := newConvProduct(c, pass)
	var bytes int64
	for i := range p.phases {
		bytes += p.phase(i).bytes
	}
	return bytes
}

func (q *queue) ConvPack(c device.Conv, pass device.Pass, packed device.Buffer, w device.Tensor) {
	if q.Err != nil || pass == device.BackwardFilter {
		return
	}
	q.convPack(newConvProduct(c, pass), q.scratch(packed), q.at(w))
}

func (q *queue) convPack(p convProduct, packed, w driver.Ptr) {
	if err := cmp.Or(p.fits(), packedFits(packed)); err != nil {
		q.Fail("conv_pack", err)
		return
	}
	c := &p.c
	// w is [K,C/Groups,R,S]: the rows of the product are K forward and C
	// backward, and the other is its channels.
	filter := c.R * c.S
	rowStep, channelStep := p.channels*filter, filter
	if p.pass == device.BackwardData {
		rowStep, channelStep = filter, p.rows*filter
	}
	const threads = 256
	for i := range p.phases {
		k := p.phase(i)
		if k.depth > 0 {
			q.args.Reset().Ptr(packed.Offset(k.table)).Ptr(packed).Ptr(w).
				Int(p.rows).Int(p.padded()).Int(p.channels).Int(k.taps).Int(k.w.taps).Int(index(p.byChannels())).
				Int(c.S).Int(p.rows * p.channels * filter).Int(rowStep).Int(channelStep).
				Int(k.h.tap).Int(k.w.tap).Int(k.h.tapStep).Int(k.w.tapStep).Int(k.h.step).Int(k.w.step).
				Int(p.inH * p.inW).Int(p.inW)
			q.launch(q.kernels.conv.pack, driver.Dim{X: ceil(k.padded*p.padded(), threads), Y: c.Groups}, threads)
		}
		packed = packed.Offset(k.bytes)
	}
}

// cut chooses the tile for a phase. Only a pass of one phase is split along its
// sum.
func (p *convProduct) cut(on traits, k *convPhase) cut {
	tiles, first := convTiles[on.arithmetic], 0
	if !p.byChannels() {
		tiles, first = tiles[1:lowTile], 1
	}
	depth := k.padded
	if p.phases > 1 {
		depth = min(depth, leastRange)
	}
	c := cutProduct(on, tiles, p.rows, p.c.N*k.pixels, depth, p.c.Groups, true)
	c.variant += first
	if c.splits == 1 {
		c.length = k.padded
	}
	return c
}

// convScratch is the scratch memory of a pass: the partial sums of the pass's output.
func convScratch(on traits, c device.Conv, pass device.Pass) int64 {
	if pass == device.BackwardFilter {
		return filterScratch(on, c)
	}
	return largestScratch(c.N, func(n int) int64 {
		c.N = n
		p := newConvProduct(c, pass)
		if p.phases > 1 {
			return 0
		}
		k := p.phase(0)
		return p.cut(on, &k).scratch(p.outputs())
	})
}

// outputs is the number of elements of the pass's output.
func (p *convProduct) outputs() int { return p.c.N * p.c.Groups * p.rows * p.outH * p.outW }

func (q *queue) ConvForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	q.convolve(newConvProduct(c, device.Forward), q.forward(e), q.at(y), q.at(x), q.scratch(w.Packed), q.scratch(ws))
	q.epilogueMaps(y, e.Maps)
}

func (q *queue) ConvBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	q.convolve(newConvProduct(c, device.BackwardData), gradient(m), q.at(dx), q.at(dy), q.scratch(w.Packed), q.scratch(ws))
}

// convolve makes the output of a pass, phase by phase.
func (q *queue) convolve(p convProduct, e epilogue, out, in, packed, ws driver.Ptr) {
	if err := cmp.Or(p.fits(), packedFits(packed)); err != nil {
		q.Fail("conv", err)
		return
	}
	for i := range p.phases {
		k := p.phase(i)
		if k.pixels > 0 {
			q.convPhase(&p, &k, p.cut(q.traits, &k), e, out, in, packed, ws)
		}
		packed = packed.Offset(k.bytes)
	}
}

func (q *queue) convPhase(p *convProduct, k *convPhase, t cut, e epilogue, out, in, packed, ws driver.Ptr) {
	f := q.kernels.conv.channels[t.variant]
	if !p.byChannels() {
		f = q.kernels.conv.taps[t.variant]
		if t.variant == tallTile && k.h.inside(p.inH) && k.w.inside(p.inW) {
			f = q.kernels.conv.inside
		}
	}
	to, last := out, e
	if t.splits > 1 {
		to, e = ws, noEpilogue
	}
	inPlane, outPlane := p.inH*p.inW, p.outH*p.outW
	q.args.Reset().Ptr(to).Ptr(in).Ptr(packed.Offset(k.table)).Ptr(packed).Ptr(e.bias).
		Int(p.rows).Int(p.padded()).Int(k.padded).Int(t.length).
		Int(p.c.N * k.pixels).Int(k.pixels).Int(k.w.count).Uint64(divisor(k.pixels)).Uint64(divisor(k.w.count)).
		Int(p.c.Groups * p.channels * inPlane).Int(p.channels * inPlane).Int(p.inH).Int(p.inW).
		Int(k.h.stride).Int(k.w.stride).Int(k.h.pad).Int(k.w.pad).
		Int(p.c.Groups * p.rows * outPlane).Int(outPlane).
		Int(k.h.first*p.outW + k.w.first).Int(k.h.place * p.outW).Int(k.w.place).
		Uint64(uint64(p.outputs())).Float32(e.beta).Float32(e.slope)
	q.launch(f, driver.Dim{X: t.down * t.across, Y: p.c.Groups, Z: t.splits}, t.threads)
	if t.splits > 1 {
		q.sumPartials(last, out, ws, p.outputs(), t.splits, outPlane, p.c.K)
	}
}
