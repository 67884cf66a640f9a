package cpu

import (
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func (q *queue) Reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	if err := device.CheckMap(p, v, axes, []device.Tensor{out}, in); err != nil {
		q.Fail("reduce", err)
		return
	}
	c := reduction{
		evaluation: newEvaluation(q.compiled(p), q.loops(), v, in, r),
		q:          q, op: op, results: out.Len(), out: floats(out), m: m,
	}
	axes = foldedAxes(v, axes)
	q.pool.Acquire()
	defer q.pool.Release()
	q.engine.Reserve(c.room() + strip)
	if axes&expr.Inner != 0 {
		q.columns = columnsTask{reduction: c}
		items := q.columns.cut(axes)
		q.pool.Run(&q.columns, items)
		q.combining = combineTask{q.columns.reduction}
		reset(&q.columns)
	} else {
		q.runs = runsTask{reduction: c}
		items := q.runs.cut(axes)
		q.pool.Run(&q.runs, items)
		q.combining = combineTask{q.runs.reduction}
		reset(&q.runs)
	}
	q.pool.Run(&q.combining, rowItems(c.results, q.combining.terms))
	reset(&q.combining)
}

// reduction is a program whose values are reduced to some results. Each result is that
// of some terms, which are reduced side by side: term k of result r is
// partials[k*results+r].
type reduction struct {
	evaluation
	q        *queue
	op       device.ReduceOp
	out      []float32
	m        device.Mode
	results  int
	terms    int
	partials []float64
}

// take makes room for the terms.
func (t *reduction) take(terms int) {
	n := terms * t.results
	if cap(t.q.partials) < n {
		t.q.partials = make([]float64, n)
	}
	t.terms, t.partials = terms, t.q.partials[:n]
}

// nothing is the reduction of no values.
func (t *reduction) nothing() float64 {
	if t.op == device.Max {
		return math.Inf(-1)
	}
	return 0
}

// combine reduces two values.
func (t *reduction) combine(a, b float64) float64 {
	if t.op == device.Max {
		return max(a, b)
	}
	return a + b
}

// reduced reduces the values of a strip, which may change.
func (t *reduction) reduced(x []float32) float64 {
	if t.op == device.Sum {
		return t.loops.Sum(x)
	}
	for n := len(x); n > 32; n = len(x) {
		half := n / 2
		t.loops.Max(x[:half], x[:half], x[half:2*half])
		if n%2 == 1 {
			x[0] = max(x[0], x[n-1])
		}
		x = x[:half]
	}
	largest := x[0]
	for _, v := range x[1:] {
		largest = max(largest, v)
	}
	return float64(largest)
}

// combineTask reduces the terms of each result, in their order.
type combineTask struct{ reduction }

func (t *combineTask) Run(item, _ int) {
	for r, end := rows(item, t.results, t.terms); r < end; r++ {
		value := t.partials[r]
		for k := 1; k < t.terms; k++ {
			value = t.combine(value, t.partials[k*t.results+r])
		}
		if t.m == device.Accumulate {
			t.out[r] += float32(value)
		} else {
			t.out[r] = float32(value)
		}
	}
}

// runsTask reduces over Inner at least. The elements of a term lie in a run, side by
// side: of the whole view, of a sample, or of a channel of a sample. A long run is cut
// into parts, which are terms too; short ones share an item.
type runsTask struct {
	reduction
	count, length int // of runs
	parts         int // of a run
	each          int // runs of an item, where a run is one part
}

// cut chooses the items, by shape alone, and returns their number.
func (t *runsTask) cut(axes expr.Axes) int {
	v := t.view
	t.count, t.length = v.N*v.C, v.Inner
	switch axes & (expr.N | expr.C) {
	case 0:
		t.count, t.length = 1, v.N*v.C*v.Inner
	case expr.N:
		t.count, t.length = v.N, v.C*v.Inner
	}
	t.parts, t.each = chunks(t.length), rowsEach(t.length)
	t.take(t.count / t.results * t.parts)
	return (t.count + t.each - 1) / t.each * t.parts
}

func (t *runsTask) Run(item, worker int) {
	memory := t.q.engine.Scratch(worker, t.room())
	t.begin(memory)
	var slots [maxSlots][]float32
	run, part := item/t.parts*t.each, item%t.parts
	first, end := run*t.length, min(run+t.each, t.count)*t.length
	left := t.length
	if t.parts > 1 {
		a, b := chunk(part, t.length)
		first, end, left = first+a, first+b, b-a
	}
	value := t.nothing()
	for ; first < end; first += strip {
		n := min(strip, end-first)
		t.run(memory, first, n, &slots, nil)
		for values := slots[t.program.results[0]]; len(values) > 0; {
			k := min(left, len(values))
			value = t.combine(value, t.reduced(values[:k]))
			values = values[k:]
			if left -= k; left == 0 {
				sample, result := run/t.results, run%t.results
				t.partials[(sample*t.parts+part)*t.results+result] = value
				run, value, left = run+1, t.nothing(), t.length
			}
		}
	}
}

// columnsTask reduces over rows of Inner, but not over Inner. The rows of a result are
// cut into parts, which are terms, and rows into strips.
type columnsTask struct {
	reduction
	count, apart, between int // rows of a result, how far apart they are, and the first ones of two results
	strips, each          int // of a row, and rows of a part
}

// Rows of a part, at least: and how many are added in single precision.
const rowsOfPart = 64

func (t *columnsTask) cut(axes expr.Axes) int {
	v := t.view
	switch axes & (expr.N | expr.C) {
	case 0:
		t.count, t.apart = v.N*v.C, 1
	case expr.N:
		t.count, t.apart, t.between = v.C, 1, v.C
	case expr.C:
		t.count, t.apart, t.between = v.N, v.C, 1
	default:
		t.count, t.apart, t.between = 1, 1, 1
	}
	t.strips = (v.Inner + strip - 1) / strip
	t.each = (rowsEach(min(v.Inner, strip)) + rowsOfPart - 1) / rowsOfPart * rowsOfPart
	t.take((t.count + t.each - 1) / t.each)
	return t.results / v.Inner * t.strips * t.terms
}

func (t *columnsTask) Run(item, worker int) {
	memory := t.q.engine.Scratch(worker, t.room()+strip)
	memory, sums := memory[:t.room()], memory[t.room():]
	t.begin(memory)
	var slots [maxSlots][]float32
	inner := t.view.Inner
	part, at := item%t.terms, item/t.terms%t.strips*strip
	outer := item / t.terms / t.strips
	n := min(strip, inner-at)
	sums = sums[:n]
	totals := t.partials[part*t.results+outer*inner+at:][:n]
	for i := range totals {
		totals[i] = t.nothing()
	}
	for k, end := part*t.each, min((part+1)*t.each, t.count); k < end; k++ {
		t.run(memory, (outer*t.between+k*t.apart)*inner+at, n, &slots, nil)
		values := slots[t.program.results[0]]
		switch first := k%rowsOfPart == 0; {
		case first:
			copy(sums, values)
		case t.op == device.Max:
			t.loops.Max(sums, sums, values)
		default:
			t.loops.Add(sums, sums, values)
		}
		if k%rowsOfPart == rowsOfPart-1 || k == end-1 {
			for i, v := range sums {
				totals[i] = t.combine(totals[i], float64(v))
			}
		}
	}
}
