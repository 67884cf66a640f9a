package cuda

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// denseSamples is the batches that the kernels of dense.cu are made for.
var denseSamples = [...]int{1, 4, 16}

// denseKernels are the kernels of dense.cu, by batch.
type denseKernels struct {
	forward, data [len(denseSamples)]driver.Function
	bias          driver.Function
}

func (k *denseKernels) declare(d driver.Driver) {
	names := map[string]*driver.Function{"dense_bias": &k.bias}
	for i, n := range denseSamples {
		names[fmt.Sprintf("dense_forward_%d", n)] = &k.forward[i]
		names[fmt.Sprintf("dense_data_%d", n)] = &k.data[i]
	}
	declare(d, "dense", names)
}

// The threads of a block of dense.cu, the outputs of a block forward, and the
// inputs of one backward.
const (
	denseThreads = 128
	denseOutputs = 4 * denseThreads / 32
	denseInputs  = 4 * denseThreads
)

// streamed is the kernel that reads each weight once for a batch, if there is
// one.
func streamed(d device.Dense) (kernel int, ok bool) {
	if d.In%4 != 0 || d.Out%4 != 0 || max(d.In, d.Out) > maxExtent {
		return 0, false
	}
	for i, n := range denseSamples {
		if d.N <= n {
			return i, true
		}
	}
	return 0, false
}

// denseGEMM is a pass as a matrix product.
func denseGEMM(d device.Dense, p device.Pass) device.GEMM {
	switch p {
	case device.Forward:
		return device.GEMM{M: d.N, N: d.Out, K: d.In, TransB: true}
	case device.BackwardData:
		return device.GEMM{M: d.N, N: d.In, K: d.Out}
	}
	return device.GEMM{M: d.Out, N: d.In, K: d.N, TransA: true}
}

// cutDense is how many parts the gradient of the data is cut into, and their
// length, so that every multiprocessor has four blocks.
func cutDense(sms int, d device.Dense) (splits, length int) {
	splits = max(1, min(4*sms/ceil(d.In, denseInputs), d.Out/leastRange))
	length = ceil(ceil(d.Out, splits), 4) * 4
	return ceil(d.Out, length), length
}

// denseScratch is what a pass of a dense layer needs.
func denseScratch(on traits, d device.Dense, p device.Pass) int64 {
	return largestScratch(d.N, func(n int) int64 {
		d.N = n
		if _, ok := streamed(d); ok && p != device.BackwardFilter {
			if splits, _ := cutDense(on.sms, d); p == device.BackwardData && splits > 1 {
				return 4 * int64(splits) * int64(d.N*d.In)
			}
			return 0
		}
		return gemmScratch(on, denseGEMM(d, p))
	})
}

func (q *queue) DenseForward(d device.Dense, y, x, w device.Tensor, e device.Epilogue, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	q.denseForward(d, q.forward(e), q.at(y), q.at(x), q.at(w), q.scratch(ws))
	q.epilogueMaps(y, e.Maps)
}

func (q *queue) denseForward(d device.Dense, e epilogue, y, x, w, ws driver.Ptr) {
	kernel, ok := streamed(d)
	switch {
	case !ok:
		q.product(denseGEMM(d, device.Forward), e, y, x, w, ws)
	case (x|w)%16 != 0:
		q.unaligned(denseGEMM(d, device.Forward), e, y, x, w)
	default:
		q.args.Reset().Ptr(y).Ptr(x).Ptr(w).Ptr(e.bias).Int(d.N).Int(d.In).Int(d.Out).Float32(e.slope)
		q.launch(q.kernels.dense.forward[kernel], driver.Dim{X: ceil(d.Out, denseOutputs)}, denseThreads)
	}
}

func (q *queue) DenseBackwardData(d device.Dense, dx, dy, w device.Tensor, m device.Mode, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	q.denseData(d, gradient(m), q.at(dx), q.at(dy), q.at(w), q.scratch(ws))
}

func (q *queue) denseData(d device.Dense, e epilogue, dx, dy, w, ws driver.Ptr) {
	kernel, ok := streamed(d)
	switch {
	case !ok:
		q.product(denseGEMM(d, device.BackwardData), e, dx, dy, w, ws)
		return
	case (dx|dy|w|ws)%16 != 0:
		q.unaligned(denseGEMM(d, device.BackwardData), e, dx, dy, w)
		return
	}
	splits, length := cutDense(q.traits.sms, d)
	to, last := dx, e
	if splits > 1 {
		to, e = ws, noEpilogue
	}
	q.args.Reset().Ptr(to).Ptr(dy).Ptr(w).Int(d.N).Int(d.In).Int(d.Out).Int(length).Float32(e.beta)
	q.launch(q.kernels.dense.data[kernel], driver.Dim{X: ceil(d.In, denseInputs), Y: splits}, denseThreads)
	if splits > 1 {
		q.sumPartials(last, dx, ws, d.N*d.In, splits, d.In, 1)
	}
}

// unaligned is a product in one part, which needs no scratch.
func (q *queue) unaligned(g device.GEMM, e epilogue, c, a, b driver.Ptr) {
	p := cutGEMM(q.traits, g)
	p.splits, p.length = 1, ceil(g.K, sliceDepth)*sliceDepth
	q.sgemm(g, p, e, c, a, b, 0)
}

func (q *queue) DenseBackwardFilter(d device.Dense, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	if !dw.IsNil() {
		q.product(denseGEMM(d, device.BackwardFilter), gradient(m), q.at(dw), q.at(dy), q.at(x), q.scratch(ws))
	}
	if !dbias.IsNil() {
		q.denseBias(d, gradient(m), q.at(dbias), q.at(dy))
	}
}

func (q *queue) denseBias(d device.Dense, e epilogue, dbias, dy driver.Ptr) {
	const columns, threads = 32, 256
	q.args.Reset().Ptr(dbias).Ptr(dy).Int(d.N).Int(d.Out).Float32(e.beta)
	q.launch(q.kernels.dense.bias, driver.Dim{X: ceil(d.Out, columns)}, threads)
}
