package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// concatKernels are the kernels of concat.cu.
type concatKernels struct{ concat driver.Function }

func (k *concatKernels) declare(d driver.Driver) {
	declare(d, "concat", map[string]*driver.Function{"concat": &k.concat})
}

func (q *queue) ConcatForward(c device.Concat, y, x device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.concat(c, q.at(y).Offset(4*int64(c.Offset)), q.at(x), c.Total, c.Len, m)
}

func (q *queue) ConcatBackward(c device.Concat, dx, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.concat(c, q.at(dx), q.at(dy).Offset(4*int64(c.Offset)), c.Len, c.Total, m)
}

// concat copies c.N rows between matrices whose rows lie toStride and
// fromStride elements apart.
func (q *queue) concat(c device.Concat, to, from driver.Ptr, toStride, fromStride int, m device.Mode) {
	q.args.Reset().Ptr(to).Ptr(from).Int(c.N).Int64(int64(c.Len)).Int64(int64(toStride)).Int64(int64(fromStride)).Int(int(m))
	q.launch(q.kernels.concat.concat, driver.Dim{X: ceil(c.Len, blockElements), Y: min(c.N, limits.gridY)}, elementThreads)
}
