package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// softmaxKernels are the kernels of softmax.cu.
type softmaxKernels struct {
	forwardRows, backwardRows driver.Function
	forwardMaps, backwardMaps driver.Function
}

// rowThreads is RowThreads of reduce.cuh.
const rowThreads = 128

func (k *softmaxKernels) declare(d driver.Driver) {
	declare(d, "softmax", map[string]*driver.Function{
		"softmax_forward_rows": &k.forwardRows, "softmax_backward_rows": &k.backwardRows,
		"softmax_forward_maps": &k.forwardMaps, "softmax_backward_maps": &k.backwardMaps,
	})
}

func (q *queue) SoftmaxForward(s device.Softmax, y, x device.Tensor) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(y)).Ptr(q.at(x))
	if s.Inner == 1 {
		q.args.Int(s.C)
		q.launch(q.kernels.softmax.forwardRows, driver.Dim{X: s.N}, rowThreads)
		return
	}
	q.args.Int(s.N).Int(s.C).Int(s.Inner)
	q.launch(q.kernels.softmax.forwardMaps, mapGrid(s), rowThreads)
}

func (q *queue) SoftmaxBackward(s device.Softmax, dx, y, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(dx)).Ptr(q.at(y)).Ptr(q.at(dy))
	if s.Inner == 1 {
		q.args.Int(s.C).Int(int(m))
		q.launch(q.kernels.softmax.backwardRows, driver.Dim{X: s.N}, rowThreads)
		return
	}
	q.args.Int(s.N).Int(s.C).Int(s.Inner).Int(int(m))
	q.launch(q.kernels.softmax.backwardMaps, mapGrid(s), rowThreads)
}

func mapGrid(s device.Softmax) driver.Dim {
	return driver.Dim{X: ceil(s.Inner, rowThreads), Y: min(s.N, limits.gridY)}
}
