package cuda

import (
	"errors"
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// reduceKey names a kernel among those of a device.
type reduceKey struct {
	hash string
	op   device.ReduceOp
	axes expr.Axes
	mode device.Mode
}

// isRun reports whether the terms of a result lie side by side, and the inputs that are
// not whole have one value for all of them: then no term asks where in the view it is.
func isRun(p *expr.Program, axes expr.Axes) bool {
	if axes != expr.One && axes != expr.N && axes != expr.N|expr.C || p.Indexes() || p.Draws() > 0 {
		return false
	}
	for i, a := range p.Inputs() {
		if p.Uses(i) && a != expr.Whole && a&^axes != 0 {
			return false
		}
	}
	return true
}

// reduceWriter writes the kernel that reduces a program's values over the axes that axes
// lacks.
type reduceWriter struct {
	*writer
	of   *expr.Program
	op   device.ReduceOp
	axes expr.Axes

	// Parameters.
	out, results, terms, vector string
	ins                         []string
	v                           kernelView
	byChannels                  string
	random                      drawArgs

	// Registers: the result that the thread works for, where it is in the view, the
	// terms from term to stop, and what they make.
	thread, result, term, stop, value string
	place                             placed
}

// reduceText writes the kernel. Where Inner is reduced, a block reduces the terms of one
// result: each thread every so many of them, then the block's by halves. Elsewhere each
// thread reduces one result. Blocks along y are of parts of the terms; the results of
// part k begin k times the number of results behind the first.
func reduceText(p *expr.Program, op device.ReduceOp, axes expr.Axes, mode device.Mode) string {
	w := &reduceWriter{writer: newWriter(), of: p, op: op, axes: axes}
	w.out = w.param("u64")
	w.ins = w.inputs(p)
	w.results, w.terms = w.param("u32"), w.param("u32")
	each, vector := w.param("u32"), w.param("u32")
	w.v = kernelView{channels: w.param("u32"), inner: w.param("u32"), byInner: w.param("u64")}
	w.byChannels, w.vector = w.param("u64"), vector
	if p.Draws() > 0 {
		w.random = w.drawArgs()
	}

	end, done := w.label(), w.label()
	block, part := w.r("mov.u32 %%s, %%ctaid.x"), w.r("mov.u32 %%s, %%ctaid.y")
	w.thread = w.r("mov.u32 %%s, %%tid.x")
	start := w.r("mul.lo.s32 %%s, %s, %s", part, each)
	stop := w.r("add.s32 %%s, %s, %s", start, each)
	w.stop = w.r("min.u32 %%s, %s, %s", stop, w.terms)
	w.result, w.term = block, w.r("mov.u32 %%s, %s", start)
	shared, together := axes&expr.Inner == 0, 1
	if isRun(p, axes) {
		together = 4
	}
	if shared {
		w.do("add.s32 %s, %s, %s", w.term, w.term, w.r("mul.lo.s32 %%s, %s, %d", w.thread, together))
	} else {
		w.result = w.r("mad.lo.s32 %%s, %s, %d, %s", block, elementThreads, w.thread)
		w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", w.result, w.results), end)
	}
	nothing := number(0)
	if op == device.Max {
		nothing = number(float32(math.Inf(-1)))
	}
	w.value = w.f("mov.f32 %%s, %s", nothing)
	w.place = w.split(w.result, axes)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", w.term, w.stop), done)
	if together == 4 {
		w.run()
	} else {
		w.scattered(shared)
	}
	w.here(done)

	var declared string
	if shared {
		declared = w.blockwise(end)
	}
	to := w.rd("mul.wide.u32 %%s, %s, %s", part, w.results)
	to = w.element(w.out, w.rd("add.s64 %%s, %s, %s", to, w.rd("cvt.u64.u32 %%s, %s", w.result)))
	if mode == device.Accumulate {
		w.value = w.f("add.rn.f32 %%s, %s, %s", w.f("ld.global.f32 %%s, [%s]", to), w.value)
	}
	w.do("st.global.f32 [%s], %s", to, w.value)
	w.here(end)
	return w.text("reduce", elementThreads, declared)
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

// run reduces terms that lie side by side, four at once where `vector` says that every
// address allows it. Their order is the same one by one.
func (w *reduceWriter) run() {
	first := w.rd("mul.wide.u32 %%s, %s, %s", w.result, w.terms)
	fixed := make([]string, len(w.ins)) // of inputs with one value for all terms
	for i, axes := range w.of.Inputs() {
		if w.of.Uses(i) && axes != expr.Whole {
			fixed[i] = w.load(w.of, i, w.element(w.ins[i], w.v.index(w.writer, axes, w.place, "")))
		}
	}
	loop, scalar, scalarLoop, next := w.label(), w.label(), w.label(), w.label()
	w.here(loop)
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
	w.do("add.s32 %s, %s, %d", w.term, w.term, 4*elementThreads)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", w.term, w.stop), loop)
}

// scattered reduces terms that lie anywhere: every so many of them where a block shares
// them, else all.
func (w *reduceWriter) scattered(shared bool) {
	loop := w.label()
	w.here(loop)
	at := w.split(w.term, expr.Whole&^w.axes)
	for _, c := range []struct {
		axis     expr.Axes
		to, from *string
	}{{expr.N, &at.n, &w.place.n}, {expr.C, &at.c, &w.place.c}, {expr.Inner, &at.inner, &w.place.inner}} {
		if w.axes&c.axis != 0 {
			*c.to = *c.from
		}
	}
	row := w.rd("mul.wide.u32 %%s, %s, %s", at.n, w.v.channels)
	row = w.rd("add.s64 %%s, %s, %s", row, w.rd("cvt.u64.u32 %%s, %s", at.c))
	whole := w.rd("mad.lo.s64 %%s, %s, %s, %s", row, w.rd("cvt.u64.u32 %%s, %s", w.v.inner), w.rd("cvt.u64.u32 %%s, %s", at.inner))
	inputs := make([]string, len(w.ins))
	for i, axes := range w.of.Inputs() {
		if w.of.Uses(i) {
			inputs[i] = w.load(w.of, i, w.element(w.ins[i], w.v.index(w.writer, axes, at, whole)))
		}
	}
	bits := make([]string, w.of.Draws())
	for i := range bits {
		element := w.r("mad.lo.s32 %%s, %s, %s, %s", at.c, w.v.inner, at.inner)
		word := w.r("and.b32 %%s, %s, 3", element)
		words := w.philox(w.random, i, at.n, w.r("shr.u32 %%s, %s, 2", element))
		bits[i] = words[0]
		for k := 1; k < 4; k++ {
			bits[i] = w.r("selp.b32 %%s, %s, %s, %s", words[k], bits[i], w.p("setp.eq.s32 %%s, %s, %d", word, k))
		}
	}
	w.combine(w.program(w.of, element{inputs, at, bits})[0])
	step := 1
	if shared {
		step = elementThreads
	}
	w.do("add.s32 %s, %s, %d", w.term, w.term, step)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", w.term, w.stop), loop)
}

// blockwise reduces the values of a block's threads, and goes on in its first thread. It
// returns the declaration of the memory that it takes.
func (w *reduceWriter) blockwise(end string) (declared string) {
	base := w.r("mov.u32 %%s, sums")
	mine := w.r("add.s32 %%s, %s, %s", base, w.r("shl.b32 %%s, %s, 2", w.thread))
	w.do("st.shared.f32 [%s], %s", mine, w.value)
	for half := elementThreads / 2; half > 0; half /= 2 {
		w.do("bar.sync 0")
		skip := w.label()
		w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %d", w.thread, half), skip)
		w.combine(w.f("ld.shared.f32 %%s, [%s+%d]", mine, 4*half))
		w.do("st.shared.f32 [%s], %s", mine, w.value)
		w.here(skip)
	}
	w.do("@%s bra %s", w.p("setp.ne.s32 %%s, %s, 0", w.thread), end)
	return fmt.Sprintf("\t.shared .align 4 .b8 sums[%d];\n", 4*elementThreads)
}

// identity is the program whose value is its input's.
var identity = expr.MustNew(expr.Input(0, expr.Whole))

// termsOfPart are the fewest terms that are worth a part of their own.
const termsOfPart = 4096

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
	// Parts fill the device where there are few results; what they are depends on the
	// shape alone.
	parts := min(limits.parts/results, ceil(terms, termsOfPart))
	if parts < 2 {
		q.reduce(p, v, op, axes, q.at(out), results, terms, 1, in, m, r)
		return
	}
	q.reduce(p, v, op, axes, q.parts, results, terms, parts, in, device.Overwrite, r)
	q.reduceParts(op, q.at(out), results, parts, m)
}

// reduce launches a reduction in parts.
func (q *queue) reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out driver.Ptr, results, terms, parts int, in []device.Tensor, m device.Mode, r device.Random) {
	f := q.reduction(p, op, axes, m)
	q.args.Reset().Ptr(out)
	vector, each := 1, ceil(terms, parts)
	if isRun(p, axes) {
		each = 4 * ceil(each, 4) // parts begin where four elements lie together
	}
	if terms%4 != 0 && results > 1 {
		vector = 0
	}
	for i, axes := range p.Inputs() {
		if !p.Uses(i) {
			continue
		}
		at := q.at(in[i])
		if axes == expr.Whole && at%16 != 0 {
			vector = 0
		}
		q.args.Ptr(at)
	}
	q.args.Int(results).Int(terms).Int(each).Int(vector)
	q.args.Int(v.C).Int(v.Inner).Uint64(divisor(v.Inner)).Uint64(divisor(v.C))
	if p.Draws() > 0 {
		q.args.Uint32(uint32(r.Seed)).Uint32(uint32(r.Seed >> 32)).Uint32(r.Iteration).Uint32(r.Stream).Uint32(r.Sample)
	}
	blocks := results
	if axes&expr.Inner != 0 {
		blocks = ceil(results, elementThreads)
	}
	q.launch(f, driver.Dim{X: blocks, Y: parts}, elementThreads)
}

// reduceParts reduces the parts of results, which lie in q.parts.
func (q *queue) reduceParts(op device.ReduceOp, out driver.Ptr, results, parts int, m device.Mode) {
	f := q.reduction(identity, op, expr.Inner, m)
	q.args.Reset().Ptr(out).Ptr(q.parts).Int(results).Int(parts).Int(parts).Int(0)
	q.args.Int(1).Int(results).Uint64(divisor(results)).Uint64(divisor(1))
	q.launch(f, driver.Dim{X: ceil(results, elementThreads)}, elementThreads)
}

// reduction is the kernel of a reduction.
func (q *queue) reduction(p *expr.Program, op device.ReduceOp, axes expr.Axes, m device.Mode) driver.Function {
	d := q.device
	f, err := kernel(d, &d.programs.reduces, reduceKey{p.Hash(), op, axes, m}, "reduce", p, func() string { return reduceText(p, op, axes, m) })
	if err != nil {
		q.Fail("reduce", err)
	}
	return f
}
