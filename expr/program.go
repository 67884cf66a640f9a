package expr

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Program computes one or more numbers from its inputs. It is immutable, and
// may be used from several goroutines.
type Program struct {
	inputs   []Axes
	used     []bool // which inputs it reads
	integers []bool // which inputs are of int32
	draws    int    // streams of random numbers
	outputs  []*node
	code     []Instruction
	results  []int
	hash     string
}

// Instruction is a step of a program: it applies Op to the values of earlier
// steps.
type Instruction struct {
	Op      Op
	Args    [3]int // steps
	Index   int    // of an input, or the stream of a draw
	Axes    Axes   // of an input, or the one of an index
	Integer bool   // an input of int32
	Value   float32
}

// Threshold is the upper bound of OpBernoulli: the condition is true if the
// random bits, as a number, are below Value 2^32, rounded down.
func (i *Instruction) Threshold() uint32 { return uint32(float64(i.Value) * (1 << 32)) }

// Limits of a program that every device can run.
const (
	MaxInputs       = 16
	MaxOutputs      = 4
	MaxInstructions = 256
)

// New makes a program from its outputs. It is an error if an input is used with
// two sets of axes, if there is no output, or if the program is too long.
func New(outputs ...Expr) (*Program, error) {
	if len(outputs) == 0 || len(outputs) > MaxOutputs {
		return nil, fmt.Errorf("a program has 1 to %d outputs, not %d", MaxOutputs, len(outputs))
	}
	p := &Program{}
	b := builder{p: p, steps: map[*node]int{}, same: map[bitwise]int{}}
	for k, out := range outputs {
		if out.node == nil {
			return nil, fmt.Errorf("output %d is no expression", k)
		}
		step, err := b.step(out.node)
		if err != nil {
			return nil, err
		}
		p.outputs = append(p.outputs, out.node)
		p.results = append(p.results, step)
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%v %v %v", p.inputs, p.code, p.results)))
	p.hash = hex.EncodeToString(sum[:12])
	return p, nil
}

// MustNew is New for programs that are fixed in the code. It panics instead of
// returning an error.
func MustNew(outputs ...Expr) *Program {
	p, err := New(outputs...)
	if err != nil {
		panic("expr: " + err.Error())
	}
	return p
}

// builder puts nodes in order, equal ones once.
type builder struct {
	p     *Program
	steps map[*node]int
	same  map[bitwise]int
}

// bitwise is an instruction whose Value is told apart by its bits: 0 is not -0, and a
// NaN is itself.
type bitwise struct {
	Instruction
	value uint32
}

func (b *builder) step(n *node) (int, error) {
	if s, ok := b.steps[n]; ok {
		return s, nil
	}
	if n.op == opSoftplus {
		s, err := b.step(written(Expr{n.args[0]}).node)
		b.steps[n] = s
		return s, err
	}
	i := Instruction{Op: n.op, Index: n.index, Axes: n.axes, Integer: n.integer}
	for k, a := range n.args {
		s, err := b.step(a)
		if err != nil {
			return 0, err
		}
		i.Args[k] = s
	}
	key := bitwise{i, math.Float32bits(n.value)}
	s, ok := b.same[key]
	if !ok {
		if len(b.p.code) == MaxInstructions {
			return 0, fmt.Errorf("a program of more than %d instructions", MaxInstructions)
		}
		if err := b.declare(n); err != nil {
			return 0, err
		}
		s = len(b.p.code)
		b.same[key] = s
		i.Value = n.value
		b.p.code = append(b.p.code, i)
	}
	b.steps[n] = s
	return s, nil
}

// written is softplus(a) as New writes it out: max(a, 0) + log(1+e), e = e^-|a|. That
// logarithm has all digits though 1+e has lost some, because the quotient has lost the
// same ones (Goldberg 1991, theorem 4).
func written(a Expr) Expr {
	one, e := Const(1), Exp(Neg(Abs(a)))
	u := Add(one, e)
	return Add(Max(a, Const(0)), Select(Equal(u, one), e, Div(Mul(e, Log(u)), Sub(u, one))))
}

// declare notes an input, an index or a draw.
func (b *builder) declare(n *node) error {
	p := b.p
	switch n.op {
	case OpDraw, OpBernoulli:
		if n.index < 0 {
			return fmt.Errorf("draw %d: they count from 0", n.index)
		}
		if n.op == OpBernoulli && !(n.value >= 0 && n.value <= 1) {
			return fmt.Errorf("probability %g: it must be from 0 to 1", n.value)
		}
		p.draws = max(p.draws, n.index+1)
	case OpIndex:
		if n.axes != C && n.axes != Inner {
			return fmt.Errorf("an index along the axes %v: it is along %v or %v", n.axes, C, Inner)
		}
	case OpInput:
		if n.index < 0 || n.index >= MaxInputs {
			return fmt.Errorf("input %d: a program has inputs 0 to %d", n.index, MaxInputs-1)
		}
		for len(p.inputs) <= n.index {
			p.inputs, p.used, p.integers = append(p.inputs, 0), append(p.used, false), append(p.integers, false)
		}
		if p.used[n.index] && p.inputs[n.index] != n.axes {
			return fmt.Errorf("input %d is used with axes %v and with %v", n.index, p.inputs[n.index], n.axes)
		}
		if p.used[n.index] && p.integers[n.index] != n.integer {
			return fmt.Errorf("input %d is used as float32 and as int32", n.index)
		}
		p.inputs[n.index], p.used[n.index], p.integers[n.index] = n.axes, true, n.integer
	}
	return nil
}

// withInputs is p with the inputs of another program, whose own it reads, and so many
// whole ones behind them, used or not.
func (p *Program) withInputs(other *Program, more int) *Program {
	p.inputs = slices.Clone(other.inputs)
	for range more {
		p.inputs = append(p.inputs, Whole)
	}
	for len(p.used) < len(p.inputs) {
		p.used, p.integers = append(p.used, false), append(p.integers, false)
	}
	return p
}

// Inputs are the axes of each input. The caller must not change the slice.
func (p *Program) Inputs() []Axes { return p.inputs }

// Uses reports whether the program reads input i. An input that it does not
// read may be absent.
func (p *Program) Uses(i int) bool { return i < len(p.used) && p.used[i] }

// Integer reports whether input i is int32; otherwise it is float32.
func (p *Program) Integer(i int) bool { return i < len(p.integers) && p.integers[i] }

// Indexes reports whether the program uses the index of an element along C or
// Inner.
func (p *Program) Indexes() bool {
	return slices.ContainsFunc(p.code, func(i Instruction) bool { return i.Op == OpIndex })
}

// Identity reports whether the program has one output that is an unchanged input
// with all axes, and which input.
func (p *Program) Identity() (input int, ok bool) {
	i := p.code[len(p.code)-1]
	return i.Index, len(p.code) == 1 && len(p.results) == 1 && i.Op == OpInput && i.Axes == Whole && !i.Integer
}

// Draws is the number of streams of random numbers that the program uses.
func (p *Program) Draws() int { return p.draws }

// Outputs is the number of outputs.
func (p *Program) Outputs() int { return len(p.results) }

// Code is the program step by step, and the step of each output. The caller must not
// change either.
func (p *Program) Code() (code []Instruction, results []int) { return p.code, p.results }

// Invariant reports for each step whether its value is the same for all elements
// along these axes: it depends only on constants and on inputs that have none
// of the axes.
func (p *Program) Invariant(axes Axes) []bool {
	invariant := make([]bool, len(p.code))
	for k, i := range p.code {
		invariant[k] = i.Op != OpDraw && i.Op != OpBernoulli && i.Axes&axes == 0 // constants have no axes
		for _, a := range i.Args[:i.Op.Args()] {
			invariant[k] = invariant[k] && invariant[a]
		}
	}
	return invariant
}

// Hash is the same for programs with the same instructions and outputs.
func (p *Program) Hash() string { return p.hash }

// String is the program as formulas, one for each output: "(in0 * 2)". Those that are
// long are cut off.
func (p *Program) String() string {
	texts := make([]string, len(p.outputs))
	for i, out := range p.outputs {
		texts[i] = out.String()
	}
	return strings.Join(texts, "; ")
}

// Element is one element, with all that a program computes its outputs from.
type Element struct {
	Inputs   []float64
	C, Inner int      // its indices
	Draws    []uint32 // the 32 random bits of each stream
}

// Index is the index of the element along an axis.
func (e *Element) Index(axis Axes) int {
	if axis == C {
		return e.C
	}
	return e.Inner
}

// Eval computes the outputs of one element in float64. It defines the program.
func (p *Program) Eval(out []float64, e Element) {
	values := make([]float64, len(p.code))
	for k, i := range p.code {
		switch i.Op {
		case OpInput:
			values[k] = e.Inputs[i.Index]
		case OpConst:
			values[k] = float64(i.Value)
		case OpIndex:
			values[k] = float64(e.Index(i.Axes))
		case OpDraw:
			values[k] = math.Ldexp(float64(e.Draws[i.Index]>>8), -24)
		case OpBernoulli:
			values[k] = condition(e.Draws[i.Index] < i.Threshold())
		default:
			var x [3]float64
			for j, a := range i.Args[:i.Op.Args()] {
				x[j] = values[a]
			}
			values[k] = Apply(i.Op, x[:]...)
		}
	}
	for k, s := range p.results {
		out[k] = values[s]
	}
}

// Args is the number of values that an operation takes.
func (o Op) Args() int {
	switch o {
	case OpInput, OpConst, OpIndex, OpDraw, OpBernoulli:
		return 0
	case OpAbs, OpSqrt, OpExp, OpLog, OpTanh, OpErf, OpSigmoid:
		return 1
	case OpSelect:
		return 3
	}
	return 2
}

// Condition reports whether the operation is a condition, which only Select takes.
func (o Op) Condition() bool {
	return o == OpLess || o == OpLessEqual || o == OpEqual || o == OpBernoulli
}
