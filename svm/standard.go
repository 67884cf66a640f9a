package svm

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// standard is standardised samples. If there are more features than samples, rows are
// rotated: X = L Q, where the rows of Q are orthonormal. A machine's weights are a sum of
// samples, w = transposed Q v, and |w| = |v|. So v is the solution for the rows of L, which
// are as short as there are samples.
type standard struct {
	mean, scale []float64      // [D]; the scale of a constant feature is 0
	rows        blas64.General // [N,D], or [N,N] if rotated
	q           blas64.General // [N,D], as lapack64.Gelqf leaves it; empty if not rotated
	tau         []float64
}

// newStandard standardises samples.
func newStandard(s Set) *standard {
	n, d := len(s.Labels), s.dim()
	x := &standard{mean: make([]float64, d), scale: make([]float64, d)}
	x.rows = blas64.General{Rows: n, Cols: d, Stride: d, Data: make([]float64, n*d)}
	for j := range d {
		first := float64(s.Features[j])
		sum := 0.0
		for i := range n {
			sum += float64(s.Features[i*d+j]) - first // exactly 0 if the feature is constant
		}
		x.mean[j] = first + sum/float64(n)
		squares := 0.0
		for i := range n {
			v := float64(s.Features[i*d+j]) - x.mean[j]
			x.rows.Data[i*d+j] = v
			squares += v * v
		}
		if squares > 0 {
			x.scale[j] = 1 / math.Sqrt(squares/float64(n))
		}
		for i := range n {
			x.rows.Data[i*d+j] *= x.scale[j]
		}
	}
	if d > n {
		x.rotate()
	}
	return x
}

// rotate makes rows that are as short as there are samples.
func (x *standard) rotate() {
	n := x.rows.Rows
	x.q, x.tau = x.rows, make([]float64, n)
	work := make([]float64, 64*n)
	lapack64.Gelqf(x.q, x.tau, work, len(work))
	x.rows = blas64.General{Rows: n, Cols: n, Stride: n, Data: make([]float64, n*n)}
	for i := range n {
		copy(x.rows.Data[i*n:i*n+i+1], x.q.Data[i*x.q.Stride:])
	}
}

// original makes weights and bias for features as they come, from those for rows with the
// bias behind. One call at a time: Ormlq writes into q, and restores it.
func (x *standard) original(at []float64) (w []float64, b float64) {
	w = make([]float64, len(x.mean))
	copy(w, at[:x.rows.Cols])
	b = at[x.rows.Cols]
	if x.tau != nil {
		column := blas64.General{Rows: len(w), Cols: 1, Stride: 1, Data: w}
		work := make([]float64, 64)
		lapack64.Ormlq(blas.Left, blas.Trans, x.q, x.tau, column, work, len(work))
	}
	for j := range w {
		w[j] *= x.scale[j]
		b -= w[j] * x.mean[j]
	}
	return w, b
}
