package devicetest

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func lossCases(Options) []Case {
	var logForward, logBackward []Case
	for _, l := range []device.SoftmaxLoss{{N: 1, C: 1}, {N: 3, C: 10}, {N: 128, C: 10}, {N: 5, C: 1000}, {N: 17, C: 33}} {
		right := labels(0, l.C)
		logForward = append(logForward, softmaxLossForward(l, 4, right, ""))
		for _, m := range modes {
			logBackward = append(logBackward, softmaxLossBackward(l, right, m, ""))
		}
	}
	l := device.SoftmaxLoss{N: 9, C: 10}
	wrong := these[int32](0, -1, 10, 9, math.MinInt32, math.MaxInt32, 3)
	logForward = append(logForward,
		softmaxLossForward(l, 1e4, labels(0, l.C), " huge scores"),
		softmaxLossForward(l, 1e38, labels(0, l.C), " scores near the largest number"),
		softmaxLossForward(l, 4, wrong, " labels out of range"),
	)
	for _, m := range modes {
		logBackward = append(logBackward, softmaxLossBackward(l, wrong, m, " labels out of range"))
	}
	return append(logForward, logBackward...)
}

// lossScale is what a batch of 128 has.
const lossScale = 1.0 / 128

func softmaxLossForward(l device.SoftmaxLoss, spread float32, label fill, note string) Case {
	n := softmaxULPs(l.C, float64(spread))
	return Case{
		Op:   "softmax-loss forward",
		Name: softmaxLossName(l) + note,
		args: []arg{
			// The loss is a difference of numbers as large as the scores.
			output("loss", tensor.Shape{l.N}, ulps(n, float64(spread)+math.Log(float64(l.C)))),
			output("prob", tensor.Shape{l.N, l.C}, ulps(n, 0)),
			input("x", tensor.Shape{l.N, l.C}, between(-spread, spread)),
			input("label", tensor.Shape{l.N}, label).as(device.Int32),
		},
		call: func(q device.Queue, b *Bound) { q.SoftmaxLossForward(l, b.t[0], b.t[1], b.t[2], b.t[3]) },
	}
}

func softmaxLossBackward(l device.SoftmaxLoss, label fill, m device.Mode, note string) Case {
	return Case{
		Op:   "softmax-loss backward",
		Name: fmt.Sprintf("%s%s %v", softmaxLossName(l), note, m),
		args: []arg{
			destination("dx", tensor.Shape{l.N, l.C}, m, ulps(4, 0)),
			input("prob", tensor.Shape{l.N, l.C}, positive),
			input("label", tensor.Shape{l.N}, label).as(device.Int32),
		},
		call: func(q device.Queue, b *Bound) { q.SoftmaxLossBackward(l, b.t[0], b.t[1], b.t[2], lossScale, m) },
	}
}

func softmaxLossName(l device.SoftmaxLoss) string { return fmt.Sprintf("N%d C%d", l.N, l.C) }
