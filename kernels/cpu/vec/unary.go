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

// one is the bits of 1. Choosing between bits compiles to a conditional move,
// choosing between floats to a branch that half the elements mispredict.
const one uint32 = 0x3F800000
