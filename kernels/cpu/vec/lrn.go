package vec

import "math"

func addRows(y, x []float32, rows, stride int) {
	for r := range rows {
		add(y, y, x[r*stride:][:len(y)])
	}
}

func squareRows(y, x []float32, rows, stride int, a, k float32) {
	clear(y)
	for r := range rows {
		for i, v := range x[r*stride:][:len(y)] {
			y[i] += float32(a * v * v) // not a times the sum, which may overflow first
		}
	}
	for i, s := range y {
		y[i] = k + s
	}
}

// root is x^-1/4 for positive, normal x, and 0 for an infinite one. Newton's method makes of an error e one
// of 5/2 e²: the first guess, whose bits are linear in those of x, has 3 %,
// and the third step is good to float32. Square roots and divisions, which
// every machine rounds alike, take four times as long.
func root(x float32) float32 {
	if x > math.MaxFloat32 { // a sum that has overflowed
		return 0
	}
	r := math.Float32frombits(0x4F586008 - math.Float32bits(x)>>2)
	quarter := 0.25 * x
	for range 3 {
		r2 := r * r
		r += float32(r * (0.25 - float32(quarter*r2*r2)))
	}
	return r
}

func normalise75(y, scale, x []float32, rows, stride, centre int, a, k float32) {
	squareRows(scale, x, rows, stride, a, k)
	x = x[centre*stride:][:len(y)]
	for i, v := range scale {
		r := root(v)
		y[i] = r * r * r * x[i]
	}
}

func lrnTerms75(t, s, scale, x, dy []float32) {
	s, scale, x, dy = s[:len(t)], scale[:len(t)], x[:len(t)], dy[:len(t)]
	for i, v := range scale {
		r := root(v)
		cube := r * r * r
		s[i] = cube
		t[i] = x[i] * (cube * r) * (dy[i] * cube) // no factor overflows, or is 0 before x is
	}
}

func power(y, x []float32, beta float64) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = v
		if v == v {
			// The last term is nothing, but for an infinite v.
			y[i] = float32(Exp(beta * (log(float64(v)) + float64(float64(v)*0x1p-200))))
		}
	}
}

func lrnTerms(t, s, scale, x, dy []float32) {
	s, scale, x, dy = s[:len(t)], scale[:len(t)], x[:len(t)], dy[:len(t)]
	for i := range t {
		t[i] = dy[i] * s[i] * (x[i] / scale[i])
	}
}

func lrnGradient(dx, s, sum, x, dy []float32, factor float32) {
	s, sum, x, dy = s[:len(dx)], sum[:len(dx)], x[:len(dx)], dy[:len(dx)]
	for i := range dx {
		dx[i] = float32(dy[i]*s[i]) - float32(factor*(x[i]*sum[i]))
	}
}

func lrnGradientAdd(dx, s, sum, x, dy []float32, factor float32) {
	s, sum, x, dy = s[:len(dx)], sum[:len(dx)], x[:len(dx)], dy[:len(dx)]
	for i := range dx {
		dx[i] += float32(dy[i]*s[i]) - float32(factor*(x[i]*sum[i]))
	}
}
