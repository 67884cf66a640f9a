package cpu

import (
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// strip is how many elements go through a program together: what is between its
// steps stays in the first-level cache.
const strip = 1024

// program is an element-wise program as loops over strips. Each step reads and writes
// slots, each a strip: first the inputs, then the registers. Constants have a register
// of their own, filled once an item.
type program struct {
	from      *expr.Program
	steps     []step
	constants []constant
	results   []int // the slot of each output
	slots     int
}

type step struct {
	op   expr.Op // a select has that of its condition
	pick bool    // it is a select
	dst  int
	src  [4]int
	draw int
}

type constant struct {
	slot  int
	value float32
}

// compile chooses slots: a register is free again after the last step that reads it.
func compile(p *expr.Program) *program {
	code, results := p.Code()
	c := &program{from: p, slots: len(p.Inputs())}
	last := make([]int, len(code)) // the last step that reads a value
	sources := func(i *expr.Instruction) []int {
		if i.Op == expr.OpSelect { // its condition is computed with it
			cond := code[i.Args[0]]
			return []int{cond.Args[0], cond.Args[1], i.Args[1], i.Args[2]}
		}
		return i.Args[:i.Op.Args()]
	}
	for k := range code {
		if !code[k].Op.Condition() {
			for _, s := range sources(&code[k]) {
				last[s] = k
			}
		}
	}
	for _, r := range results {
		last[r] = len(code)
	}
	slot := make([]int, len(code))
	var free []int
	take := func() int {
		if n := len(free); n > 0 {
			s := free[n-1]
			free = free[:n-1]
			return s
		}
		c.slots++
		return c.slots - 1
	}
	for k := range code {
		i := &code[k]
		switch {
		case i.Op == expr.OpInput:
			slot[k] = i.Index
			continue
		case i.Op == expr.OpConst:
			c.slots++
			slot[k] = c.slots - 1
			c.constants = append(c.constants, constant{slot[k], i.Value})
			continue
		case i.Op.Condition():
			continue
		}
		s := step{op: i.Op, draw: i.Index}
		for j, v := range sources(i) {
			s.src[j] = slot[v]
		}
		if i.Op == expr.OpSelect {
			s.op, s.pick = code[i.Args[0]].Op, true
		}
		for j, v := range sources(i) { // a value that is read twice is free once
			if last[v] == k && code[v].Op != expr.OpInput && code[v].Op != expr.OpConst && !slices.Contains(sources(i)[:j], v) {
				free = append(free, slot[v])
			}
		}
		s.dst = take()
		slot[k] = s.dst
		c.steps = append(c.steps, s)
	}
	for _, r := range results {
		if code[r].Op == expr.OpInput || code[r].Op == expr.OpConst { // an output may lie where it is read
			s := step{op: expr.OpInput, src: [4]int{slot[r]}, dst: take()}
			c.steps, slot[r] = append(c.steps, s), s.dst
		}
		c.results = append(c.results, slot[r])
	}
	return c
}

// evaluation is a program with what it reads, over the elements of a view.
type evaluation struct {
	*program
	loops  *vec.Loops
	view   device.View
	random device.Random
	inputs [expr.MaxInputs]source
}

// source is an input: its elements, and how far apart they lie along the axes. One
// that is whole is read where it lies.
type source struct {
	values      []float32
	n, c, inner int
	whole       bool
}

// newEvaluation prepares a program for a view. A view without Inner is one whose channels
// are its Inner: what lies side by side is worked on together.
func newEvaluation(p *program, loops *vec.Loops, v device.View, in []device.Tensor, r device.Random) evaluation {
	s := evaluation{program: p, loops: loops, view: folded(v), random: r}
	for i, axes := range p.from.Inputs() {
		if !p.from.Uses(i) {
			continue
		}
		src := &s.inputs[i]
		src.values, src.whole = floats(in[i]), axes == expr.Whole
		src.n, src.c, src.inner = s.view.Strides(foldedAxes(v, axes))
	}
	return s
}

func folded(v device.View) device.View {
	if v.Inner == 1 {
		return device.View{N: v.N, C: 1, Inner: v.C}
	}
	return v
}

// foldedAxes are a tensor's axes in the folded view.
func foldedAxes(v device.View, a expr.Axes) expr.Axes {
	if v.Inner != 1 {
		return a
	}
	inner := expr.Axes(0)
	if a&expr.C != 0 {
		inner = expr.Inner
	}
	return a&expr.N | expr.C | inner
}

// room is the scratch memory of a worker, in elements.
func (p *program) room() int { return p.slots * strip }

// begin fills the registers of constants.
func (s *evaluation) begin(memory []float32) {
	for _, c := range s.constants {
		s.loops.Fill(memory[c.slot*strip:][:strip], c.value)
	}
}

// run computes the elements from first, n of them, at most a strip, and returns slots
// with the results. direct is where the result of a program with one output may go at
// once, in place of its slot, or nil.
func (s *evaluation) run(memory []float32, first, n int, slots *[maxSlots][]float32, direct []float32) {
	for i := range s.from.Inputs() {
		src := &s.inputs[i]
		switch {
		case src.values == nil:
		case src.whole:
			slots[i] = src.values[first:][:n]
		default:
			slots[i] = memory[i*strip:][:n]
			s.gather(slots[i], src, first)
		}
	}
	for i := len(s.from.Inputs()); i < s.slots; i++ {
		slots[i] = memory[i*strip:][:n]
	}
	l := s.loops
	for k := range s.steps {
		t := &s.steps[k]
		dst := slots[t.dst]
		if direct != nil && k == len(s.steps)-1 {
			dst = direct
		}
		a, b := slots[t.src[0]], slots[t.src[1]]
		if t.pick {
			p, q := slots[t.src[2]], slots[t.src[3]]
			switch t.op {
			case expr.OpLess:
				l.SelectLess(dst, a, b, p, q)
			case expr.OpLessEqual:
				l.SelectLessEqual(dst, a, b, p, q)
			case expr.OpEqual:
				l.SelectEqual(dst, a, b, p, q)
			}
			continue
		}
		switch t.op {
		case expr.OpInput:
			copy(dst, a)
		case expr.OpAdd:
			l.Add(dst, a, b)
		case expr.OpSub:
			l.Sub(dst, a, b)
		case expr.OpMul:
			l.Mul(dst, a, b)
		case expr.OpDiv:
			l.Div(dst, a, b)
		case expr.OpMin:
			l.Min(dst, a, b)
		case expr.OpMax:
			l.Max(dst, a, b)
		case expr.OpAbs:
			l.Abs(dst, a)
		case expr.OpSqrt:
			l.Sqrt(dst, a)
		case expr.OpExp:
			l.Exp(dst, a)
		case expr.OpLog:
			l.Log(dst, a)
		case expr.OpTanh:
			l.Tanh(dst, a)
		case expr.OpErf:
			l.Erf(dst, a)
		case expr.OpDraw:
			s.draw(dst, t.draw, first)
		}
	}
}

// gather writes the values that an input has for the elements from first.
func (s *evaluation) gather(dst []float32, src *source, first int) {
	inner := s.view.Inner
	for len(dst) > 0 {
		row, j := first/inner, first%inner
		n := min(len(dst), inner-j)
		at := row/s.view.C*src.n + row%s.view.C*src.c
		if src.inner == 0 {
			s.loops.Fill(dst[:n], src.values[at])
		} else {
			copy(dst[:n], src.values[at+j:])
		}
		dst, first = dst[n:], first+n
	}
}

// draw writes the random numbers of a stream for the elements from first.
func (s *evaluation) draw(dst []float32, stream, first int) {
	r := s.random
	r.Stream += uint32(stream)
	size := s.view.C * s.view.Inner
	for i := 0; i < len(dst); {
		sample, e := (first+i)/size, (first+i)%size
		words := r.Block(sample, e/4)
		for k := e % 4; k < 4 && e < size && i < len(dst); k++ {
			dst[i] = float32(words[k]>>8) * (1.0 / (1 << 24))
			i++
			e++
		}
	}
}

// maxSlots bounds the inputs and registers of a program.
const maxSlots = expr.MaxInputs + expr.MaxInstructions
