package exprtest

import (
	"math"

	"github.com/hubel-go/hubel/expr"
)

// Range is what a device may compute, from Low to High; for a NaN both are NaN. With
// Any the device may compute anything: the result hangs on roundings, as that of a
// comparison of nearly equal numbers can, or on numbers that are too large for float32.
type Range struct {
	Low, High float64
	Any       bool

	signless bool // a zero whose sign is open, as that of the maximum of 0 and -0
}

const (
	roundoff       = 1.0 / (1 << 24)
	smallestNormal = 0x1p-126
	// What Exp, Log, Tanh and Erf may be off, in units of roundoff.
	functionError = 8
)

// Point is one number.
func Point(x float64) Range { return Range{Low: x, High: x} }

// Ranges are what a device may compute for the outputs of a program of an exact element.
// Each operation may be off by a rounding, or flush what is below the smallest normal
// number to zero.
func Ranges(p *expr.Program, e expr.Element) []Range {
	code, results := p.Code()
	values := make([]Range, len(code))
	for k := range code {
		i := &code[k]
		switch i.Op {
		case expr.OpInput:
			values[k] = Point(e.Inputs[i.Index])
		case expr.OpConst:
			values[k] = Point(float64(i.Value))
		case expr.OpIndex:
			values[k] = Point(float64(e.Index(i.Axes)))
		case expr.OpDraw:
			values[k] = Point(math.Ldexp(float64(e.Draws[i.Index]>>8), -24))
		case expr.OpBernoulli:
			values[k] = Point(0)
			if e.Draws[i.Index] < i.Threshold() {
				values[k] = Point(1)
			}
		default:
			var x [3]Range
			for j, a := range i.Args[:i.Op.Args()] {
				x[j] = values[a]
			}
			values[k] = apply(i.Op, x)
		}
	}
	out := make([]Range, len(results))
	for k, s := range results {
		out[k] = values[s]
	}
	return out
}

var anything = Range{Any: true}

func (r Range) nan() bool { return !r.Any && r.Low != r.Low }

func (r Range) point() bool { return r.Low == r.High || r.nan() }

// hull is what a device may compute that takes one of the two.
func (r Range) hull(s Range) Range {
	switch {
	case r.Any || s.Any, r.nan() != s.nan():
		return anything
	case r.nan():
		return r
	}
	return Range{Low: min(r.Low, s.Low), High: max(r.High, s.High)}
}

func apply(op expr.Op, x [3]Range) Range {
	a, b := x[0], x[1]
	switch {
	case op == expr.OpSelect:
		switch {
		case a.Any || !a.point():
			return b.hull(x[2])
		case a.Low != 0:
			return b
		}
		return x[2]
	case a.Any, op.Args() == 2 && b.Any:
		return anything
	case op.Condition():
		return condition(op, a, b)
	}
	if op == expr.OpAbs && a.Low < 0 && a.High > 0 {
		return Range{Low: 0, High: max(-a.Low, a.High)}
	}
	if op == expr.OpDiv && b.Low <= 0 && b.High >= 0 && (!b.point() || b.signless) {
		return anything
	}
	// The other operations are monotone in each argument: extremes are at the ends.
	r := Range{Low: math.Inf(1), High: math.Inf(-1)}
	nans, all := 0, 0
	for _, u := range [2]float64{a.Low, a.High} {
		for _, v := range [2]float64{b.Low, b.High} {
			y := expr.Apply(op, []float64{u, v}[:op.Args()]...)
			all++
			if y != y {
				nans++
				continue
			}
			r.Low, r.High = min(r.Low, y), max(r.High, y)
		}
	}
	switch {
	case nans == all:
		return Point(math.NaN())
	case nans > 0:
		return anything
	}
	r.signless = r.Low == 0 && r.High == 0 && (a.signless || op.Args() == 2 && b.signless ||
		(op == expr.OpMin || op == expr.OpMax) && math.Signbit(a.Low) != math.Signbit(b.Low))
	return rounded(op, r)
}

// rounded is what the result of an operation may become in float32.
func rounded(op expr.Op, r Range) Range {
	switch op {
	case expr.OpMin, expr.OpMax, expr.OpAbs:
		return r
	}
	e := roundoff
	switch op {
	case expr.OpExp, expr.OpLog, expr.OpTanh, expr.OpErf, expr.OpSigmoid:
		e *= functionError
	}
	for _, v := range []float64{r.Low, r.High} {
		if math.Abs(v) > math.MaxFloat32/2 && !math.IsInf(v, 0) {
			return anything
		}
	}
	if math.IsInf(r.Low, 0) || math.IsInf(r.High, 0) {
		if r.Low != r.High {
			return anything
		}
		return r
	}
	if r.point() && (op == expr.OpAdd || op == expr.OpSub || op == expr.OpMul || op == expr.OpDiv || op == expr.OpSqrt) && float64(float32(r.Low)) == r.Low && (r.Low == 0 || math.Abs(r.Low) >= smallestNormal) {
		return r // exact
	}
	return Range{Low: r.Low - e*math.Abs(r.Low) - smallestNormal, High: r.High + e*math.Abs(r.High) + smallestNormal}
}

func condition(op expr.Op, a, b Range) Range {
	if a.nan() || b.nan() {
		return Point(0)
	}
	both := [2]bool{}
	for _, u := range [2]float64{a.Low, a.High} {
		for _, v := range [2]float64{b.Low, b.High} {
			both[int(expr.Apply(op, u, v))] = true
		}
	}
	apart := a.High < b.Low || b.High < a.Low
	switch {
	case op == expr.OpEqual && !apart && !(a.point() && b.point()):
		return Range{High: 1}
	case both[0] && both[1]:
		return Range{High: 1}
	case both[1]:
		return Point(1)
	}
	return Point(0)
}
