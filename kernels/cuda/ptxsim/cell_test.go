package ptxsim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What a block meets in a word of global memory, and what it leaves there, for each
// record of who was there before. The launch's blocks are 10 to 19; the one that comes
// is 12, and 13 is another.
const (
	launchBase = 10
	thisBlock  = 12
	otherBlock = 13
	manyBlocks = 20
	atomicOnes = 21
)

func TestCellsRead(t *testing.T) {
	for i, c := range []struct {
		written, bytes uint32
		want           conflict
	}{
		{0, 1, readUnwritten}, {initialised, 1, noConflict}, {(launchBase-1)<<4 | 15, 15, noConflict},
		{launchBase<<4 | 15, 15, readRace}, {thisBlock<<4 | 3, 15, noConflict}, {otherBlock<<4 | 3, 12, noConflict},
		{otherBlock<<4 | 3, 2, readRace}, {manyBlocks<<4 | 15, 15, noConflict}, {otherBlock << 4, 1, readRace},
		{atomicOnes<<4 | 15, 15, readRace}, {thisBlock << 4, 15, noConflict},
		{initialised, nonCoherent | 15, noConflict}, {thisBlock<<4 | 3, nonCoherent | 1, readNonCoherent},
		{thisBlock<<4 | 3, nonCoherent | 4, noConflict}, {manyBlocks<<4 | 15, nonCoherent | 1, readNonCoherent},
		{otherBlock<<4 | 3, nonCoherent | 1, readRace}, {0, nonCoherent | 1, readUnwritten},
	} {
		one := cell{written: c.written}
		require.Equal(t, c.want, one.touchRead(launchBase, thisBlock, manyBlocks, c.bytes), "row %d", i)
		require.Equal(t, cell{written: c.written, read: thisBlock<<5 | c.bytes}, one, "row %d", i)
	}
	for i, c := range []struct{ read, bytes, want uint32 }{
		{0, 2, thisBlock<<5 | 2}, {(launchBase-1)<<5 | 13, 2, thisBlock<<5 | 2}, {thisBlock<<5 | 1, 2, thisBlock<<5 | 3},
		{launchBase<<5 | 1, 2, manyBlocks<<5 | 3}, {otherBlock<<5 | 17, 2, manyBlocks<<5 | 19}, {manyBlocks<<5 | 1, 6, manyBlocks<<5 | 7},
		{thisBlock<<5 | 1, nonCoherent | 1, thisBlock<<5 | 17},
	} {
		one := cell{written: initialised, read: c.read}
		require.Equal(t, noConflict, one.touchRead(launchBase, thisBlock, manyBlocks, c.bytes), "row %d", i)
		require.Equal(t, c.want, one.read, "row %d", i)
	}
}

func TestCellsWritten(t *testing.T) {
	for i, c := range []struct {
		written, read, bytes uint32
		want                 conflict
		left                 uint32
	}{
		{0, 0, 3, noConflict, thisBlock<<4 | 3}, {initialised, 0, 15, noConflict, thisBlock<<4 | 15},
		{(launchBase-1)<<4 | 15, 0, 1, noConflict, thisBlock<<4 | 1}, {launchBase<<4 | 15, 0, 1, writeRace, thisBlock<<4 | 1},
		{thisBlock<<4 | 1, 0, 2, noConflict, thisBlock<<4 | 3}, {thisBlock<<4 | 3, 0, 2, noConflict, thisBlock<<4 | 3},
		{otherBlock<<4 | 1, 0, 2, noConflict, manyBlocks<<4 | 15}, {otherBlock<<4 | 3, 0, 2, writeRace, thisBlock<<4 | 2},
		{otherBlock << 4, 0, 2, writeRace, thisBlock<<4 | 2}, {manyBlocks<<4 | 15, 0, 2, noConflict, manyBlocks<<4 | 15},
		{atomicOnes<<4 | 15, 0, 2, writeRace, thisBlock<<4 | 2}, {thisBlock << 4, 0, 2, noConflict, thisBlock<<4 | 2},

		{0, (launchBase-1)<<5 | 15, 1, noConflict, thisBlock<<4 | 1}, {0, launchBase<<5 | 15, 1, readWriteRace, thisBlock<<4 | 1},
		{0, otherBlock<<5 | 2, 1, noConflict, thisBlock<<4 | 1}, {0, otherBlock<<5 | 2, 2, readWriteRace, thisBlock<<4 | 2},
		{0, thisBlock<<5 | 15, 15, noConflict, thisBlock<<4 | 15}, {0, manyBlocks<<5 | 1, 1, readWriteRace, thisBlock<<4 | 1},
		{0, thisBlock<<5 | 17, 1, writeNonCoherent, thisBlock<<4 | 1}, {0, thisBlock<<5 | 17, 2, noConflict, thisBlock<<4 | 2},
		{otherBlock<<4 | 3, thisBlock<<5 | 17, 1, writeRace, thisBlock<<4 | 1},
		{otherBlock<<4 | 3, otherBlock<<5 | 17, 1, readWriteRace, thisBlock<<4 | 1},
	} {
		one := cell{c.written, c.read}
		require.Equal(t, c.want, one.touchWrite(launchBase, thisBlock, manyBlocks, c.bytes), "row %d", i)
		require.Equal(t, cell{c.left, c.read}, one, "row %d", i)
	}
}

func TestCellsOfAtomics(t *testing.T) {
	for i, c := range []struct {
		written, read uint32
		want          conflict
		left          uint32
	}{
		{0, 0, readUnwritten, 0}, {initialised, 0, noConflict, thisBlock << 4}, {(launchBase-1)<<4 | 15, 0, noConflict, thisBlock << 4},
		{launchBase << 4, 0, noConflict, atomicOnes<<4 | 15}, {thisBlock<<4 | 3, 0, noConflict, thisBlock<<4 | 3}, {thisBlock << 4, 0, noConflict, thisBlock << 4},
		{otherBlock << 4, 0, noConflict, atomicOnes<<4 | 15}, {otherBlock<<4 | 3, 0, writeRace, otherBlock<<4 | 3},
		{manyBlocks<<4 | 15, 0, writeRace, manyBlocks<<4 | 15}, {atomicOnes<<4 | 15, 0, noConflict, atomicOnes<<4 | 15},
		{initialised, (launchBase-1)<<5 | 31, noConflict, thisBlock << 4}, {initialised, launchBase<<5 | 1, readWriteRace, thisBlock << 4},
		{initialised, otherBlock<<5 | 1, readWriteRace, thisBlock << 4}, {initialised, manyBlocks<<5 | 1, readWriteRace, thisBlock << 4},
		{initialised, thisBlock<<5 | 15, noConflict, thisBlock << 4}, {initialised, thisBlock<<5 | 17, writeNonCoherent, thisBlock << 4},
	} {
		one := cell{c.written, c.read}
		require.Equal(t, c.want, one.touchAtomic(launchBase, thisBlock, atomicOnes), "row %d", i)
		require.Equal(t, cell{c.left, c.read}, one, "row %d", i)
	}
}

func TestByteMasks(t *testing.T) {
	for i, want := range []uint32{1, 2, 4, 8, 1} {
		require.Equal(t, want, byteMask(uint64(i), 1))
	}
	require.Equal(t, []uint32{3, 12, 15, 15, 15}, []uint32{byteMask(8, 2), byteMask(10, 2), byteMask(4, 4), byteMask(8, 8), byteMask(16, 16)})
}

// What the host writes and copies is written, word by word; a word that is copied in
// part stays as written as it was.
func TestHostWrites(t *testing.T) {
	words := func(a *allocation) (w []uint32) {
		for _, c := range a.cells {
			w = append(w, c.written>>4)
		}
		return w
	}
	fresh := func(written ...uint32) *allocation {
		a := newAllocation("a", 256, int64(4*len(written)), true)
		require.Len(t, a.cells, len(written))
		for i, w := range written {
			a.cells[i].written = w << 4
		}
		return a
	}
	for _, c := range []struct {
		offset, bytes int64
		want          []uint32
	}{
		{0, 0, []uint32{0, 0, 7, 0}}, {0, 1, []uint32{1, 0, 7, 0}}, {3, 1, []uint32{1, 0, 7, 0}}, {3, 2, []uint32{1, 1, 7, 0}},
		{4, 4, []uint32{0, 1, 7, 0}}, {4, 8, []uint32{0, 1, 7, 0}}, {4, 9, []uint32{0, 1, 7, 1}}, {0, 16, []uint32{1, 1, 7, 1}}, {16, 0, []uint32{0, 0, 7, 0}},
	} {
		a := fresh(0, 0, 7, 0)
		a.hostWrote(c.offset, c.bytes)
		require.Equal(t, c.want, words(a), "%d bytes at %d", c.bytes, c.offset)
	}
	for _, c := range []struct {
		to, from, bytes int64
		want            []uint32
	}{
		{0, 0, 16, []uint32{1, 0, 9, 0}}, {0, 0, 15, []uint32{1, 0, 9, 8}}, {0, 0, 13, []uint32{1, 0, 9, 8}}, {0, 0, 12, []uint32{1, 0, 9, 8}},
		{4, 0, 8, []uint32{0, 9, 0, 8}}, {0, 4, 8, []uint32{0, 9, 9, 8}}, {0, 0, 0, []uint32{0, 9, 9, 8}},
		{0, 0, 3, []uint32{1, 9, 9, 8}}, {0, 4, 3, []uint32{0, 9, 9, 8}}, {0, 4, 4, []uint32{0, 9, 9, 8}}, {4, 4, 4, []uint32{0, 0, 9, 8}},
		{1, 4, 3, []uint32{1, 9, 9, 8}}, {0, 5, 4, []uint32{1, 9, 9, 8}}, {1, 5, 4, []uint32{1, 9, 9, 8}},
	} {
		a := fresh(0, 9, 9, 8)
		a.hostCopied(c.to, fresh(5, 0, 6, 0), c.from, c.bytes)
		require.Equal(t, c.want, words(a), "%d bytes from %d to %d", c.bytes, c.from, c.to)
	}
	unchecked := newAllocation("a", 256, 9, false)
	require.Nil(t, unchecked.cells)
	require.Len(t, unchecked.data, 16)
	unchecked.hostWrote(0, 9)
	unchecked.hostCopied(0, unchecked, 0, 9)
	require.Len(t, newAllocation("a", 256, 9, true).cells, 3)
	require.Len(t, newAllocation("a", 256, 8, true).cells, 2)
	require.Equal(t, "a (9 bytes at 0x100)", unchecked.String())
}

func TestWhereAddressesLie(t *testing.T) {
	for a, want := range map[uint64]space{
		0: spaceGlobal, sharedWindow - 1: spaceGlobal, sharedWindow: spaceShared, sharedWindow + windowSize - 1: spaceShared, sharedWindow + windowSize: spaceGlobal,
		localWindow - 1: spaceGlobal, localWindow: spaceLocal, localWindow + windowSize - 1: spaceLocal, localWindow + windowSize: spaceGlobal, globalBase: spaceGlobal,
	} {
		require.Equal(t, want, spaceOf(a), "%#x", a)
	}
	at := uint64(globalBase)
	a, b := newAllocation("a", at+0x100, 16, false), newAllocation("b", at+0x200, 16, false)
	list := []*allocation{a, b}
	for address, want := range map[uint64]*allocation{
		at: nil, at + 0xff: nil, at + 0x100: a, at + 0x10f: a, at + 0x110: nil, at + 0x1ff: nil, at + 0x200: b, at + 0x20f: b, at + 0x210: nil,
	} {
		require.True(t, want == find(list, address), "%#x", address)
	}
	require.Nil(t, find(nil, at))
	l := launch{live: list, freed: []*allocation{newAllocation("c", at+0x300, 8, false)}}
	for address, want := range map[uint64]string{
		0xfff:          "address 0xfff is no address of global memory",
		at - 1:         "address 0xfffffffffff is no address of global memory",
		at:             "address 0x100000000000 lies outside every allocation, 256 bytes before a (16 bytes at 0x100000000100)",
		at + 0x110:     "address 0x100000000110 lies outside every allocation, 0 bytes past the end of a (16 bytes at 0x100000000100)",
		at + 0x187:     "address 0x100000000187 lies outside every allocation, 119 bytes past the end of a (16 bytes at 0x100000000100)",
		at + 0x188:     "address 0x100000000188 lies outside every allocation, 120 bytes past the end of a (16 bytes at 0x100000000100)",
		at + 0x189:     "address 0x100000000189 lies outside every allocation, 119 bytes before b (16 bytes at 0x100000000200)",
		at + 0x1ff:     "address 0x1000000001ff lies outside every allocation, 1 bytes before b (16 bytes at 0x100000000200)",
		at + 0x1000210: "address 0x100001000210 lies outside every allocation, 16777216 bytes past the end of b (16 bytes at 0x100000000200)",
		at + 0x304:     "address 0x100000000304, offset 4 of c (8 bytes at 0x100000000300), which is freed",
	} {
		require.Equal(t, want, l.outside(address))
	}
	require.Equal(t, "address 0x100000000000 lies outside every allocation, there are no allocations", new(launch).outside(at))
}
