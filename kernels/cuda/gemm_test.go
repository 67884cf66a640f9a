package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// gemmCase is a product with everything that can be asked of it.
type gemmCase struct {
	device.GEMM
	variant, splits int
	bias            bool
	slope           float32
	offset          int // of C from an aligned address
}

func (c gemmCase) String() string {
	return fmt.Sprintf("%v alpha %g beta %g %dx%d splits %d bias %t slope %g offset %d",
		c.GEMM, c.Alpha, c.Beta, gemmTiles[0][c.variant].m, gemmTiles[0][c.variant].n, c.splits, c.bias, c.slope, c.offset)
}

func (c gemmCase) cut(a arithmetic) cut {
	t := gemmTiles[a][c.variant]
	return cut{tile: t, variant: c.variant, down: ceil(c.M, t.m), across: ceil(c.N, t.n),
		splits: c.splits, length: ceil(ceil(c.K, c.splits), sliceDepth) * sliceDepth}
}

// gemm is the plain loop. bound is what the sum of magnitudes allows as error.
func gemm(g device.GEMM, e epilogue, c, a, b, bias []float32) (want, bound []float64) {
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
			add := 0.0
			if bias != nil {
				add = float64(bias[j])
			}
			want[at], bound[at] = e.apply(sum, size, c[at], add, rounding(g.K))
		}
	}
	return want, bound
}

// apply is the epilogue in double precision, and the error it may have: units
// of the size of what is added.
func (e epilogue) apply(sum, size float64, old float32, bias, units float64) (want, bound float64) {
	want, bound = float64(e.alpha)*sum+bias, math.Abs(float64(e.alpha))*size+math.Abs(bias)
	if e.beta != 0 {
		want += float64(e.beta) * float64(old)
		bound += math.Abs(float64(e.beta) * float64(old))
	}
	if want < 0 {
		want *= float64(e.slope)
	}
	return want, bound * units
}

// runSGEMM says what is wrong with the result of a product.
func runSGEMM(bn *bench, c gemmCase, r *rand.Rand) error {
	g := c.GEMM
	a, b := bn.random(r, g.M*g.K), random(r, g.K*g.N)
	var bias []float32
	e := epilogue{alpha: g.Alpha, beta: g.Beta, slope: c.slope}
	pa, pb := bn.upload("A", a, 0), bn.upload("B", b, 0)
	if c.bias {
		bias = bn.random(r, g.N)
		e.bias = bn.upload("bias", bias, 0)
	}
	pc, old := bn.guarded("C", g.M*g.N, r, g.Beta != 0, c.offset)
	p := c.cut(bn.queue.traits.arithmetic)
	ws := bn.alloc("scratch", p.scratch(g.M*g.N))
	defer bn.free(pa, pb, e.bias, pc.Offset(-int64(4*(guard+c.offset))), ws)
	want, bound := gemm(g, e, old, bn.multiplied(a), bn.multiplied(b), bias)
	bn.queue.sgemm(g, p, e, pc, pa, pb, ws)
	if err := bn.queue.Sync(); err != nil {
		return err
	}
	if err := bn.check("C", pc, want, bound); err != nil {
		return fmt.Errorf("%v: %w", c, err)
	}
	return nil
}

// gemmCases has shapes for each variant, in all four layouts: ragged, smaller
// and larger than a tile, sums shorter than a slice, of half a slice more, and in
// parts. The largest has an epilogue that does everything to every element of a
// tile, the last a bias alone.
func gemmCases() []gemmCase {
	var cases []gemmCase
	shapes := [][][4]int{
		{{4, 4, 4, 1}, {132, 260, 44, 1}, {64, 136, 96, 3}, {8, 12, 12, 1}},
		{{1, 1, 1, 1}, {67, 129, 35, 1}, {5, 66, 33, 5}, {6, 66, 20, 1}},
		{{1, 35, 3, 1}, {33, 67, 35, 1}, {34, 3, 100, 7}, {5, 34, 1, 1}},
	}
	for variant, list := range shapes {
		for i, s := range list {
			for trans := range 4 {
				c := []gemmCase{
					{GEMM: device.GEMM{Alpha: 1}, slope: 1},
					{GEMM: device.GEMM{Alpha: 0.5, Beta: -1.5}, bias: true, slope: 0.25},
					{GEMM: device.GEMM{Alpha: 1}, bias: true},
					{GEMM: device.GEMM{Alpha: 1}, bias: true},
				}[i]
				c.variant, c.M, c.N, c.K, c.splits = variant, s[0], s[1], s[2], s[3]
				c.TransA, c.TransB = trans&1 != 0, trans&2 != 0
				cases = append(cases, c)
			}
		}
	}
	for _, splits := range []int{1, 2} {
		cases = append(cases, gemmCase{GEMM: device.GEMM{M: 8, N: 12, K: 16, Alpha: 1, Beta: 1}, splits: splits, slope: 1, offset: 1})
	}
	return append(cases,
		gemmCase{GEMM: device.GEMM{M: 9, N: 35, K: 40, Alpha: -1, Beta: 0.5}, variant: 2, splits: 5, bias: true},
		gemmCase{GEMM: device.GEMM{M: 3, N: 9, K: 190, Alpha: 2}, variant: 2, splits: 12, slope: 0.25})
}

func TestSGEMM(t *testing.T) {
	for _, m := range machines {
		seen := map[string]bool{}
		r := rand.New(rand.NewPCG(1, 2))
		bn := newBench(t, m, ptxsim.Config{OnLaunch: watch(t, seen)})
		for _, c := range gemmCases() {
			require.NoError(t, runSGEMM(bn, c, r), "%v", m)
		}
		require.Len(t, seen, 13, "every kernel ran: %v", seen)
	}
}

// mutantGEMM tests one kernel of gemm.cuh.
func mutantGEMM(bn *bench, name string, f driver.Function) error {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range gemmCases() {
		a := bn.queue.traits.arithmetic
		t := gemmTiles[a][c.variant]
		if name != fmt.Sprintf("sgemm%s_%dx%d_%s%s", a.suffix(), t.m, t.n, "nt"[index(c.TransA):][:1], "nt"[index(c.TransB):][:1]) {
			continue
		}
		bn.queue.kernels.gemm[c.variant][index(c.TransA)][index(c.TransB)] = f
		if err := runSGEMM(bn, c, r); err != nil {
			return err
		}
	}
	return nil
}

// mutantPartials tests the kernel of partials.cu.
func mutantPartials(bn *bench, _ string, f driver.Function) error {
	bn.queue.kernels.partials.sum = f
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range gemmCases() {
		if c.splits == 1 {
			continue
		}
		if err := runSGEMM(bn, c, r); err != nil {
			return err
		}
	}
	return nil
}

// What is infinite or NaN goes the way of the plain loop through the epilogue,
// and no zero times it makes another NaN.
func TestSGEMMPassesInfinities(t *testing.T) {
	for _, m := range machines {
		passesInfinities(t, newBench(t, m, ptxsim.Config{}))
	}
}

func passesInfinities(t *testing.T, bn *bench) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	a := []float32{1, -1, 0.5, 0}
	b := []float32{inf, 2, nan}
	pa, pb, pc := bn.upload("A", a, 0), bn.upload("B", b, 0), bn.alloc("C", 4*12)
	g := device.GEMM{M: 4, N: 3, K: 1}
	bn.queue.product(g, epilogue{alpha: 1, slope: 0}, pc, pa, pb, 0)
	require.NoError(t, bn.queue.Sync())
	got := bn.download(pc, 12)
	for i, want := range []float32{inf, 2, nan, 0, 0, nan, inf, 1, nan, nan, 0, nan} {
		if want != want {
			require.True(t, got[i] != got[i], "C[%d] = %v", i, got[i])
			continue
		}
		require.Equal(t, want, got[i], "C[%d]", i)
	}
}

// The cut covers the product, and smaller batches fit into scratch that was
// planned for larger ones.
func TestCutGEMM(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		g := device.GEMM{M: 1 + r.IntN(3000), N: 1 + r.IntN(3000), K: 1 + r.IntN(20000), TransA: r.IntN(2) == 1, TransB: r.IntN(2) == 1}
		if r.IntN(2) == 0 {
			g.M, g.N, g.K = ceil(g.M, 4)*4, ceil(g.N, 4)*4, ceil(g.K, 4)*4
		}
		c := cutGEMM(traits{1 + r.IntN(140), arithmetic(r.IntN(int(arithmetics)))}, g)
		require.GreaterOrEqual(t, c.down*c.m, g.M)
		require.GreaterOrEqual(t, c.across*c.n, g.N)
		require.GreaterOrEqual(t, c.splits*c.length, g.K)
		require.Less(t, (c.splits-1)*c.length, g.K, "no part is empty: %v %+v", g, c)
		require.Zero(t, c.length%sliceDepth)
	}
	require.Equal(t, int64(12), largestScratch(3, func(n int) int64 { return []int64{0, 5, 12, 7}[n] }))
}

// The rule's choices for shapes that matter, on 80 multiprocessors.
func TestCutGEMMChoices(t *testing.T) {
	for _, c := range []struct {
		g          device.GEMM
		want, tf32 string
	}{
		{device.GEMM{M: 4096, N: 4096, K: 4096}, "128x128 splits 1", "128x128 splits 1"},
		{device.GEMM{M: 128, N: 4096, K: 9216, TransB: true}, "128x128 splits 5", "128x128 splits 5"}, // fc6, batch 128
		{device.GEMM{M: 4096, N: 9216, K: 128, TransA: true}, "128x128 splits 1", "128x128 splits 1"}, // its gradient
		{device.GEMM{M: 128, N: 1000, K: 4096, TransB: true}, "128x128 splits 20", "64x64 splits 5"},  // fc8
		{device.GEMM{M: 64, N: 10, K: 500, TransB: true}, "32x32 splits 7", "32x32 splits 7"},         // LeNet's scores
		{device.GEMM{M: 1001, N: 1003, K: 1007}, "64x64 splits 2", "64x64 splits 1"},
	} {
		for a, want := range map[arithmetic]string{float32s: c.want, tf32: c.tf32} {
			p := cutGEMM(traits{sms: 80, arithmetic: a}, c.g)
			require.Equal(t, want, fmt.Sprintf("%dx%d splits %d", p.m, p.n, p.splits), "%v %v", c.g, a)
		}
	}
}

// What TF32 multiplies is rounded to nearest, halves away from zero; infinities
// stay and the largest numbers become one. A NaN stays too, where adding half of
// the last bit that is kept would make a zero of it.
func TestTF32Rounds(t *testing.T) {
	bn := newBench(t, machine{80, tf32}, ptxsim.Config{})
	a := []uint32{0x3f800fff, 0x3f801000, 0xbf801000, 0xbf802fff, 0x3fffffff, 0x00001000, 0x7f7fffff, 0xff800000, 0x7fffffff, 0xffffffff, 0xffc00000}
	want := []uint32{0x3f800000, 0x3f802000, 0xbf802000, 0xbf802000, 0x40000000, 0x00002000, 0x7f800000, 0xff800000, 0x7fffffff, 0x7fffffff, 0x7fffffff}
	floats := make([]float32, len(a))
	for i, v := range a {
		floats[i] = math.Float32frombits(v)
	}
	one := bn.upload("one", []float32{1}, 0)
	numbers, c := bn.upload("numbers", floats, 0), bn.alloc("C", 4*int64(len(a)))
	for _, g := range []device.GEMM{{M: len(a), N: 1, K: 1}, {M: 1, N: len(a), K: 1}} {
		pa, pb := numbers, one
		if g.M == 1 {
			pa, pb = one, numbers
		}
		bn.queue.product(g, noEpilogue, c, pa, pb, 0)
		require.NoError(t, bn.queue.Sync())
		for i, v := range bn.download(c, len(a)) {
			require.Equal(t, want[i], math.Float32bits(v), "%#x", a[i])
		}
	}
}

func TestFitsGEMM(t *testing.T) {
	require.NoError(t, fitsGEMM(device.GEMM{M: 1 << 24, N: 1, K: 1 << 24}))
	require.EqualError(t, fitsGEMM(device.GEMM{M: 1, N: 1, K: 1<<24 + 1}), "NN 1x1x16777217: an extent is larger than 16777216")
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
			bn := newBench(b, machines[0], c.config)
			g := gemmCase{GEMM: device.GEMM{M: 256, N: 256, K: 256}, splits: 1}
			r := rand.New(rand.NewPCG(1, 2))
			pa, pb := bn.upload("A", random(r, g.M*g.K), 0), bn.upload("B", random(r, g.K*g.N), 0)
			pc := bn.upload("C", make([]float32, g.M*g.N), 0)
			for b.Loop() {
				bn.queue.sgemm(g.GEMM, g.cut(float32s), noEpilogue, pc, pa, pb, 0)
			}
			require.NoError(b, bn.queue.Sync())
			b.ReportMetric(float64(g.FLOPs()/2)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MFMA/s")
		})
	}
}
