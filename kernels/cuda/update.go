package cuda

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// updateElements is how many elements of a segment a block updates, in rounds of four
// for each thread.
const updateElements = 4 * blockElements

// updateBlock is what a block works on: its place in the slabs, and the segment. The
// kernel reads the same struct.
type updateBlock struct {
	weight, grad   int64
	count, segment int32
}

// updateText writes the kernel of an update. What is one number for all elements of a
// segment is computed once by each thread. Four elements go through the program
// together, as a float4 where every address allows it, else one by one.
func updateText(p *expr.Program) string {
	w := newWriter()
	outs, ins := w.outputs(p), w.inputs(p)
	blocks := w.param("u64")

	end, loop, scalar, scalarLoop, next := w.label(), w.label(), w.label(), w.label(), w.label()
	block, thread := w.r("mov.u32 %%s, %%ctaid.x"), w.r("mov.u32 %%s, %%tid.x")
	b := w.rd("mad.wide.u32 %%s, %s, %d, %s", block, unsafe.Sizeof(updateBlock{}), blocks)
	count := w.r("ld.global.u32 %%s, [%s+%d]", b, unsafe.Offsetof(updateBlock{}.count))
	first := w.r("shl.b32 %%s, %s, 2", thread)
	w.do("@%s bra %s", w.p("setp.ge.u32 %%s, %s, %s", first, count), end)
	weight := w.rd("ld.global.u64 %%s, [%s+%d]", b, unsafe.Offsetof(updateBlock{}.weight))
	grad := w.rd("ld.global.u64 %%s, [%s+%d]", b, unsafe.Offsetof(updateBlock{}.grad))
	segment := w.r("ld.global.u32 %%s, [%s+%d]", b, unsafe.Offsetof(updateBlock{}.segment))
	segment = w.rd("cvt.u64.u32 %%s, %s", segment)

	// Slabs from the first element of the block on, and all the bits of where they begin.
	bits := w.rd("mov.u64 %%s, 0")
	from := func(slab string, i int) string {
		offset := grad
		if i == 0 {
			offset = weight
		}
		at := w.element(slab, offset)
		w.do("or.b64 %s, %s, %s", bits, bits, at)
		return at
	}
	for k := range outs {
		outs[k] = from(outs[k], k)
	}
	numbers := make([]string, len(ins))
	for i, axes := range p.Inputs() {
		switch {
		case !p.Uses(i):
		case axes == expr.Whole:
			ins[i] = from(ins[i], i)
		case axes == expr.Channel:
			numbers[i] = w.f("ld.global.f32 %%s, [%s]", w.element(ins[i], segment))
		default:
			numbers[i] = w.f("ld.global.f32 %%s, [%s]", ins[i])
		}
	}
	misaligned := w.p("setp.ne.s64 %%s, %s, 0", w.rd("and.b64 %%s, %s, 15", bits))
	known := w.steps(p, p.Invariant(device.UpdateSegment), nil, element{inputs: numbers})

	w.here(loop)
	stop := w.r("add.s32 %%s, %s, 4", first)
	at := w.rd("cvt.u64.u32 %%s, %s", first)
	w.do("@%s bra %s", misaligned, scalar)
	w.do("@%s bra %s", w.p("setp.gt.u32 %%s, %s, %s", stop, count), scalar)

	// Four at once.
	inputs := make([][4]string, len(ins))
	for i, axes := range p.Inputs() {
		if p.Uses(i) && axes == expr.Whole {
			inputs[i] = w.load4(w.element(ins[i], at))
		}
	}
	results := make([][4]string, len(outs))
	for k := range 4 {
		for j, y := range w.results(p, w.steps(p, nil, known, element{inputs: column(inputs, k)})) {
			results[j][k] = y
		}
	}
	for j, y := range results {
		w.do("st.global.v4.f32 [%s], {%s, %s, %s, %s}", w.element(outs[j], at), y[0], y[1], y[2], y[3])
	}
	w.do("bra %s", next)

	// One by one.
	w.here(scalar)
	e := w.r("mov.u32 %%s, %s", first)
	last := w.r("min.u32 %%s, %s, %s", stop, count)
	w.here(scalarLoop)
	at = w.rd("cvt.u64.u32 %%s, %s", e)
	values := make([]string, len(ins))
	for i, axes := range p.Inputs() {
		if p.Uses(i) && axes == expr.Whole {
			values[i] = w.f("ld.global.f32 %%s, [%s]", w.element(ins[i], at))
		}
	}
	for j, y := range w.results(p, w.steps(p, nil, known, element{inputs: values})) {
		w.do("st.global.f32 [%s], %s", w.element(outs[j], at), y)
	}
	w.do("add.s32 %s, %s, 1", e, e)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", e, last), scalarLoop)

	w.here(next)
	w.do("add.s32 %s, %s, %d", first, first, blockElements)
	w.do("@%s bra %s", w.p("setp.lt.u32 %%s, %s, %s", first, count), loop)
	w.here(end)
	return w.text("update", elementThreads, "")
}

// segments is the segments of the last update, as its blocks read them. A queue that
// always updates the same ones uploads them once.
type segments struct {
	have  []device.Segment
	table []updateBlock
	at    driver.Ptr
	room  int // blocks that fit in the memory at at
}

func (q *queue) Update(p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
	if q.Err != nil {
		return
	}
	t := &q.segments
	err := device.CheckUpdate(p, out, in, segments)
	if err == nil && !slices.Equal(t.have, segments) {
		err = t.set(q, segments)
	}
	if err != nil {
		q.Fail("update", err)
		return
	}
	if len(segments) == 0 || len(t.table) == 0 {
		return // every segment is empty
	}
	d := q.device
	f, err := kernel(d, &d.programs.updates, p.Hash(), "update", p, func() string { return updateText(p) })
	if err != nil {
		q.Fail("update", err)
		return
	}
	q.args.Reset()
	for _, t := range out {
		q.args.Ptr(q.at(t))
	}
	for i := range p.Inputs() {
		if p.Uses(i) {
			q.args.Ptr(q.at(in[i]))
		}
	}
	q.args.Ptr(t.at)
	q.launch(f, driver.Dim{X: len(t.table)}, elementThreads)
}

// set puts other segments on the device. Earlier work, which may still read
// the old ones or their host copy, is waited for.
func (t *segments) set(q *queue, segments []device.Segment) error {
	if err := q.stream.Sync(); err != nil {
		return err
	}
	t.have, t.table = t.have[:0], t.table[:0]
	for k, s := range segments {
		for e := 0; e < s.Len; e += updateElements {
			t.table = append(t.table, updateBlock{
				weight: int64(s.Weight + e), grad: int64(s.Grad + e),
				count: int32(min(updateElements, s.Len-e)), segment: int32(k),
			})
		}
	}
	if len(t.table) > t.room {
		if err := t.free(q); err != nil {
			return err
		}
		at, err := q.driver.Alloc("segments", int64(len(t.table))*int64(unsafe.Sizeof(updateBlock{})))
		if err != nil {
			return fmt.Errorf("table of %d blocks of segments: %w", len(t.table), err)
		}
		t.at, t.room = at, len(t.table)
	}
	if len(t.table) > 0 {
		if err := q.stream.Upload(t.at, bytes(t.table)); err != nil {
			return err
		}
	}
	t.have = append(t.have, segments...)
	return nil
}

// free gives back the table's memory.
func (t *segments) free(q *queue) error {
	at := t.at
	t.at, t.room = 0, 0
	if at == 0 {
		return nil
	}
	return q.driver.Free(at)
}
