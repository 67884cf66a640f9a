package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// accuracyKernels are the kernels of accuracy.cu.
type accuracyKernels struct{ accuracy driver.Function }

// accuracyThreads is the threads of a block of accuracy.
const accuracyThreads = 128

func (k *accuracyKernels) declare(d driver.Driver) {
	declare(d, "accuracy", map[string]*driver.Function{"accuracy": &k.accuracy})
}

func (q *queue) Accuracy(a device.Accuracy, hit, x, label device.Tensor) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(hit)).Ptr(q.at(x)).Ptr(q.at(label)).Int(a.C).Int(a.K)
	q.launch(q.kernels.accuracy.accuracy, driver.Dim{X: a.N}, accuracyThreads)
}
