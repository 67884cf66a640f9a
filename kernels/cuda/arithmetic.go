package cuda

import (
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// arithmeticKernels are the kernels of arithmetic.cu.
type arithmeticKernels struct{ add, scale driver.Function }

func (k *arithmeticKernels) load(d driver.Driver) error {
	return loadKernels(d, "arithmetic", map[string]*driver.Function{"add": &k.add, "scale": &k.scale})
}

func (q *queue) Add(y, a, b device.Tensor) {
	if q.Err != nil {
		return
	}
	n := y.Len()
	q.args.Reset().Ptr(q.at(y)).Ptr(q.at(a)).Ptr(q.at(b)).Int64(int64(n))
	q.elements(q.kernels.arithmetic.add, n)
}

func (q *queue) Scale(y, x device.Tensor, alpha float32, m device.Mode) {
	if q.Err != nil {
		return
	}
	n := y.Len()
	q.args.Reset().Ptr(q.at(y)).Ptr(q.at(x)).Int64(int64(n)).Float32(alpha).Int(int(m))
	q.elements(q.kernels.arithmetic.scale, n)
}

// Fill is the driver's: every CUDA driver has a fast one.
func (q *queue) Fill(y device.Tensor, v float32) {
	if q.Err != nil {
		return
	}
	if err := q.stream.Memset32(q.at(y), math.Float32bits(v), int64(y.Len())); err != nil {
		q.Fail("fill", err)
	}
}
