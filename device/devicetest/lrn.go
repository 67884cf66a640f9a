package devicetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func lrnCases(Options) []Case {
	paper := func(n, c, h, w int) device.LRN {
		return device.LRN{N: n, C: c, H: h, W: w, Size: 5, Alpha: 1e-4, Beta: 0.75, K: 2}
	}
	layers := []device.LRN{paper(1, 96, 55, 55), paper(1, 256, 27, 27), paper(3, 7, 5, 3), paper(2, 70, 3, 2)}
	// A large alpha makes every channel of a window count.
	for _, c := range []int{1, 2, 4, 7, 13} {
		for _, size := range []int{1, 3, 5, 9} {
			layers = append(layers, device.LRN{N: 2, C: c, H: 3, W: 5, Size: size, Alpha: 1.5, Beta: 0.75, K: 1})
		}
	}
	layers = append(layers,
		device.LRN{N: 1, C: 8, H: 4, W: 4, Size: 5, Alpha: 1, Beta: 0.5, K: 1},
		device.LRN{N: 1, C: 8, H: 4, W: 4, Size: 5, Alpha: 1, Beta: 1, K: 0.5},
		device.LRN{N: 1, C: 8, H: 4, W: 4, Size: 3, Alpha: 1, Beta: 0.6, K: 2},
		device.LRN{N: 1, C: 8, H: 4, W: 4, Size: 1<<30 + 1, Alpha: 1, Beta: 0.75, K: 2}, // far past the channels
		device.LRN{N: 1, C: 8, H: 4, W: 4, Size: 3, Alpha: 0, Beta: 0, K: 2},
	)
	var forward, backward []Case
	for _, l := range layers {
		for _, l.AlphaOverSize = range []bool{false, true} {
			forward = append(forward, lrnForward(l, true), lrnForward(l, false))
			for _, m := range modes {
				backward = append(backward, lrnBackward(l, m))
			}
		}
	}
	return append(forward, backward...)
}

func lrnForward(l device.LRN, scale bool) Case {
	shape := tensor.Shape{l.N, l.C, l.H, l.W}
	name := lrnName(l)
	if !scale {
		name += " no scale"
	}
	// The sum's terms are all positive: its error is relative to it.
	sum := tolerance{terms: l.Size, ulps: 8}
	return Case{
		Op:   "lrn forward",
		Name: name,
		args: []arg{
			output("y", shape, tolerance{terms: l.Size, ulps: 16}),
			output("scale", shape, sum).when(scale),
			input("x", shape, between(-2, 2)),
		},
		call: func(q device.Queue, b *Bound) { q.LRNForward(l, b.t[0], b.t[1], b.t[2]) },
	}
}

func lrnBackward(l device.LRN, m device.Mode) Case {
	shape := tensor.Shape{l.N, l.C, l.H, l.W}
	forward := lrnForward(l, true)
	added := l // backward takes the sum away, unless alpha is negative
	added.Alpha = -l.Alpha
	return Case{
		Op:   "lrn backward",
		Name: fmt.Sprintf("%s %v", lrnName(l), m),
		args: []arg{
			destination("dx", shape, m, tolerance{terms: l.Size, ulps: 24}),
			input("x", shape, between(-2, 2)),
			input("scale", shape, positive),
			input("dy", shape, uniform),
		},
		relate: func(values []any) {
			x := values[1].([]float32)
			n := len(x)
			y, err := forward.onReference(forward.call, []any{allOnes(device.Float32, n), allOnes(device.Float32, n), x})
			if err != nil {
				panic(err)
			}
			scale := values[2].([]float32)
			for i, v := range y[1] {
				scale[i] = float32(v)
			}
		},
		call:      func(q device.Queue, b *Bound) { q.LRNBackward(l, b.t[0], b.t[1], b.t[2], b.t[3], m) },
		magnitude: func(q device.Queue, b *Bound) { q.LRNBackward(added, b.t[0], b.t[1], b.t[2], b.t[3], m) },
	}
}

func lrnName(l device.LRN) string {
	s := fmt.Sprintf("N%d C%d %dx%d size %d alpha %g beta %g k %g", l.N, l.C, l.H, l.W, l.Size, l.Alpha, l.Beta, l.K)
	if l.AlphaOverSize {
		s += " over size"
	}
	return s
}
