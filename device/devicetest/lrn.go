package devicetest

import (
	"fmt"
	"math"

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
	x := between(-2, 2)
	var forward, backward []Case
	add := func(l device.LRN, x fill, note string) {
		forward = append(forward, lrnForward(l, true, x, note), lrnForward(l, false, x, note))
		for _, m := range modes {
			backward = append(backward, lrnBackward(l, m, x, note))
		}
	}
	for _, l := range layers {
		for _, l.AlphaOverSize = range []bool{false, true} {
			add(l, x, "")
		}
	}
	// Scales that leave the range of float32, and x that are no numbers.
	special := []device.LRN{paper(2, 13, 5, 3)}
	for _, beta := range []float32{0, 0.01, 0.5, 0.75, 1} {
		special = append(special, device.LRN{N: 2, C: 9, H: 4, W: 5, Size: 3, Alpha: 1.5, Beta: beta, K: 1})
	}
	for _, l := range special {
		add(l, sprinkled(x, 9, 1e30), " huge")
		add(l, sprinkled(x, 9, -math.MaxFloat32), " largest")
		add(l, sprinkled(x, 9, float32(math.Inf(1))), " infinite")
		add(l, sprinkled(x, 9, float32(math.NaN())), " NaN")
	}
	// Those that stay there, although the sum of x² or a power for the gradient
	// does not.
	forward = append(forward, lrnForward(special[0], true, sprinkled(x, 9, 1e20), " large"))
	backward = append(backward, lrnBackward(special[0], device.Overwrite, sprinkled(x, 9, 1e17), " large"))
	return append(forward, backward...)
}

func lrnForward(l device.LRN, scale bool, x fill, note string) Case {
	shape := tensor.Shape{l.N, l.C, l.H, l.W}
	name := lrnName(l) + note
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
			input("x", shape, x),
		},
		call: func(q device.Queue, b *Bound) { q.LRNForward(l, b.t[0], b.t[1], b.t[2]) },
	}
}

func lrnBackward(l device.LRN, m device.Mode, x fill, note string) Case {
	shape := tensor.Shape{l.N, l.C, l.H, l.W}
	forward := lrnForward(l, true, x, "")
	added := l // backward takes the sum away, unless alpha is negative
	added.Alpha = -l.Alpha
	return Case{
		Op:   "lrn backward",
		Name: fmt.Sprintf("%s%s %v", lrnName(l), note, m),
		args: []arg{
			destination("dx", shape, m, tolerance{terms: l.Size, ulps: 24}),
			input("x", shape, x),
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
