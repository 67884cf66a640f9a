//go:build arm64 && !purego

package vec

// NEON is the loops in assembly, for whole vectors; what is left is for the Go loops, and
// so are Power, LRNTerms, MaxPool, Draw and the functions Log and Erf.
var NEON = Loops{
	Name: "neon",

	Add: addNEON, Mul: mulNEON, Fill: fillNEON, Spread: spreadNEON,
	Sum: sumNEON, Largest: largestNEON, ExpSum: expSumNEON, ScaleWide: scaleWideNEON,
	AddRows: addRowsNEON, SquareRows: squareRowsNEON, Power: power,
	LRNTerms: lrnTerms, Normalise75: normalise75NEON,
	LRNTerms75:  lrnTerms75NEON,
	LRNGradient: [2]func(dx, s, sum, x, dy []float32, factor float32){lrnGradientNEON, lrnGradientAddNEON},
	MaxPool:     maxPool,
	Draw:        draw, Run: runNEON, Functions: Functions{
		Exp: exponentialNEON, Log: logarithm, Erf: erf,
		Tanh:    func(y, x []float32) { tanhNEON(y, x, 0) },
		Sigmoid: func(y, x []float32) { sigmoidNEON(y, x, 0) },
	},

	unary: [4]func(y, x []float32, slope float32){reluNEON, leakyReLUNEON, sigmoidNEON, tanhNEON},
}

func addNEON(y, a, b []float32) {
	n := len(y) &^ 3
	if n > 0 {
		add4(&y[0], &a[0], &b[0], n)
	}
	add(y[n:], a[n:], b[n:])
}

func mulNEON(y, a, b []float32) {
	n := len(y) &^ 3
	if n > 0 {
		mul4(&y[0], &a[0], &b[0], n)
	}
	mul(y[n:], a[n:], b[n:])
}

func fillNEON(y []float32, v float32) {
	n := len(y) &^ 3
	if n > 0 {
		fill4(&y[0], v, n)
	}
	fill(y[n:], v)
}

func spreadNEON(y, x []float32, inner int) {
	for i, v := range x {
		fillNEON(y[i*inner:][:inner], v)
	}
}

func sumNEON(x []float32) float64 {
	var sums [8]float64
	n := len(x) &^ 7
	if n > 0 {
		sum8(&sums, &x[0], n)
	}
	for i, v := range x[n:] {
		sums[i] += float64(v)
	}
	return Total(&sums)
}

func largestNEON(x []float32) float32 {
	n := len(x) &^ 3
	if n == 0 {
		return largest(x)
	}
	return larger(largest4(&x[0], n), x[n:])
}

func expSumNEON(y, x []float32, largest float32) float64 {
	var sums [8]float64
	n := len(y) &^ 7
	if n > 0 {
		expSum8(&sums, &y[0], &x[0], largest, n)
	}
	return addExp(y[n:], x[n:], largest, &sums)
}

func scaleWideNEON(y, x []float32, factor float64) {
	n := len(y) &^ 3
	if n > 0 {
		scaleWide4(&y[0], &x[0], factor, n)
	}
	scaleWide(y[n:], x[n:], factor)
}

func addRowsNEON(y, x []float32, rows, stride int) {
	for r := range rows {
		addNEON(y, y, x[r*stride:][:len(y)])
	}
}

func squareRowsNEON(y, x []float32, rows, stride int, a, k float32) {
	n := len(y) &^ 3
	if n > 0 {
		squareRows4(&y[0], &x[0], rows, stride, a, k, n)
	}
	if n < len(y) {
		squareRows(y[n:], x[n:], rows, stride, a, k)
	}
}

func normalise75NEON(y, scale, x []float32, rows, stride, centre int, a, k float32) {
	n := len(y) &^ 3
	if n > 0 {
		squareRows4(&scale[0], &x[0], rows, stride, a, k, n)
		cubes4(&y[0], &scale[0], &x[centre*stride], n)
	}
	if n < len(y) {
		normalise75(y[n:], scale[n:], x[n:], rows, stride, centre, a, k)
	}
}

func lrnTerms75NEON(t, s, scale, x, dy []float32) {
	n := len(t) &^ 3
	if n > 0 {
		lrnTerms754(&t[0], &s[0], &scale[0], &x[0], &dy[0], n)
	}
	lrnTerms75(t[n:], s[n:], scale[n:], x[n:], dy[n:])
}

func lrnGradientNEON(dx, s, sum, x, dy []float32, factor float32) {
	n := len(dx) &^ 3
	if n > 0 {
		lrnGradient4(&dx[0], &s[0], &sum[0], &x[0], &dy[0], factor, n)
	}
	lrnGradient(dx[n:], s[n:], sum[n:], x[n:], dy[n:], factor)
}

func lrnGradientAddNEON(dx, s, sum, x, dy []float32, factor float32) {
	n := len(dx) &^ 3
	if n > 0 {
		lrnGradientAdd4(&dx[0], &s[0], &sum[0], &x[0], &dy[0], factor, n)
	}
	lrnGradientAdd(dx[n:], s[n:], sum[n:], x[n:], dy[n:], factor)
}

func reluNEON(y, x []float32, _ float32) {
	n := len(y) &^ 3
	if n > 0 {
		relu4(&y[0], &x[0], n)
	}
	relu(y[n:], x[n:], 0)
}

func leakyReLUNEON(y, x []float32, slope float32) {
	n := len(y) &^ 3
	if n > 0 {
		leakyReLU4(&y[0], &x[0], slope, n)
	}
	leakyReLU(y[n:], x[n:], slope)
}

func sigmoidNEON(y, x []float32, _ float32) {
	n := len(y) &^ 3
	if n > 0 {
		sigmoid4(&y[0], &x[0], n)
	}
	sigmoid(y[n:], x[n:], 0)
}

func tanhNEON(y, x []float32, _ float32) {
	n := len(y) &^ 3
	if n > 0 {
		tanh4(&y[0], &x[0], n)
	}
	tanh(y[n:], x[n:], 0)
}

func exponentialNEON(y, x []float32) {
	n := len(y) &^ 3
	if n > 0 {
		exponential4(&y[0], &x[0], n)
	}
	exponential(y[n:], x[n:])
}

// The loops in assembly are for n elements, whole vectors of four, or pairs of them where
// the name ends with 8, and at least one.

//go:noescape
func add4(y, a, b *float32, n int)

//go:noescape
func mul4(y, a, b *float32, n int)

//go:noescape
func fill4(y *float32, v float32, n int)

//go:noescape
func sum8(sums *[8]float64, x *float32, n int)

//go:noescape
func largest4(x *float32, n int) float32

//go:noescape
func expSum8(sums *[8]float64, y, x *float32, largest float32, n int)

//go:noescape
func scaleWide4(y, x *float32, factor float64, n int)

//go:noescape
func squareRows4(y, x *float32, rows, stride int, a, k float32, n int)

// cubes4 is y = x scale^-0.75.
//
//go:noescape
func cubes4(y, scale, x *float32, n int)

//go:noescape
func lrnTerms754(t, s, scale, x, dy *float32, n int)

//go:noescape
func lrnGradient4(dx, s, sum, x, dy *float32, factor float32, n int)

//go:noescape
func lrnGradientAdd4(dx, s, sum, x, dy *float32, factor float32, n int)

//go:noescape
func relu4(y, x *float32, n int)

//go:noescape
func leakyReLU4(y, x *float32, slope float32, n int)

//go:noescape
func sigmoid4(y, x *float32, n int)

//go:noescape
func tanh4(y, x *float32, n int)

//go:noescape
func exponential4(y, x *float32, n int)

//go:noescape
func runNEON(code []Instruction, width, rows, pitch int)
