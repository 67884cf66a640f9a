package expr

import "math"

// simplified is a node of the operation, or a shorter one whose value is the same
// float32 for all arguments, NaN, infinities and the sign of zero included; but
// for x*0 and 0/x, which are 0 here whatever x is, also where a condition chooses the 0,
// and for x+0, which is x here also where x is -0: gradients are full of them.
func simplified(op Op, args ...*node) *node {
	constant := true
	for _, a := range args {
		constant = constant && a.op == OpConst
	}
	if constant {
		x := make([]float64, len(args))
		for i, a := range args {
			x[i] = float64(a.value)
		}
		return &node{op: OpConst, value: float32(Apply(op, x...))}
	}
	is := func(i int, v float32) bool {
		a := args[i]
		return a.op == OpConst && math.Float32bits(a.value) == math.Float32bits(v)
	}
	minusZero := float32(math.Copysign(0, -1))
	switch op {
	case OpAdd:
		if is(0, 0) || is(0, minusZero) {
			return args[1]
		}
		if is(1, 0) || is(1, minusZero) {
			return args[0]
		}
		if negated, ok := minus(args[1]); ok {
			return simplified(OpSub, args[0], negated)
		}
	case OpSub:
		if is(1, 0) {
			return args[0]
		}
		if negated, ok := minus(args[1]); ok {
			return simplified(OpAdd, args[0], negated)
		}
	case OpMul:
		if args[1].op == OpConst { // constants first
			return simplified(OpMul, args[1], args[0])
		}
		switch {
		case is(0, 0), is(0, minusZero):
			return &node{op: OpConst}
		case is(0, 1):
			return args[1]
		case is(0, -1):
			if negated, ok := minus(args[1]); ok {
				return negated
			}
		}
		for i, a := range args { // x*select(c, y, 0) is select(c, x*y, 0)
			if a.op == OpSelect && (isZero(a.args[1]) || isZero(a.args[2]) || a.args[1].op == OpConst && a.args[2].op == OpConst) {
				x := args[1-i]
				return simplified(OpSelect, a.args[0], simplified(OpMul, x, a.args[1]), simplified(OpMul, x, a.args[2]))
			}
		}
	case OpDiv:
		if is(1, 1) {
			return args[0]
		}
		if is(0, 0) {
			return args[0]
		}
		if u, ok := onePlusExp(args[1]); ok && is(0, 1) {
			return simplified(OpSigmoid, negative(u))
		}
		if a := args[0]; a.op == OpSelect && (isZero(a.args[1]) || isZero(a.args[2])) { // select(c, y, 0)/x is select(c, y/x, 0)
			return simplified(OpSelect, a.args[0], simplified(OpDiv, a.args[1], args[1]), simplified(OpDiv, a.args[2], args[1]))
		}
		if args[1].op == OpConst { // exact where the divisor is a power of two
			if f, e := math.Frexp(float64(args[1].value)); math.Abs(f) == 0.5 && e > -120 && e < 120 {
				return simplified(OpMul, &node{op: OpConst, value: 1 / args[1].value}, args[0])
			}
		}
	case OpMin, OpMax:
		if same(args[0], args[1]) {
			return args[0]
		}
	case OpSelect:
		if args[0].op == OpConst {
			if args[0].value != 0 {
				return args[1]
			}
			return args[2]
		}
		if same(args[1], args[2]) {
			return args[1]
		}
	}
	return &node{op: op, args: args}
}

// negative is -x.
func negative(x *node) *node { return simplified(OpMul, &node{op: OpConst, value: -1}, x) }

// isZero reports whether a node is the constant 0.
func isZero(n *node) bool { return n.op == OpConst && n.value == 0 }

// onePlusExp is u where the node is 1 + e^u.
func onePlusExp(n *node) (u *node, ok bool) {
	if n.op != OpAdd {
		return nil, false
	}
	for i, a := range n.args {
		if one := n.args[1-i]; a.op == OpExp && one.op == OpConst && one.value == 1 {
			return a.args[0], true
		}
	}
	return nil, false
}

// minus is x where the node is -x.
func minus(n *node) (x *node, ok bool) {
	if n.op == OpMul && n.args[0].op == OpConst && n.args[0].value == -1 {
		return n.args[1], true
	}
	return nil, false
}

// same reports whether two nodes are the same expression. Values that are used more than
// once make a tree far larger than its nodes: where a comparison takes too long, the two
// count as different.
func same(a, b *node) bool {
	budget := 4 * MaxInstructions
	return alike(a, b, &budget)
}

func alike(a, b *node, budget *int) bool {
	if a == b {
		return true
	}
	*budget--
	if *budget < 0 || a.op != b.op || a.index != b.index || a.axes != b.axes || a.integer != b.integer || math.Float32bits(a.value) != math.Float32bits(b.value) || len(a.args) != len(b.args) {
		return false
	}
	for i := range a.args {
		if !alike(a.args[i], b.args[i], budget) {
			return false
		}
	}
	return true
}
