package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// epilogue is what the kernels of products do to each sum s before they store
// it: v = alpha s + beta old + bias, then slope v where v is negative.
type epilogue struct {
	alpha, beta float32
	bias        driver.Ptr
	slope       float32 // 1 is the identity, 0 is ReLU
}

// noEpilogue stores the sums as they are, for the parts of a product.
var noEpilogue = epilogue{alpha: 1, slope: 1}

// hasEpilogue reports whether products can apply an activation: those made of
// two straight lines.
func hasEpilogue(u device.Unary) bool { return u.Op == device.ReLU || u.Op == device.LeakyReLU }

// forward is the epilogue of a forward pass, without its maps.
func (q *queue) forward(d device.Epilogue) epilogue {
	e := epilogue{alpha: 1, bias: q.at(d.Bias), slope: 1}
	if d.Activation.On {
		e.slope = 0
		if d.Activation.Op == device.LeakyReLU {
			e.slope = d.Activation.Slope
		}
	}
	return e
}

// overwrite are the modes of an output that is overwritten.
var overwrite = []device.Mode{device.Overwrite}

// epilogueMaps launches the programs of an epilogue after the kernels of the product.
func (q *queue) epilogueMaps(y device.Tensor, maps []device.EpilogueMap) {
	for i := range maps {
		m := &maps[i]
		if err := m.Check(y); err != nil {
			q.Fail("epilogue", err)
			return
		}
		q.result[0] = y
		q.Map(m.Program, m.View(y), q.result[:], m.In, overwrite, device.Random{})
	}
	q.result[0] = device.Tensor{} // the queue holds no buffer that the caller frees
}

// gradient is the epilogue of a gradient.
func gradient(m device.Mode) epilogue {
	e := noEpilogue
	e.beta = m.Beta()
	return e
}

// partialKernels is the kernel of partials.cu.
type partialKernels struct{ sum driver.Function }

func (k *partialKernels) declare(d driver.Driver) {
	declare(d, "partials", map[string]*driver.Function{"sum_partials": &k.sum})
}

// sumPartials is y = the epilogue of the sum of splits parts of n elements, each
// of a channel (i / inner % channels) of the bias.
func (q *queue) sumPartials(e epilogue, y, parts driver.Ptr, n, splits, inner, channels int) {
	const threads = 256
	q.args.Reset().Ptr(y).Ptr(parts).Ptr(e.bias).Int(n).Int(splits).Int(inner).Int(channels).
		Float32(e.alpha).Float32(e.beta).Float32(e.slope)
	q.launch(q.kernels.partials.sum, driver.Dim{X: ceil(n, threads)}, threads)
}
