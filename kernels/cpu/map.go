package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

func (q *queue) Map(p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	if err := device.CheckMap(p, v, out, in, modes); err != nil {
		q.Fail("map", err)
		return
	}
	t := &q.mapping
	*t = mapTask{newViewed(q, p, v, in, r)}
	for k := range out {
		t.out[k], t.ending[k] = floats(out[k]), instruction{op: vec.OpStore, in: [3]place{{inOutput, k}}}
		if modes[k] == device.Accumulate {
			t.ending[k].op = vec.OpAddInto
		}
	}
	runWithScratch(q, t, chunks(v.Elements(expr.Whole)), t.room())
}

// mapTask is cut into chunks of elements.
type mapTask struct{ evaluation }

func (t *mapTask) Run(item, worker int) {
	m := t.begin(worker)
	defer m.end()
	first, end := chunk(item, t.view.Elements(expr.Whole))
	for step := t.longest(); first < end; first += step {
		t.run(m, first, min(step, end-first))
	}
}
