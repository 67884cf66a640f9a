package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// epilogue is the maps that end a convolution. Each worker runs them over the part of the
// output that it has just written, while that is in its caches. Elements do not depend on
// each other, so the bits are those of Map after the convolution. Without maps, its methods
// do nothing.
type epilogue struct {
	q     *queue
	maps  []evaluation
	first int // element of the output that a task begins with
	piece int // elements that go through all maps together
	at    int // where the memory of the maps begins, in a worker's scratch
}

// epiloguePiece is how many elements go through all maps together at most: they stay in
// the first-level cache.
const epiloguePiece = 4 * strip

// newEpilogue prepares maps over y. The convolution needs scratch for itself before that of
// the maps. ok is false after an error.
func (q *queue) newEpilogue(maps []device.EpilogueMap, y device.Tensor) (e epilogue, ok bool) {
	q.epilogue, e = q.epilogue[:0], epilogue{q: q, piece: epiloguePiece}
	for i := range maps {
		m := &maps[i]
		if err := m.Check(y); err != nil {
			q.Fail("epilogue", err)
			return epilogue{}, false
		}
		c := newViewed(q, m.Program, m.View(y), m.In, device.Random{})
		c.out[0], c.ending[0] = floats(y), instruction{op: vec.OpStore, in: [3]place{{inOutput, 0}}}
		q.epilogue, e.piece = append(q.epilogue, c), min(e.piece, c.longest())
	}
	for len(q.finishing) < len(maps)*q.pool.Workers() {
		q.finishing = append(q.finishing, &machine{})
	}
	e.maps = q.epilogue
	return e, true
}

// after is the scratch of a worker, where the convolution's own comes first.
func (e *epilogue) after(own int) int {
	e.at = roundUp(own, 16)
	room := e.at
	for k := range e.maps {
		room += e.maps[k].room()
	}
	return room
}

// machine is that of a worker for a map.
func (e *epilogue) machine(worker, k int) *machine {
	return e.q.finishing[worker*len(e.maps)+k]
}

// begin makes the machines of a worker ready, for run.
func (e *epilogue) begin(worker int) {
	at := e.at
	for k := range e.maps {
		room := e.maps[k].room()
		e.maps[k].prepare(e.machine(worker, k), e.q.engine.Scratch(worker, at+room)[at:])
		at += room
	}
}

// end forgets where tensors lie.
func (e *epilogue) end(worker int) {
	for k := range e.maps {
		e.machine(worker, k).end()
	}
}

// run runs the maps over rows of n elements of the task's output, the first from first on
// and each apart from the one before.
func (e *epilogue) run(worker, first, n, rows, apart int) {
	if len(e.maps) == 0 {
		return
	}
	if n == apart {
		n, rows = n*rows, 1
	}
	for row := range rows {
		at := e.first + first + row*apart
		for end := at + n; at < end; {
			n := min(e.piece, end-at)
			for k := range e.maps {
				e.maps[k].run(e.machine(worker, k), at, n)
			}
			at += n
		}
	}
}

// release forgets the maps, so that the queue holds no buffer that the caller frees.
func (e *epilogue) release() { clear(e.maps) }

// mapAfter runs the maps of an epilogue after a product has made y.
func (q *queue) mapAfter(maps []device.EpilogueMap, y device.Tensor) {
	for i := range maps {
		m := &maps[i]
		if err := m.Check(y); err != nil {
			q.Fail("epilogue", err)
			return
		}
		q.result[0] = y
		q.Map(m.Program, m.View(y), q.result[:], m.In, overwrite, device.Random{})
	}
	q.result[0] = device.Tensor{}
}

// overwrite are the modes of an output that is overwritten.
var overwrite = []device.Mode{device.Overwrite}
