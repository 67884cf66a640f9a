package ptxsim

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

const header = ".version 7.8\n.target sm_70\n.address_size 64\n"

// What is not supported is an error that names the instruction and the line,
// at the latest when the module is loaded.
func TestLoadErrors(t *testing.T) {
	for body, says := range map[string]string{
		"wmma.mma.sync.aligned.row.col.m16n16k8.f32.f32 {%f0}, {%r0}, {%r0}, {%f0};": "wmma.mma.sync.aligned.row.col.m16n16k8.f32.f32: the simulator does not have this instruction",
		"add.s32 %r0, %r1;":                             "add.s32: has 2 operands, not 3",
		"add.s32 %r0, %r1, %d0;":                        "register %d0 has 64 bits, not 32",
		"add.q32 %r0, %r1, %r1;":                        `add.q32: "q32" is not a type`,
		"add.s32 %r9, %r1, %r1;":                        `add.s32: "%r9" is not declared: a .reg in the kernel declares a register`,
		"add.s32 %r0, %r1, nowhere;":                    `"nowhere" is not declared, in the kernel or before it`,
		"add.s32 %r0, %r1, %pm0;":                       `"%pm0" is not declared: a .reg in the kernel declares a register`,
		"fma.f32 %f0, %f0, %f0, %f0;":                   "fma.f32: needs a rounding mode",
		"ex2.f32 %f0, %f0;":                             "needs a rounding mode or .approx",
		"add.cc.u32 %r0, %r1, %r1;":                     "modifier .cc is not supported here",
		"mul.s32 %r0, %r1, %r1;":                        "needs .lo, .hi or .wide",
		"ld.global.v4.f64 {%d0, %d0, %d0, %d0}, [%d0];": "type f64 is not supported here",
		"ld.global.u32 %h0, [%d0];":                     "register %h0 is narrower than u32",
		"ld.global.v2.u32 {%r0, %r1, %r1}, [%d0];":      "has 3 elements, not 2",
		"ld.shared.u32 %r0, [elsewhere];":               `"elsewhere" is not declared, in the kernel or before it`,
		"ld.global.u32 %r0, [sh];":                      "sh lies in shared memory",
		"ld.shared.nc.u32 %r0, [sh];":                   "modifier .nc needs .global",
		"lop3.b32 %r0, %r0, %r0, %r0, 256;":             "the table must be an integer of 8 bits",
		"st.global.nc.u32 [%d0], %r0;":                  "modifier .nc is not supported here",
		"st.const.u32 [%d0], %r0;":                      "const memory cannot be written",
		"bra $nowhere;":                                 `no label "$nowhere"`,
		"shfl.bfly.b32 %r0, %r0, 1, 31;":                "needs .sync",
		"barrier.arrive 0, 64;":                         "only .sync and .red are supported",
		"cp.async.bulk.wait_group 0;":                   "modifier .bulk is not supported here",
		"cvt.s32.f32 %r0, %f0;":                         "needs an integer rounding mode",
		"atom.global.add.f16 %h0, [%d0], %h0;":          "type f16 is not supported",
		"setp.ltu.s32 %p0, %r0, %r1;":                   "comparison ltu is for floats",
		"call.uni (r), f, (a);":                         "call.uni is not supported",
		"@%r0 bra $nowhere;":                            `"%r0" is not a predicate: a .reg .pred in the kernel declares one`,
		"vote.sync.ballot.pred %p0, %p0, -1;":           "needs .all",
		"mul.rp.f64 %d0, %d0, %d0;":                     "float64 rounds to nearest only",
		"membar;":                                       "needs .cta, .gl or .sys",
		"fence.proxy.async;":                            "needs .cta, .gpu or .sys",
		"fence.sc.gpu %r0;":                             "has 1 operands, not 0",
		"prefetch.global.L3 [%d0];":                     "needs .L1 or .L2",
		"prefetch.global.L1 %d0;":                       "operand is not an address",
		"nanosleep.u64 %d0;":                            "needs type u32",
		"mov.u32 %r0, 0x1g;":                            `"0x1g" is not a number`,
	} {
		_, err := New(Config{}).Load("m.ptx", header+".visible .entry k()\n{\n.reg .b32 %r<2>;\n.reg .b16 %h<1>;\n.reg .f32 %f<1>;\n.reg .b64 %d<1>;\n.reg .pred %p<1>;\n.shared .b32 sh;\n"+body+"\nret;\n}\n")
		require.ErrorContains(t, err, says, body)
		require.ErrorContains(t, err, "m.ptx: line 12: ", body)
	}
	for text, says := range map[string]string{
		header + ".func f() { ret; }":                     "line 4: functions are not supported",
		header + ".visible .entry k() { ret;":             "k has no end",
		header + ".visible .entry k(.param .b8 p[16]) {}": "parameter p has 16 bytes, 8 are the most",
		header + "nonsense":                               `line 4: "nonsense" is not supported`,
		".version 7.8\n.target sm_90\n":                   "made for sm_90, and this device is sm_80",
		".address_size 32":                                "address size 32",
		"/* never":                                        "comment without end",
	} {
		_, err := New(Config{}).Load("m.ptx", text)
		require.ErrorContains(t, err, says)
	}
}

// A module that does not load leaves nothing behind.
func TestLoadErrorFreesVariables(t *testing.T) {
	sim := New(Config{Memory: 4096})
	before, _, err := sim.MemInfo()
	require.NoError(t, err)
	for _, text := range []string{
		".global .b8 g[2048];\n.visible .entry k() { mma.sync; }",
		".global .b8 g[2048];\n.global .b8 h[4096];\n",
	} {
		_, err = sim.Load("m.ptx", header+text)
		require.Error(t, err)
		after, _, err := sim.MemInfo()
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
	m, err := sim.Load("m.ptx", header+".global .b8 g[4096];\n")
	require.NoError(t, err)
	require.NoError(t, m.Unload())
}

const copyKernel = header + `
.visible .entry copy(.param .u64 to, .param .u64 from, .param .u32 n)
.maxntid 128, 1, 1
{
	.reg .pred %p;
	.reg .b32 %r<6>;
	.reg .b64 %d<4>;
	.extern .shared .align 16 .b8 dyn[];
	ld.param.u64 %d0, [to];
	ld.param.u64 %d1, [from];
	ld.param.u32 %r0, [n];
	mov.u32 %r1, %ctaid.x;
	mov.u32 %r2, %ntid.x;
	mov.u32 %r3, %tid.x;
	mad.lo.s32 %r1, %r1, %r2, %r3;
	setp.ge.s32 %p, %r1, %r0;
	@%p ret;
	mul.wide.s32 %d2, %r1, 4;
	add.s64 %d0, %d0, %d2;
	add.s64 %d1, %d1, %d2;
	ld.global.u32 %r4, [%d1];
	st.global.u32 [%d0], %r4;
	ret;
}
`

func loadCopy(t *testing.T, c Config) (*Sim, driver.Function, driver.Stream) {
	sim := New(c)
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	m, err := sim.Load("copy.ptx", strings.Replace(copyKernel, "\t.extern .shared .align 16 .b8 dyn[];\n", "", 1))
	require.NoError(t, err)
	f, err := m.Function("copy")
	require.NoError(t, err)
	_, err = m.Function("paste")
	require.ErrorContains(t, err, `copy.ptx: no kernel "paste"; there are copy`)
	st, err := sim.NewStream()
	require.NoError(t, err)
	return sim, f, st
}

func TestLaunchErrors(t *testing.T) {
	sim, f, st := loadCopy(t, Config{})
	var args driver.Args
	args.Ptr(0).Ptr(0).Int(0)
	for says, c := range map[string]driver.Config{
		"every extent must be at least 1":     {Block: driver.Dim{X: 32}},
		"129 threads a block, 128 are":        {Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 129}},
		"an extent is too large":              {Grid: driver.Dim{X: 1, Y: 65536}, Block: driver.Dim{X: 1}},
		"bytes of dynamic shared memory, 491": {Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 1}, Shared: 49153},
	} {
		require.ErrorContains(t, st.Launch(f, c, &args), says)
	}
	c := driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 1}}
	require.ErrorContains(t, st.Launch(f, c, new(driver.Args)), "0 arguments for 3 parameters")
	require.NoError(t, st.Launch(f, c, &args))
	require.ErrorContains(t, f.SetMaxDynamicShared(164<<10), "166912 are the most")
	require.NoError(t, f.SetMaxDynamicShared(163<<10))
	c.Shared = 100 << 10
	require.NoError(t, st.Launch(f, c, &args))
	at, err := f.Attributes()
	require.NoError(t, err)
	require.Equal(t, driver.Attributes{MaxThreads: 128, MaxDynamicShared: 163 << 10}, at)

	_, other, _ := loadCopy(t, Config{})
	require.ErrorContains(t, st.Launch(other, c, &args), "function of another device")
	require.Equal(t, 80, sim.Properties().Capability())
}

func TestMemory(t *testing.T) {
	sim, _, st := loadCopy(t, Config{Memory: 4096})
	a, err := sim.Alloc("a", 100)
	require.NoError(t, err)
	b, err := sim.Alloc("b", 100)
	require.NoError(t, err)
	require.Zero(t, a%256)
	_, err = sim.Alloc("c", 4000)
	require.ErrorContains(t, err, "out of memory: allocation c of 4000 bytes, 3896 of 4096 are free")
	_, err = sim.Alloc("d", 0)
	require.ErrorContains(t, err, "must be positive")
	free, total, err := sim.MemInfo()
	require.NoError(t, err)
	require.Equal(t, [2]int64{3896, 4096}, [2]int64{free, total})

	require.NoError(t, st.Memset(a, 7, 100))
	require.NoError(t, st.Memset32(a.Offset(8), 0x01020304, 2))
	require.NoError(t, st.Copy(b.Offset(10), a.Offset(6), 12))
	got := make([]byte, 14)
	require.NoError(t, st.Upload(b.Offset(9), []byte{42}))
	require.NoError(t, st.Download(got, b.Offset(9)))
	require.Equal(t, []byte{42, 7, 7, 4, 3, 2, 1, 4, 3, 2, 1, 7, 7, 0}, got)

	require.ErrorContains(t, st.Upload(a.Offset(90), make([]byte, 11)), "11 bytes at offset 90 reach past the end of a (100 bytes")
	require.ErrorContains(t, st.Download(got, b.Offset(100)), "0 bytes past the end of b")
	require.ErrorContains(t, st.Memset(a.Offset(-1), 0, 1), "1 bytes before a")
	require.ErrorContains(t, st.Copy(a, a.Offset(5), 6), "overlap in a")
	require.NoError(t, st.Copy(a, a.Offset(5), 5))

	require.NoError(t, sim.Free(a))
	require.ErrorContains(t, sim.Free(a), "free of a (100 bytes")
	require.ErrorContains(t, sim.Free(b+1), "not the address of an allocation")
	free, total, err = sim.MemInfo()
	require.NoError(t, err)
	require.Equal(t, [2]int64{3996, 4096}, [2]int64{free, total})
	require.ErrorContains(t, st.Upload(a, []byte{1}), "which is freed")
	require.NoError(t, sim.Close())
}

// Copying memory that was never written does not make it written.
func TestCopyKeepsUnwritten(t *testing.T) {
	sim, f, st := loadCopy(t, Config{})
	var p [3]driver.Ptr
	for i, name := range []string{"to", "from", "never"} {
		var err error
		p[i], err = sim.Alloc(name, 64)
		require.NoError(t, err)
	}
	require.NoError(t, st.Memset(p[1], 0, 64))
	require.NoError(t, st.Copy(p[1].Offset(32), p[2], 32))
	var args driver.Args
	args.Ptr(p[0]).Ptr(p[1])
	c := driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 32}}
	require.NoError(t, st.Launch(f, c, args.Int(8)))
	args.Reset().Ptr(p[0]).Ptr(p[1])
	require.ErrorContains(t, st.Launch(f, c, args.Int(9)), "offset 32 of from (64 bytes")
}

// Stamps of global memory start anew when they run out, and races and reads of memory
// that was never written are still found after that.
func TestRestamp(t *testing.T) {
	sim, f, st := loadCopy(t, Config{Workers: 1})
	a, err := sim.Alloc("a", 1024)
	require.NoError(t, err)
	require.NoError(t, st.Memset(a, 0, 1024))
	sim.stamp = lastStamp - 8
	var args driver.Args
	c := driver.Config{Grid: driver.Dim{X: 8}, Block: driver.Dim{X: 16}}
	for range 4 {
		require.NoError(t, st.Launch(f, c, args.Reset().Ptr(a.Offset(512)).Ptr(a).Int(128)))
		require.ErrorContains(t, st.Launch(f, c, args.Reset().Ptr(a.Offset(32)).Ptr(a).Int(128)), "global race")
	}
	require.Less(t, sim.stamp, uint32(200))
	never, err := sim.Alloc("never", 1024)
	require.NoError(t, err)
	sim.stamp = lastStamp - 7
	require.NoError(t, st.Launch(f, c, args.Reset().Ptr(a.Offset(512)).Ptr(a).Int(128)))
	require.Less(t, sim.stamp, uint32(200))
	require.ErrorContains(t, st.Launch(f, c, args.Reset().Ptr(a).Ptr(never).Int(128)), "offset 0 of never (1024 bytes")
}

// A sample of the blocks is spread over the grid.
func TestSample(t *testing.T) {
	var reports []Report
	sim := New(Config{Sample: 4, OnLaunch: func(r Report) { reports = append(reports, r) }})
	defer sim.Close()
	m, err := sim.Load("m.ptx", header+`.visible .entry k(.param .u64 p)
{
.reg .b32 %r<2>;
.reg .b64 %d<3>;
ld.param.u64 %d0, [p];
mov.u32 %r0, %ctaid.x;
mul.wide.u32 %d1, %r0, 4;
add.s64 %d2, %d0, %d1;
st.global.u32 [%d2], %r0;
ret;
}
`)
	require.NoError(t, err)
	f, err := m.Function("k")
	require.NoError(t, err)
	s, err := sim.NewStream()
	require.NoError(t, err)
	p, err := sim.Alloc("p", 40)
	require.NoError(t, err)
	require.NoError(t, s.Memset(p, 0xff, 40))
	var args driver.Args
	require.NoError(t, s.Launch(f, driver.Config{Grid: driver.Dim{X: 10}, Block: driver.Dim{X: 1}}, args.Ptr(p)))
	got := make([]byte, 40)
	require.NoError(t, s.Download(got, p))
	var ran []int
	for i := range 10 {
		if got[4*i] != 0xff {
			ran = append(ran, i)
		}
	}
	require.Equal(t, []int{0, 2, 5, 7}, ran)
	require.Equal(t, int64(4), reports[0].Blocks)
	require.NoError(t, s.Launch(f, driver.Config{Grid: driver.Dim{X: 3}, Block: driver.Dim{X: 1}}, &args))
	require.Equal(t, int64(3), reports[1].Blocks, "all of a small grid")
}

func TestEvents(t *testing.T) {
	sim, _, st := loadCopy(t, Config{})
	a, err := sim.NewEvent()
	require.NoError(t, err)
	b, err := sim.NewEvent()
	require.NoError(t, err)
	require.NoError(t, a.Sync())
	_, err = b.Since(a)
	require.ErrorContains(t, err, "not both recorded")
	require.NoError(t, st.Record(a))
	require.NoError(t, st.Wait(a))
	require.NoError(t, st.Record(b))
	d, err := b.Since(a)
	require.NoError(t, err)
	require.GreaterOrEqual(t, d.Nanoseconds(), int64(0))
	require.NoError(t, st.Sync())
	require.NoError(t, a.Close())
	require.NoError(t, st.Close())
}

// A warm launch allocates nothing.
func TestLaunchAllocatesNothing(t *testing.T) {
	sim, f, st := loadCopy(t, Config{Workers: 2})
	a, err := sim.Alloc("a", 4096)
	require.NoError(t, err)
	require.NoError(t, st.Memset(a, 0, 4096))
	var args driver.Args
	launch := func() {
		args.Reset().Ptr(a.Offset(2048)).Ptr(a).Int(512)
		if err := st.Launch(f, driver.Config{Grid: driver.Dim{X: 4}, Block: driver.Dim{X: 128}}, &args); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		launch()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		launch()
	}
	runtime.ReadMemStats(&after)
	// The runtime's own, for goroutines.
	require.Less(t, after.Mallocs-before.Mallocs, uint64(100))
}

// FuzzLoad looks for text that makes the parser or decoder panic.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ptx")
	require.NoError(f, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(string(text))
	}
	for _, i := range instructions {
		f.Add(header + ".visible .entry k() { .reg .b32 %a, %b, %c, %d, %u; .reg .pred %q; " + i.text + " }")
	}
	f.Add(copyKernel)
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := New(Config{Memory: 1 << 16}).Load("fuzz.ptx", text); err == nil {
			require.NoError(t, m.Unload())
		}
	})
}

func TestForget(t *testing.T) {
	sim, f, st := loadCopy(t, Config{})
	to, err := sim.Alloc("to", 256)
	require.NoError(t, err)
	from, err := sim.Alloc("from", 256)
	require.NoError(t, err)
	require.NoError(t, st.Memset(from, 1, 256))
	launch := func(n int) error {
		var args driver.Args
		return st.Launch(f, driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 64}}, args.Ptr(to).Ptr(from).Int(n))
	}
	require.NoError(t, launch(64))
	require.NoError(t, sim.Forget(from.Offset(249), 7), "one whole word, the last")
	require.ErrorContains(t, launch(64), "offset 252 of from (256 bytes")
	require.NoError(t, launch(63))
	require.ErrorContains(t, sim.Forget(from, 257), "reach past the end")
}

func TestHostAlloc(t *testing.T) {
	sim := New(Config{Memory: 1 << 10})
	mem, err := sim.HostAlloc(100)
	require.NoError(t, err)
	require.Len(t, mem, 100)
	require.NoError(t, sim.HostFree(mem))
	_, err = sim.HostAlloc(1<<10 + 1)
	require.ErrorContains(t, err, "host memory of 1025 bytes")
}
