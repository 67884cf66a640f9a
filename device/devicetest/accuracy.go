package devicetest

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func accuracyCases(Options) []Case {
	nan := float32(math.NaN())
	var cases []Case
	for _, a := range []device.Accuracy{
		{N: 1, C: 1, K: 1}, {N: 64, C: 10, K: 1}, {N: 64, C: 10, K: 5}, {N: 7, C: 10, K: 10}, {N: 9, C: 1000, K: 5}, {N: 9, C: 1000, K: 500}, {N: 40, C: 3, K: 2},
	} {
		right := labels(0, a.C)
		cases = append(cases,
			accuracyCase(a, uniform, right, ""),
			accuracyCase(a, coarse, right, " ties"),
			accuracyCase(a, these[float32](0), right, " all equal"),
			accuracyCase(a, sprinkled(uniform, 4, nan), right, " NaN"),
			accuracyCase(a, these(nan), right, " all NaN"),
			accuracyCase(a, uniform, labels(-2, a.C+2), " labels out of range"),
		)
	}
	return cases
}

func accuracyCase(a device.Accuracy, x, label fill, note string) Case {
	return Case{
		Op:   "accuracy",
		Name: fmt.Sprintf("N%d C%d top-%d%s", a.N, a.C, a.K, note),
		args: []arg{
			output("hit", tensor.Shape{a.N}, exactly),
			input("x", tensor.Shape{a.N, a.C}, x),
			input("label", tensor.Shape{a.N}, label).as(device.Int32),
		},
		call: func(q device.Queue, b *Bound) { q.Accuracy(a, b.t[0], b.t[1], b.t[2]) },
	}
}
