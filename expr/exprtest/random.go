// Package exprtest makes random programs, and says how far a device may be off when
// it runs one.
package exprtest

import (
	"math/rand/v2"

	"github.com/hubel-go/hubel/expr"
)

// Expression is a random expression of so many operations, over these leaves, such as
// inputs, small constants and two draws.
func Expression(r *rand.Rand, leaves []expr.Expr, operations int) expr.Expr {
	if operations <= 0 {
		switch k := r.IntN(len(leaves) + 3); {
		case k < len(leaves):
			return leaves[k]
		case k == len(leaves):
			return expr.Draw(r.IntN(2))
		}
		return expr.Const(float32(r.IntN(17)-8) / 4)
	}
	some := func(n int) expr.Expr { return Expression(r, leaves, n) }
	one := func() expr.Expr { return some(operations - 1) }
	two := func() (a, b expr.Expr) {
		left := r.IntN(operations)
		return some(left), some(operations - 1 - left)
	}
	switch r.IntN(14) {
	case 0:
		return expr.Abs(one())
	case 1:
		return expr.Sqrt(expr.Abs(some(operations - 2)))
	case 2:
		return expr.Exp(expr.Min(some(operations-2), expr.Const(3)))
	case 3:
		return expr.Log(expr.Add(expr.Const(0.25), expr.Abs(some(operations-3))))
	case 4:
		return expr.Tanh(one())
	case 5:
		return expr.Erf(one())
	case 6:
		return expr.Min(two())
	case 7:
		return expr.Max(two())
	case 8:
		return expr.Sub(two())
	case 9, 10:
		return expr.Mul(two())
	case 11:
		return expr.Div(two())
	case 12:
		a, b := two()
		c := expr.Less(a, b)
		switch r.IntN(4) {
		case 0:
			c = expr.LessEqual(a, b)
		case 1:
			c = expr.Equal(a, b)
		case 2:
			c = expr.Bernoulli(r.IntN(2), r.Float32())
		}
		return expr.Select(c, b, some(operations/2))
	}
	return expr.Add(two())
}
