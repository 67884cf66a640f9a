package cpu

import (
	"slices"

	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// program is an element-wise program for the machine of package vec: stages of
// instructions, and between them the functions that have a loop of their own.
//
// A value that is read again is saved to a slot. With one stage, the machine goes
// through many blocks of elements at once, and a slot is a block; with several, and
// where inputs must be spread over short rows, elements come in strips, which stay in the
// first-level cache, and a slot is a strip. Steps that are invariant, of the same value
// for all elements, are computed once.
type program struct {
	from      *expr.Program
	invariant []bool // steps
	stages    []programStage
	constants []int       // invariant steps that others read, a block each
	indices   []expr.Axes // that it asks for, sources behind the inputs
	slots     int
}

// programStage is some instructions, and then a function of a strip, but in the last one.
type programStage struct {
	code     []instruction
	function function
	dst, src place
	stream   int // of a draw
}

type instruction struct {
	op vec.Op
	in [3]place
}

// place is where a value lies.
type place struct {
	kind  placeKind
	index int
}

type placeKind uint8

const (
	nowhere placeKind = iota
	inInput           // of the program, or an index
	inConstant
	inSlot
	inResult // of an output; what becomes of it says the evaluation
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
	fused    bool   // it is part of a later one
	bound    vec.Op // OpAtLeast or OpAtMost where the first source is bounded by the second
	product  int    // 1 or 2 where that operand is the product of the last two sources
}

// functions are the operations that have a loop of their own.
var functions = [...]function{
	expr.OpSelect: none, // the last operation

	expr.OpExp: exponential, expr.OpLog: logarithm, expr.OpTanh: tangent, expr.OpErf: errorFunction, expr.OpSigmoid: sigmoid,
}

// compile makes the instructions for elements that lie along these axes.
func compile(p *expr.Program, axes expr.Axes) *program {
	code, results := p.Code()
	c := &compiler{
		program: &program{from: p, invariant: append(p.Invariant(axes), make([]bool, p.Draws())...)}, code: code,
		nodes: nodes(code, p.Draws()), acc: -1, outputs: results, ended: make([]bool, len(results)), segments: axes != expr.Whole,
	}
	c.places, c.left = make([]place, len(c.nodes)), make([]int, len(c.nodes))
	c.fuseProducts()
	c.stages = make([]programStage, 1)
	for k, n := range c.nodes {
		if !c.invariant[k] && !n.fused {
			for _, v := range n.sources {
				c.left[v]++
			}
		}
	}
	for _, r := range results {
		c.left[r]++
	}
	for k := len(code); k < len(c.nodes); k++ {
		if c.left[k] > 0 {
			c.step(k)
		}
	}
	for k, n := range c.nodes[:len(code)] {
		switch i := code[k]; {
		case c.invariant[k], i.Op == expr.OpBernoulli: // which is its threshold
			if c.left[k] > 0 {
				c.places[k] = place{inConstant, len(c.constants)}
				c.constants = append(c.constants, k)
			}
		case n.fused:
		case i.Op == expr.OpInput:
			c.places[k] = place{inInput, i.Index}
		case i.Op == expr.OpIndex:
			c.places[k] = place{inInput, c.sources()}
			c.indices = append(c.indices, i.Axes)
		default:
			c.step(k)
		}
	}
	c.finish()
	return c.program
}

// nodes finds what each step reads. The random words of each stream are nodes behind the steps.
func nodes(code []expr.Instruction, streams int) []node {
	list := make([]node, len(code)+streams)
	for s := range streams {
		list[len(code)+s] = node{function: draw, stream: s}
	}
	for k, i := range code {
		n := &list[k]
		n.op, n.sources = i.Op, i.Args[:i.Op.Args()]
		switch i.Op {
		case expr.OpSelect: // its condition is computed with it
			cond := code[i.Args[0]]
			n.op, n.sources = cond.Op, []int{cond.Args[0], cond.Args[1], i.Args[1], i.Args[2]}
			if cond.Op == expr.OpBernoulli { // words, and a constant that they are below
				n.sources[0], n.sources[1] = len(code)+cond.Index, i.Args[0]
			}
			if s := n.sources; n.op == expr.OpLess && s[0] == s[3] && s[1] == s[2] { // x < a ? a : x
				n.bound, n.sources = vec.OpAtLeast, []int{s[0], s[1]}
			} else if n.op == expr.OpLess && s[0] == s[2] && s[1] == s[3] { // a < x ? a : x
				n.bound, n.sources = vec.OpAtMost, []int{s[1], s[0]}
			}
		case expr.OpMax, expr.OpMin:
			n.bind(code)
		case expr.OpLess, expr.OpLessEqual, expr.OpEqual:
			n.fused, n.sources = true, nil
		case expr.OpDraw:
			n.sources = []int{len(code) + i.Index}
		default:
			n.function = functions[i.Op]
		}
	}
	return list
}

// bind makes a maximum or a minimum with a number that is no NaN a bound.
func (n *node) bind(code []expr.Instruction) {
	for j, a := range n.sources {
		if c := &code[a]; c.Op == expr.OpConst && c.Value == c.Value {
			n.bound, n.sources = vec.OpAtLeast, []int{n.sources[1-j], a}
			if n.op == expr.OpMin {
				n.bound = vec.OpAtMost
			}
			return
		}
	}
}

// compiler makes a program, step by step.
type compiler struct {
	*program
	code     []expr.Instruction
	nodes    []node
	places   []place
	left     []int // how often a value is still read
	acc      int   // the value in the accumulator
	free     []int // slots
	outputs  []int // steps
	ended    []bool
	segments bool // of an update: what an output may lie on is known
}

// fuseProducts makes a sum or a difference one instruction with a product in it that
// nothing else reads, if the product's factors lie in memory.
func (c *compiler) fuseProducts() {
	uses := make([]int, len(c.nodes))
	for k, n := range c.nodes {
		if !c.invariant[k] && !n.fused {
			for _, v := range n.sources {
				uses[v]++
			}
		}
	}
	for _, r := range c.outputs {
		uses[r]++
	}
	inMemory := func(k int) bool {
		return c.invariant[k] || c.code[k].Op == expr.OpInput || c.code[k].Op == expr.OpIndex
	}
	for k := range c.nodes {
		n := &c.nodes[k]
		if n.op != expr.OpAdd && n.op != expr.OpSub || c.invariant[k] || n.fused {
			continue
		}
		for i, product := range n.sources {
			factors := c.nodes[product].sources
			if c.code[product].Op != expr.OpMul || c.invariant[product] || uses[product] > 1 || !inMemory(factors[0]) || !inMemory(factors[1]) {
				continue
			}
			if c.invariant[factors[1]] { // what streams is second
				factors = []int{factors[1], factors[0]}
			}
			c.nodes[product].fused = true
			n.sources, n.product = []int{n.sources[1-i], factors[0], factors[1]}, 1+i
			break
		}
	}
}

func (c *compiler) emit(op vec.Op, in ...place) {
	last := &c.stages[len(c.stages)-1]
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
// comes next does from there. A result that nothing else reads goes to its output, if
// that lies on no input that is still to be read.
func (c *compiler) save(reads int) {
	v := c.acc
	if v < 0 || c.places[v].kind != nowhere || c.left[v] <= reads {
		return
	}
	if k := slices.Index(c.outputs, v); k >= 0 && c.left[v] == reads+1 && c.clear(k) {
		c.end(k)
		return
	}
	c.emit(vec.OpStore, c.take(v))
}

// clear reports whether no input that output k may lie on is still to be read.
func (c *compiler) clear(k int) bool {
	for step, i := range c.code {
		if i.Op == expr.OpInput && i.Axes == expr.Whole && c.left[step] > 0 && (!c.segments || (i.Index == 0) == (k == 0)) {
			return false
		}
	}
	return true
}

// end makes the accumulator the result of output k.
func (c *compiler) end(k int) {
	c.emit(vec.OpStore, place{inResult, k})
	c.left[c.outputs[k]]--
	c.ended[k] = true
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

// products are the instructions of an operation whose first, and whose second operand is
// a product.
var products = map[expr.Op][2]vec.Op{
	expr.OpAdd: {vec.OpMulAdd, vec.OpMulAdd}, expr.OpSub: {vec.OpMulSubFrom, vec.OpMulSub},
}

// step computes a value, into the accumulator or, of a function, into a slot.
func (c *compiler) step(k int) {
	n := &c.nodes[k]
	if n.function != none {
		c.call(k, n)
		return
	}
	a := n.sources[0]
	if n.product > 0 {
		c.save(c.reads(a))
		c.load(a)
		c.emit(products[n.op][n.product-1], c.places[n.sources[1]], c.places[n.sources[2]])
		c.read(n.sources, k)
		return
	}
	if len(n.sources) == 1 {
		c.save(c.reads(a))
		c.load(a)
		c.emit(unary[n.op])
		c.read(n.sources, k)
		return
	}
	b := n.sources[1]
	if n.bound != vec.OpEnd {
		c.save(c.reads(a))
		c.load(a)
		c.emit(n.bound, c.places[b])
		c.read(n.sources, k)
		return
	}
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

// call ends the stage with a function.
func (c *compiler) call(k int, n *node) {
	c.save(0)
	last := &c.stages[len(c.stages)-1]
	last.function, last.stream = n.function, n.stream
	if len(n.sources) > 0 {
		last.src = c.places[n.sources[0]]
	}
	c.read(n.sources, -1)
	last.dst = c.take(k)
	c.stages = append(c.stages, programStage{})
}

// finish makes results of what is not one yet: what is in the accumulator first, and then
// from places that are no inputs, because outputs may lie there.
func (c *compiler) finish() {
	if len(c.outputs) == 1 {
		c.load(c.outputs[0])
		c.end(0)
		return
	}
	for k, r := range c.outputs {
		if c.places[r].kind == inInput && !c.ended[k] {
			c.load(r)
			c.emit(vec.OpStore, c.take(r))
		}
	}
	c.save(0)
	for k, r := range c.outputs {
		if !c.ended[k] {
			c.load(r)
			c.end(k)
		}
	}
}
