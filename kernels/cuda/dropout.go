package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// dropoutKernels are the kernels of dropout.cu.
type dropoutKernels struct{ forward, backward driver.Function }

func (k *dropoutKernels) declare(d driver.Driver) {
	declare(d, "dropout", map[string]*driver.Function{
		"dropout_forward": &k.forward, "dropout_backward": &k.backward,
	})
}

func (q *queue) DropoutForward(d device.Dropout, y, mask, x device.Tensor, r device.Random) {
	if q.Err != nil {
		return
	}
	q.args.Reset().Ptr(q.at(y)).Ptr(q.at(mask)).Ptr(q.at(x)).Int(d.Samples).Int(d.Elems).
		Uint32(d.Threshold()).Float32(d.Scale()).
		Uint32(uint32(r.Seed)).Uint32(uint32(r.Seed >> 32)).Uint32(r.Stream).Uint32(r.Iteration).Uint32(r.Sample)
	q.launch(q.kernels.dropout.forward,
		driver.Dim{X: ceil(d.Elems, blockElements), Y: min(d.Samples, limits.gridY)}, elementThreads)
}

func (q *queue) DropoutBackward(d device.Dropout, dx, dy, mask device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	n := d.Samples * d.Elems
	q.args.Reset().Ptr(q.at(dx)).Ptr(q.at(dy)).Ptr(q.at(mask)).Int64(int64(n)).Float32(d.Scale()).Int(int(m))
	q.elements(q.kernels.dropout.backward, n)
}
