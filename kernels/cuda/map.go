package cuda

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// mapIndexes reports whether a program asks where in the view an element is.
func mapIndexes(p *expr.Program) bool {
	for i, axes := range p.Inputs() {
		if p.Uses(i) && axes != expr.Whole && axes != expr.One {
			return true
		}
	}
	return p.Indexes() || p.Draws() > 0
}

// mapText writes the kernel. Four elements of a sample go to a thread: as a float4
// where `vector` says that every address allows it, and Inner is a multiple of four so
// that the four are of one channel; else one by one. Blocks along y are of samples.
func mapText(p *expr.Program, modes []device.Mode) string {
	w := newWriter()
	outs, ins := w.outputs(p), w.inputs(p)
	samples, size, vector := w.param("u32"), w.param("u32"), w.param("u32")
	v := kernelView{}
	if mapIndexes(p) {
		v = kernelView{channels: w.param("u32"), inner: w.param("u32"), byInner: w.divider()}
	}
	var r drawArgs
	if p.Draws() > 0 {
		r = w.drawArgs()
	}

	end, samplesLoop, scalar, scalarLoop, next := w.label(), w.label(), w.label(), w.label(), w.label()
	block, thread := w.r("mov.u32 %%s, %%ctaid.x"), w.r("mov.u32 %%s, %%tid.x")
	first := w.r("mad.lo.s32 %%s, %s, %d, %s", block, elementThreads, thread)
	first = w.r("shl.b32 %%s, %s, 2", first)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", first, size), end)
	sample := w.r("mov.u32 %%s, %%ctaid.y")
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", sample, samples), end)
	w.here(samplesLoop)

	draws := make([][4]string, p.Draws())
	for i := range draws {
		draws[i] = w.philox(r, i, sample, w.r("shr.u32 %%s, %s, 2", first))
	}
	base := w.rd("mul.wide.u32 %%s, %s, %s", sample, size)
	firstWide := w.rd("cvt.u64.u32 %%s, %s", first)
	at := w.rd("add.s64 %%s, %s, %s", base, firstWide)
	last := w.r("add.s32 %%s, %s, 4", first)
	w.do("@%s bra %s", w.p("setp.gt.u32 %%s, %s, %s", last, size), scalar)
	w.do("@%s bra %s", w.p("setp.eq.s32 %%s, %s, 0", vector), scalar)

	// Four at once.
	var place placed
	if mapIndexes(p) {
		place = v.place(w, sample, first)
	}
	inputs := make([][4]string, len(ins))
	for i, axes := range p.Inputs() {
		switch {
		case !p.Uses(i):
		case axes&expr.Inner != 0:
			inputs[i] = w.loadFour(p, i, w.element(ins[i], v.index(w, axes, place, at)))
		default:
			x := w.load(p, i, w.element(ins[i], v.index(w, axes, place, at)))
			inputs[i] = [4]string{x, x, x, x}
		}
	}
	results := make([][4]string, len(outs))
	for k := range 4 {
		of := place
		if k > 0 && p.Indexes() {
			of.inner = w.r("add.s32 %%s, %s, %d", place.inner, k)
		}
		for j, y := range w.program(p, element{column(inputs, k), of, column(draws, k)}) {
			results[j][k] = y
		}
	}
	for j, y := range results {
		to := w.element(outs[j], at)
		if modes[j] == device.Accumulate {
			for k, old := range w.load4(to) {
				y[k] = w.f("add.rn.f32 %%s, %s, %s", old, y[k])
			}
		}
		w.do("st.global.v4.f32 [%s], {%s, %s, %s, %s}", to, y[0], y[1], y[2], y[3])
	}
	w.do("bra %s", next)

	// One by one.
	w.here(scalar)
	e := w.r("mov.u32 %%s, %s", first)
	word := w.r("mov.u32 %%s, 0")
	w.here(scalarLoop)
	place = placed{}
	if mapIndexes(p) {
		place = v.place(w, sample, e)
	}
	wide := w.rd("cvt.u64.u32 %%s, %s", e)
	at = w.rd("add.s64 %%s, %s, %s", base, wide)
	values := make([]string, len(ins))
	for i, axes := range p.Inputs() {
		if p.Uses(i) {
			values[i] = w.load(p, i, w.element(ins[i], v.index(w, axes, place, at)))
		}
	}
	bits := make([]string, len(draws))
	for i, words := range draws {
		bits[i] = words[0]
		for k := 1; k < 4; k++ {
			bits[i] = w.r("selp.b32 %%s, %s, %s, %s", words[k], bits[i], w.p("setp.eq.s32 %%s, %s, %d", word, k))
		}
	}
	for j, y := range w.program(p, element{values, place, bits}) {
		to := w.element(outs[j], at)
		if modes[j] == device.Accumulate {
			y = w.f("add.rn.f32 %%s, %s, %s", w.f("ld.global.f32 %%s, [%s]", to), y)
		}
		w.do("st.global.f32 [%s], %s", to, y)
	}
	w.do("add.s32 %s, %s, 1", e, e)
	w.do("add.s32 %s, %s, 1", word, word)
	stop := w.label()
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", e, size), stop)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, 4", word), scalarLoop)
	w.here(stop)

	w.here(next)
	w.do("add.s32 %s, %s, %s", sample, sample, w.r("mov.u32 %%s, %%nctaid.y"))
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", sample, samples), samplesLoop)
	w.here(end)
	return w.text("map", elementThreads, "")
}

// column is the k-th register of each.
func column(registers [][4]string, k int) []string {
	c := make([]string, len(registers))
	for i, r := range registers {
		c[i] = r[k]
	}
	return c
}

func (w *writer) load4(at string) (v [4]string) {
	for k := range v {
		w.last["f"]++
		v[k] = fmt.Sprintf("%%f%d", w.last["f"])
	}
	w.do("ld.global.v4.f32 {%s, %s, %s, %s}, [%s]", v[0], v[1], v[2], v[3], at)
	return v
}

// kernelView are the parameters of a view: C, Inner, and the divisor of Inner.
type kernelView struct {
	channels, inner string
	byInner         divider
}

// placed is where an element is in the view.
type placed struct{ n, c, inner string }

// index is where it is along an axis.
func (p placed) index(axis expr.Axes) string {
	if axis == expr.C {
		return p.c
	}
	return p.inner
}

// place finds the channel of an element of a sample.
func (v kernelView) place(w *writer, sample, element string) placed {
	c := w.divided(element, v.byInner)
	product := w.r("mul.lo.s32 %%s, %s, %s", c, v.inner)
	return placed{sample, c, w.r("sub.s32 %%s, %s, %s", element, product)}
}

// index is the index, in 64 bits, that an element has in an input of these axes;
// whole is that in the whole view.
func (v kernelView) index(w *writer, axes expr.Axes, p placed, whole string) string {
	if axes == expr.Whole {
		return whole
	}
	at := ""
	for _, a := range []struct {
		axis     expr.Axes
		at, size string
	}{{expr.N, p.n, ""}, {expr.C, p.c, v.channels}, {expr.Inner, p.inner, v.inner}} {
		if axes&a.axis == 0 {
			continue
		}
		wide := w.rd("cvt.u64.u32 %%s, %s", a.at)
		if at == "" {
			at = wide
			continue
		}
		size := w.rd("cvt.u64.u32 %%s, %s", a.size)
		at = w.rd("mad.lo.s64 %%s, %s, %s, %s", at, size, wide)
	}
	if at == "" {
		return w.rd("mov.u64 %%s, 0")
	}
	return at
}

// mapKey names a kernel among those of a device.
type mapKey struct {
	hash  string
	modes [expr.MaxOutputs]device.Mode
}

// programs are the kernels of the programs that a device has seen, and those that layers
// bring. They are made when they are first asked for.
type programs struct {
	sync.Mutex
	own     map[*Kernel]driver.Function
	maps    map[mapKey]driver.Function
	reduces map[reduceKey]driver.Function
	updates map[string]driver.Function // by hash
}

// kernel is that of a key, or the one that text writes.
func kernel[K comparable](d *Device, of *map[K]driver.Function, key K, name string, p *expr.Program, text func() string) (driver.Function, error) {
	d.programs.Lock()
	defer d.programs.Unlock()
	if f, ok := (*of)[key]; ok {
		return f, nil
	}
	f, err := d.compile(fmt.Sprintf("%s %v", name, key), name, p, text())
	if err != nil {
		return nil, err
	}
	if *of == nil {
		*of = map[K]driver.Function{}
	}
	(*of)[key] = f
	return f, nil
}

// mapped is a program's kernel for the modes of its outputs.
func (q *queue) mapped(p *expr.Program, modes []device.Mode) (driver.Function, error) {
	d, key := q.device, mapKey{hash: p.Hash()}
	copy(key.modes[:], modes)
	return kernel(d, &d.programs.maps, key, "map", p, func() string { return mapText(p, modes) })
}

// compile loads a module with a kernel that was written for a program.
func (d *Device) compile(module, name string, p *expr.Program, text string) (driver.Function, error) {
	m, err := d.driver.Load(module, text)
	if err != nil {
		return nil, fmt.Errorf("%s of the program %v: %w", name, p, err)
	}
	return m.Function(name)
}

func (q *queue) Map(p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	err := device.CheckMap(p, v, out, in, modes)
	if err == nil && v.C*v.Inner > math.MaxInt32 {
		err = errors.New("a sample has more than 2^31-1 elements")
	}
	var f driver.Function
	if err == nil {
		f, err = q.mapped(p, modes)
	}
	if err != nil {
		q.Fail("map", err)
		return
	}
	index := mapIndexes(p)
	if !index { // all elements are alike: as many samples as keep their size in 31 bits
		n := v.Elements(expr.Whole)
		if n <= math.MaxInt32 {
			v = device.View{N: 1, C: 1, Inner: n}
		}
	}
	size := v.C * v.Inner
	vector := 1
	if size%4 != 0 && v.N > 1 || index && v.Inner%4 != 0 {
		vector = 0
	}
	q.args.Reset()
	pointer := func(t device.Tensor, axes expr.Axes) {
		at := q.at(t)
		if axes&expr.Inner != 0 && at%16 != 0 {
			vector = 0
		}
		q.args.Ptr(at)
	}
	for _, t := range out {
		pointer(t, expr.Whole)
	}
	for i, axes := range p.Inputs() {
		if p.Uses(i) {
			pointer(in[i], axes)
		}
	}
	q.args.Int(v.N).Int(size).Int(vector)
	if index {
		q.args.Int(v.C).Int(v.Inner).Uint64(divisor(v.Inner))
	}
	if p.Draws() > 0 {
		q.args.Uint32(uint32(r.Seed)).Uint32(uint32(r.Seed >> 32)).Uint32(r.Iteration).Uint32(r.Stream).Uint32(r.Sample)
	}
	q.launch(f, driver.Dim{X: ceil(size, blockElements), Y: min(v.N, limits.gridY)}, elementThreads)
}
