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
	of        *expr.Program
	op        device.ReduceOp
	axes      expr.Axes
	fold      bool        // the view is folded
	inputAxes []expr.Axes // in that view
	zero      string      // what no terms make

	// Parameters.
	out, results, terms, log, together, vector string
	ins                                        []string
	v                                          kernelView
	byChannels                                 divider
	random                                     drawArgs

	// Registers.
	width, result       string   // results of a block, and the thread's
	thread, lane, lanes string   // the thread, and its number among the lanes of its result
	place               placed   // of the result in the view
	first               string   // element of the result, where its terms are a run
	fixed               []string // inputs with one value for all terms of the result
	term, stop, fours   string   // the terms to come, in fours before `fours`
	value               string   // what the terms make
}

// reduceText writes the kernel. A block's threads are lanes of results: each takes every
// so many of a result's terms, and they combine theirs by halves. What threads read side by
// side lies side by side: where Inner is reduced, terms of a result, elsewhere a term of
// several results. Blocks along y are of parts of the terms; the results of part k begin
// k times the number of results behind the first.
func reduceText(p *expr.Program, op device.ReduceOp, axes expr.Axes, fold bool, mode device.Mode) string {
	w := &reduceWriter{writer: newWriter(), of: p, op: op, axes: axes, fold: fold, zero: number(0)}
	if op == device.Max {
		w.zero = number(float32(math.Inf(-1)))
	}
	for _, a := range p.Inputs() {
		w.inputAxes = append(w.inputAxes, foldedAxes(a, fold))
	}
	w.out = w.param("u64")
	w.ins = w.inputs(p)
	w.results, w.terms = w.param("u32"), w.param("u32")
	each := w.param("u32")
	w.log, w.together, w.vector = w.param("u32"), w.param("u32"), w.param("u32")
	w.v = kernelView{channels: w.param("u32"), inner: w.param("u32"), byInner: w.divider()}
	w.byChannels = w.divider()
	if p.Draws() > 0 {
		w.random = w.drawArgs()
	}

	end, done := w.label(), w.label()
	part := w.r("mov.u32 %%s, %%ctaid.y")
	w.lay()
	start := w.r("mul.lo.s32 %%s, %s, %s", part, each)
	stop := w.r("add.s32 %%s, %s, %s", start, each)
	w.stop = w.r("min.u32 %%s, %s, %s", stop, w.terms)
	w.term = w.r("mad.lo.s32 %%s, %s, %s, %s", w.lane, w.together, start)
	w.value = w.f("mov.f32 %%s, %s", w.zero)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", w.result, w.results), done)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", w.term, w.stop), done)
	w.fix()
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
func (w *reduceWriter) lay() {
	w.thread = w.r("mov.u32 %%s, %%tid.x")
	w.lanes = w.r("shl.b32 %%s, %s, %s", w.r("mov.u32 %%s, 1"), w.log)
	w.width = w.r("shr.u32 %%s, %s, %s", w.r("mov.u32 %%s, %d", elementThreads), w.log)
	of := func(n string) string { return w.r("and.b32 %%s, %s, %s", w.thread, w.r("sub.s32 %%s, %s, 1", n)) }
	if w.axes&expr.Inner == 0 {
		w.lane, w.result = of(w.lanes), w.r("shr.u32 %%s, %s, %s", w.thread, w.log)
	} else {
		by := w.r("sub.s32 %%s, %s, %s", w.r("mov.u32 %%s, %d", bits.TrailingZeros(elementThreads)), w.log)
		w.lane, w.result = w.r("shr.u32 %%s, %s, %s", w.thread, by), of(w.width)
	}
	w.result = w.r("mad.lo.s32 %%s, %s, %s, %s", w.r("mov.u32 %%s, %%ctaid.x"), w.width, w.result)
}

// fix finds the result in the view, and what is the same for all of its terms.
func (w *reduceWriter) fix() {
	w.place = w.split(w.result, w.axes)
	if isRun(w.of, w.axes, w.fold) {
		w.first = w.rd("mul.wide.u32 %%s, %s, %s", w.result, w.terms)
	}
	w.fixed = make([]string, len(w.ins))
	for i, axes := range w.inputAxes {
		if w.of.Uses(i) && axes&^w.axes == 0 {
			w.fixed[i] = w.load(w.of, i, w.element(w.ins[i], w.v.index(w.writer, axes, w.place, w.rd("cvt.u64.u32 %%s, %s", w.result))))
		}
	}
}

// sums reduces the thread's terms, every 64 of them to a value of their own first: a long
// sum in one float32 loses what is small beside it.
func (w *reduceWriter) sums() {
	total, stop := w.value, w.stop
	span := w.r("shl.b32 %%s, %s, 6", w.lanes)
	step := w.r("mul.lo.s32 %%s, %s, %s", w.lanes, w.together)
	vector := w.p("setp.ne.s32 %%s, %s, 0", w.vector)
	long, loop := w.label(), w.label()
	w.here(long)
	w.value = w.f("mov.f32 %%s, %s", w.zero)
	w.stop = w.r("min.u32 %%s, %s, %s", w.r("add.s32 %%s, %s, %s", w.term, span), stop)
	if w.axes&expr.Inner == 0 {
		w.fours = w.r("selp.b32 %%s, %s, 0, %s", w.stop, vector)
	}
	w.here(loop)
	if w.axes&expr.Inner == 0 {
		w.side()
	} else {
		w.reduce(w.term, 1)
	}
	w.do("add.s32 %s, %s, %s", w.term, w.term, step)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", w.term, w.stop), loop)
	partial := w.value
	w.value, w.stop = total, stop
	w.combine(partial)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", w.term, w.stop), long)
}

// side reduces the terms that lie side by side, `together` of them: four at once where
// `vector` says that every address allows it. Their order is the same one by one.
func (w *reduceWriter) side() {
	scalar, loop, next := w.label(), w.label(), w.label()
	last := w.r("add.s32 %%s, %s, %s", w.term, w.together)
	w.do("@%s bra %s", w.p("setp.gt.u32 %%s, %s, %s", last, w.fours), scalar)
	w.reduce(w.term, 4)
	w.do("bra %s", next)

	w.here(scalar)
	e := w.r("mov.u32 %%s, %s", w.term)
	w.do("min.u32 %s, %s, %s", last, last, w.stop)
	w.here(loop)
	w.reduce(e, 1)
	w.do("add.s32 %s, %s, 1", e, e)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", e, last), loop)
	w.here(next)
}

// reduce reduces one term, or four that lie side by side.
func (w *reduceWriter) reduce(term string, n int) {
	at, whole := w.find(term)
	inputs := make([][4]string, len(w.ins))
	for i, axes := range w.inputAxes {
		x := w.fixed[i]
		if x == "" && w.of.Uses(i) {
			from := w.element(w.ins[i], w.v.index(w.writer, axes, at, whole))
			if n == 4 && axes&expr.Inner != 0 {
				inputs[i] = w.loadFour(w.of, i, from)
				continue
			}
			x = w.load(w.of, i, from)
		}
		inputs[i] = [4]string{x, x, x, x}
	}
	draws := make([][4]string, w.of.Draws())
	for i := range draws {
		element := w.r("mad.lo.s32 %%s, %s, %s, %s", at.c, w.v.inner, at.inner)
		draws[i] = w.philox(w.random, i, at.n, w.r("shr.u32 %%s, %s, 2", element))
		if n == 4 {
			continue
		}
		word := w.r("and.b32 %%s, %s, 3", element)
		for k := 1; k < 4; k++ {
			draws[i][0] = w.r("selp.b32 %%s, %s, %s, %s", draws[i][k], draws[i][0], w.p("setp.eq.s32 %%s, %s, %d", word, k))
		}
	}
	for k := range n {
		of := at
		if k > 0 && w.of.Indexes() {
			of.inner = w.r("add.s32 %%s, %s, %d", at.inner, k)
		}
		if w.fold { // channels lie along Inner
			of.c, of.inner = of.inner, of.c
		}
		w.combine(w.program(w.of, element{column(inputs, k), of, column(draws, k)})[0])
	}
}

// find is where in the view a term is, and its index there. A program that asks for its
// index alone has no more where that is simpler.
func (w *reduceWriter) find(term string) (at placed, whole string) {
	wide := func(n string) string { return w.rd("cvt.u64.u32 %%s, %s", n) }
	if w.first != "" {
		return at, w.rd("add.s64 %%s, %s, %s", w.first, wide(term))
	}
	over, row := expr.Whole&^w.axes, ""
	if over == expr.N|expr.C && !mapIndexes(w.of) {
		at, row = w.place, wide(term)
	} else {
		if w.fold {
			over &^= expr.C
		}
		at = w.split(term, over)
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
		}
		row = w.rd("mad.lo.s64 %%s, %s, %s, %s", wide(at.n), wide(w.v.channels), wide(at.c))
	}
	return at, w.rd("mad.lo.s64 %%s, %s, %s, %s", row, wide(w.v.inner), wide(at.inner))
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
		size         string
		by           divider
	}{{expr.Inner, expr.N | expr.C, &at.inner, w.v.inner, w.v.byInner}, {expr.C, expr.N, &at.c, w.v.channels, w.byChannels}, {expr.N, 0, &at.n, "", divider{}}} {
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
	termsOfLane = 16 // and more, where terms go to more threads or parts
	across      = 32 // threads of a warp: what they read lies side by side
)

// reduceCut is how many threads of a block, a power of two, reduce a result, and in how
// many parts: enough that blocks fill any device. Both depend on the shape alone. In rows,
// the terms of a result lie side by side; else those of results do, and a block has 32
// of them if there are as many.
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

// partsOfResults is how many parts all results together have, at most: a block of parts
// has no more than 32 results.
func partsOfResults() int { return across * limits.blocks }

func (q *queue) Reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	err := device.CheckReduce(p, v, op, axes, out, in)
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
	rows := c.axes&expr.Inner == 0
	if c.together = 1; rows && (c.v.Inner%4 == 0 || isRun(p, c.axes, c.fold) && (terms%4 == 0 || results == 1)) {
		c.together = 4
	}
	c.lanes, c.parts = reduceCut(results, terms, rows)
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
	together                           int // terms of a lane that lie side by side
}

// reduce launches a reduction.
func (q *queue) reduce(c reduction, out driver.Ptr, in []device.Tensor, m device.Mode, r device.Random) {
	f := q.reduction(c, m)
	q.args.Reset().Ptr(out)
	vector := c.together / 4
	for i, axes := range c.p.Inputs() {
		if !c.p.Uses(i) {
			continue
		}
		at := q.at(in[i])
		if foldedAxes(axes, c.fold)&expr.Inner != 0 && at%16 != 0 {
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
	q.args.Int(c.results).Int(c.terms).Uint32(uint32(c.each)).Int(bits.TrailingZeros(uint(c.lanes))).Int(c.together).Int(vector)
	q.args.Int(c.v.C).Int(c.v.Inner).Uint64(divisor(c.v.Inner)).Uint64(divisor(c.v.C))
}

// reduceParts reduces the parts of results, which lie in q.parts.
func (q *queue) reduceParts(of reduction, out driver.Ptr, m device.Mode) {
	c := reduction{p: identity, op: of.op, axes: expr.Inner, v: device.View{N: of.parts, C: 1, Inner: of.results}, results: of.results, terms: of.parts, each: of.parts, parts: 1, together: 1}
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
