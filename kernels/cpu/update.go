package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) Update(p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
	if q.Err != nil {
		return
	}
	if err := device.CheckUpdate(p, out, in, segments); err != nil {
		q.Fail("update", err)
		return
	}
	items := 0
	for i := range segments {
		items += chunks(segments[i].Len)
	}
	if items == 0 {
		return
	}
	t := &q.updating
	*t = updateTask{newEvaluation(q, p, device.UpdateSegment, in), segments}
	for k := range out {
		t.out[k], t.ending[k] = floats(out[k]), instruction{op: vec.OpStore, in: [3]place{{inOutput, k}}}
	}
	runWithScratch(q, t, items, t.room())
	for _, m := range q.machines {
		m.end()
	}
}

// updateTask is cut into segments, and those into chunks.
type updateTask struct {
	evaluation
	segments []device.Segment
}

func (t *updateTask) Run(item, worker int) {
	for k := range t.segments {
		s := &t.segments[k]
		if n := chunks(s.Len); item >= n {
			item -= n
			continue
		}
		m := t.begin(k, worker)
		first, end := chunk(item, s.Len)
		for step := t.longest(); first < end; first += step {
			m.update.run(m, first, min(step, end-first))
		}
		return
	}
}

// begin makes the machine of a worker ready for a segment, if it is not.
func (t *updateTask) begin(segment, worker int) *machine {
	m := t.q.machines[worker]
	e, s := &m.update, &t.segments[segment]
	if e.program != nil && m.segment == segment {
		return m
	}
	*e, m.segment = t.evaluation, segment
	for i, axes := range e.from.Inputs() {
		values := &e.inputs[i].values
		switch {
		case !e.from.Uses(i):
		case axes == expr.Whole:
			*values = (*values)[s.At(i):][:s.Len]
		case axes == expr.Channel:
			*values = (*values)[segment:]
		}
	}
	for k := range e.from.Outputs() {
		e.out[k] = e.out[k][s.At(k):][:s.Len]
	}
	return e.begin(worker)
}
