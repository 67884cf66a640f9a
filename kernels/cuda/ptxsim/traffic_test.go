package ptxsim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// at is a warp whose lanes address what address says.
func at(address func(lane int) int) *warp {
	w := &warp{blk: &block{}}
	for l := range w.addr {
		w.addr[l] = uint64(address(l))
	}
	return w
}

func TestSectors(t *testing.T) {
	for i, c := range []struct {
		address func(lane int) int
		lanes   uint32
		want    int64
	}{
		{func(l int) int { return 4 * l }, allLanes, 4},
		{func(l int) int { return 4*l + 16 }, allLanes, 5},
		{func(l int) int { return 124 - 4*l }, allLanes, 4},
		{func(l int) int { return 32 * l }, allLanes, 32},
		{func(l int) int { return 32 * l }, 0xf0f0, 8},
		{func(l int) int { return 31 - l }, allLanes, 1},
		{func(l int) int { return 0 }, 1 << 31, 1},
		{func(l int) int { return l % 2 * 32 }, allLanes, 2},
		{func(l int) int { return l * 7 % 32 * 32 }, allLanes, 32},
		{func(l int) int { return l / 4 * 5 % 8 * 32 }, allLanes, 8},
		{func(l int) int { return l % 3 * 32 }, 0x8000_0001, 2},
		{func(l int) int { return 32 * l }, 0, 0},
	} {
		require.Equal(t, c.want, at(c.address).sectors(c.lanes), "row %d", i)
	}
}

// Wavefronts of 4, 8 and 16 bytes a lane.
func TestWavefronts(t *testing.T) {
	for i, c := range []struct {
		address     func(lane int) int
		lanes       uint32
		bytes       int
		load        bool
		ideal, took int64
	}{
		{func(l int) int { return 4 * l }, allLanes, 4, true, 1, 1},
		{func(l int) int { return l }, allLanes, 1, true, 1, 1},
		{func(l int) int { return 8 * l }, allLanes, 4, true, 1, 2},
		{func(l int) int { return 12 * l }, allLanes, 4, true, 1, 1},
		{func(l int) int { return 128 * l }, 0x0f00, 4, true, 1, 4},
		{func(l int) int { return l % 2 * 128 }, allLanes, 4, true, 1, 2},
		{func(l int) int { return l/2*128 + l%2*4 }, 0xff, 4, true, 1, 4},
		{func(l int) int { return 8 * l }, allLanes, 8, true, 2, 2},
		{func(l int) int { return 8 * l }, 0xffff, 8, true, 1, 1},
		{func(l int) int { return 8 * l }, 0x1_0000, 8, true, 1, 1},
		{func(l int) int { return 16 * l }, allLanes, 8, true, 2, 4},
		{func(l int) int { return l % 2 * 128 }, allLanes, 8, true, 1, 2},
		{func(l int) int { return l / 2 * 8 }, allLanes, 8, true, 1, 1},
		{func(l int) int { return l / 2 * 8 }, allLanes, 8, false, 2, 2},
		{func(l int) int { return 16 * l }, allLanes, 16, true, 4, 4},
		{func(l int) int { return 16 * l }, allLanes, 16, false, 4, 4},
		{func(l int) int { return 32 * l }, allLanes, 16, true, 4, 8},
		{func(l int) int { return l / 2 * 16 }, allLanes, 16, true, 2, 2},
		{func(l int) int { return l / 2 * 32 }, allLanes, 16, true, 2, 4},
		{func(l int) int { return l % 2 * 16 }, allLanes, 16, true, 2, 2},
		{func(l int) int { return 16 * l }, 0xff000000, 16, true, 1, 1},
		{func(l int) int { return 0 }, 0, 4, true, 0, 0},
	} {
		w := at(c.address)
		w.countShared(c.lanes, c.bytes, c.load)
		require.Equal(t, Counters{SharedRequests: 1, SharedIdeal: c.ideal, SharedWavefronts: c.took}, w.blk.counters, "row %d", i)
	}
	pairs := at(func(l int) int { return l / 2 })
	require.True(t, pairs.paired(allLanes, 1))
	require.False(t, pairs.paired(allLanes, 2))
	require.True(t, pairs.paired(0x11111111, 2), "whose pairs are not there")
	require.False(t, at(func(l int) int { return l / 31 }).paired(allLanes, 1), "but for the last")
}

func TestLanesInWords(t *testing.T) {
	for m, want := range map[uint32]string{
		0: "", 1: "0", 3: "0-1", 0x8f: "0-3,7", 1 << 31: "31", allLanes: "0-31", 0xffff0000: "16-31", 0x80000005: "0,2,31", 0xc0000000: "30-31",
	} {
		require.Equal(t, want, lanes(m))
	}
}

// Which of two accesses came first, by the records of shared memory.
func TestOrdered(t *testing.T) {
	key := func(epoch, order, warp, lane uint64) uint64 {
		return epoch<<keyEpoch | order<<keyOrder | warp<<keyWarp | keyWritten | lane
	}
	for i, c := range []struct {
		before, now uint64
		want        bool
	}{
		{key(1, 0, 0, 0), key(1, 0, 0, 0), true}, {key(1, 0, 0, 0), key(1, 0, 0, 1), false}, {key(1, 0, 0, 0), key(1, 1, 0, 1), true},
		{key(1, 0, 0, 0), key(1, 0, 1, 0), false}, {key(1, 0, 0, 0), key(1, 1, 1, 0), false}, {key(1, 0, 0, 0), key(2, 0, 1, 5), true},
		{key(1, 0, 0, 3), key(1, 0, 32, 3), false}, {key(1, 1<<23, 0, 3), key(1, 0, 0, 4), true}, {key(1, 1, 31, 3), key(1, 1, 31, 3), true},
		{key(1, 0, 0, 0) | keyAtomic, key(1, 0, 0, 0), true}, {key(1, 0, 0, 0) | keyAtomic, key(1, 0, 0, 32), false}, {key(1, 0, 0, 0), key(1, 0, 0, 32), false},
	} {
		require.Equal(t, c.want, ordered(c.before, c.now), "row %d", i)
		require.Equal(t, c.want, ordered(c.now, c.before), "row %d", i)
	}
}

// The instruction where lanes that part meet again, for every branch and exit, by
// number. The number behind all is the end of the kernel.
func TestReconvergence(t *testing.T) {
	for _, c := range []struct {
		body string
		want map[int]int32
	}{
		{"@%p0 bra $a; nop; $a: nop;", map[int]int32{0: 2}},
		{"@%p0 bra $a; nop; bra $b; $a: nop; $b: nop;", map[int]int32{0: 4, 2: 4}},
		{"$a: nop; @%p0 bra $a; nop;", map[int]int32{1: 2}},
		{"$a: @%p0 bra $c; @%p0 bra $b; nop; $b: bra $a; $c: nop;", map[int]int32{0: 4, 1: 3, 3: 0}},
		{"@%p0 bra $a; @%p0 bra $b; nop; bra $c; $a: nop; $b: nop; $c: nop;", map[int]int32{0: 6, 1: 6, 3: 6}},
		{"@%p0 exit; nop;", map[int]int32{0: 3}},
		{"@%p0 bra $a; exit; $a: nop; exit;", map[int]int32{0: 5, 1: 5, 3: 5}},
		{"$t: .branchtargets $a, $b, $c; brx.idx %r0, $t; $a: nop; bra $d; $b: nop; $c: nop; $d: nop;", map[int]int32{0: 5, 2: 5}},
		{"$a: bra $a;", map[int]int32{0: 2}},
		{"@%p0 bra $b; $a: bra $a; $b: nop;", map[int]int32{0: 2, 1: 4}},
		{"@%p0 trap; nop;", map[int]int32{0: 3}},
		// A loop that is entered and left in two places takes a second look.
		{"$a: @%p0 bra $c; $b: @%p0 bra $a; @%p0 bra $b; $c: nop;", map[int]int32{0: 3, 1: 3, 2: 3}},
	} {
		text := header + ".entry k() {\n.reg .pred %p<2>;\n.reg .b32 %r<2>;\n" + strings.ReplaceAll(c.body, "nop;", "membar.cta;") + "\n}"
		m, err := New(Config{}).Load("m.ptx", text)
		require.NoError(t, err, c.body)
		f, err := m.Function("k")
		require.NoError(t, err)
		code := f.(*function).prog.code
		got := map[int]int32{}
		for i := range code[:len(code)-1] {
			switch code[i].op {
			case opBra, opBrx, opExit, opTrap:
				got[i] = code[i].rpc
			}
		}
		require.Equal(t, c.want, got, c.body)
	}
}

// Only what may be read before it is written on some way is checked, and only the
// instructions that write such registers note it.
func TestUnwrittenOnSomeWay(t *testing.T) {
	for _, c := range []struct {
		body           string
		checked, track []int
	}{
		{"mov.u32 %r0, 1; add.s32 %r1, %r0, %r0;", nil, nil},
		{"add.s32 %r1, %r0, %r0; mov.u32 %r0, 1;", []int{0}, []int{1}},
		{"setp.eq.s32 %p0, 1, 1; @%p0 mov.u32 %r0, 1; add.s32 %r1, %r0, 1;", []int{2}, []int{1}},
		{"setp.eq.s32 %p0, 1, 1; mov.u32 %r0, 1; @%p0 mov.u32 %r0, 2; add.s32 %r1, %r0, 1;", nil, nil},
		{"setp.eq.s32 %p0, 1, 1; @%p0 bra $a; mov.u32 %r0, 1; $a: add.s32 %r1, 1, %r0;", []int{3}, []int{2}},
		{"setp.eq.s32 %p0, 1, 1; @%p0 bra $a; mov.u32 %r0, 1; bra $b; $a: mov.u32 %r0, 2; $b: add.s32 %r1, 1, %r0;", nil, nil},
		{"$a: mad.lo.s32 %r1, 1, 1, %r0; mov.u32 %r0, 1; setp.eq.s32 %p0, 1, 1; @%p0 bra $a;", []int{0}, []int{1}},
		{"@%p0 bra $a; $a: mov.u64 %d0, 1; setp.eq.s32 %p0, 1, 1;", []int{0}, []int{2}},
		{"add.s64 %d1, %d0, 1; mov.u64 %d1, 1; mov.u64 %d0, 1;", []int{0}, []int{2}},
		{"st.global.v2.u32 [0], {%r0, %r1}; mov.b64 {%r0, _}, 5; mov.b64 {_, %r1}, 5;", []int{0}, []int{1, 2}},
		{"mov.b64 %d0, {%r0, %r1}; ld.global.v2.u32 {%r0, _}, [0];", []int{0}, []int{1}},
		{"shfl.sync.up.b32 %r0|%p0, 1, 1, 0, %r1; not.pred %p1, %p0; mov.u32 %r1, 1;", []int{0}, []int{2}},
		{"not.pred %p1, %p0; setp.eq.s32 %p1|%p0, 1, 1;", []int{0}, []int{1}},
		{"exit; add.s32 %r1, %r0, %r0;", nil, nil},
		{"mov.u32 %r0, %tid.x; add.s32 %r0, %r0, 7; and.pred %p0, 1, 0;", nil, nil},
	} {
		text := header + ".entry k() {\n.reg .pred %p<2>;\n.reg .b64 %d<2>;\n.reg .b32 %x<70>, %r<2>;\n" + c.body + "\n}"
		m, err := New(Config{}).Load("m.ptx", text)
		require.NoError(t, err, c.body)
		f, err := m.Function("k")
		require.NoError(t, err)
		var checked, track []int
		for i, in := range f.(*function).prog.code {
			if in.check {
				checked = append(checked, i)
			}
			if in.track {
				track = append(track, i)
			}
		}
		require.Equal(t, fmt.Sprint(c.checked, c.track), fmt.Sprint(checked, track), c.body)
	}
}
