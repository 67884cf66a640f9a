package ptxsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// A block finds nothing of the one that ran before it in its place: what block 0 does
// does not excuse block 1.
func TestBlocksBeginAnew(t *testing.T) {
	const first = "setp.eq.u32 %p0, %r0, 0;\n"
	const shared = ".shared .align 16 .b8 s[64];\n"
	for body, says := range map[string]string{
		first + "@%p0 mov.u32 %r5, 1;\nadd.s32 %r6, %r5, 1;":                                                                     "register %r5 was never written",
		first + "@%p0 mov.u64 %d5, 1;\nadd.s64 %d6, %d5, 1;":                                                                     "register %d5 was never written",
		first + "@%p0 and.pred %p5, %p0, %p0;\nnot.pred %p6, %p5;":                                                               "register %p5 was never written",
		first + shared + "@%p0 st.shared.u32 [s], 5;\nld.shared.u32 %r5, [s];":                                                   "shared memory at 16 (s+0) was never written",
		first + shared + "bar.sync 0;\n@%p0 st.shared.u32 [s], 5;\nld.shared.u32 %r5, [s];":                                      "shared memory at 16 (s+0) was never written",
		first + shared + "@%p0 cp.async.ca.shared.global [s], [%o], 4;\n@%p0 exit;\ncp.async.wait_all;\nld.shared.u32 %r5, [s];": "shared memory at 16 (s+0) was never written",
	} {
		_, _, err := runWith(t, 1, "", body, shape(2, 1))
		var fault *Fault
		require.ErrorAs(t, err, &fault, body)
		require.Equal(t, says, fault.Detail, body)
		require.Equal(t, [3]int{1, 0, 0}, fault.Block, body)
	}
	// Barriers of a warp and groups of copies begin anew too.
	got, _ := run(t, "", shared+`
	st.global.u32 [%o], %i;
	cp.async.ca.shared.global [s], [%o], 4;
	cp.async.commit_group;
	bar.warp.sync -1;
	cp.async.wait_group 0;
	ld.shared.u32 %r5, [s];
	st.global.u32 [%o], %r5;
`, shape(3, 1))
	expect(t, got, func(i int) uint32 { return uint32(i) })
}

// Without checks, shared memory is zero where a block begins, whatever was there.
func TestUncheckedSharedMemory(t *testing.T) {
	s := New(Config{Workers: 1, Unchecked: true})
	defer s.Close()
	m, err := s.Load("m.ptx", header+`
.entry k(.param .u64 p) {
	.reg .b64 %p, %i;
	.reg .b32 %x, %y;
	.shared .b32 s;
	ld.param.u64 %p, [p];
	mov.u32 %x, %ctaid.x;
	mul.wide.u32 %i, %x, 4;
	add.s64 %p, %p, %i;
	ld.shared.u32 %y, [s];
	st.shared.u32 [s], 7;
	st.global.u32 [%p], %y;
}
`)
	require.NoError(t, err)
	f, err := m.Function("k")
	require.NoError(t, err)
	st, err := s.NewStream()
	require.NoError(t, err)
	p, err := s.Alloc("p", 16)
	require.NoError(t, err)
	require.NoError(t, st.Memset(p, 9, 16))
	for range 2 {
		require.NoError(t, st.Launch(f, driver.Config{Grid: driver.Dim{X: 4}, Block: driver.Dim{X: 1}}, new(driver.Args).Ptr(p)))
	}
	got := make([]byte, 16)
	require.NoError(t, st.Download(got, p))
	require.Equal(t, make([]byte, 16), got)
}

// Nor does a launch find anything of the one before: not where an allocation was, not
// what it counted, not its fault, not its number of threads.
func TestLaunchesBeginAnew(t *testing.T) {
	var reports []Report
	s, f, st := loadCopy(t, Config{Workers: 2, OnLaunch: func(r Report) { reports = append(reports, r) }})
	p, err := s.Alloc("p", 1024)
	require.NoError(t, err)
	q, err := s.Alloc("q", 1024)
	require.NoError(t, err)
	require.NoError(t, st.Memset(q, 1, 1024))
	launch := func(blocks, threads, n int) error {
		return st.Launch(f, driver.Config{Grid: driver.Dim{X: blocks}, Block: driver.Dim{X: threads}}, new(driver.Args).Ptr(p).Ptr(q).Int(n))
	}
	for _, threads := range []int{32, 128, 33, 1, 128, 32} {
		require.NoError(t, launch(2, threads, 2*threads))
	}
	require.Equal(t, reports[0].Counters, reports[5].Counters)
	require.Equal(t, reports[1].Counters, reports[4].Counters)
	require.ErrorContains(t, launch(3, 128, 300), "outside every allocation")
	require.NoError(t, launch(2, 32, 64))
	require.Equal(t, reports[0].Counters, reports[7].Counters)
	require.NoError(t, s.Free(q))
	require.ErrorContains(t, launch(2, 32, 64), "offset 0 of q (1024 bytes at 0x100000101400), which is freed")
}
