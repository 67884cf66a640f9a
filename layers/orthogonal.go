package layers

import (
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"

	"github.com/hubel-go/hubel/device"
)

// Orthogonal makes a weight, as a matrix of a row for each output and a column for each
// input of a neuron, gain times one whose rows are orthonormal or, where there are more
// rows than columns, whose columns are (Saxe et al. 2014, "Exact solutions to the nonlinear
// dynamics of learning in deep linear neural networks"). A gain of 0 means 1; ReLUs want the
// root of 2. It takes time: 4,096 rows and columns are 10^11 operations.
func Orthogonal(gain float32) Filler { return Filler{Type: "orthogonal", Value: gain} }

// fillOrthogonal is the Q of the QR decomposition of a matrix of normal numbers, with the
// signs that make R's diagonal positive: then each such matrix is as likely (Mezzadri 2007,
// "How to generate random matrices from the classical compact groups").
func fillOrthogonal(dst []float32, columns int, gain float64, r device.Random) {
	fillGaussian(dst, 1, r)
	rows := len(dst) / columns
	m, n := max(rows, columns), min(rows, columns) // tall
	at := func(i, j int) *float32 {
		if rows < columns {
			i, j = j, i
		}
		return &dst[i*columns+j]
	}
	a := blas64.General{Rows: m, Cols: n, Stride: n, Data: make([]float64, m*n)}
	for i := range m {
		for j := range n {
			a.Data[i*n+j] = float64(*at(i, j))
		}
	}
	tau, work, signs := make([]float64, n), make([]float64, 64*n), make([]float64, n)
	lapack64.Geqrf(a, tau, work, len(work))
	for j := range signs {
		signs[j] = math.Copysign(gain, a.Data[j*n+j])
	}
	lapack64.Orgqr(a, tau, work, len(work))
	for i := range m {
		for j := range n {
			*at(i, j) = float32(signs[j] * a.Data[i*n+j])
		}
	}
}
