package cuda

import (
	"fmt"
	"math"
	"strings"

	"github.com/hubel-go/hubel/expr"
)

// writer writes the PTX of a kernel, with a new register for each value.
type writer struct {
	params []string
	body   strings.Builder
	last   map[string]int // register of each kind: "f", "r", "rd", "p"
	labels int
}

func newWriter() *writer { return &writer{last: map[string]int{}} }

// param declares a parameter, and loads it into a new register.
func (w *writer) param(t string) string {
	name := fmt.Sprintf("arg%d", len(w.params))
	w.params = append(w.params, fmt.Sprintf("\t.param .%s %s", t, name))
	kind := map[string]string{"u64": "rd", "u32": "r"}[t]
	return w.new(kind, "ld.param.%s %%s, [%s]", t, name)
}

// outputs are parameters for the addresses of a program's outputs.
func (w *writer) outputs(p *expr.Program) []string {
	outs := make([]string, p.Outputs())
	for k := range outs {
		outs[k] = w.param("u64")
	}
	return outs
}

// inputs are those of the inputs that it reads.
func (w *writer) inputs(p *expr.Program) []string {
	ins := make([]string, len(p.Inputs()))
	for i := range ins {
		if p.Uses(i) {
			ins[i] = w.param("u64")
		}
	}
	return ins
}

// new writes an instruction whose format has %s for a new register, first of all.
func (w *writer) new(kind, format string, args ...any) string {
	w.last[kind]++
	r := fmt.Sprintf("%%%s%d", kind, w.last[kind])
	w.do("%s", strings.Replace(fmt.Sprintf(format, args...), "%s", r, 1))
	return r
}

func (w *writer) f(format string, args ...any) string  { return w.new("f", format, args...) }
func (w *writer) r(format string, args ...any) string  { return w.new("r", format, args...) }
func (w *writer) rd(format string, args ...any) string { return w.new("rd", format, args...) }
func (w *writer) p(format string, args ...any) string  { return w.new("p", format, args...) }

// do writes an instruction.
func (w *writer) do(format string, args ...any) {
	w.body.WriteByte('\t')
	fmt.Fprintf(&w.body, format, args...)
	w.body.WriteString(";\n")
}

// label is a new one, and here marks its place.
func (w *writer) label() string {
	w.labels++
	return fmt.Sprintf("$L%d", w.labels)
}

func (w *writer) here(label string) { fmt.Fprintf(&w.body, "%s:\n", label) }

// text is the module with the kernel alone.
func (w *writer) text(name string, threads int, shared string) string {
	var b strings.Builder
	b.WriteString(".version 6.0\n.target sm_70\n.address_size 64\n\n")
	fmt.Fprintf(&b, ".visible .entry %s(\n%s\n)\n.maxntid %d, 1, 1\n{\n", name, strings.Join(w.params, ",\n"), threads)
	for _, kind := range []struct{ name, typ string }{{"p", "pred"}, {"f", "f32"}, {"r", "b32"}, {"rd", "b64"}} {
		if n := w.last[kind.name]; n > 0 {
			fmt.Fprintf(&b, "\t.reg .%s %%%s<%d>;\n", kind.typ, kind.name, n+1)
		}
	}
	b.WriteString(shared)
	b.WriteString(w.body.String())
	b.WriteString("\tret;\n}\n")
	return b.String()
}

// number is a float32 as PTX has it.
func number(x float32) string { return fmt.Sprintf("0f%08X", math.Float32bits(x)) }

// divider are the halves of a divisor.
type divider struct{ low, shift string }

// divider declares a parameter for a divisor.
func (w *writer) divider() divider {
	d := w.param("u64")
	low := w.r("cvt.u32.u64 %%s, %s", d)
	return divider{low, w.r("cvt.u32.u64 %%s, %s", w.rd("shr.u64 %%s, %s, 32", d))}
}

// divided is n/d for the divisor(d), as divide.cuh has it. n is below 2^31.
func (w *writer) divided(n string, by divider) string {
	product := w.rd("mul.wide.u32 %%s, %s, %s", n, by.low)
	shifted := w.rd("shr.u64 %%s, %s, %s", product, by.shift)
	return w.r("cvt.u32.u64 %%s, %s", shifted)
}

// element is the address of an element.
func (w *writer) element(base, index string) string {
	offset := w.rd("shl.b64 %%s, %s, 2", index)
	return w.rd("add.s64 %%s, %s, %s", base, offset)
}

// element are the registers of what a program computes an element from: the values of
// inputs, where it is, and the 32 random bits of each stream.
type element struct {
	inputs []string
	place  placed
	draws  []string
}

// value is that of input i, of which the register has the bits.
func (w *writer) value(p *expr.Program, i int, x string) string {
	if !p.Integer(i) {
		return x
	}
	return w.f("cvt.rn.f32.s32 %%s, %s", w.r("mov.b32 %%s, %s", x))
}

// load is the value of input i at an address.
func (w *writer) load(p *expr.Program, i int, at string) string {
	return w.value(p, i, w.f("ld.global.f32 %%s, [%s]", at))
}

// loadFour are four values of input i.
func (w *writer) loadFour(p *expr.Program, i int, at string) [4]string {
	v := w.load4(at)
	for k, x := range v {
		v[k] = w.value(p, i, x)
	}
	return v
}

// program writes the steps of a program, and returns the registers of its outputs.
func (w *writer) program(p *expr.Program, e element) []string {
	return w.results(p, w.steps(p, nil, nil, e))
}

// steps writes the steps of a program that are wanted, all of them where wanted is nil,
// and returns the register of each. Those that are known have one.
func (w *writer) steps(p *expr.Program, wanted []bool, known []string, e element) []string {
	code, _ := p.Code()
	value := make([]string, len(code))
	copy(value, known)
	for k := range code {
		if value[k] != "" || wanted != nil && !wanted[k] {
			continue
		}
		i := &code[k]
		var x [3]string
		for j, a := range i.Args[:i.Op.Args()] {
			x[j] = value[a]
		}
		value[k] = w.step(i, x, e)
	}
	return value
}

// results are the registers of a program's outputs.
func (w *writer) results(p *expr.Program, value []string) []string {
	_, results := p.Code()
	out := make([]string, len(results))
	for k, s := range results {
		out[k] = value[s]
	}
	return out
}

// rounded are the operations that are one instruction, rounded once. What the
// instruction leaves to the assembler, to add to a product without rounding it, is
// not wanted: the simulator and every GPU are to have the same bits.
var rounded = map[expr.Op]string{
	expr.OpAdd: "add.rn.f32", expr.OpSub: "sub.rn.f32", expr.OpMul: "mul.rn.f32", expr.OpDiv: "div.rn.f32",
	expr.OpSqrt: "sqrt.rn.f32", expr.OpAbs: "abs.f32",
	expr.OpLess: "setp.lt.f32", expr.OpLessEqual: "setp.le.f32", expr.OpEqual: "setp.eq.f32",
}

func (w *writer) step(i *expr.Instruction, x [3]string, e element) string {
	switch i.Op {
	case expr.OpInput:
		return e.inputs[i.Index]
	case expr.OpIndex:
		return w.f("cvt.rn.f32.u32 %%s, %s", e.place.index(i.Axes))
	case expr.OpConst:
		return w.f("mov.f32 %%s, %s", number(i.Value))
	case expr.OpDraw:
		high := w.r("shr.u32 %%s, %s, 8", e.draws[i.Index])
		whole := w.f("cvt.rn.f32.u32 %%s, %s", high)
		return w.f("mul.rn.f32 %%s, %s, %s", whole, number(1.0/(1<<24)))
	case expr.OpBernoulli:
		return w.p("setp.lt.u32 %%s, %s, %d", e.draws[i.Index], i.Threshold())
	case expr.OpSelect:
		return w.f("selp.f32 %%s, %s, %s, %s", x[1], x[2], x[0])
	case expr.OpMin, expr.OpMax:
		name := map[expr.Op]string{expr.OpMin: "min", expr.OpMax: "max"}[i.Op]
		y := w.f("%s.f32 %%s, %s, %s", name, x[0], x[1]) // of a NaN, the other
		nan := w.p("setp.nan.f32 %%s, %s, %s", x[0], x[1])
		return w.f("selp.f32 %%s, %s, %s, %s", number(float32(math.NaN())), y, nan)
	case expr.OpExp:
		return w.exp(x[0])
	case expr.OpLog:
		return w.log(x[0])
	case expr.OpTanh:
		return w.tanh(x[0])
	case expr.OpErf:
		return w.erf(x[0])
	case expr.OpSigmoid:
		return w.sigmoid(x[0])
	}
	if i.Op.Condition() {
		return w.p("%s %%s, %s, %s", rounded[i.Op], x[0], x[1])
	}
	if i.Op.Args() == 1 {
		return w.f("%s %%s, %s", rounded[i.Op], x[0])
	}
	return w.f("%s %%s, %s, %s", rounded[i.Op], x[0], x[1])
}

// polynomial is c[0] + c[1] x + …, by Horner's rule.
func (w *writer) polynomial(x string, c ...float32) string {
	y := w.f("mov.f32 %%s, %s", number(c[len(c)-1]))
	for k := len(c) - 2; k >= 0; k-- {
		y = w.f("fma.rn.f32 %%s, %s, %s, %s", y, x, number(c[k]))
	}
	return y
}

// Polynomials through the nodes of Chebyshev, in single precision.
var (
	// (e^r - 1 - r)/r², |r| <= ln(2)/2: within 2e-10.
	expPolynomial = []float32{0.50000000134639, 0.1666666668163221, 0.04166646494449357, 0.00833331092485077, 0.0013933647863234042, 0.00019890990038538226}
	// (log(1+f) - f + f²/2)/f³, 1+f between the roots of 1/2 and of 2: within 3e-9.
	logPolynomial = []float32{0.3333333117964702, -0.24999996955526624, 0.20000715846128292, -0.1666780266594995, 0.14249054323603053, -0.12425675757979836, 0.11685443102121336, -0.11479837003957022, 0.06971681534703052}
	// (tanh(x)/x - 1)/x² of x², |x| < 0.6: within 4e-10.
	tanhPolynomial = []float32{-0.3333333323120821, 0.13333312866873517, -0.05396155178252039, 0.021788322002105006, -0.008410070811334954, 0.0023707656478827686}
	// erf(x)/x of x², |x| < 1: within 4e-11.
	erfPolynomial = []float32{1.1283791670615397, -0.3761263846800153, 0.11283782494840333, -0.026865430705457882, 0.00522103174802524, -0.0008484079572639303, 0.00011265953244787852, -9.667028734838823e-06}
	// log(erfc(x) e^(x²) / t) of t = 1/(1+x/2), x >= 1: within 7e-10.
	erfcPolynomial = []float32{-1.2652407029950654, 0.9944965070766051, 0.42260922983289995, -0.1448340022070455, 0.568333785501764, -1.2582411647206069, 0.9105051758599338, -0.22747669145409083}
)

// exp is e^x: x = k ln 2 + r, and 2^k in two factors, for it may lie outside of
// float32.
func (w *writer) exp(x string) string {
	y := w.f("max.f32 %%s, %s, %s", x, number(-110))
	y = w.f("min.f32 %%s, %s, %s", y, number(110))
	t := w.f("mul.rn.f32 %%s, %s, %s", y, number(math.Log2E))
	k := w.r("cvt.rni.s32.f32 %%s, %s", t)
	kf := w.f("cvt.rn.f32.s32 %%s, %s", k)
	const high = 0.693145751953125 // of 15 bits: k times it is exact
	r := w.f("fma.rn.f32 %%s, %s, %s, %s", kf, number(-high), y)
	r = w.f("fma.rn.f32 %%s, %s, %s, %s", kf, number(float32(-(math.Ln2 - high))), r)
	q := w.polynomial(r, expPolynomial...)
	s := w.f("mul.rn.f32 %%s, %s, %s", r, r)
	q = w.f("fma.rn.f32 %%s, %s, %s, %s", q, s, r)
	q = w.f("add.rn.f32 %%s, %s, %s", q, number(1))
	half := w.r("shr.s32 %%s, %s, 1", k)
	rest := w.r("sub.s32 %%s, %s, %s", k, half)
	for _, e := range []string{half, rest} {
		e = w.r("shl.b32 %%s, %s, 23", e)
		e = w.r("add.s32 %%s, %s, %d", e, 127<<23)
		factor := w.f("mov.b32 %%s, %s", e)
		q = w.f("mul.rn.f32 %%s, %s, %s", q, factor)
	}
	return w.unless("nan", x, x, q)
}

// unless is y, or x where x compares so with another number.
func (w *writer) unless(comparison, x, with, y string) string {
	p := w.p("setp.%s.f32 %%s, %s, %s", comparison, x, with)
	return w.f("selp.f32 %%s, %s, %s, %s", x, y, p)
}

// log is the logarithm of x = 2^k m, m between the roots of 1/2 and of 2.
func (w *writer) log(x string) string {
	small := w.p("setp.lt.f32 %%s, %s, %s", x, number(0x1p-126))
	scaled := w.f("mul.rn.f32 %%s, %s, %s", x, number(0x1p24))
	y := w.f("selp.f32 %%s, %s, %s, %s", scaled, x, small)
	less := w.f("selp.f32 %%s, %s, %s, %s", number(-24), number(0), small)
	bits := w.r("mov.b32 %%s, %s", y)
	const root = 0x3F3504F3 // of 1/2
	up := w.r("sub.s32 %%s, %s, %d", bits, root)
	k := w.r("shr.s32 %%s, %s, 23", up)
	back := w.r("shl.b32 %%s, %s, 23", k)
	mantissa := w.r("sub.s32 %%s, %s, %s", bits, back)
	m := w.f("mov.b32 %%s, %s", mantissa)
	f := w.f("sub.rn.f32 %%s, %s, %s", m, number(1))
	kf := w.f("cvt.rn.f32.s32 %%s, %s", k)
	kf = w.f("add.rn.f32 %%s, %s, %s", kf, less)
	q := w.polynomial(f, logPolynomial...)
	s := w.f("mul.rn.f32 %%s, %s, %s", f, f)
	fq := w.f("mul.rn.f32 %%s, %s, %s", f, q)
	q = w.f("add.rn.f32 %%s, %s, %s", fq, number(-0.5))
	q = w.f("fma.rn.f32 %%s, %s, %s, %s", q, s, f)
	const high = 0.693145751953125
	q = w.f("fma.rn.f32 %%s, %s, %s, %s", kf, number(float32(math.Ln2-high)), q)
	q = w.f("fma.rn.f32 %%s, %s, %s, %s", kf, number(high), q)
	q = w.unless("eq", number(float32(math.Inf(1))), x, q)
	q = w.unlessIs("eq", x, number(0), float32(math.Inf(-1)), q)
	return w.unlessIs("ltu", x, number(0), float32(math.NaN()), q)
}

// unlessIs is y, or a number where x compares so with another.
func (w *writer) unlessIs(comparison, x, with string, is float32, y string) string {
	p := w.p("setp.%s.f32 %%s, %s, %s", comparison, x, with)
	return w.f("selp.f32 %%s, %s, %s, %s", number(is), y, p)
}

// sigmoid is 1/(1 + e^-x).
func (w *writer) sigmoid(x string) string {
	e := w.exp(w.f("mul.rn.f32 %%s, %s, %s", number(-1), x))
	return w.f("div.rn.f32 %%s, %s, %s", number(1), w.f("add.rn.f32 %%s, %s, %s", e, number(1)))
}

// sign gives y the sign of x.
func (w *writer) sign(y, x string) string {
	bits := w.r("mov.b32 %%s, %s", x)
	bits = w.r("and.b32 %%s, %s, %d", bits, uint32(1<<31))
	of := w.r("mov.b32 %%s, %s", y)
	of = w.r("or.b32 %%s, %s, %s", of, bits)
	return w.f("mov.b32 %%s, %s", of)
}

// tanh is a polynomial near 0, and 1 - 2/(e^2|x| + 1) elsewhere.
func (w *writer) tanh(x string) string {
	s := w.f("mul.rn.f32 %%s, %s, %s", x, x)
	p := w.polynomial(s, tanhPolynomial...)
	p = w.f("mul.rn.f32 %%s, %s, %s", p, s)
	p = w.f("fma.rn.f32 %%s, %s, %s, %s", p, x, x)
	a := w.f("abs.f32 %%s, %s", x)
	double := w.f("add.rn.f32 %%s, %s, %s", a, a)
	e := w.exp(double)
	e = w.f("add.rn.f32 %%s, %s, %s", e, number(1))
	e = w.f("div.rn.f32 %%s, %s, %s", number(-2), e)
	e = w.f("add.rn.f32 %%s, %s, %s", e, number(1))
	e = w.sign(e, x)
	near := w.p("setp.lt.f32 %%s, %s, %s", a, number(0.55))
	return w.f("selp.f32 %%s, %s, %s, %s", p, e, near)
}

// erf is a polynomial near 0, and 1 - t e^(q(t) - x²), t = 1/(1 + |x|/2), elsewhere.
func (w *writer) erf(x string) string {
	s := w.f("mul.rn.f32 %%s, %s, %s", x, x)
	p := w.polynomial(s, erfPolynomial...)
	p = w.f("mul.rn.f32 %%s, %s, %s", p, x)
	a := w.f("abs.f32 %%s, %s", x)
	t := w.f("fma.rn.f32 %%s, %s, %s, %s", a, number(0.5), number(1))
	t = w.f("div.rn.f32 %%s, %s, %s", number(1), t)
	q := w.polynomial(t, erfcPolynomial...)
	q = w.f("sub.rn.f32 %%s, %s, %s", q, s)
	e := w.exp(q)
	e = w.f("mul.rn.f32 %%s, %s, %s", e, t)
	e = w.f("sub.rn.f32 %%s, %s, %s", number(1), e)
	e = w.sign(e, x)
	near := w.p("setp.lt.f32 %%s, %s, %s", a, number(1))
	return w.f("selp.f32 %%s, %s, %s, %s", p, e, near)
}

// drawArgs are the arguments of draws.
type drawArgs struct{ seedLow, seedHigh, iteration, stream, sample string }

func (w *writer) drawArgs() drawArgs {
	return drawArgs{w.param("u32"), w.param("u32"), w.param("u32"), w.param("u32"), w.param("u32")}
}

// philox are the four words of a block of a sample, as device.Philox has them.
func (w *writer) philox(r drawArgs, stream int, sample, block string) [4]string {
	c := [4]string{block, w.r("add.s32 %%s, %s, %s", r.sample, sample), r.iteration, w.r("add.s32 %%s, %s, %d", r.stream, stream)}
	key := [2]string{r.seedLow, r.seedHigh}
	for round := range 10 {
		if round > 0 {
			key[0] = w.r("add.s32 %%s, %s, %d", key[0], int32(-0x61C88647)) // 0x9E3779B9
			key[1] = w.r("add.s32 %%s, %s, %d", key[1], int32(-0x4498517B)) // 0xBB67AE85
		}
		product := func(x string, factor uint32) (high, low string) {
			return w.r("mul.hi.u32 %%s, %s, %d", x, factor), w.r("mul.lo.s32 %%s, %s, %d", x, int32(factor))
		}
		h0, l0 := product(c[0], 0xD2511F53)
		h1, l1 := product(c[2], 0xCD9E8D57)
		xor := func(a, b, c string) string {
			return w.r("xor.b32 %%s, %s, %s", w.r("xor.b32 %%s, %s, %s", a, b), c)
		}
		c = [4]string{xor(h1, c[1], key[0]), l1, xor(h0, c[3], key[1]), l0}
	}
	return c
}
