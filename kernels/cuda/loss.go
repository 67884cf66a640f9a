package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// lossKernels are the kernels of loss.cu.
type lossKernels struct {
	logForward, logBackward driver.Function
	l2Forward, l2Backward   driver.Function
}

func (k *lossKernels) declare(d driver.Driver) {
	declare(d, "loss", map[string]*driver.Function{
		"log_loss_forward": &k.logForward, "log_loss_backward": &k.logBackward,
		"l2_loss_forward": &k.l2Forward, "l2_loss_backward": &k.l2Backward,
	})
}

func (q *queue) LogLossForward(l device.LogLoss, loss, prob, x, label device.Tensor) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(loss)).Ptr(q.at(prob)).Ptr(q.at(x)).Ptr(q.at(label)).Int(l.C)
	q.launch(q.kernels.loss.logForward, driver.Dim{X: l.N}, rowThreads)
}

func (q *queue) LogLossBackward(l device.LogLoss, dx, prob, label device.Tensor, scale float32, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(dx)).Ptr(q.at(prob)).Ptr(q.at(label)).Int(l.N).Int(l.C).Float32(scale).Int(int(m))
	q.launch(q.kernels.loss.logBackward, driver.Dim{X: ceil(l.C, rowThreads), Y: min(l.N, limits.gridY)}, rowThreads)
}

func (q *queue) L2LossForward(l device.L2Loss, loss, x, target device.Tensor) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(loss)).Ptr(q.at(x)).Ptr(q.at(target)).Int64(int64(l.Elems))
	q.launch(q.kernels.loss.l2Forward, driver.Dim{X: l.N}, rowThreads)
}

func (q *queue) L2LossBackward(l device.L2Loss, dx, x, target device.Tensor, scale float32, m device.Mode) {
	if q.Err != nil {
		return
	}
	n := l.N * l.Elems
	q.args.Reset().Ptr(q.at(dx)).Ptr(q.at(x)).Ptr(q.at(target)).Int64(int64(n)).Float32(scale).Int(int(m))
	q.elements(q.kernels.loss.l2Backward, n)
}
