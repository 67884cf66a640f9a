package vec

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
)

// Unary is y = u(x).
func Unary(u device.Unary, y, x []float32) {
	x = x[:len(y)]
	switch u.Op {
	case device.ReLU:
		for i, v := range x {
			keep := ^uint32(0)
			if v < 0 { // a NaN stays
				keep = 0
			}
			y[i] = math.Float32frombits(math.Float32bits(v) & keep)
		}
	case device.LeakyReLU:
		slope := math.Float32bits(u.Slope)
		for i, v := range x {
			factor := one
			if v < 0 {
				factor = slope
			}
			y[i] = v * math.Float32frombits(factor)
		}
	case device.Sigmoid:
		for i, v := range x {
			y[i] = sigmoid(v)
		}
	case device.Tanh:
		for i, v := range x {
			y[i] = tanh(v)
		}
	default:
		panic(fmt.Sprintf("cpu: no loop for %v", u.Op))
	}
}

// UnaryGradient is dx = dy u'(x), with the derivative taken from y = u(x).
func UnaryGradient(u device.Unary, dx, y, dy []float32, m device.Mode) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	add := m == device.Accumulate
	switch u.Op {
	case device.ReLU:
		for i, v := range y {
			keep := uint32(0)
			if v > 0 {
				keep = ^uint32(0)
			}
			store(&dx[i], math.Float32frombits(math.Float32bits(dy[i])&keep), add)
		}
	case device.LeakyReLU:
		slope := math.Float32bits(u.Slope)
		for i, v := range y {
			factor := slope
			if v > 0 {
				factor = one
			}
			store(&dx[i], dy[i]*math.Float32frombits(factor), add)
		}
	case device.Sigmoid:
		for i, v := range y {
			store(&dx[i], dy[i]*v*(1-v), add)
		}
	case device.Tanh:
		for i, v := range y {
			store(&dx[i], dy[i]*(1-float32(v*v)), add)
		}
	default:
		panic(fmt.Sprintf("cpu: no loop for %v", u.Op))
	}
}

// one is the bits of 1. Choosing between bits compiles to a conditional move,
// choosing between floats to a branch that half the elements mispredict.
const one uint32 = 0x3F800000

// store writes v, or adds it.
func store(dst *float32, v float32, add bool) {
	if add {
		v = *dst + float32(v)
	}
	*dst = v
}
