package cpu

import (
	"math"

	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// program is an element-wise program for the machine of package vec: phases of
// instructions, and between them the functions that have a loop of their own.
//
// A value that is read again is saved to a slot. With one phase, the machine goes
// through many blocks of elements at once, and a slot is a block; with several, and
// where inputs must be spread over the elements, elements come in strips, which stay in
// the first-level cache, and a slot is a strip.
type program struct {
	from      *expr.Program
	phases    []phase
	constants []constant
	results   []place // of the outputs; nowhere is the accumulator
	slots     int
	strips    bool
}

// phase is some instructions, and then a function of a strip, but in the last one.
type phase struct {
	code     []instruction
	function function
	dst, src place
	stream   int // of a draw
}

type instruction struct {
	op vec.Op
	in [3]place
}

// constant is a block of one number: of the program, or of an input.
type constant struct {
	input bool
	index int
	value float32
}

// place is where a value lies.
type place struct {
	kind  placeKind
	index int
}

type placeKind uint8

const (
	nowhere placeKind = iota
	inInput           // of the program
	inConstant
	inSlot
	inOutput // the others are where results go
	inTotals // eight doubles, or a block of maxima
	inStrip  // of sums, maxima or values
)

type function uint8

const (
	none function = iota
	exponential
	logarithm
	tangent // hyperbolic
	errorFunction
	sigmoid
	draw
)

// node is a step of the program and what it reads.
type node struct {
	op       expr.Op
	function function
	stream   int // of a draw
	sources  []int
	fused    bool // it is part of a later one
}

// compile makes the instructions.
func compile(p *expr.Program) *program {
	code, results := p.Code()
	c := &compiler{
		program: &program{from: p}, code: code, nodes: nodes(code, results, p.Draws()), acc: -1,
	}
	c.places, c.left = make([]place, len(c.nodes)), make([]int, len(c.nodes))
	c.phases = make([]phase, 1)
	for _, n := range c.nodes {
		for _, v := range n.sources {
			c.left[v]++
		}
	}
	for _, r := range results {
		c.left[r]++
	}
	for i, axes := range p.Inputs() {
		if p.Uses(i) && axes != expr.Whole && axes != expr.One {
			c.strips = true
		}
	}
	for k := len(code); k < len(c.nodes); k++ {
		if c.left[k] > 0 {
			c.step(k)
		}
	}
	for k, n := range c.nodes[:len(code)] {
		switch i := code[k]; {
		case n.fused:
		case i.Op == expr.OpInput && i.Axes != expr.One:
			c.places[k] = place{inInput, i.Index}
		case i.Op == expr.OpInput, i.Op == expr.OpConst, i.Op == expr.OpBernoulli:
			c.places[k] = place{inConstant, len(c.constants)}
			if i.Op == expr.OpBernoulli {
				i.Value = math.Float32frombits(i.Threshold())
			}
			c.constants = append(c.constants, constant{i.Op == expr.OpInput, i.Index, i.Value})
		default:
			c.step(k)
		}
	}
	c.finish(results)
	c.strips = c.strips || len(c.phases) > 1
	return c.program
}

// nodes finds what each step reads, and those that one function computes together. The
// random words of each stream are nodes behind the steps.
func nodes(code []expr.Instruction, results []int, streams int) []node {
	list := make([]node, len(code)+streams)
	uses := make([]int, len(code))
	for s := range streams {
		list[len(code)+s] = node{function: draw, stream: s}
	}
	for k, i := range code {
		n := &list[k]
		n.op, n.sources = i.Op, i.Args[:i.Op.Args()]
		for _, v := range n.sources {
			uses[v]++
		}
		switch i.Op {
		case expr.OpSelect: // its condition is computed with it
			cond := code[i.Args[0]]
			n.op, n.sources = cond.Op, []int{cond.Args[0], cond.Args[1], i.Args[1], i.Args[2]}
			if cond.Op == expr.OpBernoulli { // words, and a constant that they are below
				n.sources[0], n.sources[1] = len(code)+cond.Index, i.Args[0]
			}
		case expr.OpLess, expr.OpLessEqual, expr.OpEqual:
			n.fused, n.sources = true, nil
		case expr.OpExp:
			n.function = exponential
		case expr.OpLog:
			n.function = logarithm
		case expr.OpTanh:
			n.function = tangent
		case expr.OpErf:
			n.function = errorFunction
		case expr.OpDraw:
			n.sources = []int{len(code) + i.Index}
		}
	}
	for _, r := range results {
		uses[r]++
	}
	is := func(k int, op expr.Op, arg int, value float32) bool {
		i := code[k]
		return i.Op == op && code[i.Args[arg]].Op == expr.OpConst && code[i.Args[arg]].Value == value
	}
	for k, i := range code { // 1 / (1 + exp(-1 * x))
		if !is(k, expr.OpDiv, 0, 1) {
			continue
		}
		sum := i.Args[1]
		for arg := range 2 {
			if !is(sum, expr.OpAdd, arg, 1) || uses[sum] > 1 {
				continue
			}
			e := code[sum].Args[1-arg]
			if code[e].Op != expr.OpExp || uses[e] > 1 {
				continue
			}
			if minus := code[e].Args[0]; is(minus, expr.OpMul, 0, -1) && uses[minus] == 1 {
				for _, part := range []int{sum, e, minus} {
					list[part] = node{fused: true}
				}
				list[k] = node{function: sigmoid, sources: []int{code[minus].Args[1]}}
				break
			}
		}
	}
	return list
}

// compiler makes a program, step by step.
type compiler struct {
	*program
	code   []expr.Instruction
	nodes  []node
	places []place
	left   []int // how often a value is still read
	acc    int   // the value in the accumulator
	free   []int // slots
}

func (c *compiler) emit(op vec.Op, in ...place) {
	last := &c.phases[len(c.phases)-1]
	i := instruction{op: op}
	copy(i.in[:], in)
	last.code = append(last.code, i)
}

// take is a slot for value v.
func (c *compiler) take(v int) place {
	if n := len(c.free); n > 0 {
		c.places[v] = place{inSlot, c.free[n-1]}
		c.free = c.free[:n-1]
	} else {
		c.places[v] = place{inSlot, c.slots}
		c.slots++
	}
	return c.places[v]
}

// save saves the accumulator, if its value is read more often than the instruction that
// comes next does from there.
func (c *compiler) save(reads int) {
	if v := c.acc; v >= 0 && c.places[v].kind == nowhere && c.left[v] > reads {
		c.emit(vec.OpStore, c.take(v))
	}
}

// load makes v the accumulator.
func (c *compiler) load(v int) {
	if c.acc != v {
		c.save(0)
		c.emit(vec.OpLoad, c.places[v])
		c.acc = v
	}
}

// read says that a step has read its sources, and made v.
func (c *compiler) read(sources []int, v int) {
	for _, s := range sources {
		if c.left[s]--; c.left[s] == 0 && c.places[s].kind == inSlot {
			c.free = append(c.free, c.places[s].index)
		}
	}
	c.acc = v
}

// binary are the instructions of an operation whose first, and whose second operand is
// the accumulator.
var binary = map[expr.Op][2]vec.Op{
	expr.OpAdd: {vec.OpAdd, vec.OpAdd}, expr.OpSub: {vec.OpSub, vec.OpSubFrom},
	expr.OpMul: {vec.OpMul, vec.OpMul}, expr.OpDiv: {vec.OpDiv, vec.OpDivInto},
	expr.OpMin: {vec.OpMin, vec.OpMin}, expr.OpMax: {vec.OpMax, vec.OpMax},
	expr.OpLess: {vec.OpLess, vec.OpGreater}, expr.OpLessEqual: {vec.OpLessEqual, vec.OpGreaterEqual},
	expr.OpEqual: {vec.OpEqual, vec.OpEqual}, expr.OpBernoulli: {vec.OpBelow},
}

var unary = map[expr.Op]vec.Op{expr.OpAbs: vec.OpAbs, expr.OpSqrt: vec.OpSqrt, expr.OpDraw: vec.OpUniform}

// step computes a value, into the accumulator or, of a function, into a slot.
func (c *compiler) step(k int) {
	n := &c.nodes[k]
	if n.function != none {
		c.call(k, n)
		return
	}
	a := n.sources[0]
	if len(n.sources) == 1 {
		c.save(c.reads(a))
		c.load(a)
		c.emit(unary[n.op])
		c.read(n.sources, k)
		return
	}
	b := n.sources[1]
	if n.op == expr.OpMul && a == b {
		c.save(2 * c.reads(a))
		c.load(a)
		c.emit(vec.OpSquare)
		c.read(n.sources, k)
		return
	}
	way := 0
	if c.acc == b && c.acc != a {
		a, b, way = b, a, 1
	}
	c.save(c.reads(a))
	c.load(a)
	in := []place{c.places[b]}
	for _, v := range n.sources[2:] {
		in = append(in, c.places[v])
	}
	c.emit(binary[n.op][way], in...)
	c.read(n.sources, k)
}

// reads is 1 if v is the accumulator, where one operand is read.
func (c *compiler) reads(v int) int {
	if c.acc == v {
		return 1
	}
	return 0
}

// call ends the phase with a function.
func (c *compiler) call(k int, n *node) {
	c.save(0)
	for _, v := range n.sources {
		if c.places[v].kind == inConstant { // a block, but the function reads a strip
			c.load(v)
			c.emit(vec.OpStore, c.take(v))
		}
	}
	last := &c.phases[len(c.phases)-1]
	last.function, last.stream = n.function, n.stream
	if len(n.sources) > 0 {
		last.src = c.places[n.sources[0]]
	}
	c.read(n.sources, -1)
	last.dst = c.take(k)
	c.phases = append(c.phases, phase{})
}

// finish leaves one result in the accumulator, and several in places that are no
// inputs: their outputs may lie there.
func (c *compiler) finish(results []int) {
	if len(results) == 1 {
		c.load(results[0])
		c.results = []place{{}}
		return
	}
	c.save(0)
	for _, r := range results {
		if c.places[r].kind == inInput {
			c.load(r)
			c.emit(vec.OpStore, c.take(r))
		}
		c.results = append(c.results, c.places[r])
	}
}
