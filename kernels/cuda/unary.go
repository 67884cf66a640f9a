package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// unaryKernels are the kernels of unary.cu, by device.UnaryOp.
type unaryKernels struct {
	forward, backward [4]driver.Function
}

func (k *unaryKernels) load(d driver.Driver) error {
	return loadKernels(d, "unary", map[string]*driver.Function{
		"unary_relu_forward":        &k.forward[device.ReLU],
		"unary_leaky_relu_forward":  &k.forward[device.LeakyReLU],
		"unary_sigmoid_forward":     &k.forward[device.Sigmoid],
		"unary_tanh_forward":        &k.forward[device.Tanh],
		"unary_relu_backward":       &k.backward[device.ReLU],
		"unary_leaky_relu_backward": &k.backward[device.LeakyReLU],
		"unary_sigmoid_backward":    &k.backward[device.Sigmoid],
		"unary_tanh_backward":       &k.backward[device.Tanh],
	})
}

func (q *queue) UnaryForward(u device.Unary, y, x device.Tensor) {
	if q.Err != nil {
		return
	}
	n := y.Len()
	q.args.Reset().Ptr(q.at(y)).Ptr(q.at(x)).Int64(int64(n)).Float32(u.Slope)
	q.elements(q.kernels.unary.forward[u.Op], n)
}

func (q *queue) UnaryBackward(u device.Unary, dx, y, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	n := dx.Len()
	q.args.Reset().Ptr(q.at(dx)).Ptr(q.at(y)).Ptr(q.at(dy)).Int64(int64(n)).Float32(u.Slope).Int(int(m))
	q.elements(q.kernels.unary.backward[u.Op], n)
}
