package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// traits are those of a register tile.
type traits struct {
	tile   *gemm.Tile
	direct bool // device.Options.DirectConv
}

// String is the register tile, and that all convolutions are direct.
func (t traits) String() string {
	if t.direct {
		return "cpu " + t.tile.Name + " with direct convolutions"
	}
	return "cpu " + t.tile.Name
}

// Alignment is a cache line.
func (traits) Alignment() int64 { return alignment }

// Staged is never so: a queue's calls are done when they return.
func (traits) Staged() bool { return false }

// Epilogue has every activation: a block of output gets it while it is in
// the cache.
func (traits) Epilogue(a device.Unary) bool { return true }

// Needs is what convolutions take. Products have the device's own packed panels.
func (t traits) Needs(op device.Operation) device.Needs {
	if c, ok := op.(device.ConvPass); ok {
		return device.Needs{Scratch: t.convScratch(c.Conv, c.Pass), Packed: t.convPacked(c.Conv, c.Pass)}
	}
	return device.Needs{}
}

// Precision is that of Winograd's algorithm where a convolution goes by it.
func (t traits) Precision(op device.Operation) device.Precision {
	c, ok := op.(device.ConvPass)
	return device.Precision{Blockwise: ok && t.usesWinograd(c.Conv, c.Pass)}
}

// convPacked is the size of the weights in panels of the register tile.
func (t traits) convPacked(c device.Conv, p device.Pass) int64 {
	if p == device.BackwardFilter || usesDepthwise(&c) {
		return 0
	}
	if t.usesWinograd(c, p) {
		product := newWinogradProduct(t.tile, c, p)
		return 4 * int64(c.Groups) * int64(product.packed())
	}
	if usesPointwise(&c) {
		product := newPointwise(t.tile, c, p)
		return 4 * int64(c.Groups) * int64(product.packed)
	}
	product := newConvProduct(t.tile, c, p)
	return 4 * int64(c.Groups) * int64(product.packed)
}

// convScratch is the sums of the gradient of the weights, part by part, or what
// Winograd's algorithm works in.
func (t traits) convScratch(c device.Conv, p device.Pass) int64 {
	if usesDepthwise(&c) {
		if p != device.BackwardFilter {
			return 0
		}
		return 4 * int64(depthwiseParts(&c)) * int64(c.K*c.R*c.S)
	}
	fast := t.usesWinograd(c, p)
	switch {
	case fast && p == device.BackwardFilter:
		f := newWinogradFilter(t.tile, c)
		return 4 * int64(f.scratch())
	case fast && c.StrideH > 1:
		u := unstride(c)
		u.N = min(u.N, phaseSamples)
		return 4 * int64(device.Elements(u.XShape()))
	case p != device.BackwardFilter:
		return 0
	}
	cut := cutFilter(t.tile, &c)
	return 4 * int64(cut.parts) * int64(cut.pieces()) * int64(cut.sums(t.tile))
}
