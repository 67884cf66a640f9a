package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func (q *queue) Map(p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
	if q.Err != nil {
		return
	}
	if err := device.CheckMap(p, v, expr.Whole, out, in); err != nil {
		q.Fail("map", err)
		return
	}
	t := &q.mapping
	*t = mapTask{evaluation: newEvaluation(q.compiled(p), q.loops(), v, in, r), q: q}
	for k := range out {
		t.out[k], t.modes[k] = floats(out[k]), modes[k]
	}
	share(q, t, chunks(v.Elements(expr.Whole)), t.room())
}

// compiled is the program as loops, made when it is first seen.
func (q *queue) compiled(p *expr.Program) *program {
	c, ok := q.programs[p.Hash()]
	if !ok {
		if q.programs == nil {
			q.programs = map[string]*program{}
		}
		c = compile(p)
		q.programs[p.Hash()] = c
	}
	return c
}

// mapTask is cut into chunks of elements.
type mapTask struct {
	evaluation
	q     *queue
	out   [expr.MaxOutputs][]float32
	modes [expr.MaxOutputs]device.Mode
}

func (t *mapTask) Run(item, worker int) {
	memory := t.q.engine.Scratch(worker, t.room())
	t.begin(memory)
	var slots [maxSlots][]float32
	first, end := chunk(item, t.view.Elements(expr.Whole))
	for ; first < end; first += strip {
		n := min(strip, end-first)
		// The last step may write to the output, for all that it and those before
		// read of the strip's elements has been read by then, vector by vector.
		var direct []float32
		if len(t.results) == 1 && t.modes[0] == device.Overwrite && t.results[0] == t.steps[len(t.steps)-1].dst {
			direct = t.out[0][first:][:n]
		}
		t.run(memory, first, n, &slots, direct)
		if direct != nil {
			continue
		}
		for k, slot := range t.results {
			if out := t.out[k][first:][:n]; t.modes[k] == device.Accumulate {
				t.loops.Add(out, out, slots[slot])
			} else {
				copy(out, slots[slot])
			}
		}
	}
}
