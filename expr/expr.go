// Package expr holds element-wise programs: small pure functions of float32
// numbers, which every device runs over whole tensors in one pass over memory.
//
// A program is built from expressions:
//
//	x := expr.Input(0, expr.Whole)
//	six := expr.Const(6)
//	inner := expr.Min(expr.Max(expr.Add(x, expr.Const(3)), expr.Const(0)), six)
//	hardSwish := expr.MustNew(expr.Div(expr.Mul(x, inner), six))
//
// and its gradient follows from it:
//
//	backward, err := hardSwish.Gradient(0) // of x; its inputs are x and dy
//
// NaN and infinity follow IEEE 754, with one exception: the constant 0 times or
// divided by anything is 0, also where it is a branch of a Select. Min and Max of a NaN are NaN, as in PyTorch; those
// of 0 and -0 are one of the two. A comparison with a NaN is false, so Select
// takes its second value. All devices agree on this. They may differ in the
// precision of Exp, Log, Tanh, Erf and Sigmoid.
package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Axes says which axes of a view [N,C,Inner] an input or an output has. Along the
// others it has one value for all: a bias has C alone.
type Axes uint8

// The axes, and the usual sets of them.
const (
	N     Axes = 1 << iota // samples
	C                      // channels, or the segments of a slab
	Inner                  // the rest: pixels

	Whole   = N | C | Inner
	Channel = C
	Sample  = N
	Pixel   = N | Inner // one value for all channels of a pixel
	One     = Axes(0)   // one number
)

// String is the axes between brackets: "[N,C,Inner]", "[]" for one number.
func (a Axes) String() string {
	text := "["
	for i, name := range []string{"N", "C", "Inner"} {
		if a>>i&1 != 0 {
			if len(text) > 1 {
				text += ","
			}
			text += name
		}
	}
	return text + "]"
}

// Op is an operation of a program.
type Op uint8

// The operations.
const (
	OpInput Op = iota
	OpConst
	OpIndex
	OpDraw
	OpBernoulli // a condition too

	OpAdd
	OpSub
	OpMul
	OpDiv
	OpMin
	OpMax
	OpAbs
	OpSqrt
	OpExp
	OpLog
	OpTanh
	OpErf
	OpSigmoid

	OpLess      // comparisons, which are conditions: 1 or 0
	OpLessEqual //
	OpEqual     //
	OpSelect

	opSoftplus // of expressions alone: a program has it written out
)

// Expr is an immutable expression whose value is a float32.
type Expr struct{ *node }

// Condition is a comparison or a random event. Only Select takes one.
type Condition struct{ *node }

// node is an operation on the values of other nodes.
type node struct {
	op      Op
	args    []*node
	index   int     // of an input, or the stream of a draw
	axes    Axes    // of an input, or the one of an index
	integer bool    // an input of int32
	value   float32 // of a constant, or the probability of a condition
}

// Input is the value of input i, which has these axes, for the element.
func Input(i int, axes Axes) Expr { return Expr{&node{op: OpInput, index: i, axes: axes}} }

// Integer is the value of input i as Input has it, of a tensor of int32, such as labels.
// It is rounded to a float32: numbers up to 2^24 are exact.
func Integer(i int, axes Axes) Expr {
	return Expr{&node{op: OpInput, index: i, axes: axes, integer: true}}
}

// Index is where the element is along C or Inner, from 0: a score's Index(C) is its class.
func Index(axis Axes) Expr { return Expr{&node{op: OpIndex, axes: axis}} }

// Const is a number.
func Const(v float32) Expr { return Expr{&node{op: OpConst, value: v}} }

// Draw is a random number, uniform in [0,1), a multiple of 2^-24: the upper 24
// of the 32 random bits of the i-th stream for the element of the sample.
func Draw(i int) Expr { return Expr{&node{op: OpDraw, index: i}} }

// Bernoulli is true with probability p, from 0 to 1: if the 32 random bits of
// the i-th stream for the element are below p 2^32, rounded down. The upper 24
// of these bits are Draw(i).
func Bernoulli(i int, p float32) Condition {
	if p == 0 || p == 1 {
		return Condition{Const(p).node}
	}
	return Condition{&node{op: OpBernoulli, index: i, value: p}}
}

func binary(op Op, a, b Expr) Expr { return Expr{simplified(op, a.node, b.node)} }
func unary(op Op, a Expr) Expr     { return Expr{simplified(op, a.node)} }

// Add is a + b.
func Add(a, b Expr) Expr { return binary(OpAdd, a, b) }

// Sub is a - b.
func Sub(a, b Expr) Expr { return binary(OpSub, a, b) }

// Mul is a * b.
func Mul(a, b Expr) Expr { return binary(OpMul, a, b) }

// Div is a / b.
func Div(a, b Expr) Expr { return binary(OpDiv, a, b) }

// Min is the smaller of a and b, NaN if one of them is.
func Min(a, b Expr) Expr { return binary(OpMin, a, b) }

// Max is the larger of a and b, NaN if one of them is.
func Max(a, b Expr) Expr { return binary(OpMax, a, b) }

// Neg is -a.
func Neg(a Expr) Expr { return Mul(Const(-1), a) }

// Abs is the magnitude of a.
func Abs(a Expr) Expr { return unary(OpAbs, a) }

// Sqrt is the square root of a, NaN below 0.
func Sqrt(a Expr) Expr { return unary(OpSqrt, a) }

// Exp is e to the a.
func Exp(a Expr) Expr { return unary(OpExp, a) }

// Log is the natural logarithm of a: -Inf of 0, NaN below.
func Log(a Expr) Expr { return unary(OpLog, a) }

// Tanh is the hyperbolic tangent of a.
func Tanh(a Expr) Expr { return unary(OpTanh, a) }

// Erf is the error function of a.
func Erf(a Expr) Expr { return unary(OpErf, a) }

// Sigmoid is 1 / (1 + e to the -a), which written so is a sigmoid too.
func Sigmoid(a Expr) Expr { return unary(OpSigmoid, a) }

// Softplus is log(1 + e to the a) to all digits, also of an a whose exponential is infinite
// or near 0. Its derivative is the sigmoid.
func Softplus(a Expr) Expr { return Expr{&node{op: opSoftplus, args: []*node{a.node}}} }

// Less is a < b.
func Less(a, b Expr) Condition { return Condition{simplified(OpLess, a.node, b.node)} }

// LessEqual is a <= b.
func LessEqual(a, b Expr) Condition { return Condition{simplified(OpLessEqual, a.node, b.node)} }

// Equal is a == b.
func Equal(a, b Expr) Condition { return Condition{simplified(OpEqual, a.node, b.node)} }

// Select is a if the condition is true, else b.
func Select(c Condition, a, b Expr) Expr {
	return Expr{simplified(OpSelect, c.node, a.node, b.node)}
}

// names are the operations as a formula has them: operators between their
// arguments, functions before.
var names = map[Op]string{
	OpAdd: "+", OpSub: "-", OpMul: "*", OpDiv: "/", OpLess: "<", OpLessEqual: "<=", OpEqual: "==",
	OpMin: "min", OpMax: "max", OpAbs: "abs", OpSqrt: "sqrt", OpExp: "exp", OpLog: "log", OpTanh: "tanh", OpErf: "erf", OpSigmoid: "sigmoid", opSoftplus: "softplus",
	OpSelect: "select", OpBernoulli: "bernoulli",
}

// longestFormula is how much of a formula is printed. A value that is used twice is
// written twice, so that a program of 256 instructions may have one of 2^255 terms.
const longestFormula = 2000

// String is the expression as a formula, with all its parentheses.
func (n *node) String() string {
	var b strings.Builder
	n.write(&b)
	if b.Len() > longestFormula {
		return b.String()[:longestFormula] + "..."
	}
	return b.String()
}

// write writes the formula, and stops once it is too long.
func (n *node) write(b *strings.Builder) {
	if b.Len() > longestFormula {
		return
	}
	open, between := names[n.op]+"(", ", "
	switch n.op {
	case OpInput:
		b.WriteString("in" + strconv.Itoa(n.index))
		return
	case OpIndex:
		b.WriteString("index" + n.axes.String())
		return
	case OpDraw:
		b.WriteString("draw" + strconv.Itoa(n.index))
		return
	case OpBernoulli:
		b.WriteString(open + "draw" + strconv.Itoa(n.index) + between + number(n.value) + ")")
		return
	case OpConst:
		b.WriteString(number(n.value))
		return
	case OpAdd, OpSub, OpMul, OpDiv, OpLess, OpLessEqual, OpEqual:
		open, between = "(", " "+names[n.op]+" "
	}
	b.WriteString(open)
	for i, a := range n.args {
		if i > 0 {
			b.WriteString(between)
		}
		a.write(b)
	}
	b.WriteByte(')')
}

// number is a float32 in as few digits as make it.
func number(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

// Apply is the value of an operation on float64 numbers. It defines the
// operations.
func Apply(op Op, x ...float64) float64 {
	switch op {
	case OpAdd:
		return x[0] + x[1]
	case OpSub:
		return x[0] - x[1]
	case OpMul:
		return x[0] * x[1]
	case OpDiv:
		return x[0] / x[1]
	case OpMin:
		return min(x[0], x[1])
	case OpMax:
		return max(x[0], x[1])
	case OpAbs:
		return math.Abs(x[0])
	case OpSqrt:
		return math.Sqrt(x[0])
	case OpExp:
		return math.Exp(x[0])
	case OpLog:
		return math.Log(x[0])
	case OpTanh:
		return math.Tanh(x[0])
	case OpErf:
		return math.Erf(x[0])
	case OpSigmoid:
		return 1 / (1 + math.Exp(-x[0]))
	case OpLess:
		return condition(x[0] < x[1])
	case OpLessEqual:
		return condition(x[0] <= x[1])
	case OpEqual:
		return condition(x[0] == x[1])
	case OpSelect:
		if x[0] != 0 {
			return x[1]
		}
		return x[2]
	}
	panic(fmt.Sprintf("expr: operation %d has no value of its own", op))
}

func condition(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
