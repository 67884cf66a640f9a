package reference

import "github.com/hubel-go/hubel/device"

func (q *queue) DenseForward(d device.Dense, y, x, w device.Tensor, e device.Epilogue, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	g := device.GEMM{M: d.N, N: d.Out, K: d.In, TransB: true, Alpha: 1}
	gemm(g, floats(y), floats(x), floats(w))
	q.epilogue(y, e, d.Out, 1)
}

func (q *queue) DenseBackwardData(d device.Dense, dx, dy, w device.Tensor, m device.Mode, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	g := device.GEMM{M: d.N, N: d.In, K: d.Out, Alpha: 1, Beta: m.Beta()}
	gemm(g, floats(dx), floats(dy), floats(w))
}

func (q *queue) DenseBackwardFilter(d device.Dense, dw, dbias, x, dy device.Tensor, m device.Mode, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	biasBackward(dbias, floats(dy), d.Out, 1, m)
	if dw.IsNil() {
		return
	}
	g := device.GEMM{M: d.Out, N: d.In, K: d.N, TransA: true, Alpha: 1, Beta: m.Beta()}
	gemm(g, floats(dw), floats(dy), floats(x))
}

// epilogue is what becomes of a product [N,channels,inner].
func (q *queue) epilogue(y device.Tensor, e device.Epilogue, channels, inner int) {
	values := floats(y)
	if !e.Bias.IsNil() {
		bias := floats(e.Bias)
		for i := range values {
			values[i] += bias[i/inner%channels]
		}
	}
	if e.Activation.On {
		for i := range values {
			values[i] = unary(e.Activation.Unary, values[i])
		}
	}
	for _, m := range e.Maps {
		if err := m.Check(y); err != nil {
			q.Fail("epilogue", err)
			return
		}
		q.Map(m.Program, m.View(y), []device.Tensor{y}, m.In, []device.Mode{device.Overwrite}, device.Random{})
	}
}

// biasBackward sums dy [N,channels,inner] for each channel.
func biasBackward(dbias device.Tensor, dy []float64, channels, inner int, m device.Mode) {
	if dbias.IsNil() {
		return
	}
	sums := floats(dbias)
	begin(sums, m)
	for i, v := range dy {
		sums[i/inner%channels] += v
	}
}
