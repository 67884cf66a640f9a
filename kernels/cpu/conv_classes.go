package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// convProduct is the forward pass or the gradient of the data as a matrix
// product, for each group: the pixels under the windows of an image times
// packed weights. The forward pass multiplies what windows of x see with
// weights [(r,c,s),K].
//
// The gradient of the data multiplies what windows of dy see with weights
// [(r,k,s),C]. With a stride, pixel h of dx meets only the taps r for which
// h+PadTop-r*DilationH is a multiple of the stride. So the pixels are cut
// into classes of equal (h+PadTop) mod StrideH and equal (w+PadLeft) mod
// StrideW; each is a convolution of dy of stride 1 with the taps of its class,
// and no product with a zero between is ever taken.
type convProduct struct {
	tile    *gemm.Tile
	c       device.Conv
	pass    device.Pass
	rows    int // output channels of the pass, of one group
	depth   int // input channels of one group
	plane   int // pixels of an output channel
	classes int // 1 for the forward pass
	packed  int // length of a group's packed weights
}

func newConvProduct(t *gemm.Tile, c device.Conv, pass device.Pass) convProduct {
	// A stride past the padded image takes no step; bounded, it makes no
	// classes without pixels.
	c.StrideH = min(c.StrideH, c.H+c.PadTop+c.PadBottom)
	c.StrideW = min(c.StrideW, c.W+c.PadLeft+c.PadRight)
	p := convProduct{tile: t, c: c, pass: pass, rows: c.K / c.Groups, depth: c.C / c.Groups, plane: c.OutH() * c.OutW(), classes: 1}
	if pass == device.BackwardData {
		p.rows, p.depth, p.plane, p.classes = p.depth, p.rows, c.H*c.W, c.StrideH*c.StrideW
	}
	for i := range p.classes {
		k := p.class(i)
		p.packed += k.packed(&p)
	}
	return p
}

// panels of a group's weights.
func (p *convProduct) panels() int { return (p.rows + p.tile.NR - 1) / p.tile.NR }

// convClass is the pixels of a class with their windows, as a product.
type convClass struct {
	windows
	height, width residue
	depth         int // of the sum
}

// packed is the length of a group's weights for the class.
func (k *convClass) packed(p *convProduct) int { return p.panels() * k.depth * p.tile.NR }

// class returns class i, which is cheap enough to be done for each item.
func (p *convProduct) class(i int) convClass {
	c := &p.c
	var k convClass
	if p.pass == device.Forward {
		k.windows = newWindows(c)
		k.height = residue{place: 1, apart: 1}
		k.width = residue{place: 1, apart: 1}
	} else {
		k.height = newResidue(i/c.StrideW, c.H, c.R, c.PadTop, c.StrideH, c.DilationH)
		k.width = newResidue(i%c.StrideW, c.W, c.S, c.PadLeft, c.StrideW, c.DilationW)
		k.windows = windows{
			channels: c.K, h: c.OutH(), w: c.OutW(), outH: k.height.count, outW: k.width.count,
			strideH: 1, strideW: 1, top: k.height.pad, left: k.width.pad,
			r: k.height.taps, s: k.width.taps, stepH: k.height.step, stepW: k.width.step, turned: true,
		}
	}
	k.depth = p.depth * k.r * k.s
	return k
}

// residue is one axis of a class: its places in the output of the pass, and
// the convolution that makes them.
type residue struct {
	count        int // places
	first, place int // the first, and the distance of two
	taps         int
	tap, apart   int // the filter's row of the first tap, and the distance of two
	pad, step    int // of the windows
}

// newResidue is the axis of the pixels with (h+pad) mod stride = rho. Its taps
// are every stride/gcd(stride,dilation)-th.
func newResidue(rho, size, filter, pad, stride, dilation int) residue {
	first := ((rho-pad)%stride + stride) % stride
	a := residue{first: first, place: stride, step: 1}
	if first < size {
		a.count = (size-1-first)/stride + 1
	}
	divisor := gcd(stride, dilation)
	a.apart = stride / divisor
	for r := range min(a.apart, filter) {
		if r*dilation%stride != rho {
			continue
		}
		a.tap, a.taps = r, (filter-1-r)/a.apart+1
		a.step = dilation / divisor
		a.pad = (r*dilation-rho)/stride + (a.taps-1)*a.step - (first+pad-rho)/stride
	}
	return a
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// output is the height and width of the pass's output.
func (p *convProduct) output() (h, w int) {
	if p.pass == device.BackwardData {
		return p.c.H, p.c.W
	}
	return p.c.OutH(), p.c.OutW()
}
