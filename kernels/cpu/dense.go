package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

func (q *queue) DenseForward(d device.Dense, y, x, w device.Tensor, e device.Epilogue, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	maps, ok := q.newEpilogue(e.Maps, y)
	if !ok {
		return
	}
	defer maps.release()
	q.product = gemm.Product{
		GEMM: device.GEMM{M: d.N, N: d.Out, K: d.In, TransB: true, Alpha: 1},
		C:    floats(y), A: floats(x), B: floats(w),
		ColBias: floats(e.Bias), Activation: e.Activation,
	}
	q.engine.Multiply(&q.product)
	q.mapAfter(maps)
}

func (q *queue) DenseBackwardData(d device.Dense, dx, dy, w device.Tensor, m device.Mode, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	q.product = gemm.Product{
		GEMM: device.GEMM{M: d.N, N: d.In, K: d.Out, Alpha: 1, Beta: m.Beta()},
		C:    floats(dx), A: floats(dy), B: floats(w),
	}
	q.engine.Multiply(&q.product)
}

func (q *queue) DenseBackwardFilter(d device.Dense, dw, dbias, x, dy device.Tensor, m device.Mode, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	if !dw.IsNil() {
		q.product = gemm.Product{
			GEMM: device.GEMM{M: d.Out, N: d.In, K: d.N, TransA: true, Alpha: 1, Beta: m.Beta()},
			C:    floats(dw), A: floats(dy), B: floats(x),
		}
		q.engine.Multiply(&q.product)
	}
	if !dbias.IsNil() {
		q.columnSums = columnSumsTask{dst: floats(dbias), src: floats(dy), rows: d.N, m: m}
		run(q, &q.columnSums, (d.Out+sumColumns-1)/sumColumns)
	}
}

// columnSumsTask adds the rows of src, as wide as dst, in double precision.
type columnSumsTask struct {
	dst, src []float32
	rows     int
	m        device.Mode
}

// sumColumns is the number of columns of an item.
const sumColumns = 256

func (t *columnSumsTask) Run(item, _ int) {
	var sums [sumColumns]float64
	n := len(t.dst)
	first, end := item*sumColumns, min((item+1)*sumColumns, n)
	for r := range t.rows {
		for j, v := range t.src[r*n+first : r*n+end] {
			sums[j] += float64(v)
		}
	}
	for j := range t.dst[first:end] {
		v := float32(sums[j])
		if t.m == device.Accumulate {
			v += t.dst[first+j]
		}
		t.dst[first+j] = v
	}
}
