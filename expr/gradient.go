package expr

import (
	"fmt"
	"math"
)

// Gradient is the program of the gradient of input i: the sum over outputs of
// dy times the output's derivative. Its inputs are those of p and, after them,
// one dy with all axes for each output, in the order given to New. It has one
// output. If input i is not whole, the caller sums that output over the axes
// that the input lacks.
//
// Where a derivative does not exist, a value is chosen. That of Max(a, b) and
// Min(a, b) at a = b is the derivative of b, so that max(x, 0) has 0 at 0, as
// usual. That of Abs at 0 is 0. Conditions, draws, integers and indices have no
// gradient. A gradient of more than MaxInstructions is an error, and so is that of
// an input that the program does not have.
func (p *Program) Gradient(i int) (*Program, error) {
	if i < 0 || i >= len(p.inputs) {
		return nil, fmt.Errorf("gradient of input %d: the program %v has %d inputs", i, p, len(p.inputs))
	}
	sum := Const(0)
	for k, out := range p.outputs {
		sum = Add(sum, Mul(Input(len(p.inputs)+k, Whole), Expr{out}.Derivative(i)))
	}
	g, err := New(sum)
	if err != nil {
		return nil, fmt.Errorf("gradient of input %d: %w", i, err)
	}
	return g.withInputs(p, len(p.outputs)), nil
}

// Derivative is the derivative of an expression by input i, as Gradient has it.
func (e Expr) Derivative(i int) Expr {
	d := differentiation{input: i, done: map[*node]*node{}}
	return Expr{d.of(e.node)}
}

// differentiation finds derivatives with respect to one input.
type differentiation struct {
	input int
	done  map[*node]*node
}

func (d *differentiation) of(n *node) *node {
	if dn, ok := d.done[n]; ok {
		return dn
	}
	dn := d.derivative(n)
	d.done[n] = dn
	return dn
}

func (d *differentiation) derivative(n *node) *node {
	number := func(v float32) *node { return &node{op: OpConst, value: v} }
	zero := number(0)
	arg := func(i int) (x, dx *node) { return n.args[i], d.of(n.args[i]) }
	switch n.op {
	case OpInput:
		if n.index == d.input && !n.integer {
			return number(1)
		}
		return zero
	case OpConst, OpIndex, OpDraw, OpBernoulli:
		return zero
	case OpSelect:
		_, da := arg(1)
		_, db := arg(2)
		return simplified(OpSelect, n.args[0], da, db)
	}
	a, da := arg(0)
	times := func(factor *node) *node { return simplified(OpMul, da, factor) }
	switch n.op {
	case OpAbs:
		return times(simplified(OpSelect, simplified(OpLess, a, zero), number(-1),
			simplified(OpSelect, simplified(OpLess, zero, a), number(1), zero)))
	case OpSqrt:
		return simplified(OpDiv, times(number(0.5)), n)
	case OpExp:
		return times(n)
	case OpLog:
		if u, ok := onePlusExp(a); ok { // e^u/(1+e^u), where e^u is infinite too
			return simplified(OpMul, d.of(u), simplified(OpSigmoid, u))
		}
		return simplified(OpDiv, da, a)
	case OpTanh:
		return times(simplified(OpSub, number(1), simplified(OpMul, n, n)))
	case OpSigmoid:
		return times(simplified(OpMul, n, simplified(OpSub, number(1), n)))
	case opSoftplus:
		return times(simplified(OpSigmoid, a))
	case OpErf: // 2/sqrt(pi) exp(-x²)
		return times(simplified(OpMul, number(float32(2/math.Sqrt(math.Pi))), simplified(OpExp, negative(simplified(OpMul, a, a)))))
	}
	b, db := arg(1)
	switch n.op {
	case OpAdd, OpSub:
		return simplified(n.op, da, db)
	case OpMul:
		return simplified(OpAdd, simplified(OpMul, da, b), simplified(OpMul, a, db))
	case OpDiv:
		if u, ok := onePlusExp(b); ok { // likewise
			return d.of(simplified(OpMul, a, simplified(OpSigmoid, negative(u))))
		}
		return simplified(OpDiv, simplified(OpSub, da, simplified(OpMul, n, db)), b)
	case OpMax:
		return simplified(OpSelect, simplified(OpLess, b, a), da, db)
	case OpMin:
		return simplified(OpSelect, simplified(OpLess, a, b), da, db)
	}
	return zero // a condition
}
