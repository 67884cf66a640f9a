package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// lossKernels are the kernels of loss.cu.
type lossKernels struct{ logForward, logBackward driver.Function }

func (k *lossKernels) declare(d driver.Driver) {
	declare(d, "loss", map[string]*driver.Function{
		"softmax_loss_forward": &k.logForward, "softmax_loss_backward": &k.logBackward,
	})
}

func (q *queue) SoftmaxLossForward(l device.SoftmaxLoss, loss, prob, x, label device.Tensor) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(loss)).Ptr(q.at(prob)).Ptr(q.at(x)).Ptr(q.at(label)).Int(l.C)
	q.launch(q.kernels.loss.logForward, driver.Dim{X: l.N}, rowThreads)
}

func (q *queue) SoftmaxLossBackward(l device.SoftmaxLoss, dx, prob, label device.Tensor, scale float32, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(dx)).Ptr(q.at(prob)).Ptr(q.at(label)).Int(l.N).Int(l.C).Float32(scale).Int(int(m))
	q.launch(q.kernels.loss.logBackward, driver.Dim{X: ceil(l.C, rowThreads), Y: min(l.N, limits.gridY)}, rowThreads)
}
