package devicetest

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// lengths of element-wise cases, around the widths of vectors and blocks.
var lengths = []int{1, 7, 16, 1000, 1002, 4099, 1 << 18}

func unaryCases(Options) []Case {
	var forward, backward []Case
	for _, op := range device.UnaryOps() {
		u := device.Unary{Op: op, Slope: 0.1}
		for _, n := range lengths {
			forward = append(forward, unaryForward(u, n, false))
			for _, m := range modes {
				backward = append(backward, unaryBackward(u, n, m))
			}
		}
		forward = append(forward, unaryForward(u, 1000, true))
		backward = append(backward, unaryBackwardInPlace(u, 1000))
	}
	return append(forward, backward...)
}

// wide covers what saturates and what underflows.
var wide = func(r *rand.Rand, n int) any {
	values := between(-12, 12)(r, n).([]float32)
	for i, v := range []float32{0, 1e-30, -1e-30, 1e-4, -1e-4, 30, -30, 100, -100, 1e30, -1e30} {
		if n > 100 {
			values[i*7] = v
		}
	}
	return values
}

func unaryForward(u device.Unary, n int, inPlace bool) Case {
	tol := ulps(16, 1) // exponentials; near 0 the results are sums with 1
	if u.Op == device.ReLU || u.Op == device.LeakyReLU {
		tol = exactly
	}
	c := Case{
		Op:   "unary forward",
		Name: fmt.Sprintf("%v %d", u.Op, n),
		args: []arg{output("y", tensor.Shape{n}, tol), input("x", tensor.Shape{n}, wide)},
		call: func(q device.Queue, b *Bound) { q.UnaryForward(u, b.t[0], b.t[1]) },
	}
	if inPlace {
		c.Name += " in place"
		c.args = []arg{updated("y", tensor.Shape{n}, wide, tol)}
		c.call = func(q device.Queue, b *Bound) { q.UnaryForward(u, b.t[0], b.t[0]) }
	}
	return c
}

func unaryBackward(u device.Unary, n int, m device.Mode) Case {
	y, tol := unaryOutputs(u)
	return Case{
		Op:   "unary backward",
		Name: fmt.Sprintf("%v %d %v", u.Op, n, m),
		args: []arg{
			destination("dx", tensor.Shape{n}, m, tol),
			input("y", tensor.Shape{n}, y),
			input("dy", tensor.Shape{n}, uniform),
		},
		call: func(q device.Queue, b *Bound) { q.UnaryBackward(u, b.t[0], b.t[1], b.t[2], m) },
	}
}

func unaryBackwardInPlace(u device.Unary, n int) Case {
	y, tol := unaryOutputs(u)
	return Case{
		Op:   "unary backward",
		Name: fmt.Sprintf("%v %d in place", u.Op, n),
		args: []arg{
			updated("dx", tensor.Shape{n}, uniform, tol),
			input("y", tensor.Shape{n}, y),
		},
		call: func(q device.Queue, b *Bound) { q.UnaryBackward(u, b.t[0], b.t[1], b.t[0], device.Overwrite) },
	}
}

// unaryOutputs is values that the function can have, and the tolerance of its
// gradient.
func unaryOutputs(u device.Unary) (fill, tolerance) {
	switch u.Op {
	case device.ReLU:
		return sprinkled(positive, 2, 0), exactly
	case device.LeakyReLU:
		return sprinkled(uniform, 9, 0), exactly
	case device.Sigmoid:
		return positive, ulps(8, 1)
	default:
		return uniform, ulps(8, 2) // 1 - y² cancels where y is near 1
	}
}
