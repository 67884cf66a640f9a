package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) Fill(y device.Tensor, v float32) {
	if q.Err != nil {
		return
	}
	q.fill = fillTask{q.loops(), floats(y), v}
	run(q, &q.fill, chunks(y.Len()))
}

type fillTask struct {
	loops *vec.Loops
	y     []float32
	v     float32
}

func (t *fillTask) Run(item, _ int) {
	i, end := chunk(item, len(t.y))
	t.loops.Fill(t.y[i:end], t.v)
}
