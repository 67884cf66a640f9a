package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// lrnKernels are the kernels of lrn.cu.
type lrnKernels struct{ forward, backward, forward5, backward5 driver.Function }

// The threads of a block of lrn.cu, and the channels of a thread.
const (
	lrnThreads  = 128
	lrnChannels = 32
)

func (k *lrnKernels) declare(d driver.Driver) {
	declare(d, "lrn", map[string]*driver.Function{
		"lrn_forward": &k.forward, "lrn_backward": &k.backward,
		"lrn_forward_5": &k.forward5, "lrn_backward_5": &k.backward5,
	})
}

func (q *queue) LRNForward(l device.LRN, y, scale, x device.Tensor) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(y)).Ptr(q.at(scale)).Ptr(q.at(x)).Int(l.N).Int(l.C).Int(l.H * l.W)
	if five(l) {
		q.args.Float32(l.A()).Float32(l.K)
		q.launch(q.kernels.lrn.forward5, lrnGrid(l), lrnThreads)
		return
	}
	q.args.Int(half(l)).Float32(l.A()).Float32(l.Beta).Float32(l.K)
	q.launch(q.kernels.lrn.forward, lrnGrid(l), lrnThreads)
}

func (q *queue) LRNBackward(l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(dx)).Ptr(q.at(x)).Ptr(q.at(scale)).Ptr(q.at(dy)).Int(l.N).Int(l.C).Int(l.H * l.W)
	if five(l) {
		q.args.Float32(l.A()).Int(int(m))
		q.launch(q.kernels.lrn.backward5, lrnGrid(l), lrnThreads)
		return
	}
	q.args.Int(half(l)).Float32(l.A()).Float32(l.Beta).Int(int(m))
	q.launch(q.kernels.lrn.backward, lrnGrid(l), lrnThreads)
}

// five reports whether the kernels of AlexNet's parameters serve.
func five(l device.LRN) bool { return l.Size == 5 && l.Beta == 0.75 }

// half is the number of channels on each side of a window, of those there can
// be.
func half(l device.LRN) int { return min(l.Size/2, l.C-1) }

func lrnGrid(l device.LRN) driver.Dim {
	return driver.Dim{X: ceil(l.H*l.W, lrnThreads), Y: min(l.N*ceil(l.C, lrnChannels), limits.gridY)}
}
