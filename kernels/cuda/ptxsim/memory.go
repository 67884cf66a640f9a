package ptxsim

import (
	"fmt"
	"sort"
	"sync/atomic"
	"unsafe"
)

// Addresses. Each space that generic addresses can name has a window of its
// own; global allocations lie above them, each a page or more from the next,
// and no address is used twice, so that a stray access meets no allocation and
// a stale one a freed allocation.
const (
	sharedWindow = 1 << 40
	localWindow  = 1 << 41
	globalBase   = 1 << 44
	windowSize   = 1 << 32
	guardBytes   = 4096
	alignment    = 256
)

// windows is what cvta adds to an address of a space.
var windows = [...]uint64{spaceGeneric: 0, spaceGlobal: 0, spaceShared: sharedWindow,
	spaceLocal: localWindow, spaceConst: 0, spaceParam: 0}

// spaceOf is the space that a generic address names.
func spaceOf(a uint64) space {
	switch {
	case a-sharedWindow < windowSize:
		return spaceShared
	case a-localWindow < windowSize:
		return spaceLocal
	}
	return spaceGlobal
}

// allocation is a span of global memory.
type allocation struct {
	name     string
	base     uint64
	size     int64
	data     []byte // aligned to 8 bytes; nil when freed
	readonly bool

	// cells shadow the words of 4 bytes; nil when checks are off.
	cells []cell
}

// String names the allocation with its extent.
func (a *allocation) String() string {
	return fmt.Sprintf("%s (%d bytes at %#x)", a.name, a.size, a.base)
}

// cell says who touched a word of global memory last. A stamp is a block's
// number in the present launch, counted from the launch's base, shifted left
// by 4, with the bytes touched below, or by 5 in read, with a bit for loads
// through .nc above the bytes; base-1 and lower stamps are from before the
// launch, and 0 means never.
type cell struct {
	written uint32
	read    uint32
}

// newAllocation makes memory of at least one byte.
func newAllocation(name string, base uint64, bytes int64, checked bool) *allocation {
	words := make([]uint64, (bytes+7)/8)
	a := &allocation{name: name, base: base, size: bytes}
	if len(words) > 0 {
		a.data = unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words))
	}
	if checked {
		a.cells = make([]cell, (bytes+3)/4)
	}
	return a
}

// initialised is the stamp of a write by the host.
const initialised = 1 << 4

// nonCoherent stands beside the bytes of a load through .nc: the memory may not
// be written by the launch, not by the same thread either.
const nonCoherent = 1 << 4

// lastStamp is below what read has room for.
const lastStamp = 1<<27 - 4

// hostWrote marks bytes as written from outside a kernel.
func (a *allocation) hostWrote(offset, bytes int64) {
	if a.cells == nil || bytes == 0 {
		return
	}
	for i := offset / 4; i <= (offset+bytes-1)/4; i++ {
		if a.cells[i].written == 0 {
			a.cells[i].written = initialised
		}
	}
}

// hostCopied marks bytes as written where those that they were copied from
// are.
func (a *allocation) hostCopied(offset int64, from *allocation, at, bytes int64) {
	if a.cells == nil || bytes == 0 {
		return
	}
	if (offset|at)%4 != 0 {
		a.hostWrote(offset, bytes)
		return
	}
	for i := range (bytes + 3) / 4 {
		written := from.cells[at/4+i].written != 0
		switch c := &a.cells[offset/4+i]; {
		case written && c.written == 0:
			c.written = initialised
		case !written && 4*i+4 <= bytes:
			c.written = 0
		}
	}
}

// find is the live or freed allocation that holds an address, or nil; list is
// sorted by base.
func find(list []*allocation, address uint64) *allocation {
	i := sort.Search(len(list), func(i int) bool { return list[i].base > address }) - 1
	if i < 0 || address-list[i].base >= uint64(list[i].size) {
		return nil
	}
	return list[i]
}

// nearest describes where an address lies relative to the closest allocation.
func nearest(list []*allocation, address uint64) string {
	i := sort.Search(len(list), func(i int) bool { return list[i].base > address })
	var best string
	distance := uint64(1 << 63)
	if i > 0 {
		a := list[i-1]
		if past := address - a.base - uint64(a.size); past < distance {
			distance = past
			best = fmt.Sprintf("%d bytes past the end of %s", past, a)
		}
	}
	if i < len(list) {
		if before := list[i].base - address; before < distance {
			best = fmt.Sprintf("%d bytes before %s", before, list[i])
		}
	}
	if best == "" {
		return "there are no allocations"
	}
	return best
}

// Bits of the bytes of a word that an access of n bytes at an address touches.
func byteMask(address uint64, n int) uint32 {
	if n >= 4 {
		return 15
	}
	return (1<<n - 1) << (address & 3)
}

// touchRead and touchWrite note an access by a block, where stamp is the
// block's number and base that of the launch's first, and report what is wrong
// with it. mixed is the number for words that several blocks have read, or
// whose bytes several blocks have written, each its own. Both sides use atomic
// operations in opposite order, so that of two blocks that race, at least one
// sees the other.
func (c *cell) touchRead(base, stamp, mixed, bytes uint32) conflict {
	r := atomic.LoadUint32(&c.read)
	now := stamp<<5 | bytes
	switch {
	case r>>5 == stamp || r>>5 == mixed:
		now = r | bytes
	case r>>5 >= base:
		now = mixed<<5 | bytes | r&31
	}
	if now != r {
		atomic.StoreUint32(&c.read, now)
	}
	w := atomic.LoadUint32(&c.written)
	switch {
	case w == 0:
		return readUnwritten
	case w>>4 < base || !overlaps(w, bytes&15):
		return noConflict
	case w>>4 != stamp && w>>4 != mixed:
		return readRace
	case bytes&nonCoherent != 0:
		return readNonCoherent
	}
	return noConflict
}

func (c *cell) touchWrite(base, stamp, mixed, bytes uint32) conflict {
	var result conflict
	w := atomic.LoadUint32(&c.written)
	now := stamp<<4 | bytes
	switch {
	case w>>4 == stamp:
		now |= w
	case w>>4 >= base && overlaps(w, bytes) && w>>4 != mixed:
		result = writeRace
	case w>>4 >= base:
		now = mixed<<4 | 15
	}
	if now != w {
		old := atomic.SwapUint32(&c.written, now)
		if o := old >> 4; o >= base && o != stamp && o != mixed && overlaps(old, bytes) {
			result = writeRace
		}
	}
	if r := atomic.LoadUint32(&c.read); r>>5 >= base && r&bytes != 0 {
		switch {
		case r>>5 != stamp:
			// Of a word that several blocks have read, nobody knows which, so
			// one of them is another.
			result = readWriteRace
		case r&nonCoherent != 0 && result == noConflict:
			result = writeNonCoherent
		}
	}
	return result
}

// overlaps reports whether a record is of any of the bytes. One of no bytes is
// of atomic operations, by one block, on the whole word.
func overlaps(record, bytes uint32) bool { return record&bytes != 0 || record&15 == 0 }

// touchAtomic notes an atomic operation. Blocks may share the word as long as
// every one of them is atomic; shared is the block number for that.
func (c *cell) touchAtomic(base, stamp, shared uint32) conflict {
	for {
		old := atomic.LoadUint32(&c.written)
		now := old
		switch s := old >> 4; {
		case old == 0:
			return readUnwritten
		case s < base:
			now = stamp << 4
		case s == stamp || s == shared:
		case old&15 == 0:
			now = shared<<4 | 15
		default:
			return writeRace
		}
		if !atomic.CompareAndSwapUint32(&c.written, old, now) {
			continue
		}
		switch r := atomic.LoadUint32(&c.read); {
		case r>>5 < base:
		case r>>5 != stamp:
			return readWriteRace
		case r&nonCoherent != 0:
			return writeNonCoherent
		}
		return noConflict
	}
}

type conflict uint8

const (
	noConflict conflict = iota
	readUnwritten
	readRace
	writeRace
	readWriteRace
	readNonCoherent
	writeNonCoherent
)
