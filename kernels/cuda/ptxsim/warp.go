package ptxsim

import (
	"fmt"
	"math/bits"
	"strings"
)

const allLanes = 1<<32 - 1

// warp is 32 threads. Registers are kept [register][lane].
type warp struct {
	blk   *block
	prog  *program
	index int // in the block

	r32 [][32]uint32
	r64 [][32]uint64
	pr  []uint32 // predicates, a bit a lane

	// Which lanes have written a register, for those that are tracked.
	init32, init64, initP []uint32

	full uint32 // lanes that exist
	live uint32 // lanes that have not exited

	// The path that runs now: lanes mask at pc, until rpc, where they join
	// the parent's other lanes.
	mask   uint32
	pc     int32
	rpc    int32
	parent int32
	paths  []path
	free   []int32

	state  warpState
	order  uint64 // counts warp barriers, for races between lanes
	key    uint64 // what shadow memory records for lane 0
	local  []byte
	groups [32]uint32 // committed groups of cp.async
	copies []pendingCopy
	votes  uint32 // of bar.red: lanes whose predicate is true

	issued int64
	lanes  int64 // sum of active lanes, for the counters
	tmp32  [32]uint32
	tmp64  [32]uint64
	wide   [3][32]uint64
	addr   [32]uint64
}

type warpState uint8

const (
	running warpState = iota
	atBarrier
	finished
)

// path is a group of lanes that took one side of a branch: ready to run,
// waiting at a warp barrier, or the parent of such paths, waiting for them.
type path struct {
	mask    uint32
	pc, rpc int32
	parent  int32
	state   pathState
	pending int    // children that run, of a parent
	arrived uint32 // lanes that have come to the children's rpc
	wants   uint32 // lanes a warp barrier waits for
}

type pathState uint8

const (
	pathFree pathState = iota
	pathReady
	pathParent
	pathWaiting
)

// reset makes a warp ready for a block.
func (w *warp) reset(lanes int) {
	w.full = uint32(1<<lanes - 1)
	w.live, w.mask = w.full, w.full
	w.pc, w.rpc, w.parent = 0, int32(len(w.prog.code)), -1
	w.paths, w.free = w.paths[:0], w.free[:0]
	w.state = running
	w.order = 0
	w.groups = [32]uint32{}
	w.copies = w.copies[:0]
	w.issued, w.lanes = 0, 0
	clear(w.init32)
	clear(w.init64)
	clear(w.initP)
}

func (w *warp) newPath(p path) int32 {
	if n := len(w.free); n > 0 {
		i := w.free[n-1]
		w.free = w.free[:n-1]
		w.paths[i] = p
		return i
	}
	w.paths = append(w.paths, p)
	return int32(len(w.paths) - 1)
}

func (w *warp) release(i int32) {
	w.paths[i].state = pathFree
	w.free = append(w.free, i)
}

// part sends the lanes taken to target and the others of the present path to
// the next instruction. Both meet again at rpc.
func (w *warp) part(taken uint32, target, rpc int32) {
	w.blk.counters.Divergent++
	w.fork(rpc)
	w.branch(w.mask&^taken, w.pc+1, rpc)
	w.branch(taken, target, rpc)
	w.resume()
}

// fork makes the present path the parent of paths that end at rpc. Where it
// ends there itself, its own parent takes that part.
func (w *warp) fork(rpc int32) {
	if rpc != w.rpc || w.parent < 0 {
		w.parent = w.newPath(path{mask: w.mask, pc: rpc, rpc: w.rpc, parent: w.parent, state: pathParent})
		return
	}
	w.paths[w.parent].pending--
}

// branch adds a child of the path that fork made.
func (w *warp) branch(mask uint32, pc, rpc int32) {
	up := &w.paths[w.parent]
	if pc == rpc {
		up.arrived |= mask
		return
	}
	up.pending++
	w.newPath(path{mask: mask, pc: pc, rpc: rpc, parent: w.parent, state: pathReady})
}

// leave ends the present path with the lanes that arrived at its rpc, and
// goes on with another.
func (w *warp) leave(arrived uint32) {
	if w.parent >= 0 {
		up := &w.paths[w.parent]
		up.arrived |= arrived
		up.pending--
	}
	w.resume()
}

// resume makes the newest path that can run the present one. With none, the
// warp has finished, or waits in vain.
func (w *warp) resume() {
	for again := true; again; {
		again = false
		// Parents whose children are all there go on, or end with them.
		for i := range w.paths {
			p := &w.paths[i]
			if p.state != pathParent || p.pending > 0 {
				continue
			}
			up := *p
			w.release(int32(i))
			if up.arrived == 0 {
				if up.parent >= 0 {
					w.paths[up.parent].pending--
				}
				again = true
				continue
			}
			w.mask, w.pc, w.rpc, w.parent = up.arrived, up.pc, up.rpc, up.parent
			return
		}
	}
	for i := len(w.paths) - 1; i >= 0; i-- {
		if p := w.paths[i]; p.state == pathReady {
			w.release(int32(i))
			w.mask, w.pc, w.rpc, w.parent = p.mask, p.pc, p.rpc, p.parent
			return
		}
	}
	w.mask = 0
	if w.live == 0 {
		w.state = finished
		return
	}
	// Paths that wait are left. A lane they wait for may have exited.
	for i := range w.paths {
		if w.paths[i].state == pathWaiting && w.passBarrier(w.paths[i].wants, 0) {
			w.resume()
			return
		}
	}
	for _, p := range w.paths {
		if p.state == pathWaiting {
			w.mask, w.pc = p.mask, p.pc
			w.fail(FaultBarrier, p.mask, fmt.Sprintf("the warp's barrier waits for lanes %s, which do not come to it",
				lanes(p.wants&w.live&^p.mask)))
			return
		}
	}
}

// exit ends the lanes m of the present path.
func (w *warp) exit(m uint32) {
	w.live &^= m
	w.mask &^= m
	if w.mask != 0 {
		w.pc++
		return
	}
	w.leave(0)
}

// warpBarrier waits until every live lane of wants has come to a warp barrier.
func (w *warp) warpBarrier(wants uint32) {
	if wants&w.mask != w.mask {
		w.fail(FaultBarrier, w.mask&^wants, "the lane is not in the member mask of the barrier that it runs")
		return
	}
	if w.passBarrier(wants, w.mask) {
		w.pc++
		return
	}
	w.newPath(path{mask: w.mask, pc: w.pc, rpc: w.rpc, parent: w.parent, state: pathWaiting, wants: wants})
	w.resume()
}

// passBarrier lets the paths that wait for the lanes wants go on if those,
// with the lanes here, are all that live.
func (w *warp) passBarrier(wants, here uint32) bool {
	for _, p := range w.paths {
		if p.state == pathWaiting && p.wants == wants {
			here |= p.mask
		}
	}
	if wants&w.live&^here != 0 {
		return false
	}
	for i := range w.paths {
		if p := &w.paths[i]; p.state == pathWaiting && p.wants == wants {
			p.state = pathReady
			p.pc++
		}
	}
	w.order++
	w.setKey()
	return true
}

// setKey computes what shadow memory records for an access.
func (w *warp) setKey() {
	w.key = w.blk.epoch<<keyEpoch | (w.order&(1<<24-1))<<keyOrder | uint64(w.index)<<keyWarp | keyWritten
}

// lanes prints a mask: "0-3,7".
func lanes(m uint32) string {
	var out []string
	for m != 0 {
		first := bits.TrailingZeros32(m)
		n := bits.TrailingZeros32(^(m >> first))
		if n == 1 {
			out = append(out, fmt.Sprint(first))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", first, first+n-1))
		}
		m &^= uint32((1<<n - 1) << first)
	}
	return strings.Join(out, ",")
}

// fail records a fault of the first lane in m at the present instruction.
func (w *warp) fail(kind FaultKind, m uint32, detail string) {
	if w.blk.fault != nil {
		return
	}
	line := 0
	if int(w.pc) < len(w.prog.code) {
		line = int(w.prog.code[w.pc].line)
	}
	f := &Fault{Kind: kind, Module: w.prog.module, Kernel: w.prog.name, Line: line, Block: w.blk.ctaid, Detail: detail}
	if line > 0 && line <= len(w.prog.source) {
		f.Source = strings.Join(strings.Fields(w.prog.source[line-1]), " ")
	}
	f.Thread = w.blk.thread(32*w.index + bits.TrailingZeros32(m))
	w.blk.fault = f
}
