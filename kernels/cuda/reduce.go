package cuda

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// reduceKey names a kernel among those of a device.
type reduceKey struct {
	hash string
	op   device.ReduceOp
	axes expr.Axes
	fold bool
	mode device.Mode
}

// folded is a view without Inner as one whose channels are its Inner: what lies side by
// side is read side by side.
func folded(v device.View) device.View {
	if v.Inner == 1 {
		return device.View{N: v.N, C: 1, Inner: v.C}
	}
	return v
}

// foldedAxes are a tensor's axes in the folded view.
func foldedAxes(a expr.Axes, fold bool) expr.Axes {
	switch {
	case !fold || a == expr.Whole:
		return a
	case a&expr.C != 0:
		return a&expr.N | expr.Inner
	}
	return a & expr.N
}

// isRun reports whether the terms of a result lie side by side, and the inputs that are
// not whole have one value for all of them: then no term asks where in the view it is.
func isRun(p *expr.Program, axes expr.Axes, fold bool) bool {
	if axes != expr.One && axes != expr.N && axes != expr.N|expr.C || p.Indexes() || p.Draws() > 0 {
		return false
	}
	for i, a := range p.Inputs() {
		if p.Uses(i) && a != expr.Whole && foldedAxes(a, fold)&^axes != 0 {
			return false
		}
	}
	return true
}

// reduceWriter writes the kernel that reduces a program's values over the axes that axes
// lacks.
type reduceWriter struct {
	*writer
	of     *expr.Program
	op     device.ReduceOp
	axes   expr.Axes
	fold   bool // the view is folded
	inputs []expr.Axes

	// Parameters.
	out, results, terms, vector string
	ins                         []string
	v                           kernelView
	byChannels                  string
	random                      drawArgs

	// Registers: the result that the thread works for, where it is in the view, and its
	// number among the threads of that result; how many they are, how many results
	// a block has; the terms from term to stop, and what they make.
	result             string
	place              placed
	lane, lanes, width string
	term, stop, value  string
	thread             string
	together           int    // terms of a thread that lie side by side
	nothing            string // what no terms make
}

// reduceText writes the kernel. A block's threads are lanes of results: each takes every
// so many of a result's terms, and they combine theirs by halves. What threads read side by
// side lies side by side: where Inner is reduced, terms of a result, elsewhere a term of
// several results. Blocks along y are of parts of the terms; the results of part k begin
// k times the number of results behind the first.
func reduceText(p *expr.Program, op device.ReduceOp, axes expr.Axes, fold bool, mode device.Mode) string {
	w := &reduceWriter{writer: newWriter(), of: p, op: op, axes: axes, fold: fold, together: 1, nothing: number(0)}
	if op == device.Max {
		w.nothing = number(float32(math.Inf(-1)))
	}
	if isRun(p, axes, fold) {
		w.together = 4
	}
	for _, a := range p.Inputs() {
		w.inputs = append(w.inputs, foldedAxes(a, fold))
	}
	w.out = w.param("u64")
	w.ins = w.writer.inputs(p)
	w.results, w.terms = w.param("u32"), w.param("u32")
	each, log, vector := w.param("u32"), w.param("u32"), w.param("u32")
	w.v = kernelView{channels: w.param("u32"), inner: w.param("u32"), byInner: w.param("u64")}
	w.byChannels, w.vector = w.param("u64"), vector
	if p.Draws() > 0 {
		w.random = w.drawArgs()
	}

	end, done := w.label(), w.label()
	part := w.r("mov.u32 %%s, %%ctaid.y")
	w.lay(log)
	start := w.r("mul.lo.s32 %%s, %s, %s", part, each)
	stop := w.r("add.s32 %%s, %s, %s", start, each)
	w.stop = w.r("min.u32 %%s, %s, %s", stop, w.terms)
	w.term = w.r("mad.lo.s32 %%s, %s, %d, %s", w.lane, w.together, start)
	w.value = w.f("mov.f32 %%s, %s", w.nothing)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", w.result, w.results), done)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", w.term, w.stop), done)
	w.place = w.split(w.result, axes)
	w.sums()
	w.here(done)

	w.blockwise()
	w.do("@%s bra %s", w.p("setp.ne.s32 %%s, %s, 0", w.lane), end)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", w.result, w.results), end)
	to := w.rd("mul.wide.u32 %%s, %s, %s", part, w.results)
	to = w.element(w.out, w.rd("add.s64 %%s, %s, %s", to, w.rd("cvt.u64.u32 %%s, %s", w.result)))
	if mode == device.Accumulate {
		w.value = w.f("add.rn.f32 %%s, %s, %s", w.f("ld.global.f32 %%s, [%s]", to), w.value)
	}
	w.do("st.global.f32 [%s], %s", to, w.value)
	w.here(end)
	return w.text("reduce", elementThreads, fmt.Sprintf("\t.shared .align 4 .b8 sums[%d];\n", 4*elementThreads))
}

// lay deals the block's threads to results, 1<<log to each.
func (w *reduceWriter) lay(log string) {
	w.thread = w.r("mov.u32 %%s, %%tid.x")
	w.lanes = w.r("shl.b32 %%s, %s, %s", w.r("mov.u32 %%s, 1"), log)
	w.width = w.r("shr.u32 %%s, %s, %s", w.r("mov.u32 %%s, %d", elementThreads), log)
	of := func(n string) string { return w.r("and.b32 %%s, %s, %s", w.thread, w.r("sub.s32 %%s, %s, 1", n)) }
	if w.axes&expr.Inner == 0 {
		w.lane, w.result = of(w.lanes), w.r("shr.u32 %%s, %s, %s", w.thread, log)
	} else {
		by := w.r("sub.s32 %%s, %s, %s", w.r("mov.u32 %%s, %d", bits.TrailingZeros(elementThreads)), log)
		w.lane, w.result = w.r("shr.u32 %%s, %s, %s", w.thread, by), of(w.width)
	}
	w.result = w.r("mad.lo.s32 %%s, %s, %s, %s", w.r("mov.u32 %%s, %%ctaid.x"), w.width, w.result)
}

// sums reduces the thread's terms, every 64 of them to a value of their own first: a long
// sum in one float32 loses what is small beside it.
func (w *reduceWriter) sums() {
	total, stop := w.value, w.stop
	span := w.r("shl.b32 %%s, %s, 6", w.lanes)
	step := w.r("mul.lo.s32 %%s, %s, %d", w.lanes, w.together)
	w.value, w.stop = w.f("mov.f32 %%s, %s", w.nothing), w.r("mov.u32 %%s, 0")
	long, loop := w.label(), w.label()
	body := w.scattered
	if w.together == 4 {
		body = w.run()
	}
	w.here(long)
	w.do("mov.f32 %s, %s", w.value, w.nothing)
	w.do("add.s32 %s, %s, %s", w.stop, w.term, span)
	w.do("min.u32 %s, %s, %s", w.stop, w.stop, stop)
	w.here(loop)
	body()
	w.do("add.s32 %s, %s, %s", w.term, w.term, step)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", w.term, w.stop), loop)
	partial := w.value
	w.value, w.stop = total, stop
	w.combine(partial)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", w.term, w.stop), long)
}

// combine reduces another value into that of the thread.
func (w *reduceWriter) combine(x string) {
	if w.op == device.Sum {
		w.do("add.rn.f32 %s, %s, %s", w.value, w.value, x)
		return
	}
	larger := w.f("max.f32 %%s, %s, %s", w.value, x)
	w.do("selp.f32 %s, %s, %s, %s", w.value, number(float32(math.NaN())), larger, w.p("setp.nan.f32 %%s, %s, %s", w.value, x))
}

// split is where in the view the n-th of the elements that the axes number is: the last
// of them is the fastest.
func (w *reduceWriter) split(n string, axes expr.Axes) placed {
	var at placed
	for _, a := range []struct {
		axis, faster expr.Axes
		to           *string
		size, by     string
	}{{expr.Inner, expr.N | expr.C, &at.inner, w.v.inner, w.v.byInner}, {expr.C, expr.N, &at.c, w.v.channels, w.byChannels}, {expr.N, 0, &at.n, "", ""}} {
		if axes&a.axis == 0 {
			continue
		}
		if axes&a.faster == 0 { // the slowest: what is left
			*a.to = n
			continue
		}
		above := w.divided(n, a.by)
		*a.to = w.r("sub.s32 %%s, %s, %s", n, w.r("mul.lo.s32 %%s, %s, %s", above, a.size))
		n = above
	}
	return at
}

// run is what reduces four terms that lie side by side: at once where `vector` says that
// every address allows it. Their order is the same one by one.
func (w *reduceWriter) run() func() {
	first := w.rd("mul.wide.u32 %%s, %s, %s", w.result, w.terms)
	fixed := make([]string, len(w.ins)) // of inputs with one value for all terms
	for i, axes := range w.inputs {
		if w.of.Uses(i) && axes != expr.Whole {
			fixed[i] = w.load(w.of, i, w.element(w.ins[i], w.v.index(w.writer, axes, w.place, "")))
		}
	}
	return func() {
		scalar, scalarLoop, next := w.label(), w.label(), w.label()
		last := w.r("add.s32 %%s, %s, 4", w.term)
		at := w.rd("add.s64 %%s, %s, %s", first, w.rd("cvt.u64.u32 %%s, %s", w.term))
		w.do("@%s bra %s", w.p("setp.gt.u32 %%s, %s, %s", last, w.stop), scalar)
		w.do("@%s bra %s", w.p("setp.eq.s32 %%s, %s, 0", w.vector), scalar)
		inputs := make([][4]string, len(w.ins))
		for i := range w.ins {
			switch {
			case fixed[i] != "":
				inputs[i] = [4]string{fixed[i], fixed[i], fixed[i], fixed[i]}
			case w.of.Uses(i):
				inputs[i] = w.loadFour(w.of, i, w.element(w.ins[i], at))
			}
		}
		for k := range 4 {
			w.combine(w.program(w.of, element{inputs: column(inputs, k)})[0])
		}
		w.do("bra %s", next)

		w.here(scalar)
		e := w.r("mov.u32 %%s, %s", w.term)
		w.do("min.u32 %s, %s, %s", last, last, w.stop)
		w.here(scalarLoop)
		at = w.rd("add.s64 %%s, %s, %s", first, w.rd("cvt.u64.u32 %%s, %s", e))
		values := make([]string, len(w.ins))
		for i := range w.ins {
			if values[i] = fixed[i]; w.of.Uses(i) && fixed[i] == "" {
				values[i] = w.load(w.of, i, w.element(w.ins[i], at))
			}
		}
		w.combine(w.program(w.of, element{inputs: values})[0])
		w.do("add.s32 %s, %s, 1", e, e)
		w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", e, last), scalarLoop)
		w.here(next)
	}
}

// scattered reduces a term that lies anywhere.
func (w *reduceWriter) scattered() {
	at, row := w.placeOfTerm()
	whole := w.rd("mad.lo.s64 %%s, %s, %s, %s", row, w.rd("cvt.u64.u32 %%s, %s", w.v.inner), w.rd("cvt.u64.u32 %%s, %s", at.inner))
	inputs := make([]string, len(w.ins))
	for i, axes := range w.inputs {
		if w.of.Uses(i) {
			inputs[i] = w.load(w.of, i, w.element(w.ins[i], w.v.index(w.writer, axes, at, whole)))
		}
	}
	draws := make([]string, w.of.Draws())
	for i := range draws {
		element := w.r("mad.lo.s32 %%s, %s, %s, %s", at.c, w.v.inner, at.inner)
		word := w.r("and.b32 %%s, %s, 3", element)
		words := w.philox(w.random, i, at.n, w.r("shr.u32 %%s, %s, 2", element))
		draws[i] = words[0]
		for k := 1; k < 4; k++ {
			draws[i] = w.r("selp.b32 %%s, %s, %s, %s", words[k], draws[i], w.p("setp.eq.s32 %%s, %s, %d", word, k))
		}
	}
	if w.fold { // channels lie along Inner
		at.c, at.inner = at.inner, at.c
	}
	w.combine(w.program(w.of, element{inputs, at, draws})[0])
}

// placeOfTerm is where in the view a term is, and in which row of Inner. A program that
// asks for the row alone has no more.
func (w *reduceWriter) placeOfTerm() (at placed, row string) {
	over := expr.Whole &^ w.axes
	if over == expr.N|expr.C && !mapIndexes(w.of) {
		return w.place, w.rd("cvt.u64.u32 %%s, %s", w.term)
	}
	if w.fold {
		over &^= expr.C
	}
	at = w.split(w.term, over)
	for _, c := range []struct {
		axis     expr.Axes
		to, from *string
	}{{expr.N, &at.n, &w.place.n}, {expr.C, &at.c, &w.place.c}, {expr.Inner, &at.inner, &w.place.inner}} {
		if w.axes&c.axis != 0 {
			*c.to = *c.from
		}
	}
	if w.fold {
		at.c = w.r("mov.u32 %%s, 0")
		return at, w.rd("cvt.u64.u32 %%s, %s", at.n)
	}
	row = w.rd("mul.wide.u32 %%s, %s, %s", at.n, w.v.channels)
	return at, w.rd("add.s64 %%s, %s, %s", row, w.rd("cvt.u64.u32 %%s, %s", at.c))
}

// blockwise reduces the values of the lanes of each result to that of the first.
func (w *reduceWriter) blockwise() {
	loop, skip, done := w.label(), w.label(), w.label()
	half := w.r("shr.u32 %%s, %s, 1", w.lanes)
	w.do("@%s bra %s", w.p("setp.eq.s32 %%s, %s, 0", half), done)
	apart := w.r("mul.lo.s32 %%s, %s, 4", half) // bytes
	if w.axes&expr.Inner != 0 {
		w.do("mul.lo.s32 %s, %s, %s", apart, apart, w.width)
	}
	mine := w.r("mad.lo.s32 %%s, %s, 4, %s", w.thread, w.r("mov.u32 %%s, sums"))
	w.do("st.shared.f32 [%s], %s", mine, w.value)
	w.here(loop)
	w.do("bar.sync 0")
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", w.lane, half), skip)
	w.combine(w.f("ld.shared.f32 %%s, [%s]", w.r("add.s32 %%s, %s, %s", mine, apart)))
	w.do("st.shared.f32 [%s], %s", mine, w.value)
	w.here(skip)
	w.do("shr.u32 %s, %s, 1", half, half)
	w.do("shr.u32 %s, %s, 1", apart, apart)
	w.do("@%s bra %s", w.p("setp.ne.s32 %%s, %s, 0", half), loop)
	w.here(done)
}

// identity is the program whose value is its input's.
var identity = expr.MustNew(expr.Input(0, expr.Whole))

// How terms are dealt to threads.
const (
	termsOfLane = 16 // of a result, at least, where more threads could have some
	across      = 32 // results or lanes whose terms lie side by side are read together
)

// reduceCut is how many threads of a block, a power of two, reduce a result of so many terms, and
// in how many parts: enough that blocks fill any device. Both depend on the shape alone.
func reduceCut(results, terms int, rows bool) (lanes, parts int) {
	lanes, most := 1, elementThreads/min(across, 1<<bits.Len(uint(results-1)))
	if rows {
		for lanes, most = 4, elementThreads; lanes < across && terms > 8*lanes; {
			lanes *= 2
		}
	}
	for lanes < most && terms > termsOfLane*lanes && ceil(results*lanes, elementThreads) < limits.blocks {
		lanes *= 2
	}
	return lanes, max(1, min(limits.blocks/ceil(results*lanes, elementThreads), ceil(terms, termsOfLane*lanes)))
}

// partsOfResults is how many there are of all results together, at most: blocks that are in
// parts have as many results or fewer as are read together.
func partsOfResults() int { return across * limits.blocks }

func (q *queue) Reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	err := device.CheckMap(p, v, axes, []device.Tensor{out}, in)
	results := out.Len()
	terms := 0
	if err == nil {
		if terms = v.Elements(expr.Whole) / results; terms > math.MaxInt32 || results > math.MaxInt32 {
			err = errors.New("more than 2^31-1 results, or terms of one")
		}
	}
	if err != nil {
		q.Fail("reduce", err)
		return
	}
	c := reduction{p: p, op: op, axes: foldedAxes(axes, v.Inner == 1), fold: v.Inner == 1, v: folded(v), results: results, terms: terms}
	c.lanes, c.parts = reduceCut(results, terms, c.axes&expr.Inner == 0)
	c.each = c.lanes * ceil(ceil(terms, c.parts), c.lanes) // a part begins where its lanes' terms lie together
	if c.parts = ceil(terms, c.each); c.parts == 1 {
		q.reduce(c, q.at(out), in, m, r)
		return
	}
	q.reduce(c, q.parts, in, device.Overwrite, r)
	q.reduceParts(c, q.at(out), m)
}

// reduction is one as it is launched: of so many results, each of so many terms, in parts
// of each terms.
type reduction struct {
	p                                  *expr.Program
	op                                 device.ReduceOp
	axes                               expr.Axes
	fold                               bool
	v                                  device.View
	results, terms, each, lanes, parts int
}

// reduce launches a reduction.
func (q *queue) reduce(c reduction, out driver.Ptr, in []device.Tensor, m device.Mode, r device.Random) {
	f := q.reduction(c, m)
	q.args.Reset().Ptr(out)
	vector := 1
	if c.terms%4 != 0 && c.results > 1 {
		vector = 0
	}
	for i, axes := range c.p.Inputs() {
		if !c.p.Uses(i) {
			continue
		}
		at := q.at(in[i])
		if axes == expr.Whole && at%16 != 0 {
			vector = 0
		}
		q.args.Ptr(at)
	}
	q.reduceArgs(c, vector)
	if c.p.Draws() > 0 {
		q.args.Uint32(uint32(r.Seed)).Uint32(uint32(r.Seed >> 32)).Uint32(r.Iteration).Uint32(r.Stream).Uint32(r.Sample)
	}
	q.launch(f, driver.Dim{X: ceil(c.results*c.lanes, elementThreads), Y: c.parts}, elementThreads)
}

// reduceArgs are the arguments of a reduction but for addresses and draws.
func (q *queue) reduceArgs(c reduction, vector int) {
	q.args.Int(c.results).Int(c.terms).Uint32(uint32(c.each)).Int(bits.TrailingZeros(uint(c.lanes))).Int(vector)
	q.args.Int(c.v.C).Int(c.v.Inner).Uint64(divisor(c.v.Inner)).Uint64(divisor(c.v.C))
}

// reduceParts reduces the parts of results, which lie in q.parts.
func (q *queue) reduceParts(of reduction, out driver.Ptr, m device.Mode) {
	c := reduction{p: identity, op: of.op, axes: expr.Inner, v: device.View{N: of.parts, C: 1, Inner: of.results}, results: of.results, terms: of.parts, each: of.parts, parts: 1}
	c.lanes, _ = reduceCut(c.results, c.terms, false)
	f := q.reduction(c, m)
	q.args.Reset().Ptr(out).Ptr(q.parts)
	q.reduceArgs(c, 0)
	q.launch(f, driver.Dim{X: ceil(c.results*c.lanes, elementThreads)}, elementThreads)
}

// reduction is the kernel of a reduction.
func (q *queue) reduction(c reduction, m device.Mode) driver.Function {
	d := q.device
	f, err := kernel(d, &d.programs.reduces, reduceKey{c.p.Hash(), c.op, c.axes, c.fold, m}, "reduce", c.p, func() string { return reduceText(c.p, c.op, c.axes, c.fold, m) })
	if err != nil {
		q.Fail("reduce", err)
	}
	return f
}
