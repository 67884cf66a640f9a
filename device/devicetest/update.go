package devicetest

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func updateCases(Options) []Case {
	whole := []device.Segment{{Len: 5000, Rate: 1, Decay: 1}}
	// Gaps, other offsets in the gradients than in the weights, and each
	// multiplier 0 once.
	parts := []device.Segment{
		{Weight: 3, Grad: 700, Len: 100, Rate: 1, Decay: 1},
		{Weight: 103, Grad: 0, Len: 1, Rate: 2, Decay: 0},
		{Weight: 128, Grad: 64, Len: 333, Rate: 0, Decay: 1},
		{Weight: 800, Grad: 500, Len: 199, Rate: 10, Decay: 0.5},
		{Weight: 500, Grad: 900, Len: 17, Rate: 0, Decay: 0},
	}
	empty := []device.Segment{{Weight: 3, Rate: 1, Decay: 1}, {Weight: 3, Grad: 9, Rate: 1}}
	some := slices.Concat(empty, parts[:2], empty, parts[2:], empty)
	one := []device.Segment{{Len: 1, Rate: 1, Decay: 1}}
	s := device.SGD{Rate: 0.01, Momentum: 0.9, Decay: 5e-4}
	var cases []Case
	for _, s.Nesterov = range []bool{false, true} {
		s.MaxNorm = 0
		cases = append(cases, sgdCase(s, whole, 0), sgdCase(s, parts, 0), sgdCase(s, one, 0))
		s.MaxNorm = 2.5
		cases = append(cases, sgdCase(s, parts, 100), sgdCase(s, parts, 3), sgdCase(s, parts, 6.25), sgdCase(s, whole, 0))
	}
	cases = append(cases,
		sgdCase(device.SGD{Rate: 0.5}, parts, 0),
		sgdCase(device.SGD{Rate: 0.5, Decay: 0.1}, parts, 0),
		sgdCase(device.SGD{Rate: 0.5, Momentum: 0.5}, nil, 0),
		sgdCase(device.SGD{Rate: 0.5, Momentum: 0.5}, empty, 0),
		sgdCase(device.SGD{Rate: 0.5, Momentum: 0.5}, some, 0),
	)
	for _, n := range []int{1, 7, 1000, 4099, 1_000_000} {
		cases = append(cases, sumSquaresCase(n))
	}
	return cases
}

func sgdCase(s device.SGD, segments []device.Segment, norm2 float32) Case {
	weights, grads := 16, 16
	for _, p := range segments {
		weights, grads = max(weights, p.Weight+p.Len+5), max(grads, p.Grad+p.Len+5)
	}
	name := fmt.Sprintf("rate %g momentum %g decay %g, %d segments of %d", s.Rate, s.Momentum, s.Decay, len(segments), weights)
	if s.Nesterov {
		name += " nesterov"
	}
	if s.MaxNorm != 0 {
		name += fmt.Sprintf(" norm² %g of at most %g²", norm2, s.MaxNorm)
	}
	// Weights, velocities and gradients are below 1, factors of them below 10.
	tol := ulps(4, 4)
	return Case{
		Op:   "sgd",
		Name: name,
		args: []arg{
			updated("w", tensor.Shape{weights}, uniform, tol),
			updated("v", tensor.Shape{grads}, uniform, tol),
			input("dw", tensor.Shape{grads}, uniform),
			input("norm2", tensor.Shape{1}, these(norm2)).when(s.MaxNorm != 0),
		},
		call: func(q device.Queue, b *Bound) { q.SGD(s, b.t[0], b.t[1], b.t[2], b.t[3], segments) },
	}
}

// sumSquaresCase fails where a million squares go through one float32: the
// small ones round away.
func sumSquaresCase(n int) Case {
	return Case{
		Op:   "sum-squares",
		Name: fmt.Sprint(n),
		args: []arg{
			output("out", tensor.Shape{1}, products(n)),
			input("x", tensor.Shape{n}, uniform),
		},
		call: func(q device.Queue, b *Bound) { q.SumSquares(b.t[0], b.t[1]) },
	}
}
