package reference

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) SoftmaxLossForward(l device.SoftmaxLoss, loss, prob, x, label device.Tensor) {
	if q.Err != nil {
		return
	}
	losses, probs, scores := floats(loss), floats(prob), floats(x)
	for n, right := range ints(label)[:l.N] {
		row := scores[n*l.C : (n+1)*l.C]
		logSum := softmax(probs[n*l.C:], row, l.C, 1)
		if right < 0 || right >= int64(l.C) {
			losses[n] = math.NaN()
			continue
		}
		losses[n] = logSum - row[right]
	}
}

func (q *queue) SoftmaxLossBackward(l device.SoftmaxLoss, dx, prob, label device.Tensor, scale float32, m device.Mode) {
	if q.Err != nil {
		return
	}
	din, probs := floats(dx), floats(prob)
	for n, right := range ints(label)[:l.N] {
		for c := range l.C {
			i := n*l.C + c
			d := probs[i]
			if int64(c) == right {
				d--
			}
			if right < 0 || right >= int64(l.C) {
				d = 0
			}
			store(&din[i], float64(scale)*d, m)
		}
	}
}
