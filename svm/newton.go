package svm

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// problem is what one machine minimises. Its point is the weights with the bias behind.
//
// The objective is convex and, between the points where a sample's slack becomes 0,
// quadratic. So Newton's method ends after a few steps (Keerthi and DeCoste 2005, "A
// modified finite Newton method for fast solution of large scale linear SVMs"). It compares
// slopes, never values of the objective: those of small C differ by less than they are
// rounded, which stops methods that expect them to fall, such as L-BFGS.
type problem struct {
	rows   blas64.General // [N,D]
	y      []float64      // [N], 1 or -1
	few    int            // samples of the class or of the others, whichever are fewer
	c      float64
	margin []float64 // [N], 1 - y (w·x + b) at the last point; where it is above 0, it is the slack
}

// newProblem makes the problem of a class against all others.
func newProblem(rows blas64.General, labels []int, class int) *problem {
	n := len(labels)
	p := &problem{rows: rows, y: make([]float64, n), margin: make([]float64, n)}
	for i, l := range labels {
		p.y[i] = -1
		if l == class {
			p.y[i] = 1
			p.few++
		}
	}
	p.few = min(p.few, n-p.few)
	return p
}

const (
	// tolerance is when a point is an optimum: the norm of the gradient, as a share of 2C
	// times the few samples, which is what they pull at a standardised feature at first.
	tolerance = 1e-9

	maxSteps = 1000 // Newton's method takes 5 to 30
)

// minimise moves a point to the optimum for C.
func (p *problem) minimise(ctx context.Context, at []float64, c float64) error {
	p.c = c
	gradient, step := make([]float64, len(at)), make([]float64, len(at))
	along := make([]float64, len(p.y))
	end := tolerance * 2 * c * float64(max(1, p.few))
	first := 0.0
	for range maxSteps {
		p.gradient(gradient, at)
		norm := blas64.Nrm2(vector(gradient))
		if norm <= end {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		first = max(first, norm)
		p.newton(step, gradient, norm*min(0.1, math.Sqrt(norm/first)))
		p.scores(along, step)
		blas64.Axpy(p.distance(at, step, along), vector(step), vector(at))
	}
	return fmt.Errorf("the support vector machine for C %v does not converge: try a smaller C", c)
}

// scores are w·x + b of all samples at a point.
func (p *problem) scores(s, at []float64) {
	d := p.rows.Cols
	for i := range s {
		s[i] = at[d]
	}
	blas64.Gemv(blas.NoTrans, 1, p.rows, vector(at[:d]), 1, vector(s))
}

// adjoint adds what values of the samples pull at the weights and at the bias.
func (p *problem) adjoint(g, values []float64) {
	d := p.rows.Cols
	for _, v := range values {
		g[d] += v
	}
	blas64.Gemv(blas.Trans, 1, p.rows, vector(values), 1, vector(g[:d]))
}

// gradient is w - 2C sum of slack y x and, of b, -2C sum of slack y.
func (p *problem) gradient(g, at []float64) {
	p.scores(p.margin, at)
	pull := make([]float64, len(p.y))
	for i, s := range p.margin {
		p.margin[i] = 1 - p.y[i]*s
		pull[i] = -2 * p.c * p.y[i] * max(0, p.margin[i])
	}
	copy(g, at)
	g[len(g)-1] = 0
	p.adjoint(g, pull)
}

// newton solves H step = -gradient with conjugate gradients, until the norm of the residual
// is at most end. H is the second derivative where the slack stays above 0 for the same
// samples: H s = w of s + 2C sum of (s·x) x over those samples.
func (p *problem) newton(step, gradient []float64, end float64) {
	clear(step)
	residual := slices.Clone(gradient)
	blas64.Scal(-1, vector(residual))
	search := slices.Clone(residual)
	product := make([]float64, len(step))
	along := make([]float64, len(p.y))
	square := blas64.Dot(vector(residual), vector(residual))
	for range 2 * len(step) { // len(step) are enough without rounding
		if math.Sqrt(square) <= end {
			return
		}
		p.scores(along, search)
		for i, m := range p.margin {
			if along[i] *= 2 * p.c; m <= 0 {
				along[i] = 0
			}
		}
		copy(product, search)
		product[len(product)-1] = 0
		p.adjoint(product, along)
		curvature := blas64.Dot(vector(search), vector(product))
		blas64.Axpy(square/curvature, vector(search), vector(step))
		blas64.Axpy(-square/curvature, vector(product), vector(residual))
		next := blas64.Dot(vector(residual), vector(residual))
		blas64.Scal(next/square, vector(search))
		blas64.Axpy(1, vector(residual), vector(search))
		square = next
	}
}

// distance is how far along a step the objective is least: where its slope is 0. The slope
// rises along a straight line up to the next place where a sample's slack begins or ends.
// The scores of the samples change by along in a whole step.
func (p *problem) distance(at, step, along []float64) float64 {
	d := p.rows.Cols
	slope := blas64.Dot(vector(at[:d]), vector(step[:d]))
	least := blas64.Dot(vector(step[:d]), vector(step[:d]))
	rise := least // of the slope
	type place struct{ t, rise float64 }
	var places []place
	for i, m := range p.margin {
		speed := -p.y[i] * along[i]
		r := 2 * p.c * speed * speed
		if m > 0 {
			slope += 2 * p.c * m * speed
			rise += r
			r = -r
		}
		if t := -m / speed; t > 0 && !math.IsInf(t, 0) || t == 0 && speed > 0 {
			places = append(places, place{t, r})
		}
	}
	level := 1e-12 * slope // as good as 0: the sums are rounded
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.t, b.t) })
	from := 0.0
	for _, next := range places {
		there := slope + rise*(next.t-from)
		if there >= level {
			break
		}
		slope, from = there, next.t
		rise = max(rise+next.rise, least) // which rounding may have lost
	}
	return from - slope/rise
}

// vector is a slice as BLAS takes it.
func vector(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Inc: 1, Data: x} }
