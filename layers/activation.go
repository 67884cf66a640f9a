package layers

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	for name := range activations {
		Register(func() Layer { return &Activation{Function: name} })
	}
	Register(func() Layer { return &ELU{Alpha: 1} })
	Register(func() Layer { return &GELU{} })
}

// Activation is an element-wise function without parameters:
//
//	hard-sigmoid  min(max(x+3, 0), 6) / 6, as in PyTorch (Howard et al. 2019)
//	mish          x tanh(log(1 + e^x)) (Misra 2019)
//	relu6         min(max(x, 0), 6) (Howard et al. 2017)
//	selu          1.0507 (x > 0 ? x : 1.6733 (e^x - 1)) (Klambauer et al. 2017)
//	silu          x sigmoid(x) (Elfwing et al. 2018; the swish of Ramachandran et al. 2017)
//	softplus      log(1 + e^x) (Dugas et al. 2001)
//	softsign      x / (1 + |x|) (Bergstra et al. 2009)
//
// Functions and gradients of finite numbers are finite, and no digits cancel near 0.
type Activation struct {
	Elementwise `json:"-"`

	Function string `json:"-"` // the layer's type says which
}

// function is what an activation makes of x, and its derivative: nil where that follows
// from the formula without loss.
type function struct{ value, derivative func(x expr.Expr) expr.Expr }

var (
	zero = expr.Const(0)
	one  = expr.Const(1)
	two  = expr.Const(2)
)

var activations = map[string]function{
	"hard-sigmoid": {func(x expr.Expr) expr.Expr { return expr.Div(clipped(expr.Add(x, expr.Const(3)), 0, 6), expr.Const(6)) }, nil},
	"relu6":        {func(x expr.Expr) expr.Expr { return clipped(x, 0, 6) }, nil},
	"mish": {
		func(x expr.Expr) expr.Expr { t, _ := tanhSoftplus(x); return expr.Mul(x, t) },
		func(x expr.Expr) expr.Expr { // t + x (1-t)(1+t) sigmoid(x)
			t, rest := tanhSoftplus(x)
			return expr.Add(t, expr.Mul(expr.Mul(x, rest), expr.Mul(expr.Add(one, t), expr.Sigmoid(x))))
		},
	},
	"selu":     elu(1.0507009873554805, 1.0507009873554805*1.6732632423543772),
	"silu":     {func(x expr.Expr) expr.Expr { return expr.Mul(x, expr.Sigmoid(x)) }, nil},
	"softplus": {expr.Softplus, nil},
	"softsign": {
		func(x expr.Expr) expr.Expr { return expr.Div(x, expr.Add(one, expr.Abs(x))) },
		func(x expr.Expr) expr.Expr {
			r := expr.Div(one, expr.Add(one, expr.Abs(x)))
			return expr.Mul(r, r)
		},
	},
}

// clipped is x between two numbers.
func clipped(x expr.Expr, low, high float32) expr.Expr {
	return expr.Min(expr.Max(x, expr.Const(low)), expr.Const(high))
}

// expm1 is e^x - 1 to all digits.
func expm1(x expr.Expr) expr.Expr {
	t := expr.Tanh(expr.Mul(expr.Const(0.5), x))
	return expr.Div(expr.Mul(two, t), expr.Sub(one, t))
}

// tanhSoftplus is t = tanh(log(1 + e^x)), which is (e^2x + 2e^x) / (e^2x + 2e^x + 2), and
// 1-t. With n = e^-|x| no power is larger than 1.
func tanhSoftplus(x expr.Expr) (t, rest expr.Expr) {
	n := expr.Exp(expr.Neg(expr.Abs(x)))
	negative := expr.Less(x, zero)
	above := expr.Select(negative, expr.Mul(n, expr.Add(n, two)), expr.Add(one, expr.Mul(two, n)))
	left := expr.Select(negative, two, expr.Mul(expr.Mul(two, n), n))
	below := expr.Add(above, left)
	return expr.Div(above, below), expr.Div(left, below)
}

// elu is x > 0 ? scale x : alpha (e^x - 1).
func elu(scale, alpha float64) function {
	above, below := expr.Const(float32(scale)), expr.Const(float32(alpha))
	return function{
		func(x expr.Expr) expr.Expr {
			return expr.Select(expr.Less(zero, x), expr.Mul(above, x), expr.Mul(below, expm1(x)))
		},
		func(x expr.Expr) expr.Expr {
			return expr.Select(expr.Less(zero, x), above, expr.Mul(below, expr.Exp(x)))
		},
	}
}

// plan is the Spec of a layer of the function.
func (f function) plan(in []Input) (Spec, error) {
	x := expr.Input(0, expr.Whole)
	s, err := PlanElementwise(expr.MustNew(f.value(x)), 1, in)
	if err == nil && f.derivative != nil {
		s.Programs[1] = expr.MustNew(expr.Mul(f.derivative(x), expr.Input(1, expr.Whole)))
	}
	return s, err
}

// Type is the function's name.
func (l *Activation) Type() string { return l.Function }

// Plan takes any shape.
func (l *Activation) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	f, ok := activations[l.Function]
	if !ok {
		return Spec{}, fmt.Errorf("activation %q is none of %s", l.Function, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
	}
	return f.plan(in)
}

// ELU is x > 0 ? x : Alpha (e^x - 1) (Clevert et al. 2016).
type ELU struct {
	Elementwise `json:"-"`

	Alpha float32 `json:"alpha"` // 1 in JSON that does not say
}

// Type is "elu".
func (l *ELU) Type() string { return "elu" }

// Plan checks Alpha.
func (l *ELU) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if !isFactor(l.Alpha) {
		return Spec{}, fmt.Errorf("alpha %g must be finite and not negative", l.Alpha)
	}
	return elu(1, float64(l.Alpha)).plan(in)
}

// GELU is x times the share of a normal distribution below x, x (1 + erf(x/√2)) / 2
// (Hendrycks and Gimpel 2016), or with Tanh its approximation
// x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
type GELU struct {
	Elementwise `json:"-"`

	Tanh bool `json:"tanh,omitempty"`
}

// Type is "gelu".
func (l *GELU) Type() string { return "gelu" }

// Plan takes any shape.
func (l *GELU) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if l.Tanh {
		return geluTanh.plan(in)
	}
	return gelu.plan(in)
}

var half = expr.Const(0.5)

var gelu = function{
	func(x expr.Expr) expr.Expr { return expr.Mul(expr.Mul(half, x), normalShare(x)) },
	func(x expr.Expr) expr.Expr { // half (1 + erf) + x e^(-x²/2) / √(2π)
		density := expr.Mul(expr.Const(float32(1/math.Sqrt(2*math.Pi))), expr.Exp(expr.Mul(expr.Const(-0.5), expr.Mul(x, x))))
		return expr.Add(expr.Mul(half, normalShare(x)), expr.Mul(x, density))
	},
}

// normalShare is 1 + erf(x/√2), twice the share.
func normalShare(x expr.Expr) expr.Expr {
	return expr.Add(one, expr.Erf(expr.Mul(expr.Const(math.Sqrt2/2), x)))
}

var geluTanh = function{
	func(x expr.Expr) expr.Expr { return expr.Mul(expr.Mul(half, x), expr.Add(one, geluInner(x))) },
	func(x expr.Expr) expr.Expr { // half (1 + t) + half x (1-t²) √(2/π) (1 + 3*0.044715 x²)
		t, c := geluInner(x), clipped(x, -10, 10) // beyond, 1-t² is 0
		slope := expr.Mul(expr.Const(float32(0.5*math.Sqrt(2/math.Pi))), expr.Add(one, expr.Mul(expr.Const(3*0.044715), expr.Mul(c, c))))
		return expr.Add(expr.Mul(half, expr.Add(one, t)), expr.Mul(expr.Mul(c, slope), expr.Sub(one, expr.Mul(t, t))))
	},
}

func geluInner(x expr.Expr) expr.Expr {
	cube := expr.Mul(expr.Mul(expr.Const(0.044715), x), expr.Mul(x, x))
	return expr.Tanh(expr.Mul(expr.Const(float32(math.Sqrt(2/math.Pi))), expr.Add(x, cube)))
}
