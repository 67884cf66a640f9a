package cuda

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// gemmTiles is the variants of sgemm.
var gemmTiles = [arithmetics][3]tile{
	{
		{m: 128, n: 128, threads: 256, resident: 2, efficiency: 0.88, vector: true},
		{m: 64, n: 64, threads: 64, resident: 6, efficiency: 0.7},
		{m: 32, n: 32, threads: 64, resident: 16, efficiency: 0.45},
	}, {
		{m: 128, n: 128, threads: 128, resident: 2, efficiency: 0.85, vector: true},
		{m: 64, n: 64, threads: 64, resident: 7, efficiency: 0.65},
		{m: 32, n: 32, threads: 64, resident: 16, efficiency: 0.3},
	},
}

// gemmKernels are the kernels of gemm.cuh, by variant, transA and transB.
type gemmKernels [len(gemmTiles[0])][2][2]driver.Function

func (k *gemmKernels) declare(d driver.Driver, a arithmetic) {
	names := map[string]*driver.Function{}
	for i, t := range gemmTiles[a] {
		for transA, ta := range []string{"n", "t"} {
			for transB, tb := range []string{"n", "t"} {
				names[fmt.Sprintf("sgemm%s_%dx%d_%s%s", a.suffix(), t.m, t.n, ta, tb)] = &k[i][transA][transB]
			}
		}
	}
	declare(d, "gemm"+a.suffix(), names)
}

// maxExtent is the largest extent of a matrix: a tile spans 128 rows, whose
// offsets the kernels keep in 32 bits.
const maxExtent = 1 << 24

// fitsGEMM says why the kernels cannot index a product, if so.
func fitsGEMM(g device.GEMM) error {
	if max(g.M, g.N, g.K) > maxExtent {
		return fmt.Errorf("%v: an extent is larger than %d", g, maxExtent)
	}
	return nil
}

// cutGEMM chooses the variant of a product.
func cutGEMM(on traits, g device.GEMM) cut {
	alongA, alongB := g.K, g.N
	if g.TransA {
		alongA = g.M
	}
	if g.TransB {
		alongB = g.K
	}
	return cutProduct(on, gemmTiles[on.arithmetic][:], g.M, g.N, g.K, 1, (alongA|alongB|g.N)%4 == 0)
}

// gemmScratch is what a GEMM needs.
func gemmScratch(on traits, g device.GEMM) int64 { return cutGEMM(on, g).scratch(g.M * g.N) }

func (q *queue) GEMM(g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	q.product(g, epilogue{alpha: g.Alpha, beta: g.Beta, slope: 1}, q.at(c), q.at(a), q.at(b), q.scratch(ws))
}

// product is C = the epilogue of op(A) op(B), with a bias for each column. ws
// has gemmScratch bytes.
func (q *queue) product(g device.GEMM, e epilogue, c, a, b, ws driver.Ptr) {
	q.sgemm(g, cutGEMM(q.traits, g), e, c, a, b, ws)
}

func (q *queue) sgemm(g device.GEMM, p cut, e epilogue, c, a, b, ws driver.Ptr) {
	if err := fitsGEMM(g); err != nil {
		q.Fail("sgemm", err)
		return
	}
	if p.vector && (c|a|b|ws)%16 != 0 {
		// The same parts, with tiles of any alignment.
		p.variant = 1
		p.tile = gemmTiles[q.traits.arithmetic][p.variant]
		p.down, p.across = ceil(g.M, p.m), ceil(g.N, p.n)
	}
	out, last := c, e
	if p.splits > 1 {
		out, e = ws, noEpilogue
	}
	q.args.Reset().Ptr(out).Ptr(a).Ptr(b).Ptr(e.bias).Int(g.M).Int(g.N).Int(g.K).Int(p.length).
		Float32(e.alpha).Float32(e.beta).Float32(e.slope)
	f := q.kernels.gemm[p.variant][index(g.TransA)][index(g.TransB)]
	q.launch(f, driver.Dim{X: p.down * p.across, Y: p.splits}, p.threads)
	if p.splits > 1 {
		q.sumPartials(last, c, ws, g.M*g.N, p.splits, 1, g.N)
	}
}
