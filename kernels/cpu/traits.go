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

// ConvPacked is the size of the weights in panels of the register tile.
func (t traits) ConvPacked(c device.Conv, p device.Pass) int64 {
	if p == device.BackwardFilter {
		return 0
	}
	if t.usesWinograd(c, p) {
		product := newWinogradProduct(t.tile, c, p)
		return 4 * int64(c.Groups) * int64(product.packed())
	}
	product := newConvProduct(t.tile, c, p)
	return 4 * int64(c.Groups) * int64(product.packed)
}

// ConvFast is Winograd's algorithm.
func (t traits) ConvFast(c device.Conv, p device.Pass) bool { return t.usesWinograd(c, p) }

// TF32 is never so.
func (traits) TF32() bool { return false }

// GEMMScratch is 0: the device has its own packed panels.
func (traits) GEMMScratch(device.GEMM) int64 { return 0 }

// ConvScratch is the sums of the gradient of the weights, part by part, or what
// Winograd's algorithm works in.
func (t traits) ConvScratch(c device.Conv, p device.Pass) int64 {
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

// DenseScratch is 0, as GEMMScratch.
func (traits) DenseScratch(device.Dense, device.Pass) int64 { return 0 }
