package cpu

import (
	"math"
	"slices"
	"unsafe"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// strip is how many elements go through the stages of a program together: what is
// between them stays in the first-level cache. Strips lie a block further apart, so that
// they do not share the places of the cache.
const (
	strip = 1024
	pitch = strip + vec.Block

	// wide is how many columns are reduced together where nothing else is between the
	// stages: a row is read page after page, which the processor fetches ahead.
	wide = 32 * strip

	// longRow is from how many pixels on a channel is worth instructions of its own.
	longRow = 512
	// rowsTogether is how many rows are reduced block by block: memory sends some streams
	// sooner than one.
	rowsTogether = 4
)

// evaluation is a program with what it reads and writes, over the elements of a view.
type evaluation struct {
	*program
	q      *queue
	loops  *vec.Loops
	view   device.View
	random device.Random
	inputs [expr.MaxInputs + 2]source // and indices along C and Inner
	strips bool                       // elements come in strips
	byRow  bool                       // run takes elements of one row, along which what is spread does not change
	out    [expr.MaxOutputs][]float32
	ending [expr.MaxOutputs]instruction // what becomes of the results
}

// source is an input: its elements, and how far apart they lie along the axes of a view;
// or an index. One that is whole is read where it lies, and one of a single number is a
// constant; others, integers and indices are spread over a strip, or a block of a row.
type source struct {
	values      []float32
	integers    []int32
	index       expr.Axes
	n, c, inner int
	spread      bool
}

// newEvaluation prepares a program whose elements lie along these axes.
func newEvaluation(q *queue, p *expr.Program, axes expr.Axes, in []device.Tensor) evaluation {
	e := evaluation{program: q.compiled(p, axes), q: q, loops: q.loops()}
	e.strips = len(e.stages) > 1
	for i := range p.Inputs() {
		if p.Uses(i) {
			if p.Integer(i) {
				e.inputs[i].integers = ints(in[i])
			} else {
				e.inputs[i].values = floats(in[i])
			}
		}
	}
	for len(q.machines) < q.pool.Workers() {
		q.machines = append(q.machines, &machine{})
	}
	return e
}

// newViewed prepares a program for a view. A view without Inner is one whose channels
// are its Inner: what lies side by side is worked on together.
func newViewed(q *queue, p *expr.Program, v device.View, in []device.Tensor, r device.Random) evaluation {
	e := newEvaluation(q, p, expr.Whole, in)
	e.view, e.random = folded(v), r
	for i, axes := range p.Inputs() {
		src := &e.inputs[i]
		src.spread = p.Uses(i) && (axes != expr.Whole || p.Integer(i)) && axes != expr.One
		src.n, src.c, src.inner = e.view.Strides(foldedAxes(v, axes))
	}
	for k, axis := range e.indices {
		if v.Inner == 1 { // channels lie along Inner
			axis ^= expr.C | expr.Inner
		}
		e.inputs[len(p.Inputs())+k] = source{index: axis, spread: true}
	}
	constant := true
	for _, src := range e.inputs[:e.sources()] {
		if src.spread {
			constant = constant && src.inner == 0 && src.index != expr.Inner
			e.byRow = true
		}
	}
	if e.byRow && (e.strips || !constant) {
		e.spreadAll()
	}
	return e
}

// spreadAll makes run take elements of any rows.
func (e *evaluation) spreadAll() {
	e.strips, e.byRow = e.strips || e.byRow, false
}

// programKey names a compiled program: its hash, and the axes of its elements.
type programKey struct {
	hash string
	axes expr.Axes
}

// compiled is the program as instructions, made when it is first seen.
func (q *queue) compiled(p *expr.Program, axes expr.Axes) *program {
	key := programKey{p.Hash(), axes}
	c, ok := q.programs[key]
	if !ok {
		if q.programs == nil {
			q.programs = map[programKey]*program{}
		}
		c = compile(p, axes)
		q.programs[key] = c
	}
	return c
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

// machine is a program in the memory of a worker.
type machine struct {
	update                                        evaluation // of a segment
	segment                                       int
	code                                          [][]vec.Instruction // of the stages
	invariant                                     [expr.MaxInstructions]float32
	constants, slots, spread, tails, total, strip []float32
	together                                      []vec.Instruction // of some rows, and
	row                                           int               // which of them
}

// sources is how many inputs and indices there are.
func (p *program) sources() int { return len(p.from.Inputs()) + len(p.indices) }

// room is the scratch memory of a worker, in elements.
func (e *evaluation) room() int {
	inputs := e.sources()
	return (len(e.constants)+inputs+expr.MaxOutputs+1)*vec.Block + e.slots*e.slot() + e.columns() + inputs*e.spreads()
}

// spreads is how far inputs that are spread lie apart.
func (e *evaluation) spreads() int {
	switch {
	case e.strips:
		return pitch
	case e.byRow:
		return rowsTogether * vec.Block
	}
	return 0
}

// columns is how many columns of a row are reduced together at most.
func (e *evaluation) columns() int {
	if e.strips {
		return pitch
	}
	return wide + vec.Block
}

// slot is how far slots lie apart.
func (e *evaluation) slot() int {
	if e.strips {
		return pitch
	}
	return vec.Block
}

// longest is how many elements run takes at once.
func (e *evaluation) longest() int {
	if e.strips {
		return strip
	}
	return grain
}

// begin makes the machine of a worker ready.
func (e *evaluation) begin(worker int) *machine {
	m := e.q.machines[worker]
	e.prepare(m, e.q.engine.Scratch(worker, e.room()))
	return m
}

// prepare makes a machine ready, in memory of as many elements as room says.
func (e *evaluation) prepare(m *machine, memory []float32) {
	take := func(n int) []float32 {
		part := memory[:n]
		memory = memory[n:]
		return part
	}
	inputs := e.sources()
	m.constants = take(len(e.constants) * vec.Block)
	m.total, m.tails = take(vec.Block), take((inputs+expr.MaxOutputs)*vec.Block)
	m.slots, m.strip = take(e.slots*e.slot()), take(e.columns())
	m.spread = take(inputs * e.spreads())
	e.compute(m)
	for i, step := range e.constants {
		e.loops.Fill(m.constants[i*vec.Block:][:vec.Block], m.invariant[step])
	}
	m.code = slices.Grow(m.code[:0], len(e.stages))[:len(e.stages)]
	for k, st := range e.stages {
		code := m.code[k][:0]
		for _, i := range st.code {
			code = append(code, vec.Instruction{Op: i.op})
		}
		m.code[k] = append(code, vec.Instruction{Op: vec.OpEnd})
	}
}

// compute computes the steps that are invariant, and what random words are held against.
// Arithmetic in double precision, rounded
// after each operation, is that of single precision (Figueroa 1995, "When is double
// rounding innocuous?").
func (e *evaluation) compute(m *machine) {
	code, _ := e.from.Code()
	for k := range code {
		i, value := &code[k], m.invariant[k:][:1]
		if i.Op == expr.OpBernoulli {
			value[0] = math.Float32frombits(i.Threshold())
		}
		if !e.invariant[k] {
			continue
		}
		switch f := functions[i.Op]; {
		case i.Op == expr.OpInput && i.Integer:
			value[0] = float32(e.inputs[i.Index].integers[0])
		case i.Op == expr.OpInput:
			value[0] = e.inputs[i.Index].values[0]
		case i.Op == expr.OpConst:
			value[0] = i.Value
		case f != none:
			e.function(f, value, m.invariant[i.Args[0]:][:1])
		default:
			var x [3]float64
			for j, a := range i.Args[:i.Op.Args()] {
				x[j] = float64(m.invariant[a])
			}
			value[0] = float32(expr.Apply(i.Op, x[:i.Op.Args()]...))
		}
	}
}

// end forgets where tensors lie, so that the queue holds no buffer that the caller frees.
func (m *machine) end() {
	for _, code := range m.code {
		clear(code)
	}
	clear(m.together)
	m.update = evaluation{}
}

// aim makes the instructions of a stage read and write the elements from first, which
// is the first of a strip, or those from behind so many of it. The tail of a strip, less
// than a block, is read and written in blocks of its own.
func (e *evaluation) aim(m *machine, k, first, behind int, tail bool) {
	code := m.code[k]
	for at := range e.stages[k].code {
		i := &e.stages[k].code[at]
		if i.in[0].kind == inResult {
			j := i.in[0].index
			i = &e.ending[j]
			code[at].Op = i.op
			if tail && i.in[0].kind == inTotals { // not all elements count
				code[at] = vec.Instruction{Op: vec.OpStore, In: [3]vec.Operand{e.operand(m, place{inOutput, j}, first, behind, tail)}}
				continue
			}
		}
		for j := range i.in {
			if i.in[j].kind == nowhere {
				break
			}
			code[at].In[j] = e.operand(m, i.in[j], first, behind, tail)
		}
	}
}

// operand is a place as the machine has it.
func (e *evaluation) operand(m *machine, p place, first, behind int, tail bool) vec.Operand {
	switch p.kind {
	case inConstant:
		return vec.Operand{At: &m.constants[p.index*vec.Block]}
	case inTotals:
		return vec.Operand{At: &m.total[0]}
	case inStrip:
		return vec.Operand{At: &m.strip[behind], Moves: -1}
	case inSlot:
		if !e.strips {
			return vec.Operand{At: &m.slots[p.index*vec.Block]}
		}
		return vec.Operand{At: &m.slots[p.index*pitch+behind], Moves: -1}
	case inInput:
		if src := &e.inputs[p.index]; src.spread && e.byRow {
			return vec.Operand{At: &m.rowOf(p.index)[0]}
		} else if src.spread {
			return vec.Operand{At: &m.spread[p.index*pitch+behind], Moves: -1}
		} else if !tail {
			return vec.Operand{At: &src.values[first+behind], Moves: -1}
		}
		return vec.Operand{At: &m.tailOf(p.index)[0]}
	}
	if !tail {
		return vec.Operand{At: &e.out[p.index][first+behind], Moves: -1}
	}
	return vec.Operand{At: &m.tailOf(e.sources() + p.index)[0]}
}

// tailOf is the block of the tail of an input or, behind them, an output.
func (m *machine) tailOf(i int) []float32 { return m.tails[i*vec.Block:][:vec.Block] }

// rowOf is the block of an input's value in a row.
func (m *machine) rowOf(i int) []float32 {
	return m.spread[(i*rowsTogether+m.row)*vec.Block:][:vec.Block]
}

// run computes the elements from first, n of them, at most as many as longest says.
func (e *evaluation) run(m *machine, first, n int) {
	e.spreadInputs(m, first, n)
	whole := n / vec.Block * vec.Block
	if whole < n {
		e.copyTails(m, first+whole, n-whole)
	}
	for k := range e.stages {
		st := &e.stages[k]
		if len(m.code[k]) > 1 && whole > 0 {
			e.aim(m, k, first, 0, false)
			e.loops.Run(m.code[k], whole, 1, 0)
		}
		if len(m.code[k]) > 1 && whole < n {
			e.aim(m, k, first, whole, true)
			e.loops.Run(m.code[k], vec.Block, 1, 0)
		}
		if st.function != none {
			e.call(m, st, first, n)
		}
	}
	if whole < n {
		e.endTails(m, first+whole, n-whole)
	}
}

// runRows computes n elements from first of each of some rows, which are so far apart.
// The code of some rows is one: block by block, from each row in turn.
func (e *evaluation) runRows(m *machine, first, n, rows, apart int) {
	whole := n / vec.Block * vec.Block
	if e.strips || whole == 0 || apart == n { // or side by side
		for k := range rows {
			e.run(m, first+k*apart, n)
		}
		return
	}
	for done := 0; done < rows; done += rowsTogether {
		at := first + done*apart
		code := m.together[:0]
		for m.row = range min(rowsTogether, rows-done) {
			row := at + m.row*apart
			e.spreadInputs(m, row, 1)
			e.aim(m, 0, row, 0, false)
			code = append(code, m.code[0][:len(e.stages[0].code)]...)
		}
		m.row, m.together = 0, append(code, vec.Instruction{Op: vec.OpEnd})
		e.loops.Run(m.together, whole, 1, 0)
	}
	for k := 0; k < rows && whole < n; k++ {
		row := first + k*apart
		e.spreadInputs(m, row, 1)
		e.copyTails(m, row+whole, n-whole)
		e.aim(m, 0, row, whole, true)
		e.loops.Run(m.code[0], vec.Block, 1, 0)
		e.endTails(m, row+whole, n-whole)
	}
}

// shortestRow is from how many pixels on rows of less than a block are computed in blocks of
// their own: the rest of a block is wasted.
const shortestRow = 20

// shortRows reports whether nextRows can compute the rows: numbers of type float32 alone are
// spread over them.
func (e *evaluation) shortRows() bool {
	for i := range e.sources() {
		if src := &e.inputs[i]; src.spread && (src.values == nil || src.c > 1) {
			return false
		}
	}
	return e.byRow && e.view.Inner >= shortestRow
}

// nextRows computes some of the rows from row to end, at least one, and returns how many. They
// are rows of one sample. The blocks that are read end behind a row; the last rows before
// bound, behind which nothing is read, are computed as what they are.
func (e *evaluation) nextRows(m *machine, row, end, bound int) int {
	inner := e.view.Inner
	behind := (vec.Block - inner%vec.Block) % vec.Block
	exact := (behind + inner - 1) / inner
	sample, channel := row/e.view.C, row%e.view.C
	n := min(end-row, bound-exact-row, e.view.C-channel)
	if n < 1 {
		e.run(m, row*inner, inner)
		return 1
	}
	code := m.together[:0]
	for i := range e.sources() {
		if src := &e.inputs[i]; src.spread {
			code = append(code, vec.Instruction{Op: vec.OpSpread, In: [3]vec.Operand{
				{At: &src.values[sample*src.n+channel*src.c], Moves: -src.c}, {At: &m.rowOf(i)[0]},
			}})
		}
	}
	e.aim(m, 0, row*inner, 0, false)
	m.together = append(code, m.code[0]...)
	e.loops.Run(m.together, inner, n, inner)
	return n
}

// spreadInputs writes the values of inputs that are read from a strip or a block.
func (e *evaluation) spreadInputs(m *machine, first, n int) {
	for i := range e.sources() {
		if src := &e.inputs[i]; src.spread && e.byRow {
			e.gather(m.rowOf(i)[:1], src, first)
			e.loops.Fill(m.rowOf(i), m.rowOf(i)[0])
		} else if src.spread {
			e.gather(m.spread[i*pitch:][:n], src, first)
		}
	}
}

// call computes the function of a stage.
func (e *evaluation) call(m *machine, st *programStage, first, n int) {
	dst := m.slots[st.dst.index*pitch:][:n]
	if st.function == draw {
		e.draw(dst, st.stream, first)
		return
	}
	var src []float32
	switch in := &e.inputs[st.src.index]; {
	case st.src.kind == inSlot:
		src = m.slots[st.src.index*pitch:][:n]
	case in.spread:
		src = m.spread[st.src.index*pitch:][:n]
	default:
		src = in.values[first:][:n]
	}
	e.function(st.function, dst, src)
}

// function computes a function of each element.
func (e *evaluation) function(f function, dst, src []float32) {
	switch l := e.loops; f {
	case exponential:
		l.Exp(dst, src)
	case logarithm:
		l.Log(dst, src)
	case tangent:
		l.Tanh(dst, src)
	case errorFunction:
		l.Erf(dst, src)
	case sigmoid:
		l.Sigmoid(dst, src)
	}
}

// copyTails copies what the tail reads, n elements, to its blocks.
func (e *evaluation) copyTails(m *machine, first, n int) {
	inputs := e.from.Inputs()
	for i, axes := range inputs {
		if axes == expr.Whole && e.from.Uses(i) && !e.from.Integer(i) {
			copy(m.tailOf(i), e.inputs[i].values[first:][:n])
		}
	}
	for j := range e.from.Outputs() {
		if end := e.ending[j]; end.in[0].kind == inOutput && end.op == vec.OpAddInto {
			copy(m.tailOf(e.sources()+j), e.out[j][first:][:n])
		}
	}
}

// endTails copies what the tail has written to where it belongs.
func (e *evaluation) endTails(m *machine, first, n int) {
	for j := range e.from.Outputs() {
		tail := m.tailOf(e.sources() + j)[:n]
		switch end := e.ending[j]; {
		case end.in[0].kind == inOutput:
			copy(e.out[j][first:], tail)
		case end.op == vec.OpSum:
			sums := m.sums()
			for i, v := range tail {
				sums[i%8] += float64(v)
			}
		case end.in[0].kind == inTotals:
			for i, v := range tail {
				m.total[i] = max(m.total[i], v)
			}
		}
	}
}

// sums are the totals as doubles.
func (m *machine) sums() *[8]float64 { return (*[8]float64)(unsafe.Pointer(&m.total[0])) }

// gather writes the values that an input has for the elements from first.
func (e *evaluation) gather(dst []float32, src *source, first int) {
	inner := e.view.Inner
	for len(dst) > 0 {
		row, j := first/inner, first%inner
		n := min(len(dst), inner-j)
		at := row/e.view.C*src.n + row%e.view.C*src.c
		rows := min(len(dst)/inner, e.view.C-row%e.view.C) // of this sample
		switch {
		case src.values != nil && src.c == 1 && src.inner == 0 && j == 0 && rows > 1:
			n = rows * inner
			e.loops.Spread(dst[:n], src.values[at:][:rows], inner)
		case src.index == expr.C:
			e.loops.Fill(dst[:n], float32(row%e.view.C))
		case src.index == expr.Inner:
			for i := range dst[:n] {
				dst[i] = float32(j + i)
			}
		case src.inner == 0 && src.integers != nil:
			e.loops.Fill(dst[:n], float32(src.integers[at]))
		case src.integers != nil:
			for i, v := range src.integers[at+j:][:n] {
				dst[i] = float32(v)
			}
		case src.inner == 0:
			e.loops.Fill(dst[:n], src.values[at])
		default:
			copy(dst[:n], src.values[at+j:])
		}
		dst, first = dst[n:], first+n
	}
}

// draw writes the random words of a stream for the elements from first.
func (e *evaluation) draw(dst []float32, stream, first int) {
	words := unsafe.Slice((*uint32)(unsafe.Pointer(&dst[0])), len(dst))
	r := e.random
	r.Stream += uint32(stream)
	size := e.view.C * e.view.Inner
	for len(words) > 0 {
		sample, at := first/size, first%size
		n := min(len(words), size-at)
		e.loops.Draw(words[:n], at, r, sample)
		words, first = words[n:], first+n
	}
}
