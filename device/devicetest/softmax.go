package devicetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func softmaxCases(Options) []Case {
	var forward, backward []Case
	for _, s := range []device.Softmax{
		{N: 1, C: 1, Inner: 1}, {N: 3, C: 10, Inner: 1}, {N: 2, C: 1000, Inner: 1}, {N: 33, C: 17, Inner: 1},
		{N: 2, C: 5, Inner: 7}, {N: 1, C: 21, Inner: 169}, {N: 2, C: 1, Inner: 4},
	} {
		forward = append(forward, softmaxForward(s, 4, ""))
		for _, m := range modes {
			backward = append(backward, softmaxBackward(s, m))
		}
	}
	s := device.Softmax{N: 5, C: 10, Inner: 3}
	forward = append(forward,
		softmaxForward(s, 80, " wide"), // exponentials near the smallest normal number
		softmaxForward(s, 1e4, " huge"),
		softmaxForward(s, 1e38, " near the largest number"),
	)
	return append(forward, backward...)
}

// softmaxULPs is the roundings in exp(x-max) / sum, relative to the result.
// Rounding x-max costs as many as it is large, until exp vanishes.
func softmaxULPs(c int, spread float64) float64 {
	return 16 + 4*math.Sqrt(float64(c)) + min(2*spread, 110)
}

func softmaxForward(s device.Softmax, spread float32, note string) Case {
	shape := tensor.Shape{s.N, s.C, s.Inner}
	return Case{
		Op:   "softmax forward",
		Name: softmaxName(s) + note,
		args: []arg{
			output("y", shape, ulps(softmaxULPs(s.C, float64(spread)), 0)),
			input("x", shape, between(-spread, spread)),
		},
		call: func(q device.Queue, b *Bound) { q.SoftmaxForward(s, b.t[0], b.t[1]) },
	}
}

func softmaxBackward(s device.Softmax, m device.Mode) Case {
	shape := tensor.Shape{s.N, s.C, s.Inner}
	// With y up to 2/C and dy between -1 and 1, dy and the sum are at most
	// 1 and 2.
	return Case{
		Op:   "softmax backward",
		Name: fmt.Sprintf("%s %v", softmaxName(s), m),
		args: []arg{
			destination("dx", shape, m, tolerance{terms: s.C, ulps: 8, floor: 6 / float64(s.C)}),
			input("y", shape, between(0, 2/float32(s.C))),
			input("dy", shape, uniform),
		},
		call: func(q device.Queue, b *Bound) { q.SoftmaxBackward(s, b.t[0], b.t[1], b.t[2], m) },
	}
}

func softmaxName(s device.Softmax) string { return fmt.Sprintf("N%d C%d inner %d", s.N, s.C, s.Inner) }

// labels are in [lo,hi).
func labels(lo, hi int) fill {
	return func(r *rand.Rand, n int) any {
		v := make([]int32, n)
		for i := range v {
			v[i] = int32(lo + r.IntN(hi-lo))
		}
		return v
	}
}
