package cpu

import (
	"unsafe"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// epilogue is the maps that end a convolution. Each worker runs them over results that it
// has just computed, while they are in its caches: over a block before it is stored, or over
// a part of the output. Elements do not depend on each other, so the bits are those of Map
// after the convolution. Without maps, the methods do nothing.
type epilogue struct {
	q        *queue
	maps     []evaluation
	machines []*machine // of each worker, one for each map
	y        []float32
	others   int // inputs that are not y
	piece    int // elements that go through all maps together
	gathers  int // where the memory for other inputs of a block begins, in a worker's scratch
	at       int // where that of the maps begins
}

// epiloguePiece is how many elements go through all maps together at most: they stay in
// the first-level cache.
const epiloguePiece = 4 * strip

// newEpilogue prepares maps over y. ok is false after an error.
func (q *queue) newEpilogue(maps []device.EpilogueMap, y device.Tensor) (e epilogue, ok bool) {
	q.epilogue, e = q.epilogue[:0], epilogue{q: q, y: floats(y), piece: epiloguePiece}
	for i := range maps {
		m := &maps[i]
		if err := m.Check(y); err != nil {
			q.Fail("epilogue", err)
			clear(q.epilogue)
			return epilogue{}, false
		}
		c := newViewed(q, m.Program, m.View(y), m.In, device.Random{})
		c.out[0], c.ending[0] = e.y, instruction{op: vec.OpStore, in: [3]place{{inOutput, 0}}}
		for k := range m.Program.Inputs() {
			if m.Program.Uses(k) && !e.isResult(c.inputs[k].values) {
				e.others++
			}
		}
		q.epilogue, e.piece = append(q.epilogue, c), min(e.piece, c.longest())
	}
	machines := len(maps) * q.pool.Workers()
	for len(q.finishing) < machines {
		q.finishing = append(q.finishing, &machine{})
	}
	e.maps, e.machines = q.epilogue, q.finishing[:machines]
	return e, true
}

// isResult reports whether an input is y.
func (e *epilogue) isResult(values []float32) bool {
	return unsafe.SliceData(values) == unsafe.SliceData(e.y)
}

// room is the scratch of a worker for a task: the task's own comes first, and then that of
// the maps, for blocks of so many results.
func (e *epilogue) room(own, block int) int {
	e.end()
	e.gathers = roundUp(own, 16)
	e.at = e.gathers + e.others*roundUp(block, 16)
	end := e.at
	for k := range e.maps {
		end += e.maps[k].room()
	}
	return end
}

// machine is that of a worker for a map.
func (e *epilogue) machine(worker, k int) *machine {
	return e.machines[worker*len(e.maps)+k]
}

// begin makes the machines of a worker ready, if they are not.
func (e *epilogue) begin(worker int) {
	at := e.at
	for k := range e.maps {
		m, room := e.machine(worker, k), e.maps[k].room()
		if m.update.program == nil {
			m.update = e.maps[k]
			m.update.prepare(m, e.q.engine.Scratch(worker, at+room)[at:])
		}
		at += room
	}
}

// block runs the maps over a block of results before it is stored, in whatever order its
// elements lie. gather writes in that order what another input has for them.
func (e *epilogue) block(worker int, results []float32, gather func(dst, src []float32)) {
	if len(e.maps) == 0 {
		return
	}
	memory := e.q.engine.Scratch(worker, e.at)[e.gathers:]
	e.begin(worker)
	for k := range e.maps {
		own := &e.machine(worker, k).update
		own.out[0] = results
		for i := range own.from.Inputs() {
			switch src := e.maps[k].inputs[i].values; {
			case !own.from.Uses(i):
			case e.isResult(src):
				own.inputs[i].values = results
			default:
				gather(memory[:len(results)], src)
				own.inputs[i].values = memory[:len(results)]
				memory = memory[roundUp(len(results), 16):]
			}
		}
	}
	e.run(worker, 0, len(results))
}

// rows runs the maps over rows of n elements of y, the first from first on
// and each apart from the one before.
func (e *epilogue) rows(worker, first, n, rows, apart int) {
	e.begin(worker)
	if n == apart {
		n, rows = n*rows, 1
	}
	for row := range rows {
		e.run(worker, first+row*apart, n)
	}
}

// run runs the maps over n elements from first, of y or of a block.
func (e *epilogue) run(worker, first, n int) {
	for end := first + n; first < end && len(e.maps) > 0; first += e.piece {
		for k := range e.maps {
			m := e.machine(worker, k)
			m.update.run(m, first, min(e.piece, end-first))
		}
	}
}

// end makes the machines forget what has begun.
func (e *epilogue) end() {
	for _, m := range e.machines {
		if m.update.program != nil {
			m.end()
		}
	}
}

// release forgets where tensors lie, so that the queue holds no buffer that the caller frees.
func (e *epilogue) release() {
	e.end()
	clear(e.maps)
}

// mapAfter runs the maps after a product has made y: all of them over a piece, and then over
// the next. So a dense layer is followed, and Winograd's algorithm: what an item of it stores
// are short rows of many channels, and larger than the second-level cache.
func (q *queue) mapAfter(e epilogue) {
	if len(e.maps) == 0 {
		return
	}
	q.after = epilogueTask{epilogue: e, each: grain}
	t := &q.after
	items := chunks(len(e.y))
	if items <= fewChunks {
		t.each, items = len(e.y), 1
	}
	runWithScratch(q, t, items, t.room(0, 0))
}

// epilogueTask is the maps over all of y, cut into parts of each elements.
type epilogueTask struct {
	epilogue
	each int
}

func (t *epilogueTask) Run(item, worker int) {
	n := min(t.each, len(t.y)-item*t.each)
	t.rows(worker, item*t.each, n, 1, n)
}
