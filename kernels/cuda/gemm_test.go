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

// bench is a simulated device with a stream.
type bench struct {
	tb     testing.TB
	device driver.Driver
	stream driver.Stream
}

func newBench(tb testing.TB, c ptxsim.Config) *bench {
	sim := ptxsim.New(c)
	tb.Cleanup(func() { require.NoError(tb, sim.Close()) })
	st, err := sim.NewStream()
	require.NoError(tb, err)
	return &bench{tb, sim, st}
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

// gemm is the plain loop. bound is what the sum of magnitudes allows as error.
func gemm(g device.GEMM, c, a, b []float32) (want, bound []float64) {
	want, bound = make([]float64, g.M*g.N), make([]float64, g.M*g.N)
	for i := range g.M {
		for j := range g.N {
			var sum, size float64
			for k := range g.K {
				ia, ib := i*g.K+k, k*g.N+j
				if g.TransA {
					ia = k*g.M + i
				}
				if g.TransB {
					ib = j*g.K + k
				}
				p := float64(a[ia]) * float64(b[ib])
				sum += p
				size += math.Abs(p)
			}
			at := i*g.N + j
			want[at] = float64(g.Alpha) * sum
			bound[at] = math.Abs(float64(g.Alpha)) * size
			if g.Beta != 0 {
				want[at] += float64(g.Beta) * float64(c[at])
				bound[at] += math.Abs(float64(g.Beta) * float64(c[at]))
			}
			// Each of k+3 roundings adds half a unit in the last place of the
			// sum at most.
			bound[at] *= float64(g.K+3) * 0x1p-24
		}
	}
	return want, bound
}

func TestSGEMM(t *testing.T) {
	shapes := []struct{ m, n, k int }{
		{1, 1, 1}, {1, 130, 3}, {127, 129, 9}, {129, 5, 17}, {33, 64, 8}, {128, 128, 16}, {132, 136, 20}, {4, 260, 12}, {200, 131, 1},
	}
	scales := []struct{ alpha, beta float32 }{{1, 0}, {0.5, -1.5}}
	seen := map[string]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	bn := newBench(t, ptxsim.Config{OnLaunch: func(l ptxsim.Report) { seen[l.Kernel] = true }})
	kernels, err := loadGEMM(bn.device)
	require.NoError(t, err)
	for i, s := range shapes {
		for trans := range 4 {
			g := device.GEMM{M: s.m, N: s.n, K: s.k, TransA: trans&1 != 0, TransB: trans&2 != 0}
			g.Alpha, g.Beta = scales[(i+trans)%2].alpha, scales[(i+trans)%2].beta
			t.Run(fmt.Sprintf("%v alpha %g beta %g", g, g.Alpha, g.Beta), func(t *testing.T) {
				bn.tb = t
				checkSGEMM(t, bn, kernels, g, r, 0)
			})
		}
	}
	require.Len(t, seen, 8, "every kernel of gemm.cu ran: %v", seen)
	t.Run("unaligned", func(t *testing.T) {
		bn.tb = t
		checkSGEMM(t, bn, kernels, device.GEMM{M: 8, N: 12, K: 16, Alpha: 1, Beta: 1}, r, 1)
	})
}

func checkSGEMM(t *testing.T, bn *bench, kernels *gemmKernels, g device.GEMM, r *rand.Rand, offset int) {
	require.NoError(t, runSGEMM(bn, kernels, g, r, offset))
}

// runSGEMM runs a product whose C lies between guard bands and, with beta 0,
// is full of NaN, and says what is wrong with the result. C begins offset
// floats after an aligned address.
func runSGEMM(bn *bench, kernels *gemmKernels, g device.GEMM, r *rand.Rand, offset int) error {
	const guard, band = 64, float32(12345.5)
	a, b := random(r, g.M*g.K), random(r, g.K*g.N)
	c := make([]float32, guard+g.M*g.N+guard)
	for i := range c {
		c[i] = band
	}
	inner := c[guard : guard+g.M*g.N]
	for i := range inner {
		inner[i] = float32(math.NaN())
		if g.Beta != 0 {
			inner[i] = r.Float32()
		}
	}
	want, bound := gemm(g, inner, a, b)
	pc, pa, pb := bn.upload("C", c, offset), bn.upload("A", a, 0), bn.upload("B", b, 0)
	defer func() {
		for _, p := range []driver.Ptr{pc.Offset(-int64(4 * offset)), pa, pb} {
			require.NoError(bn.tb, bn.device.Free(p))
		}
	}()
	if err := kernels.launch(bn.stream, g, pc.Offset(4*guard), pa, pb); err != nil {
		return err
	}
	got := bn.download(pc, len(c))
	for i := range guard {
		if got[i] != band || got[len(got)-1-i] != band {
			return fmt.Errorf("%v wrote outside C", g)
		}
	}
	for i, v := range got[guard : guard+g.M*g.N] {
		// Said this way around, NaN is wrong.
		if !(math.Abs(float64(v)-want[i]) <= bound[i]) {
			return fmt.Errorf("%v: C[%d,%d] = %v, want %v within %v", g, i/g.N, i%g.N, v, want[i], bound[i])
		}
	}
	return nil
}

func BenchmarkSGEMM(b *testing.B) {
	for _, c := range []struct {
		name   string
		config ptxsim.Config
	}{
		{"checked", ptxsim.Config{Workers: 1}},
		{"unchecked", ptxsim.Config{Workers: 1, Unchecked: true}},
		{"all-cores", ptxsim.Config{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			bn := newBench(b, c.config)
			kernels, err := loadGEMM(bn.device)
			require.NoError(b, err)
			g := device.GEMM{M: 256, N: 256, K: 256, Alpha: 1}
			r := rand.New(rand.NewPCG(1, 2))
			pa, pb := bn.upload("A", random(r, g.M*g.K), 0), bn.upload("B", random(r, g.K*g.N), 0)
			pc := bn.upload("C", make([]float32, g.M*g.N), 0)
			for b.Loop() {
				require.NoError(b, kernels.launch(bn.stream, g, pc, pa, pb))
			}
			b.ReportMetric(float64(g.FLOPs()/2)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MFMA/s")
		})
	}
}
