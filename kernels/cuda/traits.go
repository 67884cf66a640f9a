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
	if t.arithmetic == tf32 {
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

// Needs is the weights as convolutions read them, and the partial sums of products
// that are cut along their sums.
func (t traits) Needs(op device.Operation) device.Needs {
	switch op := op.(type) {
	case device.GEMM:
		return device.Needs{Scratch: gemmScratch(t, op)}
	case device.ConvPass:
		return device.Needs{Scratch: convScratch(t, op.Conv, op.Pass), Packed: convPacked(op.Conv, op.Pass)}
	case device.DensePass:
		return device.Needs{Scratch: denseScratch(t, op.Dense, op.Pass)}
	}
	return device.Needs{}
}

// Precision is TF32 where device.Options ask for it. Every sum is a direct one.
func (t traits) Precision(device.Operation) device.Precision {
	return device.Precision{TF32: t.arithmetic == tf32}
}
