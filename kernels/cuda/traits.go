package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// traits depend on the number of multiprocessors: products are cut by it.
type traits struct{ sms int }

// TraitsOf is the traits of a device with these properties.
func TraitsOf(p driver.Properties) device.Traits { return traits{p.SMs} }

// Alignment is 256 bytes.
func (traits) Alignment() int64 { return alignment }

// Staged is always so: streams run side by side.
func (traits) Staged() bool { return true }

// Epilogue is that of the products' kernels.
func (traits) Epilogue(a device.Unary) bool { return hasEpilogue(a) }

// ConvPacked is the size of the weights as the convolution reads them.
func (traits) ConvPacked(c device.Conv, p device.Pass) int64 { return convPacked(c, p) }

// ConvFast is never so: every sum is a direct one.
func (traits) ConvFast(device.Conv, device.Pass) bool { return false }

// GEMMScratch, ConvScratch and DenseScratch are the partial sums of products
// that are cut along their sums.
func (t traits) GEMMScratch(g device.GEMM) int64 { return gemmScratch(t.sms, g) }

func (t traits) ConvScratch(c device.Conv, p device.Pass) int64 { return convScratch(t.sms, c, p) }

func (t traits) DenseScratch(d device.Dense, p device.Pass) int64 { return denseScratch(t.sms, d, p) }
