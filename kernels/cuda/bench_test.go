package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// machine is what kernels of products are made for.
type machine struct {
	capability int
	arithmetic arithmetic
}

var machines = []machine{{80, float32s}, {70, float32s}, {80, tf32}}

func (m machine) String() string { return fmt.Sprintf("sm_%d%s", m.capability, m.arithmetic.suffix()) }

// options are those of a device that multiplies so.
func (m machine) options() device.Options { return device.Options{TF32: m.arithmetic == tf32} }

// bench is a simulated device with a queue, and the kernels of products.
type bench struct {
	tb     testing.TB
	device driver.Driver
	stream driver.Stream
	queue  *queue
	unit   float32 // of one operand of each product, and of what is added
}

// subnormal is a unit in which all results are subnormal numbers.
const subnormal = 0x1p-132

func newBench(tb testing.TB, m machine, c ptxsim.Config) *bench {
	c.Capability = m.capability
	sim := ptxsim.New(c)
	tb.Cleanup(func() { require.NoError(tb, sim.Close()) })
	st, err := sim.NewStream()
	require.NoError(tb, err)
	k := &kernels{}
	k.products(sim, m.arithmetic)
	traits, err := traitsOf(sim.Properties(), m.options())
	require.NoError(tb, err)
	return &bench{tb, sim, st, &queue{device: &Device{name: "ptxsim", driver: sim}, driver: sim, kernels: k, stream: st, traits: traits}, 1}
}

func bytesOf(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// upload makes an allocation with just the values in it, offset floats from
// its start.
func (b *bench) upload(name string, v []float32, offset int) driver.Ptr {
	p, err := b.device.Alloc(name, int64(4*(len(v)+offset)))
	require.NoError(b.tb, err)
	p = p.Offset(int64(4 * offset))
	require.NoError(b.tb, b.stream.Upload(p, bytesOf(v)))
	return p
}

// alloc makes an allocation that nothing has written; 0 bytes are no
// allocation.
func (b *bench) alloc(name string, bytes int64) driver.Ptr {
	if bytes == 0 {
		return 0
	}
	p, err := b.device.Alloc(name, bytes)
	require.NoError(b.tb, err)
	return p
}

// free gives back allocations; 0 is none.
func (b *bench) free(ps ...driver.Ptr) {
	for _, p := range ps {
		if p != 0 {
			require.NoError(b.tb, b.device.Free(p))
		}
	}
}

func (b *bench) download(p driver.Ptr, n int) []float32 {
	v := make([]float32, n)
	require.NoError(b.tb, b.stream.Download(bytesOf(v), p))
	return v
}

func random(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = r.Float32()*2 - 1
	}
	return v
}

// random is such numbers in the bench's unit.
func (b *bench) random(r *rand.Rand, n int) []float32 {
	v := random(r, n)
	for i := range v {
		v[i] *= b.unit
	}
	return v
}

// multiplied is the numbers that products of v are made of: TF32 keeps 10 bits
// after the leading one, rounded to nearest and halves away from zero.
func (b *bench) multiplied(v []float32) []float32 {
	if b.queue.traits.arithmetic != tf32 {
		return v
	}
	rounded := make([]float32, len(v))
	for i, x := range v {
		rounded[i] = math.Float32frombits((math.Float32bits(x) + 1<<12) &^ (1<<13 - 1))
	}
	return rounded
}

// watch notes which kernels run, and requires that none has conflicts of shared
// memory's banks.
func watch(t *testing.T, seen map[string]bool) func(ptxsim.Report) {
	return func(l ptxsim.Report) {
		seen[l.Kernel] = true
		require.Equal(t, l.SharedIdeal, l.SharedWavefronts, "%s has bank conflicts", l.Kernel)
	}
}

// A guarded output lies between bands of guard floats that nobody may touch.
const guard, band = 64, float32(12345.5)

// guarded is a destination: full of NaN, or with reads of random values that a
// kernel adds to. It begins offset floats after an aligned address.
func (b *bench) guarded(name string, n int, r *rand.Rand, reads bool, offset int) (p driver.Ptr, old []float32) {
	v := make([]float32, guard+n+guard)
	for i := range v {
		v[i] = band
	}
	old = v[guard : guard+n]
	for i := range old {
		old[i] = float32(math.NaN())
		if reads {
			old[i] = r.Float32() * b.unit
		}
	}
	return b.upload(name, v, offset).Offset(4 * guard), old
}

// check says what is wrong with a guarded output: where it is further from
// want than bound, or who wrote outside.
func (b *bench) check(name string, p driver.Ptr, want, bound []float64) error {
	roundings := 0.0
	if b.unit == subnormal {
		roundings = 0x1p-149 * (1 << 10) // no sum is longer
	}
	got := b.download(p.Offset(-4*guard), guard+len(want)+guard)
	for i := range guard {
		if got[i] != band || got[len(got)-1-i] != band {
			return fmt.Errorf("%s: written outside", name)
		}
	}
	for i, v := range got[guard : guard+len(want)] {
		// Said this way around, NaN is wrong.
		if !(math.Abs(float64(v)-want[i]) <= bound[i]+roundings) {
			return fmt.Errorf("%s[%d] = %v, want %v within %v", name, i, v, want[i], bound[i])
		}
	}
	return nil
}

// rounding is what a sum of terms may be off for each unit of the sum of their
// magnitudes: each rounding adds half a unit in the last place at most, and an
// epilogue has three.
func rounding(terms int) float64 { return float64(terms+4) * 0x1p-24 }
