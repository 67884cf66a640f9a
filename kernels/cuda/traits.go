package cuda

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// traits depend on the number of multiprocessors, by which products are cut,
// and on how those multiply.
type traits struct {
	sms        int
	arithmetic arithmetic
}

// tensorCapability is the first with tensor cores for TF32.
const tensorCapability = 80

// TraitsOf is the traits of a device with these properties, opened with these
// options. TF32 without tensor cores is an error.
func TraitsOf(p driver.Properties, o device.Options) (device.Traits, error) { return traitsOf(p, o) }

func traitsOf(p driver.Properties, o device.Options) (traits, error) {
	t := traits{sms: p.SMs}
	if !o.TF32 {
		return t, nil
	}
	if p.Capability() < tensorCapability {
		return t, fmt.Errorf("TF32 takes tensor cores of compute capability 8.0 or later, and %s has %d.%d: leave -tf32 away", p.Name, p.Major, p.Minor)
	}
	t.arithmetic = tf32
	return t, nil
}

// String is the number of multiprocessors, and TF32.
func (t traits) String() string {
	name := fmt.Sprintf("a GPU with %d multiprocessors", t.sms)
	if t.TF32() {
		name += " and TF32"
	}
	return name
}

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

// TF32 is device.Options.TF32.
func (t traits) TF32() bool { return t.arithmetic == tf32 }

// GEMMScratch, ConvScratch and DenseScratch are the partial sums of products
// that are cut along their sums.
func (t traits) GEMMScratch(g device.GEMM) int64 { return gemmScratch(t, g) }

func (t traits) ConvScratch(c device.Conv, p device.Pass) int64 { return convScratch(t, c, p) }

func (t traits) DenseScratch(d device.Dense, p device.Pass) int64 { return denseScratch(t, d, p) }
