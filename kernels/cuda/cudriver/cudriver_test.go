//go:build cuda && linux && amd64

package cudriver

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/cudriver/recorder"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

const ptx = `.version 7.8
.visible .entry scale(
	.param .u64 scale_param_0,
	.param .u32 scale_param_1,
	.param .f32 scale_param_2
)
`

// use does what a queue does, and returns the first error.
func use() (err error) {
	d, err := Open(1)
	if err != nil {
		return err
	}
	var closers []func() error
	defer func() {
		for i := len(closers) - 1; i >= 0; i-- {
			if e := closers[i](); err == nil {
				err = e
			}
		}
	}()
	closers = append(closers, d.Close)
	m, err := d.Load("scale.ptx", ptx)
	if err != nil {
		return err
	}
	closers = append(closers, m.Unload)
	f, err := m.Function("scale")
	if err != nil {
		return err
	}
	want := driver.Attributes{MaxThreads: 1024, Shared: 41, MaxDynamicShared: 48, Local: 43, Registers: 44}
	if a, err := f.Attributes(); err != nil || a != want {
		return fmt.Errorf("attributes %+v, %w", a, err)
	}
	if err := f.SetMaxDynamicShared(96 << 10); err != nil {
		return err
	}
	x, err := d.Alloc("x", 64)
	if err != nil {
		return err
	}
	closers = append(closers, func() error { return d.Free(x) })
	host, err := d.HostAlloc(64)
	if err != nil {
		return err
	}
	closers = append(closers, func() error { return d.HostFree(host) })
	s, err := d.NewStream()
	if err != nil {
		return err
	}
	closers = append(closers, s.Close)
	var events [2]driver.Event
	for i := range events {
		if events[i], err = d.NewEvent(); err != nil {
			return err
		}
		closers = append(closers, events[i].Close)
	}
	begin, end := events[0], events[1]
	copy(host, "over and back")
	back := make([]byte, 64)
	var args driver.Args
	args.Ptr(x).Int(-7).Float32(1.5)
	for _, step := range []func() error{
		func() error { return s.Record(begin) },
		func() error { return s.Upload(x, host) },
		func() error { return s.Copy(x.Offset(32), x, 16) },
		func() error { return s.Memset(x.Offset(48), 1, 4) },
		func() error { return s.Memset32(x.Offset(52), 0x02020202, 1) },
		func() error {
			return s.Launch(f, driver.Config{Grid: driver.Dim{X: 3, Y: 2}, Block: driver.Dim{X: 128}, Shared: 96 << 10}, &args)
		},
		func() error { return s.Wait(begin) },
		func() error { return s.Download(back, x) },
		func() error { return s.Record(end) },
		s.Sync,
		end.Sync,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if took, err := end.Since(begin); err != nil || took.Microseconds() != 1500 {
		return fmt.Errorf("elapsed %v, %w", took, err)
	}
	if want := "over and back\x00\x00\x00"; string(back[:16]) != want || string(back[32:48]) != want ||
		!bytes.Equal(back[48:60], []byte{1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0}) {
		return fmt.Errorf("memory came back as %q", back)
	}
	if free, total, err := d.MemInfo(); err != nil || total-free != 64 {
		return fmt.Errorf("%d of %d bytes free, %w", free, total, err)
	}
	return nil
}

func TestInsideUse(t *testing.T) {
	recorder.Inside(t)
	if err := use(); err != nil {
		fmt.Println("use:", err)
	}
}

// TestCalls holds the calls that reach the driver, their sizes and arguments,
// against what they must be. Everything is given back.
func TestCalls(t *testing.T) {
	r := recorder.Test(t, recorder.Build(t), "TestInsideUse")
	record := r.Calls
	require.NotContains(t, r.Output, "use:")
	require.NotContains(t, record, "FAULT")
	require.Regexp(t, `cuLaunchKernel scale grid 3,2,1 block 128,1,1 shared 98304 extra 0 args \d{7,},4294967289,1069547520 stream`, record)
	at := 0
	for _, call := range []string{
		"cuInit 0", "cuDeviceGet 1", "cuDevicePrimaryCtxRetain 1", "cuModuleLoadDataEx", "cuModuleGetFunction scale",
		"cuFuncSetAttribute 8 98304", "cuMemAlloc_v2 64", "cuMemHostAlloc 64 1", "cuStreamCreate 1", "cuEventCreate 0", "cuEventCreate 0",
		"cuEventRecord", "cuMemcpyHtoDAsync_v2 64", "cuMemcpyDtoDAsync_v2 16", "cuMemsetD8Async 1 4", "cuMemsetD32Async 33686018 1",
		"cuLaunchKernel scale", "cuStreamWaitEvent", "cuMemcpyDtoHAsync_v2 64", "cuEventRecord",
		"cuStreamSynchronize", "cuEventSynchronize", "cuEventDestroy_v2", "cuStreamDestroy_v2", "cuMemFreeHost", "cuMemFree_v2",
		"cuModuleUnload", "cuDevicePrimaryCtxRelease_v2 1",
	} {
		next := strings.Index(record[at:], call)
		require.GreaterOrEqual(t, next, 0, "%s is missing, or not in order, in\n%s", call, record)
		at += next
	}
	require.Equal(t, recorder.NothingLeft, r.Left())
}

// TestEveryFailure makes each call fail. The error names the call and CUDA's
// name for it, and what was made before is given back.
func TestEveryFailure(t *testing.T) {
	library := recorder.Build(t)
	calls := recorder.Test(t, library, "TestInsideUse").Count()
	calls["cuCtxSetCurrent"] = 1 // not written down
	require.Greater(t, len(calls), 25)
	for call := range calls {
		r := recorder.Test(t, library, "TestInsideUse", "HUBEL_FAIL="+call+":1:719")
		said := ""
		for line := range strings.Lines(r.Output) {
			if rest, ok := strings.CutPrefix(line, "use: "); ok {
				said = strings.TrimSpace(rest)
			}
		}
		name, _, _ := strings.Cut(call, "_v")
		require.Contains(t, said, name+": CUDA_ERROR_LAUNCH_FAILED (719): an error of the test", "%s: %s", call, r.Output)
		if !strings.Contains(call, "Destroy") && !strings.Contains(call, "Free") && !strings.Contains(call, "Unload") && !strings.Contains(call, "Release") {
			require.Equal(t, recorder.NothingLeft, r.Left(), call)
		}
	}
}

func TestInsideDevices(t *testing.T) {
	recorder.Inside(t)
	devices, err := Devices()
	fmt.Printf("devices: %+v %v\n", devices, err)
	_, err = Open(2)
	fmt.Println("open 2:", err)
	_, err = Open(0)
	fmt.Println("open 0:", err)
}

// TestWhatIsMissing: each thing that keeps a machine from using CUDA is said,
// with what would mend it.
func TestWhatIsMissing(t *testing.T) {
	library := recorder.Build(t)
	const notDriver = "libm.so.6"
	for _, c := range []struct{ library, env, says string }{
		{library, "", "open 2: there is no CUDA device 2; this machine has 2, counted from 0"},
		{library, "", "{Properties:{Name:Recorder 1 Major:8 Minor:0 SMs:108 TotalMem:1073741824 SharedPerBlock:49152 SharedOptin:166912 MaxThreads:1024} Problem:}"},
		{library, "HUBEL_DEVICES=0", "open 0: the CUDA driver finds no device; nvidia-smi has to list the card"},
		{library, "HUBEL_DRIVER=11040", "open 0: the CUDA driver is for CUDA 11.4; the kernels need one for CUDA 11.8 or later: install version 520.61 or later"},
		{library, "HUBEL_CAPABILITY=61", "open 0: Recorder 0 has compute capability 6.1; the kernels need a card of 7.0 or later"},
		{library, "HUBEL_MODE=2", "open 0: Recorder 0 is set to take no work: nvidia-smi -c DEFAULT allows it"},
		{library, "HUBEL_FAIL=cuInit:1:100", "open 0: the CUDA driver does not start: cuInit: CUDA_ERROR_NO_DEVICE (100): an error of the test; nvidia-smi has to list the card"},
		{library, "HUBEL_FAIL=cuInit:1:100 CUDA_VISIBLE_DEVICES=7", `cuInit: CUDA_ERROR_NO_DEVICE (100): an error of the test; CUDA_VISIBLE_DEVICES is "7": unset it`},
		{library, "HUBEL_FAIL=cuInit:1:802", "(802): an error of the test; cards that are joined by NVSwitch need the service nvidia-fabricmanager"},
		{library, "HUBEL_FAIL=cuInit:1:804", "(804): an error of the test; this card runs with its own driver only: take the libraries of cuda-compat out of LD_LIBRARY_PATH"},
		{library, "HUBEL_FAIL=cuInit:1:803", "cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803): an error of the test; the driver's library and its kernel module are of different versions: restart the machine"},
		{"/nowhere/libcuda.so.1", "", "open 0: no CUDA driver: /nowhere/libcuda.so.1: cannot open shared object file: No such file or directory; install NVIDIA's driver, version 520.61 or later, or give the container the cards: docker run --gpus all"},
		{notDriver, "", "no CUDA driver: " + notDriver + " is no CUDA driver: it has no cuInit; install NVIDIA's driver"},
	} {
		require.Contains(t, recorder.Test(t, c.library, "TestInsideDevices", strings.Fields(c.env)...).Output, c.says)
	}
}

func TestInsidePTX(t *testing.T) {
	recorder.Inside(t)
	d, err := Open(0)
	require.NoError(t, err)
	_, err = d.Load("bad.ptx", "nonsense")
	fmt.Println("load:", err)
	m, err := d.Load("good.ptx", ptx)
	require.NoError(t, err)
	_, err = m.Function("absent")
	fmt.Println("function:", err)
	require.NoError(t, m.Unload())
	require.NoError(t, d.Close())
}

func TestInsideLoad(t *testing.T) {
	recorder.Inside(t)
	d, err := Open(0)
	require.NoError(t, err)
	_, err = d.Load("good.ptx", ptx)
	fmt.Println("load:", err)
	require.NoError(t, d.Close())
}

func TestPTXThatDoesNotCompile(t *testing.T) {
	library := recorder.Build(t)
	for code, says := range map[string]string{
		"221": "the driver's compiler is missing: install libnvidia-ptxjitcompiler.so.1 of the driver's version\n",
		"223": "CUDA_DISABLE_PTX_JIT or CUDA_DISABLE_JIT is set: unset it\n",
	} {
		out := recorder.Test(t, library, "TestInsideLoad", "HUBEL_FAIL=cuModuleLoadDataEx:1:"+code).Output
		require.Regexp(t, `load: good.ptx: cuModuleLoadDataEx: CUDA\w* \(`+code+`\): an error of the test; `+says, out)
	}
	out := recorder.Test(t, library, "TestInsidePTX").Output
	require.Contains(t, out, "load: bad.ptx: cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218): an error of the test\nptxas fatal : Missing .version directive\n")
	require.Contains(t, out, "function: good.ptx: kernel absent: cuModuleGetFunction: CUDA_ERROR_NOT_FOUND (500)")
}

func TestInsideAllocs(t *testing.T) {
	recorder.Inside(t)
	d, err := Open(0)
	require.NoError(t, err)
	m, err := d.Load("scale.ptx", ptx)
	require.NoError(t, err)
	f, err := m.Function("scale")
	require.NoError(t, err)
	s, err := d.NewStream()
	require.NoError(t, err)
	e, err := d.NewEvent()
	require.NoError(t, err)
	x, err := d.Alloc("x", 64)
	require.NoError(t, err)
	host := make([]byte, 64)
	var args driver.Args
	step := func() {
		require.NoError(t, s.Upload(x, host))
		require.NoError(t, s.Memset32(x, 0, 16))
		require.NoError(t, s.Launch(f, driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 32}}, args.Reset().Ptr(x)))
		require.NoError(t, s.Record(e))
		require.NoError(t, s.Wait(e))
		require.NoError(t, s.Download(host, x))
		require.NoError(t, s.Sync())
	}
	step()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		step()
	}
	runtime.ReadMemStats(&after)
	fmt.Println("allocations:", (after.Mallocs-before.Mallocs)/100)
}

// TestStepAllocatesNothing: neither Go memory nor the driver's.
func TestStepAllocatesNothing(t *testing.T) {
	r := recorder.Test(t, recorder.Build(t), "TestInsideAllocs")
	require.Contains(t, r.Output, "allocations: 0\n")
	require.Equal(t, 1, strings.Count(r.Calls, "cuMemAlloc"))
	require.Equal(t, 101, strings.Count(r.Calls, "cuLaunchKernel"))
}

func TestInsideHeld(t *testing.T) {
	recorder.Inside(t)
	d, err := Open(0)
	require.NoError(t, err)
	s, err := d.NewStream()
	require.NoError(t, err)
	e, err := d.NewEvent()
	require.NoError(t, err)
	const size = 4096
	x, err := d.Alloc("x", size)
	require.NoError(t, err)
	// Nobody but the stream holds what these copy from and to.
	upload := func(value byte) weak.Pointer[byte] {
		mem := bytes.Repeat([]byte{value}, size)
		require.NoError(t, s.Upload(x, mem))
		return weak.Make(&mem[0])
	}
	download := func() weak.Pointer[byte] {
		mem := make([]byte, size)
		require.NoError(t, s.Download(mem, x))
		return weak.Make(&mem[0])
	}
	wait := func() {
		require.NoError(t, s.Record(e))
		require.NoError(t, e.Sync())
	}
	under, into := upload(1), download()
	runtime.GC()
	require.NotNil(t, under.Value(), "the source is collected before it is read")
	require.NotNil(t, into.Value(), "the destination is collected before it is written")
	mem := into.Value()
	require.NoError(t, s.Sync())
	require.EqualValues(t, 1, *mem)
	mem = nil
	runtime.GC()
	require.Nil(t, under.Value(), "the source is never let go")
	require.Nil(t, into.Value(), "the destination is never let go")

	// Page-locked memory is whoever's it is, whole and in part.
	host, err := d.HostAlloc(size)
	require.NoError(t, err)
	for _, part := range [][]byte{host, host[:1], host[size-1:]} {
		require.NoError(t, s.Upload(x, part))
		require.Empty(t, s.(*stream).since)
	}
	require.NoError(t, s.Sync())
	require.NoError(t, d.HostFree(host))

	// A stream that is never waited for lets go as it goes on.
	var all []weak.Pointer[byte]
	for i := range byte(8) {
		all = append(all, upload(i))
		wait()
	}
	all = append(all, upload(8))
	runtime.GC()
	for i, p := range all {
		if i < 7 {
			require.Nil(t, p.Value(), "%d", i)
		}
	}
	require.NotNil(t, all[8].Value())
	require.NoError(t, d.Free(x))
	require.NoError(t, e.Close())
	require.NoError(t, s.Close())
	require.NoError(t, d.Close())
}

// Host memory of a copy lives until the copy is done, also where the driver is
// late and nobody else holds it; and no longer.
func TestHostMemoryIsHeld(t *testing.T) {
	r := recorder.Test(t, recorder.Build(t), "TestInsideHeld", "HUBEL_LATE=1")
	require.NotContains(t, r.Calls, "FAULT")
	require.Equal(t, recorder.NothingLeft, r.Left())
}
