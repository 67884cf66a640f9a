package ptxsim

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Accesses that are at fault, of 32 threads that have 128 bytes at 0x100000100000 or,
// with a module of one variable, at 0x100000101100.
func TestAccessFaults(t *testing.T) {
	const c, g = ".const .align 4 .u32 c = 5;\n", ".global .align 8 .b8 g[20] = {1};\n"
	const shared, local = ".shared .align 16 .b8 s[64];\nmov.u32 %r2, s;\n", ".local .align 8 .b8 l[16];\nmov.u64 %d1, l;\n"
	for i, f := range []struct {
		module, body string
		kind         FaultKind
		thread       int
		says         string
	}{
		{"", "ld.global.u32 %r3, [%o+4];", FaultAddress, 31, "address 0x100000100080 lies outside every allocation, 0 bytes past the end of out (128 bytes at 0x100000100000)"},
		{"", "st.global.u32 [%o+-4], %r0;", FaultAddress, 0, "address 0x1000000ffffc lies outside every allocation, 4 bytes before out (128 bytes at 0x100000100000)"},
		{"", "st.global.u32 [%out+126], %r0;", FaultAddress, 0, "4 bytes at 0x10000010007e reach past the end of out (128 bytes at 0x100000100000)"},
		{"", "st.global.u32 [%out+2], %r0;", FaultAlignment, 0, "address 0x100000100002, offset 2 of out (128 bytes at 0x100000100000), is not a multiple of 4 bytes"},
		{"", "atom.global.add.u32 %r3, [%o+8], 1;", FaultAddress, 30, "address 0x100000100080 lies outside every allocation, 0 bytes past the end of out (128 bytes at 0x100000100000)"},
		{"", "atom.global.add.u64 %d3, [%o+4], 1;", FaultAlignment, 0, "address 0x100000100004, offset 4 of out (128 bytes at 0x100000100000), is not a multiple of 8 bytes"},
		{c, "mov.u64 %d1, c;\natom.global.add.u32 %r3, [%d1], 1;", FaultReadOnly, 0, "c (4 bytes at 0x100000100004) cannot be written"},
		{c, "mov.u64 %d1, c;\nst.global.u32 [%d1], 1;", FaultReadOnly, 0, "c (4 bytes at 0x100000100004) cannot be written"},
		{c, "ld.const.u32 %r3, [c+4];", FaultAddress, 0, "address 0x100000100008 lies outside every allocation, 0 bytes past the end of c (4 bytes at 0x100000100004)"},
		{g, "ld.global.v2.u32 {%r3, %r4}, [g+16];", FaultAddress, 0, "8 bytes at 0x100000100018 reach past the end of g (20 bytes at 0x100000100008)"},

		{"", shared + "st.shared.u32 [%r2+64], 1;", FaultAddress, 0, "4 bytes at 80 (0x50) reach outside the block's 64 bytes of shared memory, which begin at 16"},
		{"", shared + "st.shared.v2.u32 [%r2+60], {1, 1};", FaultAddress, 0, "8 bytes at 76 (0x4c) reach outside the block's 64 bytes of shared memory, which begin at 16"},
		{"", shared + "st.shared.u32 [%r2+-4], 1;", FaultAddress, 0, "4 bytes at 12 (0xc) reach outside the block's 64 bytes of shared memory, which begin at 16"},
		{"", shared + "st.shared.u16 [%r2+3], 1;", FaultAlignment, 0, "shared memory at 19 (s+3) is not at a multiple of 2 bytes"},
		{"", shared + "atom.shared.add.u32 %r3, [%r2+64], 1;", FaultAddress, 0, "4 bytes at 80 (0x50) reach outside the block's 64 bytes of shared memory, which begin at 16"},
		{"", shared + "atom.shared.add.u32 %r3, [%r2+2], 1;", FaultAlignment, 0, "shared memory at 18 (s+2) is not at a multiple of 4 bytes"},
		{"", shared + "ld.shared.u32 %r3, [%r2+60];", FaultUninitShared, 0, "shared memory at 76 (s+60) was never written"},
		{"", "ld.shared.u32 %r3, [0];", FaultAddress, 0, "4 bytes at 0 (0x0) reach outside the block's 0 bytes of shared memory, which begin at 0"},

		{"", local + "st.local.u32 [%d1+16], 1;", FaultAddress, 0, "4 bytes at 24 reach outside the thread's 16 bytes of local memory, which begin at 8"},
		{"", local + "st.local.v2.u32 [%d1+12], {1, 1};", FaultAddress, 0, "8 bytes at 20 reach outside the thread's 16 bytes of local memory, which begin at 8"},
		{"", local + "st.local.u32 [%d1+-4], 1;", FaultAddress, 0, "4 bytes at 4 reach outside the thread's 16 bytes of local memory, which begin at 8"},
		{"", local + "st.local.u32 [%d1+2], 1;", FaultAlignment, 0, "local memory at 10 is not at a multiple of 4 bytes"},

		{"", shared + "cp.async.ca.shared.global [%r2+64], [%out], 4;", FaultAddress, 0, "4 bytes at 80 (0x50) reach outside the block's 64 bytes of shared memory, which begin at 16"},
		{"", shared + "cp.async.ca.shared.global [%r2+4], [%out], 8;", FaultAlignment, 0, "shared memory at 20 (s+4) is not at a multiple of 8 bytes"},
		{"", shared + "cp.async.ca.shared.global [%r2], [%out+4], 8;", FaultAlignment, 0, "source address 0x100000100004 is not a multiple of 8 bytes"},
		{"", shared + "cp.async.ca.shared.global [%r2], [%out+128], 4;", FaultAddress, 0, "address 0x100000100080 lies outside every allocation, 0 bytes past the end of out (128 bytes at 0x100000100000)"},
		{g, shared + "mov.u64 %d1, g;\nsetp.eq.u32 %p1, %tid, 0;\n@%p1 cp.async.ca.shared.global [%r2], [%d1+16], 8, 5;", FaultAddress, 0,
			"address 0x10000010001c lies outside every allocation, 0 bytes past the end of g (20 bytes at 0x100000100008)"},
		{"", shared + "cp.async.ca.shared.global [%r2], [%out], 4;", FaultAsync, 1, "writes shared memory at 16 (s+0), where an asynchronous copy of thread [0 0 0] has not been waited for"},

		{"", "and.b32 %r2, %tid, 16;\n$t: .branchtargets $a;\nbrx.idx %r2, $t;\n$a:", FaultAddress, 16, "index 16 of a table of 1 labels"},
		{"", "bar.warp.sync 0xffff;", FaultBarrier, 16, "the lane is not in the member mask of the barrier that it runs"},
		{"", "bar.sync 0, 64;", FaultBarrier, 0, "a barrier of 64 of the block's 32 threads is not supported"},
		{"", "shfl.sync.idx.b32 %r3, %tid, 5, 31, 0x7fffffff;", FaultShuffle, 31, "the lane is not in the member mask of the exchange that it runs"},
		{"", "add.s32 %r3, %r9, 1;", FaultUninitReg, 0, "register %r9 was never written"},
		{"", "setp.gt.u32 %p1, %tid, 3;\n@%p1 mov.u64 %d3, 1;\nadd.s64 %d4, %d3, 1;", FaultUninitReg, 0, "register %d3 was never written"},
		{"", "setp.lt.u32 %p1, %tid, 3;\n@%p1 and.pred %p2, %p1, %p1;\n@%p2 mov.u32 %r3, 1;", FaultUninitReg, 3, "register %p2 was never written"},
	} {
		_, _, err := runWith(t, 1, f.module, f.body, shape(1, 32))
		var fault *Fault
		require.ErrorAs(t, err, &fault, "row %d: %s", i, f.body)
		require.Equal(t, f.says, fault.Detail, "row %d: %s", i, f.body)
		require.Equal(t, f.kind, fault.Kind, "row %d: %s", i, f.body)
		require.Equal(t, [3]int{f.thread, 0, 0}, fault.Thread, "row %d: %s", i, f.body)
	}
}

// A predicate that the lanes which read it have written is no fault, whatever the others
// have done: only a guard is read by all lanes.
func TestPredicatesOfActiveLanes(t *testing.T) {
	_, _, err := runWith(t, 1, "", "setp.lt.u32 %p1, %tid, 3;\n@%p1 setp.eq.u32 %p2, %tid, 1;\n@%p1 selp.u32 %r3, 1, 2, %p2;", shape(1, 32))
	require.NoError(t, err)
}

// Accesses that reach the last byte, and no further.
func TestAccessBounds(t *testing.T) {
	const g = ".global .align 8 .b8 g[20] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};\n"
	const shared = ".shared .align 16 .b8 s[64];\n"
	for text, want := range map[string]uint32{
		"ld.global.u8 %h0, [g+19];\ncvt.u32.u8 %r2, %h0;":                                     20,
		"ld.global.s8 %d1, [g+19];\ncvt.u32.u64 %r2, %d1;":                                    20,
		"ld.global.u16 %h0, [g+18];\ncvt.u32.u16 %r2, %h0;":                                   20<<8 | 19,
		"ld.global.v2.u32 {%r3, %r2}, [g+8];":                                                 16<<24 | 15<<16 | 14<<8 | 13,
		"ld.global.u64 %d1, [g+8];\nshr.u64 %d1, %d1, 32;\ncvt.u32.u64 %r2, %d1;":             16<<24 | 15<<16 | 14<<8 | 13,
		shared + "st.shared.v2.u32 [s+56], {7, 8};\nld.shared.u32 %r2, [s+60];":               8,
		shared + "st.shared.u8 [s+63], 9;\nld.shared.u8 %r2, [s+63];":                         9,
		shared + "st.shared.v4.u32 [s], {1, 2, 3, 4};\nld.shared.v4.u32 {_, _, _, %r2}, [s];": 4,
		shared + "mov.u64 %d1, g;\ncp.async.ca.shared.global [s], [%d1+16], 8, 4;\ncp.async.wait_all;\nld.shared.v2.u32 {%r2, %r3}, [s];\nadd.s32 %r2, %r2, %r3;": 20<<24 | 19<<16 | 18<<8 | 17,
		shared + "mov.u64 %d1, g;\ncp.async.ca.shared.global [s], [%d1], 8, 7;\ncp.async.wait_all;\nld.shared.u32 %r2, [s+4];":                                    7<<16 | 6<<8 | 5,
		shared + "mov.u64 %d1, g;\ncp.async.ca.shared.global [s], [%d1], 4, 9;\ncp.async.wait_all;\nld.shared.u32 %r2, [s];":                                      4<<24 | 3<<16 | 2<<8 | 1,
		".local .align 8 .b8 l[16];\nst.local.v2.u32 [l+8], {7, 8};\nld.local.u32 %r2, [l+12];":                                                                   8,
		".local .b16 l;\nst.local.s16 [l], -2;\nld.local.s16 %r2, [l];":                                                                                           1<<32 - 2,
		"mov.u32 %r3, 0x80;\nst.global.u8 [%o], %r3;\nld.global.s8 %r2, [%o];":                                                                                    1<<32 - 128,
		"atom.global.exch.b64 %d1, [g+8], 5;\nld.global.u32 %r2, [g+8];":                                                                                          5,
		shared + "st.shared.u64 [s], -5;\natom.shared.min.s64 %d1, [s], 3;\nld.shared.s32 %r2, [s];":                                                              1<<32 - 5,
		shared + "st.shared.u64 [s], -5;\natom.shared.min.u64 %d1, [s], 3;\nld.shared.s32 %r2, [s];":                                                              3,
		shared + "st.shared.u64 [s], 6;\natom.shared.cas.b64 %d1, [s], 7, 9;\nld.shared.s32 %r2, [s];":                                                            6,
		shared + "st.shared.u64 [s], 7;\natom.shared.cas.b64 %d1, [s], 7, 9;\nld.shared.s32 %r2, [s];":                                                            9,
		shared + "st.shared.u32 [s], 0f3F000000;\nred.shared.add.f32 [s], 0f3F800000;\nld.shared.u32 %r2, [s];":                                                   0x3fc00000,
		"st.global.u32 [%o], 3;\natom.global.max.s32 %r2, [%o], -1;\nld.global.u32 %r2, [%o];":                                                                    3,
		"st.global.u32 [%o], 3;\natom.global.max.s32 %r2, [%o], 4;":                                                                                               3,
	} {
		got, _ := run(t, g, text+"\nst.global.u32 [%o], %r2;", shape(1, 1))
		require.Equal(t, []uint32{want}, got, text)
	}
}

// Generic addresses of one instruction may name several spaces.
func TestGenericAddresses(t *testing.T) {
	got, counters := run(t, "", `
	.shared .align 4 .b8 s[128];
	.local .align 4 .b8 l[8];
	mov.u64 %d1, s;
	mad.wide.u32 %d1, %tid, 4, %d1;
	cvta.shared.u64 %d1, %d1;
	mov.u64 %d2, l;
	cvta.local.u64 %d2, %d2;
	and.b32 %r2, %tid, 3;
	setp.eq.u32 %p1, %r2, 1;
	setp.eq.u32 %p2, %r2, 2;
	selp.b64 %d3, %d1, %o, %p1;
	selp.b64 %d3, %d2, %d3, %p2;
	st.u32 [%d3], %tid;
	ld.u32 %r3, [%d3];
	isspacep.global %p3, %d3;
	selp.u32 %r4, 100, 0, %p3;
	isspacep.local %p3, %d3;
	selp.u32 %r5, 1000, %r4, %p3;
	add.s32 %r3, %r3, %r5;
	bar.sync 0;
	st.global.u32 [%o], %r3;
`, shape(1, 32))
	expect(t, got, func(i int) uint32 { return uint32(i + []int{100, 0, 1000, 100}[i%4]) })
	require.Equal(t, [3]int64{2, 1, 2}, [3]int64{counters.SharedRequests, counters.LoadRequests, counters.StoreRequests})
	require.Equal(t, int64(4), counters.LoadSectors)
}

// A launch counts what it does under its own name, and Add adds each count.
func TestReports(t *testing.T) {
	var reports []Report
	s := New(Config{Workers: 2, OnLaunch: func(r Report) { reports = append(reports, r) }})
	defer s.Close()
	m, err := s.Load("m.ptx", header+".entry k() {\nbar.sync 0;\n}")
	require.NoError(t, err)
	f, err := m.Function("k")
	require.NoError(t, err)
	st, err := s.NewStream()
	require.NoError(t, err)
	c := driver.Config{Grid: driver.Dim{X: 5}, Block: driver.Dim{X: 40}}
	require.NoError(t, st.Launch(f, c, new(driver.Args)))
	require.Len(t, reports, 1)
	require.Equal(t, "k", reports[0].Kernel)
	require.Equal(t, c, reports[0].Config)
	want := Counters{Launches: 1, Blocks: 5, Warps: 10, Active: 400, Barriers: 5}
	want.Issued[ClassBarrier], want.Issued[ClassControl] = 10, 10
	require.Equal(t, want, reports[0].Counters)

	var one, sum Counters
	v := reflect.ValueOf(&one).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Int64 {
			v.Field(i).SetInt(int64(i + 1))
		}
	}
	for i := range one.Issued {
		one.Issued[i] = int64(100 + i)
	}
	sum.Add(&one)
	require.Equal(t, one, sum)
	sum.Add(&one)
	require.Equal(t, 2*one.SharedIdeal, sum.SharedIdeal)
	require.Equal(t, int64(2*(19*100+18*19/2)), sum.Instructions())
	require.Equal(t, []string{"fma", "tensor", "float", "special", "int", "move", "compare", "control", "ld.global", "st.global", "ld.shared", "st.shared",
		"local", "param", "async", "atomic", "barrier", "warp", "other"}, func() (names []string) {
		for c := range Classes {
			names = append(names, c.String())
		}
		return names
	}())
}

// What the blocks of one launch did together to a word is past for the next.
func TestLaunchesFollowEachOther(t *testing.T) {
	s := New(Config{Workers: 1})
	defer s.Close()
	m, err := s.Load("m.ptx", header+`
.entry add(.param .u64 p) {
	.reg .b64 %p;
	ld.param.u64 %p, [p];
	red.global.add.u32 [%p], 1;
}
.entry read(.param .u64 p) {
	.reg .b64 %p;
	.reg .b32 %x;
	ld.param.u64 %p, [p];
	ld.global.u32 %x, [%p];
}
.entry bytes(.param .u64 p) {
	.reg .b64 %p, %i;
	.reg .b32 %x;
	ld.param.u64 %p, [p];
	mov.u32 %x, %ctaid.x;
	cvt.u64.u32 %i, %x;
	add.s64 %p, %p, %i;
	st.global.u8 [%p], %x;
}
`)
	require.NoError(t, err)
	st, err := s.NewStream()
	require.NoError(t, err)
	p, err := s.Alloc("p", 4)
	require.NoError(t, err)
	require.NoError(t, st.Memset(p, 0, 4))
	for _, name := range []string{"add", "read", "add", "bytes", "add", "add", "bytes", "bytes", "read", "read", "bytes"} {
		f, err := m.Function(name)
		require.NoError(t, err)
		require.NoError(t, st.Launch(f, driver.Config{Grid: driver.Dim{X: 4}, Block: driver.Dim{X: 1}}, new(driver.Args).Ptr(p)), name)
	}
	got := make([]byte, 4)
	require.NoError(t, st.Download(got, p))
	require.Equal(t, []byte{0, 1, 2, 3}, got)
}
