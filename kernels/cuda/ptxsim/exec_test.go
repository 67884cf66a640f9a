package ptxsim

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// run launches a body of PTX whose parameter out names an array of a word for
// each thread, at %o for the thread's own; i is the thread's number in the
// grid and %tid its number in the block. It returns the array and what the
// launch counted.
func run(t *testing.T, module, body string, c driver.Config) ([]uint32, Counters) {
	t.Helper()
	got, counters, err := runWith(t, 0, module, body, c)
	require.NoError(t, err)
	return got, counters
}

// runWith runs with so many workers, and returns the fault of the launch too.
func runWith(t *testing.T, workers int, module, body string, c driver.Config) ([]uint32, Counters, error) {
	t.Helper()
	var report Report
	sim := New(Config{Workers: workers, OnLaunch: func(r Report) { report = r }})
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	m, err := sim.Load("test", ".version 7.8\n.target sm_80\n.address_size 64\n"+module+`
.visible .entry k(.param .u64 out)
{
.reg .pred %p<8>;
.reg .b16 %h<4>;
.reg .b32 %tid, %i, %r<16>;
.reg .f32 %f<8>;
.reg .b64 %out, %o, %d<8>;
mov.u32 %tid, %tid.x;
mov.u32 %r0, %ctaid.x;
mov.u32 %r1, %ntid.x;
mad.lo.s32 %i, %r0, %r1, %tid;
ld.param.u64 %out, [out];
cvta.to.global.u64 %out, %out;
mul.wide.s32 %o, %i, 4;
add.s64 %o, %out, %o;
`+body+`
ret;
}
`)
	require.NoError(t, err)
	f, err := m.Function("k")
	require.NoError(t, err)
	n := c.Grid.Size() * c.Block.Size()
	out, err := sim.Alloc("out", int64(4*n))
	require.NoError(t, err)
	st, err := sim.NewStream()
	require.NoError(t, err)
	require.NoError(t, st.Memset32(out, 0, int64(n)))
	var args driver.Args
	if err := st.Launch(f, c, args.Ptr(out)); err != nil {
		return nil, report.Counters, err
	}
	data := make([]byte, 4*n)
	require.NoError(t, st.Download(data, out))
	got := make([]uint32, n)
	for i := range got {
		got[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return got, report.Counters, nil
}

func shape(blocks, threads int) driver.Config {
	return driver.Config{Grid: driver.Dim{X: blocks}, Block: driver.Dim{X: threads}}
}

// expect compares with a function of the thread's number.
func expect(t *testing.T, got []uint32, want func(i int) uint32) {
	t.Helper()
	for i, v := range got {
		require.Equal(t, want(i), v, "thread %d", i)
	}
}

func TestDivergence(t *testing.T) {
	// Lanes leave a loop one after the other, with a branch inside it, and
	// run the rest together: the mask that activemask shows is full again.
	got, counters := run(t, "", `
	mov.u32 %r2, 0;
	mov.u32 %r3, 0;
$loop:
	setp.ge.u32 %p1, %r2, %tid;
	@%p1 bra $done;
	and.b32 %r4, %r2, 1;
	setp.eq.u32 %p2, %r4, 0;
	@%p2 bra $even;
	add.s32 %r3, %r3, 10;
	bra.uni $next;
$even:
	add.s32 %r3, %r3, 1;
$next:
	add.s32 %r2, %r2, 1;
	bra.uni $loop;
$done:
	activemask.b32 %r5;
	setp.eq.s32 %p3, %r5, -1;
	selp.u32 %r6, 1000, 0, %p3;
	add.s32 %r3, %r3, %r6;
	st.global.u32 [%o], %r3;
`, shape(1, 64))
	expect(t, got, func(i int) uint32 { return uint32(1000 + (i+1)/2 + i/2*10) })
	// 31 lanes of the first warp leave on their own; in the second 32 do.
	require.Equal(t, int64(31+31), counters.Divergent)
}

func TestReturnInALoop(t *testing.T) {
	got, _ := run(t, "", `
	mov.u32 %r2, 0;
$loop:
	setp.eq.u32 %p1, %r2, %tid;
	add.s32 %r2, %r2, 1;
	@!%p1 bra $loop;
	st.global.u32 [%o], %r2;
	setp.gt.u32 %p2, %tid, 10;
	@%p2 exit;
	add.s32 %r2, %r2, 100;
	st.global.u32 [%o], %r2;
`, shape(2, 40))
	expect(t, got, func(i int) uint32 {
		if tid := i % 40; tid > 10 {
			return uint32(tid + 1)
		}
		return uint32(i%40 + 101)
	})
}

func TestIndexedBranch(t *testing.T) {
	got, counters := run(t, "", `
	and.b32 %r2, %tid, 3;
	mov.u32 %r3, 0;
$table: .branchtargets $a, $b, $a, $c;
	setp.gt.u32 %p1, %tid, 15;
	@%p1 brx.idx %r2, $table;
	mov.u32 %r3, 9;
	bra.uni $end;
$a:
	mov.u32 %r3, 1;
	bra.uni $end;
$b:
	mov.u32 %r3, 2;
	bra.uni $end;
$c:
	mov.u32 %r3, 3;
$end:
	activemask.b32 %r4;
	setp.eq.s32 %p3, %r4, -1;
	@%p3 st.global.u32 [%o], %r3;
`, shape(1, 32))
	expect(t, got, func(i int) uint32 {
		if i <= 15 {
			return 9
		}
		return []uint32{1, 2, 1, 3}[i%4]
	})
	require.Equal(t, int64(1), counters.Divergent)
}

// Warp barriers on both sides of a branch are one barrier, and lanes that have
// exited are not waited for.
func TestWarpBarrierAcrossBranches(t *testing.T) {
	got, _ := run(t, "", `
	.shared .align 4 .b8 s[128];
	mov.u32 %r2, s;
	shl.b32 %r3, %tid, 2;
	add.s32 %r2, %r2, %r3;
	setp.eq.u32 %p2, %tid, 31;
	@%p2 exit;
	setp.lt.u32 %p1, %tid, 16;
	@%p1 bra $low;
	st.shared.u32 [%r2], %tid;
	bar.warp.sync -1;
	bra.uni $end;
$low:
	bar.warp.sync -1;
	setp.eq.u32 %p3, %tid, 15;
	@%p3 bra $end;
	ld.shared.u32 %r4, [%r2+64];
	st.global.u32 [%o], %r4;
$end:
`, shape(1, 32))
	expect(t, got, func(i int) uint32 {
		if i < 15 {
			return uint32(i + 16)
		}
		return 0
	})
}

func TestSpecialRegisters(t *testing.T) {
	for text, want := range map[string]func(x, y, bx, by int) int{
		"mov.u32 %r2, %tid.y;":             func(x, y, bx, by int) int { return y },
		"mov.u32 %r2, %ctaid.y;":           func(x, y, bx, by int) int { return by },
		"mov.u32 %r2, %ctaid.z;":           func(x, y, bx, by int) int { return 0 },
		"mov.u32 %r2, %nctaid.x;":          func(x, y, bx, by int) int { return 2 },
		"mov.u32 %r2, %nctaid.y;":          func(x, y, bx, by int) int { return 3 },
		"mov.u32 %r2, %nctaid.z;":          func(x, y, bx, by int) int { return 1 },
		"mov.u32 %r2, %ntid.y;":            func(x, y, bx, by int) int { return 6 },
		"mov.u32 %r2, %ntid.z;":            func(x, y, bx, by int) int { return 1 },
		"mov.u32 %r2, %tid.z;":             func(x, y, bx, by int) int { return 0 },
		"mov.u32 %r2, %nwarpid;":           func(x, y, bx, by int) int { return 2 },
		"mov.u32 %r2, %nsmid;":             func(x, y, bx, by int) int { return 1 },
		"mov.u32 %r2, %smid;":              func(x, y, bx, by int) int { return 0 },
		"mov.u32 %r2, %lanemask_eq;":       func(x, y, bx, by int) int { return 1 << ((8*y + x) % 32) },
		"mov.u32 %r2, %lanemask_lt;":       func(x, y, bx, by int) int { return 1<<((8*y+x)%32) - 1 },
		"mov.u32 %r2, %lanemask_le;":       func(x, y, bx, by int) int { return 2<<((8*y+x)%32) - 1 },
		"mov.u32 %r2, %lanemask_gt;":       func(x, y, bx, by int) int { return -(2 << ((8*y + x) % 32)) },
		"mov.u32 %r2, %lanemask_ge;":       func(x, y, bx, by int) int { return -(1 << ((8*y + x) % 32)) },
		"mov.u32 %r2, %warpid;":            func(x, y, bx, by int) int { return (8*y + x) / 32 },
		"mov.u32 %r2, %laneid;":            func(x, y, bx, by int) int { return (8*y + x) % 32 },
		"mov.u32 %r2, %total_smem_size;":   func(x, y, bx, by int) int { return 0 },
		"mov.u32 %r2, %dynamic_smem_size;": func(x, y, bx, by int) int { return 0 },
		"mov.u32 %r2, WARP_SZ;":            func(x, y, bx, by int) int { return 32 },
		"mov.u32 %r2, %clock;\nmov.u32 %r3, %clock;\nsub.s32 %r2, %r3, %r2;":                            func(x, y, bx, by int) int { return 1 },
		"mov.u64 %d1, %clock64;\nmov.u64 %d2, %clock64;\nsub.s64 %d2, %d2, %d1;\ncvt.u32.u64 %r2, %d2;": func(x, y, bx, by int) int { return 1 },
	} {
		got, _ := run(t, "", text+`
	mov.u32 %r5, %ctaid.y;
	mad.lo.s32 %r5, %r5, 2, %r0;
	mov.u32 %r6, %tid.y;
	mad.lo.s32 %r6, %r6, 8, %tid;
	mad.lo.s32 %r5, %r5, 48, %r6;
	mul.wide.s32 %o, %r5, 4;
	add.s64 %o, %out, %o;
	st.global.u32 [%o], %r2;
`, driver.Config{Grid: driver.Dim{X: 2, Y: 3}, Block: driver.Dim{X: 8, Y: 6}})
		for i, v := range got {
			b, th := i/48, i%48
			require.Equal(t, uint32(want(th%8, th/8, b%2, b/2)), v, "%s, thread %d", text, i)
		}
	}
}

func TestAtomics(t *testing.T) {
	// Of a word in shared and one in global memory, by all threads.
	for op, want := range map[string]uint32{
		"add.u32 %r4, [%r2], 2":     5 + 2*96,
		"max.s32 %r4, [%r2], %tid":  95,
		"max.u32 %r4, [%r2], %tid":  95,
		"min.s32 %r4, [%r2], %r6":   uint32(1<<32 - 95),
		"min.u32 %r4, [%r2], %tid":  0,
		"or.b32 %r4, [%r2], %tid":   127,
		"and.b32 %r4, [%r2], 4":     4,
		"xor.b32 %r4, [%r2], 1":     5, // 96 times
		"exch.b32 %r4, [%r2], 77":   77,
		"cas.b32 %r4, [%r2], 5, 88": 88,
		"add.f32 %r4, [%r2], 0.5":   0x42400000, // 48: 5 is subnormal
		"exch.b32 _, [%r2], 77":     77,
	} {
		got, _ := run(t, "", `
	.shared .b32 s;
	mov.u32 %r2, s;
	setp.eq.u32 %p1, %tid, 0;
	@%p1 st.shared.u32 [%r2], 5;
	neg.s32 %r6, %tid;
	bar.sync 0;
	atom.shared.`+op+`;
	bar.sync 0;
	ld.shared.u32 %r4, [s];
	st.global.u32 [%o], %r4;
`, shape(2, 96))
		expect(t, got, func(int) uint32 { return want })
	}
	got, counters := run(t, "", `
	atom.global.add.u32 %r4, [%out], 3;
	red.global.add.u32 [%out+4], 1;
`, shape(4, 64))
	require.Equal(t, []uint32{4 * 64 * 3, 4 * 64, 0}, got[:3])
	require.Equal(t, int64(4*2*2), counters.Issued[ClassAtomic])
}

func TestAsyncCopies(t *testing.T) {
	body := `
	.shared .align 16 .b8 s[2048];
	st.global.u32 [%o], %i;
	bar.sync 0;
	mov.u32 %r2, s;
	shl.b32 %r3, %tid, 2;
	add.s32 %r4, %r2, %r3;
	cp.async.ca.shared.global [%r4], [%o], 4;
	cp.async.commit_group;
	mov.u32 %r5, 0;
	cp.async.ca.shared.global [%r4+1024], [%o], 4, %r5;
	cp.async.commit_group;
	cp.async.wait_group 1;
	ld.shared.u32 %r6, [%r4];
	cp.async.wait_group 0;
	ld.shared.u32 %r7, [%r4+1024];
	mad.lo.s32 %r6, %r7, 100, %r6;
	bar.sync 0;
	st.global.u32 [%o], %r6;
`
	got, counters := run(t, "", body, shape(2, 128))
	expect(t, got, func(i int) uint32 { return uint32(i) }) // the second copy brings zeroes
	require.Equal(t, int64(2*4*6), counters.Issued[ClassAsync])
	got, _ = run(t, "", `
	.shared .align 16 .b8 s[512];
	st.global.u32 [%o], %i;
	bar.sync 0;
	mov.u32 %r2, s;
	mul.wide.u32 %d1, %tid, 16;
	add.s64 %d1, %out, %d1;
	shl.b32 %r3, %tid, 4;
	add.s32 %r3, %r2, %r3;
	setp.lt.u32 %p1, %tid, 8;
	@%p1 cp.async.cg.shared.global [%r3], [%d1], 16, 12;
	cp.async.wait_all;
	bar.sync 0;
	shl.b32 %r4, %tid, 2;
	add.s32 %r4, %r2, %r4;
	ld.shared.u32 %r5, [%r4];
	st.global.u32 [%o], %r5;
`, shape(1, 32))
	expect(t, got, func(i int) uint32 { return uint32(i * b2i(i%4 != 3)) })
}

func TestSpaces(t *testing.T) {
	// Constants, globals, local memory, dynamic shared memory, bytes of shared
	// memory and generic addresses.
	c := shape(1, 32)
	c.Shared = 256
	got, _ := run(t, `
.const .align 4 .u32 ctab[4] = {10, 20, 30, 40};
.global .align 4 .b8 gtab[8] = {1, 0, 0, 0, 2, 0, 0, 0};
.extern .shared .align 16 .b8 dyn[];
`, `
	.local .align 8 .b8 depot[16];
	.shared .align 4 .b8 bytes[32];
	.reg .b64 %sp;
	and.b32 %r2, %tid, 3;
	mul.wide.u32 %d1, %r2, 4;
	mov.u64 %d2, ctab;
	add.s64 %d2, %d2, %d1;
	ld.const.u32 %r3, [%d2];
	ld.const.u32 %r4, [ctab+12];
	add.s32 %r3, %r3, %r4;
	mov.u64 %d3, gtab;
	cvta.global.u64 %d3, %d3;
	ld.u32 %r4, [%d3+4];
	add.s32 %r3, %r3, %r4;
	mov.u64 %sp, depot;
	cvta.local.u64 %d4, %sp;
	st.u32 [%d4+8], %tid;
	ld.local.u32 %r4, [%sp+8];
	add.s32 %r3, %r3, %r4;
	mov.u32 %r5, dyn;
	shl.b32 %r6, %tid, 3;
	add.s32 %r5, %r5, %r6;
	mov.u32 %r7, 1000;
	mov.u32 %r8, 2000;
	st.shared.v2.u32 [%r5], {%r7, %r8};
	ld.shared.u32 %r4, [%r5+4];
	add.s32 %r3, %r3, %r4;
	mov.u64 %d5, bytes;
	cvt.u64.u32 %d6, %tid;
	add.s64 %d5, %d5, %d6;
	cvta.shared.u64 %d5, %d5;
	cvt.u16.u32 %h1, %tid;
	st.u8 [%d5], %h1;
	bar.sync 0;
	cvt.u32.u64 %r9, %d6;
	xor.b32 %r9, %r9, 1;
	mov.u32 %r10, bytes;
	add.s32 %r10, %r10, %r9;
	ld.shared.u8 %h2, [%r10];
	cvt.u32.u16 %r4, %h2;
	mad.lo.s32 %r3, %r4, 10000, %r3;
	isspacep.shared %p1, %d5;
	@!%p1 mov.u32 %r3, 0;
	st.global.u32 [%o], %r3;
`, c)
	expect(t, got, func(i int) uint32 { return uint32(10*(i%4+1) + 40 + 2 + i + 2000 + 10000*(i^1)) })
}

func TestCounters(t *testing.T) {
	_, c := run(t, "", "st.global.u32 [%o], %i;", shape(2, 64))
	require.Equal(t, int64(2), c.Blocks)
	require.Equal(t, int64(4), c.Warps)
	require.Equal(t, int64(4), c.StoreRequests)
	require.Equal(t, int64(16), c.StoreSectors, "four sectors each")
	require.Equal(t, int64(4), c.Issued[ClassStoreGlobal])
	require.Equal(t, int64(4), c.Issued[ClassParam])
	require.Equal(t, int64(4), c.Issued[ClassControl])
	require.Equal(t, 32*c.Instructions(), c.Active)

	// Every lane a sector of its own.
	_, c = run(t, "", "mul.wide.u32 %d1, %tid, 32;\nadd.s64 %d1, %out, %d1;\nsetp.lt.u32 %p1, %tid, 8;\n@%p1 st.global.u32 [%d1], %i;", shape(1, 64))
	require.Equal(t, int64(1), c.StoreRequests)
	require.Equal(t, int64(8), c.StoreSectors)

	for stride, wavefronts := range map[string]int64{"4": 1, "8": 2, "128": 32, "132": 1, "0": 1} {
		_, c = run(t, "", ".shared .align 16 .b8 s[8192];\nmov.u32 %r2, s;\nmad.lo.s32 %r2, %tid, "+stride+", %r2;\n"+
			"setp.eq.u32 %p1, %tid, 0;\nsetp.ne.s32 %p2, "+stride+", 0;\nor.pred %p1, %p1, %p2;\n@%p1 st.shared.u32 [%r2], %tid;\nbar.warp.sync -1;\nld.shared.u32 %r3, [%r2];", shape(1, 32))
		require.Equal(t, int64(2), c.SharedRequests)
		require.Equal(t, 2*wavefronts, c.SharedWavefronts, "stride %s", stride)
		require.Equal(t, int64(2), c.SharedIdeal)
	}
	_, c = run(t, "", ".shared .align 16 .b8 s[512];\nmov.u32 %r2, s;\nmad.lo.s32 %r2, %tid, 16, %r2;\nst.shared.v4.u32 [%r2], {%tid, %tid, %tid, %tid};\nbar.sync 0;", shape(1, 32))
	require.Equal(t, int64(4), c.SharedWavefronts)
	require.Equal(t, int64(4), c.SharedIdeal)
	require.Equal(t, int64(1), c.Barriers)
	// Loads of 16 bytes where lanes have the address of a neighbour, of the next
	// but one, of neither; in pairs with conflicts; and one lane alone.
	for lane, wavefronts := range map[string][2]int64{
		"shr.u32 %r2, %tid, 1;\nand.b32 %r2, %r2, 7;":                       {2, 2},
		"and.b32 %r2, %tid, 1;":                                             {2, 2},
		"and.b32 %r2, %tid, 3;":                                             {4, 4},
		"shr.u32 %r2, %tid, 1;\nand.b32 %r2, %r2, 7;\nshl.b32 %r2, %r2, 1;": {4, 2},
		"mov.u32 %r2, 0;\nsetp.gt.u32 %p1, %tid, 0;\n@%p1 ret;":             {1, 1},
	} {
		_, c = run(t, "", ".shared .align 16 .b8 s[512];\nmov.u32 %r2, s;\nmad.lo.s32 %r2, %tid, 16, %r2;\n"+
			"st.shared.v4.u32 [%r2], {%tid, %tid, %tid, %tid};\nbar.sync 0;\n"+lane+
			"\nmov.u32 %r3, s;\nmad.lo.s32 %r2, %r2, 16, %r3;\nld.shared.v4.u32 {%r4, %r5, %r6, %r7}, [%r2];", shape(1, 32))
		require.Equal(t, wavefronts, [2]int64{c.SharedWavefronts - 4, c.SharedIdeal - 4}, lane)
	}
	var sum Counters
	sum.Add(&c)
	sum.Add(&c)
	require.Equal(t, 2*c.Instructions(), sum.Instructions())
}

// Every number that is printed is another one here, and every ratio.
func TestCountersString(t *testing.T) {
	c := Counters{
		Launches: 2, Blocks: 3, Warps: 5, Active: 800, TensorFMAs: 7,
		LoadRequests: 8, LoadSectors: 34, StoreRequests: 16, StoreSectors: 60,
		SharedRequests: 9, SharedWavefronts: 22, SharedIdeal: 11, Divergent: 4, Barriers: 6,
	}
	c.Issued[ClassFMA], c.Issued[ClassStoreShared] = 10, 30
	require.Equal(t, `launches 2, blocks 3, warps 5, barriers 6
instructions 40, lanes active 62.5 %, divergent branches 4
  fma                  10   25.0 %
  st.shared            30   75.0 %
multiply-adds of tensor cores 7
global loads 8, 4.25 sectors each; stores 16, 3.75 sectors each
shared requests 9, wavefronts 22, 2.00 of the ideal
`, c.String())
	require.Equal(t, `launches 0, blocks 0, warps 0, barriers 0
instructions 0, lanes active 0.0 %, divergent branches 0
global loads 0, 0.00 sectors each; stores 0, 0.00 sectors each
shared requests 0, wavefronts 0, 0.00 of the ideal
`, new(Counters).String())
}

// Results, counts and faults do not depend on the number of workers: of many
// faulty blocks, the first in grid order is reported.
func TestWorkersAgree(t *testing.T) {
	var want Counters
	for _, workers := range []int{1, 2, 7} {
		got, counters, err := runWith(t, workers, "", "mul.lo.s32 %r2, %i, %i;\nst.global.u32 [%o], %r2;", shape(100, 40))
		require.NoError(t, err)
		expect(t, got, func(i int) uint32 { return uint32(i * i) })
		require.Equal(t, int64(100), counters.Blocks)
		require.Equal(t, int64(200), counters.Warps)
		require.Less(t, counters.Active, 32*counters.Instructions())
		if workers == 1 {
			want = counters
		}
		require.Equal(t, want, counters, "%d workers", workers)

		_, _, err = runWith(t, workers, "", "setp.ge.s32 %p1, %r0, 37;\n@%p1 trap;\nst.global.u32 [%o], %i;", shape(100, 40))
		var fault *Fault
		require.ErrorAs(t, err, &fault, "%d workers", workers)
		require.Equal(t, [3]int{37, 0, 0}, fault.Block, "%d workers", workers)
	}
}
