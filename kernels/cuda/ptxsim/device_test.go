package ptxsim

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

func TestDefaults(t *testing.T) {
	s := New(Config{})
	defer s.Close()
	require.Equal(t, driver.Properties{Name: "ptxsim", Major: 8, Minor: 0, SMs: 80, TotalMem: 64 << 30,
		SharedPerBlock: 48 << 10, SharedOptin: 163 << 10, MaxThreads: 1024}, s.Properties())
	require.Equal(t, runtime.GOMAXPROCS(0), s.Workers())
	require.Equal(t, Config{Capability: 80, SMs: 80, Workers: runtime.GOMAXPROCS(0), Memory: 64 << 30, MaxInstructions: 1 << 32}, s.config)
	require.Equal(t, 3, New(Config{Workers: 3}).Workers())
	require.True(t, New(Config{Sample: 1}).config.Unchecked)
}

// simple loads a module with a kernel k of so many parameters, and returns how to
// launch it.
func simple(t *testing.T, c Config, params, body string) (*Sim, driver.Function, driver.Stream) {
	t.Helper()
	s := New(c)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	m, err := s.Load("m.ptx", header+".entry k("+params+") {\n.reg .b32 %r<8>;\n.reg .b64 %d<4>;\n.reg .pred %p<2>;\n"+body+"\n}")
	require.NoError(t, err)
	f, err := m.Function("k")
	require.NoError(t, err)
	st, err := s.NewStream()
	require.NoError(t, err)
	return s, f, st
}

// Every bound of a launch, just inside and just outside.
func TestLaunchBounds(t *testing.T) {
	_, f, st := simple(t, Config{Sample: 1, Workers: 1}, "", ".shared .b8 s[1000];")
	launch := func(grid, block driver.Dim, shared int) error {
		return st.Launch(f, driver.Config{Grid: grid, Block: block, Shared: shared}, new(driver.Args))
	}
	one := driver.Dim{X: 1}
	for _, c := range []struct {
		grid, block driver.Dim
		shared      int
		says        string
	}{
		{one, one, 0, ""}, {driver.Dim{X: 1 << 26}, one, 0, ""}, {driver.Dim{X: 1, Y: 65535}, one, 0, ""}, {driver.Dim{X: 1, Z: 65535}, one, 0, ""},
		{one, driver.Dim{X: 1024}, 0, ""}, {one, driver.Dim{X: 1, Z: 64}, 0, ""}, {one, one, 48<<10 - 1000, ""},
		{driver.Dim{X: 1 << 31}, one, 0, "grid (2147483648,1,1), block (1,1,1): an extent is too large"},
		{driver.Dim{X: 1, Y: 65536}, one, 0, "grid (1,65536,1), block (1,1,1): an extent is too large"},
		{driver.Dim{X: 1, Z: 65536}, one, 0, "grid (1,1,65536), block (1,1,1): an extent is too large"},
		{one, driver.Dim{X: 1, Z: 65}, 0, "grid (1,1,1), block (1,1,65): an extent is too large"},
		{one, driver.Dim{X: 1025}, 0, "grid (1,1,1), block (1025,1,1): 1025 threads a block, 1024 are the most"},
		{one, driver.Dim{X: 32, Y: 33}, 0, "grid (1,1,1), block (32,33,1): 1056 threads a block, 1024 are the most"},
		{one, one, 48<<10 - 999, "grid (1,1,1), block (1,1,1): 48153 bytes of dynamic shared memory, 48152 are the most: SetMaxDynamicShared allows more"},
		{one, one, -1, "grid (1,1,1), block (1,1,1): -1 bytes of dynamic shared memory, 48152 are the most: SetMaxDynamicShared allows more"},
		{driver.Dim{}, one, 0, "grid (0,1,1), block (1,1,1): every extent must be at least 1"},
		{driver.Dim{X: 1, Y: -1}, one, 0, "grid (1,-1,1), block (1,1,1): every extent must be at least 1"},
		{driver.Dim{X: 1, Z: -1}, one, 0, "grid (1,1,-1), block (1,1,1): every extent must be at least 1"},
		{one, driver.Dim{X: -1}, 0, "grid (1,1,1), block (-1,1,1): every extent must be at least 1"},
		{one, driver.Dim{X: 1, Y: -1}, 0, "grid (1,1,1), block (1,-1,1): every extent must be at least 1"},
		{one, driver.Dim{X: 1, Z: -1}, 0, "grid (1,1,1), block (1,1,-1): every extent must be at least 1"},
		{driver.Dim{X: lastStamp - 12}, one, 0, ""},
		{driver.Dim{X: lastStamp - 11}, one, 0, "grid (134217713,1,1), block (1,1,1): 134217713 blocks are too many"},
		{driver.Dim{X: 1 << 30}, one, 0, "grid (1073741824,1,1), block (1,1,1): 1073741824 blocks are too many"},
	} {
		err := launch(c.grid, c.block, c.shared)
		if c.says == "" {
			require.NoError(t, err, "%v %v %d", c.grid, c.block, c.shared)
		} else {
			require.EqualError(t, err, "ptxsim: launch of k, "+c.says)
		}
	}
	require.EqualError(t, st.Launch(f, driver.Config{Grid: one, Block: one}, new(driver.Args).Int(1)), "ptxsim: launch of k, grid (1,1,1), block (1,1,1): 1 arguments for 0 parameters")
	require.EqualError(t, f.SetMaxDynamicShared(163<<10-999), "ptxsim: kernel k: 165913 bytes of dynamic shared memory, 165912 are the most")
	require.NoError(t, f.SetMaxDynamicShared(163<<10-1000))
	require.NoError(t, launch(one, one, 163<<10-1000))
	at, err := f.Attributes()
	require.NoError(t, err)
	require.Equal(t, driver.Attributes{MaxThreads: 1024, Shared: 1000, MaxDynamicShared: 163<<10 - 1000}, at)
	require.Equal(t, "k", f.Name())

	_, f, _ = simple(t, Config{}, "", ".local .b8 a[5];\n.local .align 8 .b8 b[3];")
	at, err = f.Attributes()
	require.NoError(t, err)
	require.Equal(t, driver.Attributes{MaxThreads: 1024, MaxDynamicShared: 48 << 10, Local: 11}, at)
}

// Threads and blocks have places in three dimensions, which faults name.
func TestThreeDimensions(t *testing.T) {
	const body = `
	ld.param.u64 %d0, [out];
	mov.u32 %r0, %ctaid.z; mov.u32 %r1, %nctaid.y; mov.u32 %r2, %ctaid.y; mad.lo.u32 %r0, %r0, %r1, %r2;
	mov.u32 %r1, %nctaid.x; mov.u32 %r2, %ctaid.x; mad.lo.u32 %r0, %r0, %r1, %r2;
	mov.u32 %r1, %ntid.z; mov.u32 %r2, %tid.z; mad.lo.u32 %r0, %r0, %r1, %r2;
	mov.u32 %r1, %ntid.y; mov.u32 %r2, %tid.y; mad.lo.u32 %r0, %r0, %r1, %r2;
	mov.u32 %r1, %ntid.x; mov.u32 %r2, %tid.x; mad.lo.u32 %r0, %r0, %r1, %r2;
	mul.wide.u32 %d1, %r0, 4; add.s64 %d1, %d1, %d0; st.global.u32 [%d1], %r0;`
	const n = 2 * 3 * 4 * 5 * 3 * 7
	c := driver.Config{Grid: driver.Dim{X: 2, Y: 3, Z: 4}, Block: driver.Dim{X: 5, Y: 3, Z: 7}}
	s, f, st := simple(t, Config{}, ".param .u64 out", body)
	out, err := s.Alloc("out", 4*n)
	require.NoError(t, err)
	var args driver.Args
	require.NoError(t, st.Launch(f, c, args.Ptr(out)))
	got := make([]byte, 4*n)
	require.NoError(t, st.Download(got, out))
	for i := range uint32(n) {
		require.Equal(t, []byte{byte(i), byte(i >> 8), 0, 0}, got[4*i:4*i+4])
	}
	for number, says := range map[int][2][3]int{
		0: {{0, 0, 0}, {0, 0, 0}}, 104: {{0, 0, 0}, {4, 2, 6}}, 105: {{1, 0, 0}, {0, 0, 0}},
		105*2*3*3 + 105*2*2 + 105 + 5*3*6 + 5 + 3: {{1, 2, 3}, {3, 1, 6}},
	} {
		s, f, st := simple(t, Config{}, ".param .u64 out", body+fmt.Sprintf("\nsetp.eq.u32 %%p0, %%r0, %d;\n@%%p0 trap;", number))
		out, err := s.Alloc("out", 4*n)
		require.NoError(t, err)
		var fault *Fault
		require.ErrorAs(t, st.Launch(f, c, args.Reset().Ptr(out)), &fault)
		require.Equal(t, says, [2][3]int{fault.Block, fault.Thread}, "%d", number)
	}
}

// The sizes of shared memory that a kernel may ask for, of both kinds.
func TestSharedSizes(t *testing.T) {
	for _, c := range []struct {
		variables      string
		total, dynamic int
	}{
		{"", 256, 256}, {".shared .b8 s[100];\n", 356, 256}, {".shared .b8 s[100];\n.shared .align 8 .b8 u[4];\n.extern .shared .b8 dyn[];\n", 364, 256},
	} {
		got, _ := run(t, c.variables, "mov.u32 %r2, %total_smem_size;\nmov.u32 %r3, %dynamic_smem_size;\nshl.b32 %r3, %r3, 16;\nor.b32 %r2, %r2, %r3;\nst.global.u32 [%o], %r2;",
			driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 1}, Shared: 256})
		require.Equal(t, []uint32{uint32(c.dynamic<<16 | c.total)}, got, c.variables)
	}
}

// A launch has the shared memory that it asks for, also where the one before it had more.
func TestLessSharedMemoryThanBefore(t *testing.T) {
	s := New(Config{Workers: 1})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	m, err := s.Load("m.ptx", header+".extern .shared .b8 dyn[];\n.entry k() {\n.reg .b32 %r<2>;\nmov.u32 %r1, dyn;\nst.shared.u32 [%r1+300], %r1;\n}")
	require.NoError(t, err)
	f, err := m.Function("k")
	require.NoError(t, err)
	st, err := s.NewStream()
	require.NoError(t, err)
	launch := func(shared int) error {
		return st.Launch(f, driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 1}, Shared: shared}, new(driver.Args))
	}
	require.NoError(t, launch(512))
	var fault *Fault
	require.ErrorAs(t, launch(256), &fault)
	require.Equal(t, FaultAddress, fault.Kind)
	require.NoError(t, launch(320))
}

// A warp may run as many instructions as are allowed.
func TestMaxInstructions(t *testing.T) {
	for limit, says := range map[int64]string{2: "", 1: "the warp has run 2 instructions: an endless loop? Config.MaxInstructions allows more"} {
		_, f, st := simple(t, Config{MaxInstructions: limit}, "", "membar.cta;")
		err := st.Launch(f, driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 1}}, new(driver.Args))
		if says == "" {
			require.NoError(t, err)
			continue
		}
		var fault *Fault
		require.ErrorAs(t, err, &fault)
		require.Equal(t, says, fault.Detail)
		require.Equal(t, FaultEndless, fault.Kind)
	}
}

// A device that is closed says so, and may be closed again.
func TestClosed(t *testing.T) {
	s, f, st := simple(t, Config{Workers: 3}, "", "")
	p, err := s.Alloc("p", 4)
	require.NoError(t, err)
	c := driver.Config{Grid: driver.Dim{X: 9}, Block: driver.Dim{X: 1}}
	require.NoError(t, st.Launch(f, c, new(driver.Args)))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	const says = "ptxsim: the device is closed"
	_, err = s.Alloc("p", 4)
	require.EqualError(t, err, says)
	require.EqualError(t, st.Launch(f, c, new(driver.Args)), says)
	require.EqualError(t, st.Upload(p, []byte{1}), says)
	require.EqualError(t, st.Download([]byte{1}, p), says)
	require.EqualError(t, st.Memset(p, 1, 1), says)
	require.EqualError(t, st.Memset32(p, 1, 1), says)
	require.EqualError(t, st.Copy(p, p, 1), says)
	require.NoError(t, s.Free(p))
	free, total, err := s.MemInfo()
	require.NoError(t, err)
	require.Equal(t, free, total)
	_, err = s.Load("m.ptx", ".global .b32 g;")
	require.EqualError(t, err, says)
}

// Spans that the host asks for, to the last byte.
func TestHostSpans(t *testing.T) {
	s, _, st := simple(t, Config{Memory: 1 << 12}, "", "")
	p, err := s.Alloc("p", 8)
	require.NoError(t, err)
	q, err := s.Alloc("q", 8)
	require.NoError(t, err)
	end := fmt.Sprintf("reach past the end of p (8 bytes at %#x)", uint64(p))
	require.NoError(t, st.Memset(p, 1, 8))
	require.EqualError(t, st.Memset(p, 1, 9), "ptxsim: 9 bytes at offset 0 "+end)
	require.EqualError(t, st.Memset32(p.Offset(4), 1, 2), "ptxsim: 8 bytes at offset 4 "+end)
	require.NoError(t, st.Memset32(p.Offset(4), 1, 1))
	require.EqualError(t, st.Upload(p.Offset(7), []byte{1, 2}), "ptxsim: 2 bytes at offset 7 "+end)
	require.NoError(t, st.Upload(p.Offset(7), []byte{9}))
	require.EqualError(t, st.Download(make([]byte, 2), p.Offset(7)), "ptxsim: 2 bytes at offset 7 "+end)
	require.EqualError(t, st.Copy(q, p.Offset(2), 7), "ptxsim: 7 bytes at offset 2 "+end)
	require.EqualError(t, st.Copy(p.Offset(2), q, 7), "ptxsim: 7 bytes at offset 2 "+end)
	for _, offsets := range [][2]int64{{0, 4}, {4, 0}} {
		require.NoError(t, st.Copy(p.Offset(offsets[0]), p.Offset(offsets[1]), 4))
		require.EqualError(t, st.Copy(p.Offset(offsets[0]/2), p.Offset(offsets[1]/2), 3), fmt.Sprintf("ptxsim: copy between spans that overlap in p (8 bytes at %#x)", uint64(p)))
	}
	require.NoError(t, st.Copy(p, p, 0))
	require.NoError(t, st.Copy(q.Offset(4), p.Offset(4), 4), "at one offset of two")
	require.NoError(t, s.Forget(p, 8))

	require.EqualError(t, s.Free(p+4), fmt.Sprintf("ptxsim: free of %#x, which is not the address of an allocation", uint64(p+4)))
	require.NoError(t, s.Free(q))
	require.NoError(t, s.Free(p))
	require.EqualError(t, s.Free(q), fmt.Sprintf("ptxsim: free of q (8 bytes at %#x), which is freed", uint64(q)))
	require.EqualError(t, s.Free(p+1), fmt.Sprintf("ptxsim: free of p (8 bytes at %#x), which is freed", uint64(p)))

	for bytes, says := range map[int64]string{
		0: "ptxsim: host memory of 0 bytes: must be positive and at most 4096", 4097: "ptxsim: host memory of 4097 bytes: must be positive and at most 4096", 1: "", 4096: "",
	} {
		memory, err := s.HostAlloc(bytes)
		if says != "" {
			require.EqualError(t, err, says)
			continue
		}
		require.NoError(t, err)
		require.Len(t, memory, int(bytes))
	}
}

// Variables of a module are laid at odd multiples of their alignment, filled, and
// freed with it.
func TestModuleVariables(t *testing.T) {
	s := New(Config{Memory: 1 << 12})
	defer s.Close()
	free := func() int64 {
		n, _, err := s.MemInfo()
		require.NoError(t, err)
		return n
	}
	m, err := s.Load("m.ptx", header+`
.global .align 32 .b8 a[3] = {1, 2, 255};
.const .u16 b[2][2] = {{1, 2}, {-1}}, c = 7;
.global .f32 d = 1.5;
.global .f64 e[2] = {0f3F800000, 0d4000000000000000};
.global .u64 f = 0x123456789abcdef0U;
.extern .shared .b8 dyn[];
.entry z() {}
.entry k() {}
`)
	require.NoError(t, err)
	require.Equal(t, int64(1<<12-3-8-2-4-16-8), free())
	for i, want := range []struct {
		name     string
		align    uint64
		readonly bool
		data     []byte
	}{
		{"a", 32, false, []byte{1, 2, 255}}, {"b", 4, true, []byte{1, 0, 2, 0, 255, 255, 0, 0}}, {"c", 4, true, []byte{7, 0}},
		{"d", 4, false, []byte{0, 0, 0xc0, 0x3f}}, {"e", 8, false, []byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40}},
		{"f", 8, false, []byte{0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12}},
	} {
		al := s.live[i]
		require.Equal(t, want.name, al.name)
		require.Equal(t, want.readonly, al.readonly, al)
		require.Equal(t, want.align, al.base%256, al)
		require.Equal(t, want.data, al.data[:al.size], al)
		for _, c := range al.cells {
			require.NotZero(t, c.written, al)
		}
	}
	_, err = m.Function("x")
	require.EqualError(t, err, `m.ptx: no kernel "x"; there are k, z`)
	require.NoError(t, m.Unload())
	require.NoError(t, m.Unload())
	require.Equal(t, int64(1<<12), free())
	_, err = m.Function("k")
	require.EqualError(t, err, `m.ptx: no kernel "k"; there are `)
	_, err = s.Load("m.ptx", ".const .u32 a;\n.global .b8 b[4093];")
	require.EqualError(t, err, "ptxsim: out of memory: allocation b of 4093 bytes, 4092 of 4096 are free")
}

// What one driver makes is nothing to another.
func TestStrangers(t *testing.T) {
	s, f, st := simple(t, Config{}, "", "")
	_, _, other := simple(t, Config{}, "", "")
	c := driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 1}}
	const says = "ptxsim: launch of a function of another device"
	require.EqualError(t, other.Launch(f, c, new(driver.Args)), says)
	require.EqualError(t, st.Launch(nil, c, new(driver.Args)), says)
	require.EqualError(t, st.Record(nil), "ptxsim: event of another device")
	e, err := s.NewEvent()
	require.NoError(t, err)
	passed, err := e.Passed()
	require.NoError(t, err)
	require.True(t, passed)
	require.NoError(t, st.Record(e))
	for _, start := range []driver.Event{nil, &event{}} {
		_, err = e.Since(start)
		require.EqualError(t, err, "ptxsim: time between events that were not both recorded")
	}
	_, err = new(event).Since(e)
	require.EqualError(t, err, "ptxsim: time between events that were not both recorded")
}
