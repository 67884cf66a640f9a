package reference

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
)

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
