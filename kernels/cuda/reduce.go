package cuda

import (
	"errors"
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

// reduceText writes the kernel that reduces a program's values over the axes that axes
// lacks. Where these include Inner, a block reduces the terms of one result: each thread
// every so many of them, then the block's by halves. Elsewhere each thread reduces one
// result. Blocks along y are of parts of the terms; the results of part k begin k times
// the number of results behind the first.
func reduceText(p *expr.Program, op device.ReduceOp, axes expr.Axes, mode device.Mode) string {
	w := newWriter()
	out := w.param("u64")
	ins := make([]string, len(p.Inputs()))
	for i := range ins {
		if p.Uses(i) {
			ins[i] = w.param("u64")
		}
	}
	results, terms, each := w.param("u32"), w.param("u32"), w.param("u32")
	v := kernelView{channels: w.param("u32"), inner: w.param("u32"), byInner: w.param("u64")}
	byChannels := w.param("u64")
	var r drawArgs
	if p.Draws() > 0 {
		r = w.drawArgs()
	}
	shared := axes&expr.Inner == 0

	end, loop, done := w.label(), w.label(), w.label()
	block, thread := w.r("mov.u32 %%s, %%ctaid.x"), w.r("mov.u32 %%s, %%tid.x")
	part := w.r("mov.u32 %%s, %%ctaid.y")
	start := w.r("mul.lo.s32 %%s, %s, %s", part, each)
	stop := w.r("add.s32 %%s, %s, %s", start, each)
	stop = w.r("min.u32 %%s, %s, %s", stop, terms)
	result, step := block, "1"
	term := w.r("mov.u32 %%s, %s", start)
	if shared {
		step = w.r("mov.u32 %%s, %d", elementThreads)
		w.do("add.s32 %s, %s, %s", term, term, thread)
	} else {
		result = w.r("mad.lo.s32 %%s, %s, %d, %s", block, elementThreads, thread)
		w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", result, results), end)
	}
	nothing := number(0)
	if op == device.Max {
		nothing = number(float32(math.Inf(-1)))
	}
	combine := func(to, a, b string) {
		if op == device.Sum {
			w.do("add.rn.f32 %s, %s, %s", to, a, b)
			return
		}
		larger := w.f("max.f32 %%s, %s, %s", a, b)
		w.do("selp.f32 %s, %s, %s, %s", to, number(float32(math.NaN())), larger, w.p("setp.nan.f32 %%s, %s, %s", a, b))
	}
	value := w.f("mov.f32 %%s, %s", nothing)

	// Where results and terms are in the view: the last of their axes is the fastest.
	split := func(n string, axes expr.Axes) placed {
		var at placed
		for _, a := range []struct {
			axis, faster expr.Axes
			to           *string
			size, by     string
		}{{expr.Inner, expr.N | expr.C, &at.inner, v.inner, v.byInner}, {expr.C, expr.N, &at.c, v.channels, byChannels}, {expr.N, 0, &at.n, "", ""}} {
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
	of := split(result, axes)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", term, stop), done)
	w.here(loop)
	at := split(term, expr.Whole&^axes)
	for _, c := range []struct {
		axis     expr.Axes
		to, from *string
	}{{expr.N, &at.n, &of.n}, {expr.C, &at.c, &of.c}, {expr.Inner, &at.inner, &of.inner}} {
		if axes&c.axis != 0 {
			*c.to = *c.from
		}
	}
	row := w.rd("mul.wide.u32 %%s, %s, %s", at.n, v.channels)
	row = w.rd("add.s64 %%s, %s, %s", row, w.rd("cvt.u64.u32 %%s, %s", at.c))
	whole := w.rd("mad.lo.s64 %%s, %s, %s, %s", row, w.rd("cvt.u64.u32 %%s, %s", v.inner), w.rd("cvt.u64.u32 %%s, %s", at.inner))
	inputs := make([]string, len(ins))
	for i, axes := range p.Inputs() {
		if p.Uses(i) {
			inputs[i] = w.f("ld.global.f32 %%s, [%s]", w.element(ins[i], v.index(w, axes, at, whole)))
		}
	}
	bits := make([]string, p.Draws())
	for i := range bits {
		element := w.r("mad.lo.s32 %%s, %s, %s, %s", at.c, v.inner, at.inner)
		word := w.r("and.b32 %%s, %s, 3", element)
		words := w.philox(r, i, at.n, w.r("shr.u32 %%s, %s, 2", element))
		bits[i] = words[0]
		for k := 1; k < 4; k++ {
			bits[i] = w.r("selp.b32 %%s, %s, %s, %s", words[k], bits[i], w.p("setp.eq.s32 %%s, %s, %d", word, k))
		}
	}
	combine(value, value, w.program(p, inputs, bits)[0])
	w.do("add.s32 %s, %s, %s", term, term, step)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", term, stop), loop)
	w.here(done)

	var declared string
	if shared {
		declared = "\t.shared .align 4 .b8 sums[1024];\n"
		base := w.r("mov.u32 %%s, sums")
		mine := w.r("add.s32 %%s, %s, %s", base, w.r("shl.b32 %%s, %s, 2", thread))
		w.do("st.shared.f32 [%s], %s", mine, value)
		for half := elementThreads / 2; half > 0; half /= 2 {
			w.do("bar.sync 0")
			skip := w.label()
			w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %d", thread, half), skip)
			other := w.f("ld.shared.f32 %%s, [%s+%d]", mine, 4*half)
			combine(value, value, other)
			w.do("st.shared.f32 [%s], %s", mine, value)
			w.here(skip)
		}
		w.do("@%s bra %s", w.p("setp.ne.s32 %%s, %s, 0", thread), end)
	}
	to := w.rd("mul.wide.u32 %%s, %s, %s", part, results)
	to = w.element(out, w.rd("add.s64 %%s, %s, %s", to, w.rd("cvt.u64.u32 %%s, %s", result)))
	if mode == device.Accumulate {
		value = w.f("add.rn.f32 %%s, %s, %s", w.f("ld.global.f32 %%s, [%s]", to), value)
	}
	w.do("st.global.f32 [%s], %s", to, value)
	w.here(end)
	return w.text("reduce", elementThreads, declared)
}

// identity is the program whose value is its input's.
var identity = expr.MustNew(expr.Input(0, expr.Whole))

// termsOfPart are the fewest terms that are worth a part of their own.
const termsOfPart = 4096

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
	for i := range p.Inputs() {
		if p.Uses(i) {
			q.args.Ptr(q.at(in[i]))
		}
	}
	q.args.Int(results).Int(terms).Int(ceil(terms, parts))
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
	q.args.Reset().Ptr(out).Ptr(q.parts).Int(results).Int(parts).Int(parts)
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
