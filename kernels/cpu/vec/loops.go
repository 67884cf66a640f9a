// Package vec holds the inner loops of everything that is not a product of
// matrices, over slices of one length: for AVX-512, for AVX2, for NEON, and in Go.
//
// All paths compute the same bits. The assembly does, vector by vector, what
// the Go loop of the same name does: no product is fused with the addition
// after it, roots and divisions are the exact ones, and a sum has eight partial
// sums, element i going to the one of i mod 8, which are added in one order.
// NaNs alone may differ in their payload.
package vec

import "github.com/hubel-go/hubel/device"

// Loops are the inner loops of one path. Destinations come first and may be one
// of the sources. All slices of a call have one length unless it is said
// otherwise: assembly does not check it, but the Go loops do.
type Loops struct {
	Name string // the path's

	// Add is y = a + b.
	Add func(y, a, b []float32)
	// Mul is y = a b.
	Mul func(y, a, b []float32)
	// Fill sets every element of y to v.
	Fill func(y []float32, v float32)
	// Spread is y = each element of x inner times. y is inner times as long as x.
	Spread func(y, x []float32, inner int)
	// Sum adds the elements in double precision.
	Sum func(x []float32) float64

	// Largest is the largest element, NaNs left out; -Inf if there is none.
	Largest func(x []float32) float32
	// ExpSum is y = exp(x - largest), and returns the sum of the exponentials
	// before they are rounded to float32.
	ExpSum func(y, x []float32, largest float32) float64
	// ScaleWide is y = factor x, the product taken in double precision.
	ScaleWide func(y, x []float32, factor float64)

	// AddRows adds to y a number of rows of x, at least one, that lie stride
	// apart and are as long as y.
	AddRows func(y, x []float32, rows, stride int)
	// SquareRows is y = k + the sum of a x² over such rows.
	SquareRows func(y, x []float32, rows, stride int, a, k float32)
	// Power is y = x^beta for positive x, which may be infinite where beta is
	// not 0.
	Power func(y, x []float32, beta float64)
	// LRNTerms is t = dy x s / scale.
	LRNTerms func(t, s, scale, x, dy []float32)
	// Normalise75 is scale = SquareRows and y = x scale^-0.75, x being the row
	// of the number centre, for positive, normal k; an infinite scale makes 0.
	// scale may be y, which is then the result.
	Normalise75 func(y, scale, x []float32, rows, stride, centre int, a, k float32)
	// LRNTerms75 is s = scale^-0.75 and t = dy x s / scale for positive, normal
	// scale.
	LRNTerms75 func(t, s, scale, x, dy []float32)
	// LRNGradient is dx = dy s - factor x sum, by mode.
	LRNGradient [2]func(dx, s, sum, x, dy []float32, factor float32)

	// MaxPool writes the maxima of the windows w of the planes x, and where in
	// their planes they lie: the first among equals; a NaN counts as largest.
	// y, and index unless it is nil, begin at the first window's output.
	MaxPool func(y []float32, index []int32, x []float32, w Windows)

	// Draw writes the random words of the elements of a sample from first: r's.
	Draw func(words []uint32, first int, r device.Random, sample int)

	// Run runs an element-wise program, whose last instruction alone is OpEnd, over some
	// rows, each pitch elements behind the one before, of width elements; there is at least
	// one of each. The last block of a row may be part of a block: all of it is read and
	// computed, and OpSum and OpMaxInto count all of it, but OpStore and OpAddInto write the
	// row's elements alone.
	Run       func(code []Instruction, width, rows, pitch int)
	Functions // of element-wise programs

	unary [4]func(y, x []float32, slope float32) // by operation
}

// Generic is the loops in Go, for every machine.
var Generic = Loops{
	Name: "generic",

	Add: add, Mul: mul, Fill: fill, Spread: spread,
	Sum: sum, Largest: largest, ExpSum: expSum, ScaleWide: scaleWide,
	AddRows: addRows, SquareRows: squareRows, Power: power,
	LRNTerms: lrnTerms, Normalise75: normalise75,
	LRNTerms75:  lrnTerms75,
	LRNGradient: [2]func(dx, s, sum, x, dy []float32, factor float32){lrnGradient, lrnGradientAdd},
	MaxPool:     maxPool,
	Draw:        draw, Run: run, Functions: functions,

	unary: [4]func(y, x []float32, slope float32){relu, leakyReLU, sigmoid, tanh},
}

// Unary is y = u(x).
func (l *Loops) Unary(u device.Unary, y, x []float32) { l.unary[u.Op](y, x, u.Slope) }
