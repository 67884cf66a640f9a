package cpu

import (
	"math"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) Reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	if err := device.CheckReduce(p, v, op, axes, out, in); err != nil {
		q.Fail("reduce", err)
		return
	}
	if joined(p, axes) {
		v = device.View{N: v.N, C: 1, Inner: v.C * v.Inner}
	}
	c := reduction{evaluation: newViewed(q, p, v, in, r), op: op, results: out.Len(), out: floats(out), m: m}
	axes = foldedAxes(v, axes)
	q.pool.Acquire()
	defer q.pool.Release()
	if axes&expr.Inner != 0 {
		q.columns = columnsTask{reduction: c}
		items := q.columns.cut(axes)
		q.engine.Reserve(q.columns.room())
		q.pool.Run(&q.columns, items)
		q.combining = combineTask{q.columns.reduction}
		direct := q.columns.direct
		reset(&q.columns)
		if direct {
			reset(&q.combining)
			return
		}
	} else {
		q.runs = runsTask{reduction: c}
		items := q.runs.cut(axes)
		q.engine.Reserve(q.runs.room())
		q.pool.Run(&q.runs, items)
		q.combining = combineTask{q.runs.reduction}
		reset(&q.runs)
	}
	q.pool.Run(&q.combining, rowItems(c.results, q.combining.terms))
	reset(&q.combining)
}

// joined reports whether nothing tells channels from pixels: then a sample is a row.
func joined(p *expr.Program, axes expr.Axes) bool {
	if p.Indexes() {
		return false
	}
	both := func(a expr.Axes) bool { return (a&expr.C != 0) == (a&expr.Inner != 0) }
	for i, a := range p.Inputs() {
		if p.Uses(i) && !both(a) {
			return false
		}
	}
	return both(axes)
}

// reduction is a program whose values are reduced to some results. Each result is that
// of some terms, which are reduced side by side: term k of result r is
// partials[k*results+r].
type reduction struct {
	evaluation
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

// clear makes a machine reduce what follows to its totals.
func (t *reduction) clear(m *machine) {
	if t.op == device.Sum {
		clear(m.total)
	} else {
		t.loops.Fill(m.total, float32(t.nothing()))
	}
}

// reduced is what a machine's totals come to.
func (t *reduction) reduced(m *machine) float64 {
	if t.op == device.Sum {
		return vec.Total(m.sums())
	}
	return float64(slices.Max(m.total))
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
	count, length int       // of runs
	parts         int       // of a run
	each          int       // runs of an item, where a run is one part
	short         bool      // runs are rows that go together
	plain         []float32 // what is summed, where it is an input
}

// shortRun is the length of runs whose values are computed together, and then reduced.
const shortRun = 4 * vec.Block

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
	if code, _ := t.from.Code(); t.op == device.Sum && len(code) == 1 && code[0].Op == expr.OpInput && code[0].Axes == expr.Whole && !code[0].Integer {
		t.plain = t.inputs[code[0].Index].values
	}
	t.short = t.length == v.Inner && t.length <= shortRun && t.shortRows()
	if t.byRow && !t.short && (t.length != v.Inner || t.length <= shortRun) {
		t.spreadAll()
	}
	t.parts, t.each = chunks(t.length), rowsEach(t.length)
	t.take(t.count / t.results * t.parts)
	t.ending[0] = instruction{op: vec.OpSum, in: [3]place{{kind: inTotals}}}
	if t.length <= shortRun {
		t.ending[0] = instruction{op: vec.OpStore, in: [3]place{{kind: inStrip}}}
	} else if t.op == device.Max {
		t.ending[0].op = vec.OpMaxInto
	}
	return (t.count + t.each - 1) / t.each * t.parts
}

func (t *runsTask) Run(item, worker int) {
	m := t.begin(worker)
	defer m.end()
	run, part := item/t.parts*t.each, item%t.parts
	end := min(run+t.each, t.count)
	if t.length <= shortRun && t.plain == nil {
		t.runShort(m, run, end)
		return
	}
	for ; run < end; run++ {
		a, b := 0, t.length
		if t.parts > 1 {
			a, b = chunk(part, t.length)
		}
		if t.plain != nil {
			t.keep(run, part, t.loops.Sum(t.plain[run*t.length:][a:b]))
			continue
		}
		t.clear(m)
		for step := t.longest(); a < b; a += step {
			t.run(m, run*t.length+a, min(step, b-a))
		}
		t.keep(run, part, t.reduced(m))
	}
}

// runShort is the runs from first, as many as a strip has room for at a time.
func (t *runsTask) runShort(m *machine, first, end int) {
	for n, together := 0, strip/t.length; first < end; first += n {
		n = min(together, end-first)
		if t.short {
			n = t.nextRows(m, first, first+n, t.count)
		} else {
			t.run(m, first*t.length, n*t.length)
		}
		for i := range n {
			values := m.strip[i*t.length:][:t.length]
			if t.op == device.Sum {
				t.keep(first+i, 0, t.loops.Sum(values))
			} else {
				t.keep(first+i, 0, float64(slices.Max(values)))
			}
		}
	}
}

// keep is a term of the result of a run.
func (t *runsTask) keep(run, part int, value float64) {
	sample, result := run/t.results, run%t.results
	t.partials[(sample*t.parts+part)*t.results+result] = value
}

// columnsTask reduces over rows of Inner, but not over Inner. The rows of a result are
// cut into parts, which are terms, and rows into strips.
type columnsTask struct {
	reduction
	count, apart, between int  // rows of a result, how far apart they are, and the first ones of two results
	width, across, each   int  // of a strip, strips of a row, and rows of a part
	direct                bool // the only term is the result
}

// Rows of a part, at least: and how many are added in single precision.
const rowsOfPart = 64

// manyWide is how many items wide strips make, at least.
const manyWide = 8

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
	t.each = (rowsEach(min(v.Inner, strip)) + rowsOfPart - 1) / rowsOfPart * rowsOfPart
	if t.direct = t.count <= rowsOfPart; t.direct {
		t.terms = 1
	} else {
		t.take((t.count + t.each - 1) / t.each)
	}
	t.width = strip
	if rows := t.results / v.Inner * t.terms; !t.strips {
		items := max(manyWide, 2*t.q.pool.Workers())
		across := (items + rows - 1) / rows
		t.width = min(wide, roundUp((v.Inner+across-1)/across, strip))
	}
	t.across = (v.Inner + t.width - 1) / t.width
	t.ending[0] = instruction{op: vec.OpAddInto, in: [3]place{{kind: inStrip}}}
	if t.op == device.Max {
		t.ending[0].op = vec.OpMaxInto
	}
	return t.results / v.Inner * t.across * t.terms
}

func (t *columnsTask) Run(item, worker int) {
	m := t.begin(worker)
	defer m.end()
	inner := t.view.Inner
	part, at := item%t.terms, item/t.terms%t.across*t.width
	outer := item / t.terms / t.across
	n := min(t.width, inner-at)
	if t.direct {
		t.runDirect(m, outer, at, n)
		return
	}
	totals := t.partials[part*t.results+outer*inner+at:][:n]
	for i := range totals {
		totals[i] = t.nothing()
	}
	for k, end := part*t.each, min((part+1)*t.each, t.count); k < end; k += rowsOfPart {
		t.loops.Fill(m.strip, float32(t.nothing()))
		t.runRows(m, (outer*t.between+k*t.apart)*inner+at, n, min(rowsOfPart, end-k), t.apart*inner)
		for i, v := range m.strip[:n] {
			totals[i] = t.combine(totals[i], float64(v))
		}
	}
}

// runDirect reduces the only part of n columns from at, in single precision, to the
// results.
func (t *columnsTask) runDirect(m *machine, outer, at, n int) {
	inner := t.view.Inner
	t.loops.Fill(m.strip, float32(t.nothing()))
	t.runRows(m, outer*t.between*inner+at, n, t.count, t.apart*inner)
	out := t.out[outer*inner+at:][:n]
	if t.m == device.Accumulate {
		for i, v := range m.strip[:n] {
			out[i] += v
		}
		return
	}
	copy(out, m.strip)
}
