//go:build cuda && linux && amd64

package program

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/kernels/cuda/cudriver/recorder"
	"github.com/hubel-go/hubel/solver"
)

// trainOn runs the program on a card of the stand-in, into a folder.
func trainOn(t *testing.T, library, dir, flags string, env ...string) recorder.Run {
	t.Helper()
	args := append(strings.Fields("-model lenet -data synthetic:48,16 -batch 16 -threads 1 -device cuda:1 -out"), dir)
	return recorder.Program(t, library, append(args, strings.Fields(flags)...), append(env, asTrain+"=1")...)
}

// TestStepOnACard looks at the calls of training steps whose loss is not read
// back: nothing is made or freed, nothing waits for the card, and the next
// batch goes up from page-locked memory, on a stream of its own, once the step
// has taken its own inputs.
func TestStepOnACard(t *testing.T) {
	r := trainOn(t, recorder.Build(t), filepath.Join(t.TempDir(), "run"), "-iters 30 -log-every 100 -checkpoint 100 -data synthetic:640,16")
	require.Zero(t, r.Code, r.Output)
	require.NotContains(t, r.Calls, "FAULT")
	require.Equal(t, recorder.NothingLeft, r.Left())
	steps := regexp.MustCompile("cuLaunchKernel update .*\n").Split(r.Calls, -1)[2:] // the first reads the loss back
	require.Greater(t, len(steps), 28)
	word := regexp.MustCompile(`(?m)^(cu\w+?)(?:_v2)?( .*)?$`)
	for _, step := range steps[:25] {
		var calls []string
		var compute, upload string // streams
		for _, m := range word.FindAllStringSubmatch(step, -1) {
			_, stream, _ := strings.Cut(m[2], "stream ")
			stream, _, _ = strings.Cut(stream, " ")
			name := m[1]
			if name == "cuMemsetD32Async" { // work in the order of the kernels, such as a factor of the loss
				name = "cuLaunchKernel"
			}
			switch name {
			case "cuLaunchKernel", "cuMemcpyDtoDAsync":
				require.True(t, compute == "" || compute == stream, step)
				compute = stream
			case "cuMemcpyHtoDAsync":
				require.Contains(t, m[2], " page-locked ")
				upload = stream
			case "cuEventRecord", "cuStreamWaitEvent", "cuEventQuery":
			default:
				require.Fail(t, "a step has no place for "+m[0], step)
			}
			if n := len(calls); n == 0 || calls[n-1] != name {
				calls = append(calls, name)
			}
		}
		require.NotEqual(t, compute, upload)
		require.Equal(t, []string{
			"cuEventRecord", "cuStreamWaitEvent", "cuMemcpyDtoDAsync", // the copy waits for the batch
			"cuEventRecord", "cuStreamWaitEvent", "cuLaunchKernel", // its place is free for the next
			"cuMemcpyHtoDAsync", "cuEventRecord", "cuEventQuery", // which goes up meanwhile
		}, calls)
	}
}

// failure is a call that fails, with what CUDA calls it.
type failure struct {
	call   string
	number int
	code   string
	name   string
	lost   bool // the device: all later calls fail too
}

func (f failure) String() string { return fmt.Sprintf("%s:%d:%s", f.call, f.number, f.code) }

// frees are the calls after which something is left where they fail.
var frees = regexp.MustCompile("Free|Destroy|Unload|Release")

// TestEveryCallFails lets each call of a run on a card fail: the first, one in
// the middle and the last of its kind. The run ends with one error that has
// CUDA's name for it, and with exit code 1 if it had begun. What it has
// allocated is given back, and its last checkpoint is intact: the run goes on
// from there.
func TestEveryCallFails(t *testing.T) {
	const flags = "-iters 6 -checkpoint 2 -log-every 2"
	library := recorder.Build(t)
	whole := trainOn(t, library, filepath.Join(t.TempDir(), "run"), flags)
	require.Zero(t, whole.Code, whole.Output)
	require.NotContains(t, whole.Calls, "FAULT")
	require.Equal(t, recorder.NothingLeft, whole.Left())
	counts := whole.Count()
	require.Greater(t, len(counts), 25)
	counts["cuCtxSetCurrent"] = 500 // not written down; there are more
	var failures []failure
	for _, call := range slices.Sorted(maps.Keys(counts)) {
		last := counts[call]
		for _, n := range slices.Compact([]int{1, (last + 1) / 2, last}) {
			failures = append(failures, failure{call, n, "719", "CUDA_ERROR_LAUNCH_FAILED", false})
		}
		failures = append(failures, failure{call, (last + 1) / 2, "999+", "CUDA_ERROR_UNKNOWN", true})
		if strings.Contains(call, "Alloc") || call == "cuLaunchKernel" {
			failures = append(failures, failure{call, (last + 1) / 2, "2", "CUDA_ERROR_OUT_OF_MEMORY", false})
		}
	}
	var resumed atomic.Int32
	t.Cleanup(func() { require.Greater(t, resumed.Load(), int32(50), "runs that had begun") })
	for _, f := range failures {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "run")
			r := trainOn(t, library, dir, flags, "HUBEL_FAIL="+f.String())
			asks := f.call == "cuMemGetInfo_v2" || f.call == "cuCtxSetCurrent" && f.number == 1 // which comes before it
			if asks && !f.lost {                                                                // then it is not known beforehand whether there is room
				require.Zero(t, r.Code, r.Output)
				return
			}
			lines := strings.Split(strings.TrimSpace(r.Output), "\n")
			said := lines[len(lines)-1]
			require.True(t, strings.HasPrefix(said, "train: "), r.Output)
			require.Equal(t, 1, strings.Count(r.Output, "CUDA_ERROR"), r.Output)
			require.Contains(t, said, f.name+" (")
			require.Equal(t, 1, strings.Count(r.Output, "train: "), r.Output)
			require.NotContains(t, r.Calls, "FAULT")
			if !f.lost && !frees.MatchString(f.call) {
				require.Equal(t, recorder.NothingLeft, r.Left())
			}
			if r.Code == command.Wrong {
				require.NoDirExists(t, dir, "exit code 2 says that nothing was written")
				return
			}
			require.Equal(t, command.Broken, r.Code, r.Output)
			checkpoint, err := solver.ReadCheckpoint(dir)
			if strings.HasPrefix(said, "train: the first checkpoint: ") || strings.HasPrefix(said, "train: iteration 1: ") {
				require.ErrorIs(t, err, fs.ErrNotExist)
				return
			}
			require.NoError(t, err)
			require.NoError(t, checkpoint.Damaged)
			require.Zero(t, checkpoint.Iteration%2)
			require.Empty(t, writes(dir), "temporary files")
			code, stderr := callTo(t.Context(), new(strings.Builder), "-resume", dir, "-iters", "8", "-threads", "1", "-device", "cpu")
			require.Equal(t, command.Done, code, stderr)
			resumed.Add(1)
		})
	}
}

// TestEvalCallFails lets calls of a test of weights on a card fail: the last of
// each kind, and for good in the middle. It ends with one line that has CUDA's
// name for it, and with exit code 1.
func TestEvalCallFails(t *testing.T) {
	t.Chdir(t.TempDir())
	succeed(t, strings.Fields("-model lenet -data synthetic:48,64 -batch 16 -iters 1 -out run -threads 1")...)
	library := recorder.Build(t)
	on := func(env ...string) recorder.Run {
		args := strings.Fields("-eval -weights run/best.safetensors -data synthetic:48,64 -batch 16 -device cuda:1")
		return recorder.Program(t, library, args, append(env, asTrain+"=1")...)
	}
	whole := on()
	require.Zero(t, whole.Code, whole.Output)
	require.NotContains(t, whole.Calls, "FAULT")
	require.Equal(t, recorder.NothingLeft, whole.Left())
	counts := whole.Count()
	for _, call := range []string{"cuMemcpyHtoDAsync_v2", "cuLaunchKernel", "cuMemcpyDtoHAsync_v2", "cuStreamSynchronize", "cuEventRecord", "cuMemFree_v2"} {
		last := counts[call]
		require.Positive(t, last, call)
		for _, f := range []failure{
			{call, last, "719", "CUDA_ERROR_LAUNCH_FAILED", false},
			{call, (1 + 3*last) / 4, "999+", "CUDA_ERROR_UNKNOWN", true},
		} {
			r := on("HUBEL_FAIL=" + f.String())
			require.Equal(t, command.Broken, r.Code, "%v: %s", f, r.Output)
			require.Equal(t, 1, strings.Count(r.Output, "train: "), "%v: %s", f, r.Output)
			require.Regexp(t, `(^|\n)train: [^\n]*\n$`, r.Output)
			require.Equal(t, 1, strings.Count(r.Output, "CUDA_ERROR"), "%v: %s", f, r.Output)
			require.Contains(t, r.Output, f.name+" (")
			require.NotContains(t, r.Calls, "FAULT")
			if !f.lost && !frees.MatchString(f.call) {
				require.Equal(t, recorder.NothingLeft, r.Left(), f)
			}
		}
	}
}

// TestLateErrors: an error that comes once the card is waited for is said to be
// perhaps another kernel's. With -debug-sync it is the kernel's own.
func TestLateErrors(t *testing.T) {
	library := recorder.Build(t)
	fail := func(after int, flags string) string {
		flags += " -iters 6"
		started, _, _ := strings.Cut(trainOn(t, library, filepath.Join(t.TempDir(), "run"), flags).Calls, "cuLaunchKernel")
		n := strings.Count(started, "cuStreamSynchronize") + after
		r := trainOn(t, library, filepath.Join(t.TempDir(), "run"), flags, fmt.Sprintf("HUBEL_FAIL=cuStreamSynchronize:%d:719", n))
		require.Equal(t, command.Broken, r.Code, r.Output)
		return r.Output
	}
	const failed = `cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED \(719\): an error of the test`
	require.Regexp(t, `(?m)^train: iteration 1: sync: `+failed+`; a kernel before may have failed: train -debug-sync finds which$`, fail(1, ""))
	require.Regexp(t, `(?m)^train: iteration 1: conv1: conv_\w+: `+failed+`$`, fail(1, "-debug-sync"))
	require.Regexp(t, `(?m)^train: iteration 1: conv2: conv_\w+: `+failed+`$`, fail(4, "-debug-sync"))
}
