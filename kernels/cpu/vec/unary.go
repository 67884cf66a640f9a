package vec

import "math"

func relu(y, x []float32, _ float32) {
	x = x[:len(y)]
	for i, v := range x {
		keep := ^uint32(0)
		if v < 0 { // a NaN stays
			keep = 0
		}
		y[i] = math.Float32frombits(math.Float32bits(v) & keep)
	}
}

func leakyReLU(y, x []float32, slope float32) {
	x = x[:len(y)]
	negative := math.Float32bits(slope)
	for i, v := range x {
		factor := one
		if v < 0 {
			factor = negative
		}
		y[i] = v * math.Float32frombits(factor)
	}
}

func sigmoid(y, x []float32, _ float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = float32(1 / (1 + Exp(-float64(v))))
	}
}

// tanh is (e^2x - 1)/(e^2x + 1); near 0, where that cancels, it is the Taylor
// polynomial of degree 7, whose remainder is below x^9/45 = 3e-10 x.
func tanh(y, x []float32, _ float32) {
	x = x[:len(y)]
	for i := range x {
		v := float64(x[i])
		if s := v * v; s < 0.01 {
			p := float64(s*(-17.0/315)) + 2.0/15
			p = float64(p*s) - 1.0/3
			y[i] = float32(v + float64(v*float64(s*p)))
			continue
		}
		e := Exp(2 * v)
		y[i] = float32((e - 1) / (e + 1))
	}
}

func reluGradient(dx, y, dy []float32, _ float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		dx[i] = positive(v, dy[i])
	}
}

func reluGradientAdd(dx, y, dy []float32, _ float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		dx[i] += positive(v, dy[i])
	}
}

// positive is d where v is positive, and 0 elsewhere.
func positive(v, d float32) float32 {
	keep := uint32(0)
	if v > 0 {
		keep = ^uint32(0)
	}
	return math.Float32frombits(math.Float32bits(d) & keep)
}

func leakyGradient(dx, y, dy []float32, slope float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		dx[i] = dy[i] * leak(v, slope)
	}
}

func leakyGradientAdd(dx, y, dy []float32, slope float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		dx[i] += float32(dy[i] * leak(v, slope))
	}
}

// leak is 1 where v is positive, and slope elsewhere.
func leak(v, slope float32) float32 {
	factor := math.Float32bits(slope)
	if v > 0 {
		factor = one
	}
	return math.Float32frombits(factor)
}

func sigmoidGradient(dx, y, dy []float32, _ float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		dx[i] = dy[i] * v * (1 - v)
	}
}

func sigmoidGradientAdd(dx, y, dy []float32, _ float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		dx[i] += float32(dy[i] * v * (1 - v))
	}
}

func tanhGradient(dx, y, dy []float32, _ float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		dx[i] = dy[i] * (1 - float32(v*v))
	}
}

func tanhGradientAdd(dx, y, dy []float32, _ float32) {
	y, dy = y[:len(dx)], dy[:len(dx)]
	for i, v := range y {
		dx[i] += float32(dy[i] * (1 - float32(v*v)))
	}
}

// one is the bits of 1. Choosing between bits compiles to a conditional move,
// choosing between floats to a branch that half the elements mispredict.
const one uint32 = 0x3F800000
