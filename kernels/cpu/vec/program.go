package vec

import "math"

// Steps are the loops of element-wise programs, as package expr has them.
type Steps struct {
	Sub, Div, Min, Max                       func(y, a, b []float32)
	SelectLess, SelectLessEqual, SelectEqual func(y, a, b, p, q []float32) // p where a compares with b, else q
	Abs, Sqrt, Exp, Log, Tanh, Erf           func(y, x []float32)
}

var steps = Steps{
	Sub: sub, Div: div, Min: minimum, Max: maximum,
	SelectLess: selectLess, SelectLessEqual: selectLessEqual, SelectEqual: selectEqual,
	Abs: abs, Sqrt: sqrt, Exp: exponential, Log: logarithm, Erf: erf,
	Tanh: func(y, x []float32) { tanh(y, x, 0) },
}

func sub(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] - b[i]
	}
}

func div(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] / b[i]
	}
}

// minimum is NaN where one of the two is, and b where they are equal.
func minimum(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i, v := range a {
		if v < b[i] || v != v {
			y[i] = v
		} else {
			y[i] = b[i]
		}
	}
}

func maximum(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i, v := range a {
		if v > b[i] || v != v {
			y[i] = v
		} else {
			y[i] = b[i]
		}
	}
}

func selectLess(y, a, b, p, q []float32) {
	a, b, p, q = a[:len(y)], b[:len(y)], p[:len(y)], q[:len(y)]
	for i := range y {
		v := q[i]
		if a[i] < b[i] {
			v = p[i]
		}
		y[i] = v
	}
}

func selectLessEqual(y, a, b, p, q []float32) {
	a, b, p, q = a[:len(y)], b[:len(y)], p[:len(y)], q[:len(y)]
	for i := range y {
		v := q[i]
		if a[i] <= b[i] {
			v = p[i]
		}
		y[i] = v
	}
}

func selectEqual(y, a, b, p, q []float32) {
	a, b, p, q = a[:len(y)], b[:len(y)], p[:len(y)], q[:len(y)]
	for i := range y {
		v := q[i]
		if a[i] == b[i] {
			v = p[i]
		}
		y[i] = v
	}
}

func abs(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
	}
}

func sqrt(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = float32(math.Sqrt(float64(v)))
	}
}

func exponential(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = float32(Exp(float64(v)))
	}
}

func logarithm(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		switch {
		case v > 0 && v <= math.MaxFloat32:
			y[i] = float32(log(float64(v)))
		case v > 0:
			y[i] = v
		case v == 0:
			y[i] = float32(math.Inf(-1))
		default: // negative or NaN
			y[i] = float32(math.NaN())
		}
	}
}

// erf is the error function to 30 bits: its Taylor polynomial of degree 23 where
// x² < 1, whose remainder is below 2e-10 x; elsewhere 1 - t e^(q(t) - x²) with
// t = 1/(1 + |x|/2) and a polynomial q of degree 7 through the nodes of Chebyshev, off
// by at most 7e-10.
func erf(y, x []float32) {
	x = x[:len(y)]
	for i := range x {
		v := float64(x[i])
		s := v * v
		if s < 1 {
			p := float64(s*-1.2290555301717926e-09) + 1.4807192815879218e-08
			p = float64(p*s) - 1.6365844691234924e-07
			p = float64(p*s) + 1.6462114365889246e-06
			p = float64(p*s) - 1.492565035840625e-05
			p = float64(p*s) + 0.00012055332981789664
			p = float64(p*s) - 0.0008548327023450852
			p = float64(p*s) + 0.005223977625442188
			p = float64(p*s) - 0.026866170645131252
			p = float64(p*s) + 0.11283791670955126
			p = float64(p*s) - 0.37612638903183754
			p = float64(p*s) + 1.1283791670955126
			y[i] = float32(v * p)
			continue
		}
		t := 1 / (float64(math.Abs(v)*0.5) + 1)
		q := float64(t*-0.22747669145409083) + 0.9105051758599338
		q = float64(q*t) - 1.2582411647206069
		q = float64(q*t) + 0.568333785501764
		q = float64(q*t) - 0.1448340022070455
		q = float64(q*t) + 0.42260922983289995
		q = float64(q*t) + 0.9944965070766051
		q = float64(q*t) - 1.2652407029950654
		y[i] = float32(math.Copysign(1-float64(t*Exp(q-s)), v))
	}
}
