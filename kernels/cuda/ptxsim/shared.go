package ptxsim

import "fmt"

// Shadow memory of shared memory: what happened to each word (or to each byte,
// for kernels that touch bytes) since the block began. Both records are a
// thread and the time, which is counted in barriers of the block (epoch) and
// of the warp (order):
//
//	epoch << 40 | order << 16 | warp << 8 | flags | lane
//
// Two accesses of which one writes are ordered if a barrier of the block lies
// between them, or one of the warp for lanes of one warp, or they come from one
// lane.
type shadow struct {
	written, read uint64
}

const (
	keyEpoch   = 40
	keyOrder   = 16
	keyWarp    = 8
	keyWritten = 1 << 6
	keyAsync   = 1 << 7  // an asynchronous copy under way
	keyAtomic  = 1 << 14 // by an atomic operation
	keyLane    = 63      // 63 for several lanes
	keyMany    = 63      // several warps, in place of the warp
)

// ordered reports whether the access in record came before the access of key.
func ordered(record, key uint64) bool {
	x := record ^ key
	switch {
	case x>>keyEpoch != 0:
		return true
	case x>>keyWarp&63 != 0:
		return false
	case x&keyLane == 0:
		return true
	}
	return x>>keyOrder&(1<<24-1) != 0
}

// sharedRead checks the read of words [first, last] by a lane.
func (w *warp) sharedRead(lane int, first, last uint64) {
	key := w.key | uint64(lane)
	many := w.blk.epoch<<keyEpoch | keyMany<<keyWarp
	cells := w.blk.shadow[first : last+1]
	for i := range cells {
		s := &cells[i]
		if s.written == 0 || s.written&keyAsync != 0 || (s.written^key)>>keyEpoch == 0 && !ordered(s.written, key) {
			w.sharedConflict(lane, first+uint64(i), s.written, "reads")
			return
		}
		if s.read == key || s.read == many {
			continue
		}
		switch x := s.read ^ key; {
		case x>>keyEpoch != 0 || s.read == 0:
			s.read = key
		case x>>keyWarp&63 != 0:
			s.read = many
		case x&keyLane == 0 || x>>keyOrder&(1<<24-1) != 0:
			s.read = key
		default:
			s.read |= keyLane
		}
	}
}

// sharedWrite checks the write of words [first, last] by a lane; flags mark
// atomic operations and asynchronous copies.
func (w *warp) sharedWrite(lane int, first, last, flags uint64) {
	key := w.key | uint64(lane)
	cells := w.blk.shadow[first : last+1]
	for i := range cells {
		s := &cells[i]
		both := s.written & flags & keyAtomic
		if s.written&keyAsync != 0 || s.written != 0 && both == 0 && !ordered(s.written, key) {
			w.sharedConflict(lane, first+uint64(i), s.written, "writes")
			return
		}
		if s.read != 0 && !ordered(s.read, key) {
			w.sharedConflict(lane, first+uint64(i), s.read, "overwrites")
			return
		}
		s.written = key | flags
	}
}

// sharedConflict records the fault of an access that met a record.
func (w *warp) sharedConflict(lane int, index, record uint64, does string) {
	address := index << w.blk.grain
	place := fmt.Sprintf("shared memory at %d%s", address, w.prog.sharedName(int64(address)))
	if record == 0 {
		w.fail(FaultUninitShared, 1<<lane, place+" was never written")
		return
	}
	other := fmt.Sprintf("thread %v", w.blk.thread(int(32*(record>>keyWarp&63)+record&keyLane)))
	switch {
	case record>>keyWarp&63 == keyMany:
		other = "several warps"
	case record&keyLane == keyLane:
		other = fmt.Sprintf("several lanes of warp %d", record>>keyWarp&63)
	}
	if record&keyAsync != 0 {
		w.fail(FaultAsync, 1<<lane, fmt.Sprintf("%s %s, where an asynchronous copy of %s has not been waited for", does, place, other))
		return
	}
	verb := map[string]string{"reads": "wrote", "writes": "wrote", "overwrites": "read"}[does]
	w.fail(FaultSharedRace, 1<<lane, fmt.Sprintf("%s %s, which %s %s with no barrier between", does, place, other, verb))
}

// pendingCopy is a cp.async whose group has not been waited for.
type pendingCopy struct {
	first, last uint64 // words of shadow memory
	lane        int
	group       uint32
}

// waitCopies completes the copies of lanes m, but for the newest n groups, or
// all where n is negative.
func (w *warp) waitCopies(m uint32, n int32) {
	pending := w.copies[:0]
	for _, c := range w.copies {
		done := m>>c.lane&1 != 0 && (n < 0 || c.group+uint32(n) < w.groups[c.lane])
		if !done {
			pending = append(pending, c)
			continue
		}
		if w.blk.shadow != nil {
			for i := c.first; i <= c.last; i++ {
				w.blk.shadow[i].written = w.key | uint64(c.lane)
			}
		}
	}
	w.copies = pending
}

// sharedName is the name of the variable at an offset of shared memory.
func (p *program) sharedName(offset int64) string {
	for _, v := range p.sharedVars {
		if offset >= v.address && (v.extern || offset < v.address+v.size) {
			return fmt.Sprintf(" (%s+%d)", v.name, offset-v.address)
		}
	}
	return ""
}
