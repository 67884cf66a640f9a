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
// [(r,k,s),C], for each phase of pixels (device.Conv.Phase).
type convProduct struct {
	tile   *gemm.Tile
	c      device.Conv
	pass   device.Pass
	rows   int // output channels of the pass, of one group
	depth  int // input channels of one group
	plane  int // pixels of an output channel
	phases int // 1 for the forward pass
	packed int // length of a group's packed weights
}

func newConvProduct(t *gemm.Tile, c device.Conv, pass device.Pass) convProduct {
	c = c.Bounded()
	p := convProduct{tile: t, c: c, pass: pass, rows: c.K / c.Groups, depth: c.C / c.Groups, plane: c.OutH() * c.OutW(), phases: 1}
	if pass == device.BackwardData {
		p.rows, p.depth, p.plane, p.phases = p.depth, p.rows, c.H*c.W, c.Phases()
	}
	for i := range p.phases {
		k := p.phase(i)
		p.packed += k.packed(&p)
	}
	return p
}

// panels of a group's weights.
func (p *convProduct) panels() int { return (p.rows + p.tile.NR - 1) / p.tile.NR }

// convPhase is the pixels of a phase with their windows, as a product.
type convPhase struct {
	windows
	height, width device.PhaseAxis
	depth         int // of the sum
}

// packed is the length of a group's weights for the phase.
func (k *convPhase) packed(p *convProduct) int { return p.panels() * k.depth * p.tile.NR }

// phase returns phase i, which is cheap enough to be done for each item.
func (p *convProduct) phase(i int) convPhase {
	c := &p.c
	var k convPhase
	if p.pass == device.Forward {
		k.windows = newWindows(c)
		k.height = device.PhaseAxis{Place: 1, Apart: 1}
		k.width = device.PhaseAxis{Place: 1, Apart: 1}
	} else {
		k.height, k.width = c.Phase(i)
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
