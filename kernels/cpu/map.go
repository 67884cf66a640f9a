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
	*t = mapTask{evaluation: newViewed(q, p, v, in, r)}
	for k := range out {
		t.out[k], t.ending[k] = floats(out[k]), instruction{op: vec.OpStore, in: [3]place{{inOutput, k}}}
		if modes[k] == device.Accumulate {
			t.ending[k].op = vec.OpAddInto
		}
	}
	items := chunks(v.Elements(expr.Whole))
	if t.byRow && t.view.Inner < longRow {
		if t.short = t.shortRows(); t.short {
			items = rowItems(t.view.N*t.view.C, t.view.Inner)
		} else {
			t.spreadAll()
		}
	}
	if items <= fewChunks && len(t.stages) == 1 {
		t.together, items = true, 1
	}
	runWithScratch(q, t, items, t.room())
}

// fewChunks of a program without functions take no longer than it takes another worker to
// wake up: one worker computes them.
const fewChunks = 3

// mapTask is cut into chunks of elements, or of short rows.
type mapTask struct {
	evaluation
	together bool // one item is all
	short    bool // rows go together
}

func (t *mapTask) Run(item, worker int) {
	m := t.begin(worker)
	defer m.end()
	n := t.view.Elements(expr.Whole)
	if t.short {
		row, end := rows(item, t.view.N*t.view.C, t.view.Inner)
		if t.together {
			end = t.view.N * t.view.C
		}
		for n := 0; row < end; row += n {
			n = t.nextRows(m, row, end, end)
		}
		return
	}
	first, end := chunk(item, n)
	if t.together {
		end = n
	}
	for step := t.longest(); first < end; {
		n := min(step, end-first)
		if t.byRow {
			n = min(n, t.view.Inner-first%t.view.Inner)
		}
		t.run(m, first, n)
		first += n
	}
}
