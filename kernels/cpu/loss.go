package cpu

import (
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) SoftmaxLossForward(l device.SoftmaxLoss, loss, prob, x, label device.Tensor) {
	if q.Err != nil {
		return
	}
	q.softmaxLoss = softmaxLossTask{loops: q.loops(), l: l, loss: floats(loss), prob: floats(prob), x: floats(x), labels: ints(label)}
	run(q, &q.softmaxLoss, rowItems(l.N, l.C))
}

func (q *queue) SoftmaxLossBackward(l device.SoftmaxLoss, dx, prob, label device.Tensor, scale float32, m device.Mode) {
	if q.Err != nil {
		return
	}
	q.softmaxLoss = softmaxLossTask{loops: q.loops(), l: l, dx: floats(dx), prob: floats(prob), labels: ints(label), scale: scale, m: m}
	run(q, &q.softmaxLoss, rowItems(l.N, l.C))
}

// softmaxLossTask is the loss or, where dx is there, its gradient.
type softmaxLossTask struct {
	loops             *vec.Loops
	l                 device.SoftmaxLoss
	loss, prob, x, dx []float32
	labels            []int32
	scale             float32
	m                 device.Mode
}

func (t *softmaxLossTask) Run(item, _ int) {
	c := t.l.C
	for n, end := rows(item, t.l.N, c); n < end; n++ {
		label := int(t.labels[n])
		known := label >= 0 && label < c
		prob := t.prob[n*c:][:c]
		if t.dx != nil {
			softmaxLossGradient(t.dx[n*c:][:c], prob, label, known, t.scale, t.m)
			continue
		}
		x := t.x[n*c:][:c]
		logSum := softmax(t.loops, prob, x)
		t.loss[n] = float32(math.NaN())
		if known {
			t.loss[n] = float32(logSum - float64(x[label]))
		}
	}
}

// softmaxLossGradient is dx = scale (prob - onehot(label)), or 0 where the label
// is not known.
func softmaxLossGradient(dx, prob []float32, label int, known bool, scale float32, m device.Mode) {
	for c, d := range prob {
		if c == label {
			d--
		}
		if !known {
			d = 0
		}
		d *= scale
		if m == device.Accumulate {
			d = dx[c] + float32(d)
		}
		dx[c] = d
	}
}
