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
// [(r,k,s),C], for each class of pixels (device.Conv.Class).
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
	c = c.Bounded()
	p := convProduct{tile: t, c: c, pass: pass, rows: c.K / c.Groups, depth: c.C / c.Groups, plane: c.OutH() * c.OutW(), classes: 1}
	if pass == device.BackwardData {
		p.rows, p.depth, p.plane, p.classes = p.depth, p.rows, c.H*c.W, c.Classes()
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
	height, width device.ClassAxis
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
		k.height = device.ClassAxis{Place: 1, Apart: 1}
		k.width = device.ClassAxis{Place: 1, Apart: 1}
	} else {
		k.height, k.width = c.Class(i)
		k.windows = windows{
			channels: c.K, h: c.OutH(), w: c.OutW(), outH: k.height.Count, outW: k.width.Count,
			strideH: 1, strideW: 1, top: k.height.Pad, left: k.width.Pad,
			r: k.height.Taps, s: k.width.Taps, stepH: k.height.Step, stepW: k.width.Step, turned: true,
		}
	}
	k.depth = p.depth * k.r * k.s
	return k
}

// output is the height and width of the pass's output.
func (p *convProduct) output() (h, w int) {
	if p.pass == device.BackwardData {
		return p.c.H, p.c.W
	}
	return p.c.OutH(), p.c.OutW()
}
