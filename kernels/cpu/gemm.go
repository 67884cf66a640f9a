package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

func (q *queue) GEMM(g device.GEMM, c, a, b device.Tensor, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	q.product = gemm.Product{GEMM: g, C: floats(c), A: floats(a), B: floats(b)}
	q.engine.Multiply(&q.product)
}
