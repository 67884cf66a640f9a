package ptxsim

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// loadParam reads a parameter, the same for all lanes.
func (w *warp) loadParam(in *inst, m uint32) {
	v := w.blk.launch.args[in.offset/8] >> (in.offset % 8 * 8)
	v = extend(v, in.typ)
	if in.half {
		v &= 0xffff
	}
	for ; m != 0; m &= m - 1 {
		w.setLane(in.dst, bits.TrailingZeros32(m), v)
	}
}

// extend makes the bits of a value of type t fill a register.
func extend(v uint64, t typ) uint64 {
	if t.signed() {
		return uint64(signed(v, t.bits()))
	}
	return v & mask64(t.bits())
}

// addresses fills w.addr for the lanes in m.
func (w *warp) addresses(base ref, offset int64, m uint32) {
	if base.file == file64 {
		a := &w.r64[base.reg]
		for i := range w.addr {
			w.addr[i] = a[i] + uint64(offset)
		}
		return
	}
	a := &w.r32[base.reg]
	for i := range w.addr {
		w.addr[i] = uint64(a[i] + uint32(offset))
	}
}

// eachSpace calls f for the lanes in m that address one space, with w.addr
// relative to it. Generic addresses may name several.
func (w *warp) eachSpace(in *inst, m uint32, f func(sp space, m uint32)) {
	w.addresses(in.a, in.offset, m)
	if in.space != spaceGeneric {
		f(in.space, m)
		return
	}
	var in3 [spaceParam + 1]uint32
	for lanes := m; lanes != 0; lanes &= lanes - 1 {
		l := bits.TrailingZeros32(lanes)
		sp := spaceOf(w.addr[l])
		w.addr[l] -= windows[sp]
		in3[sp] |= 1 << l
	}
	for sp, lanes := range in3 {
		if lanes != 0 && w.blk.fault == nil {
			f(space(sp), lanes)
		}
	}
}

func (w *warp) load(in *inst, m uint32) {
	w.eachSpace(in, m, func(sp space, m uint32) {
		n := in.typ.bytes()
		total := n * len(in.vec)
		switch sp {
		case spaceShared:
			w.countShared(m, total, true)
			w.loadShared(in, m, n, total)
		case spaceLocal:
			for ; m != 0; m &= m - 1 {
				l := bits.TrailingZeros32(m)
				if at, ok := w.localAt(l, total); ok {
					w.put(in, l, w.local[at:], n)
				}
			}
		default:
			if sp == spaceGlobal {
				w.blk.counters.LoadRequests++
				w.blk.counters.LoadSectors += w.sectors(m)
			}
			w.loadGlobal(in, m, n, total)
		}
	})
}

func (w *warp) loadShared(in *inst, m uint32, n, total int) {
	data := w.blk.shared
	checked := w.blk.shadow != nil
	grain := w.blk.grain
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		at := w.addr[l]
		if !w.inShared(l, at, total) {
			return
		}
		if checked {
			w.sharedRead(l, at>>grain, (at+uint64(total)-1)>>grain)
			if w.blk.fault != nil {
				return
			}
		}
		w.put(in, l, data[at:at+uint64(total)], n)
	}
}

func (w *warp) loadGlobal(in *inst, m uint32, n, total int) {
	b := w.blk
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		al, at := w.global(l, w.addr[l], total)
		if al == nil {
			return
		}
		if al.cells != nil {
			mask := byteMask(at, total) | in.nc
			for i := at / 4; i <= (at+uint64(total)-1)/4; i++ {
				if c := al.cells[i].touchRead(b.launch.base, b.stamp, b.launch.mixed, mask); c != noConflict {
					w.globalConflict(l, c, al, 4*i)
					return
				}
			}
		}
		w.put(in, l, al.data[at:], n)
	}
}

// put writes what was loaded into the registers of a lane.
func (w *warp) put(in *inst, l int, data []byte, n int) {
	if n == 4 {
		for i, r := range in.vec {
			if r.file == file32 {
				w.r32[r.reg][l] = binary.LittleEndian.Uint32(data[4*i:])
			} else if r.file == file64 {
				w.r64[r.reg][l] = extend(uint64(binary.LittleEndian.Uint32(data[4*i:])), in.typ)
			}
		}
		return
	}
	for i, r := range in.vec {
		v := extend(loadBytes(data[n*i:], n), in.typ)
		if in.half {
			v &= 0xffff
		}
		w.setLane(r, l, v)
	}
}

func loadBytes(data []byte, n int) uint64 {
	switch n {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(data))
	case 4:
		return uint64(binary.LittleEndian.Uint32(data))
	}
	return binary.LittleEndian.Uint64(data)
}

func storeBytes(data []byte, n int, v uint64) {
	switch n {
	case 1:
		data[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(data, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(data, uint32(v))
	default:
		binary.LittleEndian.PutUint64(data, v)
	}
}

func (w *warp) store(in *inst, m uint32) {
	w.eachSpace(in, m, func(sp space, m uint32) {
		n := in.typ.bytes()
		total := n * len(in.vec)
		b := w.blk
		switch sp {
		case spaceShared:
			w.countShared(m, total, false)
		case spaceGlobal:
			b.counters.StoreRequests++
			b.counters.StoreSectors += w.sectors(m)
		}
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			at := w.addr[l]
			var to []byte
			switch sp {
			case spaceShared:
				if !w.inShared(l, at, total) {
					return
				}
				if b.shadow != nil {
					w.sharedWrite(l, at>>b.grain, (at+uint64(total)-1)>>b.grain, 0)
				}
				to = b.shared[at:]
			case spaceLocal:
				at, ok := w.localAt(l, total)
				if !ok {
					return
				}
				to = w.local[at:]
			default:
				al, at := w.global(l, at, total)
				if al == nil || !w.mayWrite(l, al) {
					return
				}
				w.touchWrite(l, al, at, total)
				to = al.data[at:]
			}
			if b.fault != nil {
				return
			}
			for i, r := range in.vec {
				storeBytes(to[n*i:], n, w.lane(r, l))
			}
		}
	})
}

func (w *warp) mayWrite(l int, al *allocation) bool {
	if al.readonly {
		w.fail(FaultReadOnly, 1<<l, fmt.Sprintf("%s cannot be written", al))
	}
	return !al.readonly
}

// touchWrite checks a write of global memory.
func (w *warp) touchWrite(l int, al *allocation, at uint64, total int) {
	if al.cells == nil {
		return
	}
	b := w.blk
	mask := byteMask(at, total)
	for i := at / 4; i <= (at+uint64(total)-1)/4; i++ {
		if c := al.cells[i].touchWrite(b.launch.base, b.stamp, b.launch.mixed, mask); c != noConflict {
			w.globalConflict(l, c, al, 4*i)
			return
		}
	}
}

func (w *warp) globalConflict(l int, c conflict, al *allocation, offset uint64) {
	place := fmt.Sprintf("offset %d of %s", offset, al)
	switch c {
	case readUnwritten:
		w.fail(FaultUninitGlobal, 1<<l, place+" was never written")
	case readRace:
		w.fail(FaultGlobalRace, 1<<l, fmt.Sprintf("reads %s, which another block of this launch wrote", place))
	case writeRace:
		w.fail(FaultGlobalRace, 1<<l, fmt.Sprintf("writes %s, which another block of this launch wrote", place))
	case readWriteRace:
		w.fail(FaultGlobalRace, 1<<l, fmt.Sprintf("writes %s, which another block of this launch read", place))
	case readNonCoherent:
		w.fail(FaultNonCoherent, 1<<l, fmt.Sprintf("reads %s as read-only, which this launch wrote", place))
	case writeNonCoherent:
		w.fail(FaultNonCoherent, 1<<l, fmt.Sprintf("writes %s, which this launch reads as read-only", place))
	}
}

// global finds the allocation that holds an access.
func (w *warp) global(l int, address uint64, total int) (*allocation, uint64) {
	cached := &w.blk.cache[w.pc]
	al := *cached
	if al == nil || address-al.base >= uint64(al.size) {
		al = find(w.blk.launch.live, address)
		if al == nil {
			w.fail(FaultAddress, 1<<l, w.blk.launch.outside(address))
			return nil, 0
		}
		*cached = al
	}
	at := address - al.base
	if at+uint64(total) > uint64(al.size) {
		w.fail(FaultAddress, 1<<l, fmt.Sprintf("%d bytes at %#x reach past the end of %s", total, address, al))
		return nil, 0
	}
	if address&uint64(total-1) != 0 {
		w.fail(FaultAlignment, 1<<l, fmt.Sprintf("address %#x, offset %d of %s, is not a multiple of %d bytes", address, at, al, total))
		return nil, 0
	}
	return al, at
}

// outside says what is wrong with an address outside every live allocation.
func (l *launch) outside(address uint64) string {
	if freed := find(l.freed, address); freed != nil {
		return fmt.Sprintf("address %#x, offset %d of %s, which is freed", address, address-freed.base, freed)
	}
	if address < globalBase {
		return fmt.Sprintf("address %#x is no address of global memory", address)
	}
	return fmt.Sprintf("address %#x lies outside every allocation, %s", address, nearest(l.live, address))
}

// inShared checks an access of shared memory.
func (w *warp) inShared(l int, at uint64, total int) bool {
	first, end := uint64(w.prog.shared.first), uint64(len(w.blk.shared))
	switch {
	case at < first || at > end || end-at < uint64(total):
		w.fail(FaultAddress, 1<<l, fmt.Sprintf("%d bytes at %d (%#x) reach outside the block's %d bytes of shared memory, which begin at %d", total, int64(at), at, end-first, first))
		return false
	case at&uint64(total-1) != 0:
		w.fail(FaultAlignment, 1<<l, fmt.Sprintf("shared memory at %d%s is not at a multiple of %d bytes", at, w.prog.sharedName(int64(at)), total))
		return false
	}
	return true
}

// localAt is where a lane's local address lies in w.local.
func (w *warp) localAt(l, total int) (int64, bool) {
	at := w.addr[l]
	first, end := uint64(w.prog.local.first), uint64(w.prog.local.end)
	switch {
	case at < first || at > end || end-at < uint64(total):
		w.fail(FaultAddress, 1<<l, fmt.Sprintf("%d bytes at %d reach outside the thread's %d bytes of local memory, which begin at %d", total, int64(at), end-first, first))
		return 0, false
	case at&uint64(total-1) != 0:
		w.fail(FaultAlignment, 1<<l, fmt.Sprintf("local memory at %d is not at a multiple of %d bytes", at, total))
		return 0, false
	}
	return int64(l)*w.prog.local.end + int64(at), true
}

// atomic executes atom and red, lane after lane.
func (w *warp) atomic(in *inst, m uint32) {
	n := in.typ.bytes()
	b := w.blk
	w.eachSpace(in, m, func(sp space, m uint32) {
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			at := w.addr[l]
			x, y := w.lane(in.b, l), w.lane(in.c, l)
			var old uint64
			switch sp {
			case spaceShared:
				if !w.inShared(l, at, n) {
					return
				}
				if b.shadow != nil {
					first, last := at>>b.grain, (at+uint64(n)-1)>>b.grain
					for i := first; i <= last; i++ {
						if b.shadow[i].written == 0 {
							w.sharedConflict(l, i, 0, "reads")
							return
						}
					}
					w.sharedWrite(l, first, last, keyAtomic)
					if b.fault != nil {
						return
					}
				}
				old = loadBytes(b.shared[at:], n)
				storeBytes(b.shared[at:], n, in.fn(old, x, y))
			case spaceGlobal:
				al, at := w.global(l, at, n)
				if al == nil || !w.mayWrite(l, al) {
					return
				}
				if al.cells != nil && !w.touchAtomic(l, al, at, n) {
					return
				}
				b.launch.atomics.Lock()
				old = loadBytes(al.data[at:], n)
				storeBytes(al.data[at:], n, in.fn(old, x, y))
				b.launch.atomics.Unlock()
			default:
				w.fail(FaultAddress, 1<<l, fmt.Sprintf("atomic operation on %s memory", sp))
				return
			}
			w.setLane(in.dst, l, old)
		}
	})
}

// touchAtomic checks an atomic operation on global memory.
func (w *warp) touchAtomic(l int, al *allocation, at uint64, n int) bool {
	b := w.blk
	for i := at / 4; i < (at+uint64(n)+3)/4; i++ {
		if c := al.cells[i].touchAtomic(b.launch.base, b.stamp, b.launch.atomic); c != noConflict {
			w.globalConflict(l, c, al, 4*i)
			return false
		}
	}
	return true
}

// copyAsync executes cp.async. The bytes move at once, and shadow memory
// holds them back until they are waited for.
func (w *warp) copyAsync(in *inst, m uint32) {
	b := w.blk
	size := int(in.sub)
	w.addresses(in.b, int64(in.target), m)
	from := w.addr
	b.counters.LoadRequests++
	b.counters.LoadSectors += w.sectors(m)
	w.addresses(in.a, in.offset, m)
	w.countShared(m, size, false)
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		at := w.addr[l]
		if !w.inShared(l, at, size) {
			return
		}
		count := min(int(w.lane(in.c, l)), size)
		if from[l]&uint64(size-1) != 0 {
			w.fail(FaultAlignment, 1<<l, fmt.Sprintf("source address %#x is not a multiple of %d bytes", from[l], size))
			return
		}
		first, last := at>>b.grain, (at+uint64(size)-1)>>b.grain
		if b.shadow != nil {
			w.sharedWrite(l, first, last, keyAsync)
		}
		to := b.shared[at : at+uint64(size)]
		clear(to[count:])
		// A part of the size may end where the allocation does.
		for done := 0; done < count; {
			n := min(4, count-done)
			if n == 3 {
				n = 2
			}
			al, offset := w.global(l, from[l]+uint64(done), n)
			if al == nil {
				return
			}
			if al.cells != nil {
				if c := al.cells[offset/4].touchRead(b.launch.base, b.stamp, b.launch.mixed, byteMask(offset, n)); c != noConflict {
					w.globalConflict(l, c, al, offset)
					return
				}
			}
			copy(to[done:done+n], al.data[offset:])
			done += n
		}
		w.copies = append(w.copies, pendingCopy{first: first, last: last, lane: l, group: w.groups[l]})
	}
}

// sectors counts the 32-byte sectors that the lanes in m touch; no access
// crosses one.
func (w *warp) sectors(m uint32) int64 {
	var count int64
	last := ^uint64(0)
	rising := true
	for lanes := m; lanes != 0; lanes &= lanes - 1 {
		s := w.addr[bits.TrailingZeros32(lanes)&31] >> 5
		if s != last {
			count++
			rising = rising && (s > last || last == ^uint64(0))
			last = s
		}
	}
	if rising {
		return count
	}
	var seen [32]uint64
	n := 0
next:
	for ; m != 0; m &= m - 1 {
		s := w.addr[bits.TrailingZeros32(m)&31] >> 5
		for _, o := range seen[:n] {
			if o == s {
				continue next
			}
		}
		seen[n] = s
		n++
	}
	return int64(n)
}

// countShared counts a request of shared memory. Memory has 32 banks of 4
// bytes. Requests of 8 bytes a lane go by half warps, of 16 by quarters, and
// loads by groups of twice that where lanes go in pairs; a group takes as many
// wavefronts as the most words that it asks of one bank.
func (w *warp) countShared(m uint32, total int, load bool) {
	c := &w.blk.counters
	c.SharedRequests++
	group := 32
	if total > 4 {
		group = 128 / total
		if load && (w.paired(m, 1) || w.paired(m, 2)) {
			group *= 2
		}
	}
	lanes := uint32(1)<<group - 1
	for at := 0; at < 32; at += group {
		if g := m & (lanes << at); g != 0 {
			c.SharedIdeal++
			c.SharedWavefronts += w.wavefronts(g, max(total/4, 1))
		}
	}
}

// paired reports whether all lanes have the address of the lane whose number
// differs in that bit. What such loads return is packed, two registers to a
// cycle (NVIDIA's developer forum, "Unexpected shared memory bank conflict", of
// capability 7.x).
func (w *warp) paired(m uint32, bit int) bool {
	for lanes := m; lanes != 0; lanes &= lanes - 1 {
		lane := bits.TrailingZeros32(lanes) & 31
		if other := lane ^ bit; m>>other&1 != 0 && w.addr[other] != w.addr[lane] {
			return false
		}
	}
	return true
}

func (w *warp) wavefronts(m uint32, words int) int64 {
	var bank [32]uint64 // the word that a bank gives, plus one
	clash := false
	for lanes := m; lanes != 0 && !clash; lanes &= lanes - 1 {
		first := w.addr[bits.TrailingZeros32(lanes)&31] >> 2
		for i := range words {
			word := first + uint64(i)
			if b := &bank[word&31]; *b == 0 {
				*b = word + 1
			} else if *b != word+1 {
				clash = true
			}
		}
	}
	if !clash {
		return 1
	}
	var seen [32 * 4]uint64
	var load [32]int64
	n := 0
	var largest int64
	for ; m != 0; m &= m - 1 {
		first := w.addr[bits.TrailingZeros32(m)&31] >> 2
	next:
		for i := range words {
			word := first + uint64(i)
			for _, o := range seen[:n] {
				if o == word {
					continue next
				}
			}
			seen[n] = word
			n++
			load[word&31]++
			largest = max(largest, load[word&31])
		}
	}
	return largest
}
