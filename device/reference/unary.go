package reference

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) UnaryForward(u device.Unary, y, x device.Tensor) {
	if q.Err != nil {
		return
	}
	out := floats(y)
	for i, v := range floats(x) {
		out[i] = unary(u, v)
	}
}

func (q *queue) UnaryBackward(u device.Unary, dx, y, dy device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	din, dout := floats(dx), floats(dy)
	for i, v := range floats(y) {
		store(&din[i], dout[i]*derivative(u, v), m)
	}
}

// unary is the function's value at x.
func unary(u device.Unary, x float64) float64 {
	switch u.Op {
	case device.ReLU:
		return max(x, 0)
	case device.LeakyReLU:
		if x < 0 {
			return float64(u.Slope) * x
		}
		return x
	case device.Sigmoid:
		return 1 / (1 + math.Exp(-x))
	case device.Tanh:
		return math.Tanh(x)
	}
	panic(fmt.Sprintf("reference: no loop for %v", u.Op))
}

// derivative is the slope where the function's value is y.
func derivative(u device.Unary, y float64) float64 {
	switch u.Op {
	case device.ReLU:
		if y > 0 {
			return 1
		}
		return 0
	case device.LeakyReLU:
		if y > 0 {
			return 1
		}
		return float64(u.Slope)
	case device.Sigmoid:
		return y * (1 - y)
	case device.Tanh:
		return 1 - y*y
	}
	panic(fmt.Sprintf("reference: no loop for %v", u.Op))
}
