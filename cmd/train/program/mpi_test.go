//go:build mpi && linux

package program

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/solver"
)

// endsWithin is how soon all ranks have ended after one has failed.
const endsWithin = 10 * time.Second

// launcher is the program that starts ranks. `make mpi-test` names it.
func launcher(t *testing.T) string {
	t.Helper()
	mpirun := os.Getenv("HUBEL_MPIRUN")
	if mpirun == "" {
		t.Skip("HUBEL_MPIRUN names no mpirun of the MPI that this test is built with; make mpi-test does")
	}
	return mpirun
}

// ranks is a launcher with what it has started.
type ranks struct {
	*exec.Cmd
	id             string // in the environment of its ranks
	stdout, stderr bytes.Buffer
	ended          chan struct{}
}

// asRanks is set in the environment of ranks, to what tells those of one launch from others.
const asRanks = "HUBEL_TEST_RANKS"

// startRanks starts the program on n ranks.
func startRanks(t *testing.T, n int, args ...string) *ranks {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	return launch(t, append([]string{"-n", strconv.Itoa(n), program}, args...)...)
}

// launch calls the launcher with arguments of its own.
func launch(t *testing.T, args ...string) *ranks {
	t.Helper()
	r := &ranks{Cmd: exec.Command(launcher(t), args...), id: strconv.FormatUint(rand.Uint64(), 16), ended: make(chan struct{})}
	r.Env = append(os.Environ(), asTrain+"=1", asRanks+"="+r.id,
		"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMPI_MCA_rmaps_base_oversubscribe=1") // as a test in a container needs
	r.Stdout, r.Stderr = &r.stdout, &r.stderr
	require.NoError(t, r.Start())
	go func() {
		_ = r.Wait() // its code is looked at
		close(r.ended)
	}()
	t.Cleanup(func() { _ = r.Process.Kill() })
	return r
}

// end waits for the end, at most so long, and returns the exit code.
func (r *ranks) end(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-r.ended:
	case <-time.After(within):
		require.Fail(t, "the ranks have not ended in time", "%v: %s%s", within, r.stdout.String(), r.stderr.String())
	}
	return r.ProcessState.ExitCode()
}

// processes are the ranks that run, by number.
func (r *ranks) processes() map[int]int {
	of := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is good
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(asRanks+"="+r.id+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil {
			continue
		}
		for v := range strings.SplitSeq(string(text), "\x00") {
			for _, name := range []string{"OMPI_COMM_WORLD_RANK=", "PMI_RANK="} {
				if number, ok := strings.CutPrefix(v, name); ok {
					if rank, err := strconv.Atoi(number); err == nil {
						of[rank] = pid
					}
				}
			}
		}
	}
	return of
}

// await waits until all of n ranks run, or the launch has ended.
func (r *ranks) await(n int) map[int]int {
	for {
		of := r.processes()
		select {
		case <-r.ended:
			return of
		case <-time.After(5 * time.Millisecond):
		}
		if len(of) == n {
			return of
		}
	}
}

// together requires that n ranks end well.
func together(t *testing.T, n int, args ...string) string {
	t.Helper()
	r := startRanks(t, n, args...)
	require.Zero(t, r.end(t, 5*time.Minute), "%s%s", r.stdout.String(), r.stderr.String())
	return r.stdout.String()
}

// normNetwork is a small AlexNet with batch-norm in the place of LRN.
const normNetwork = `{
  "name": "small-alexnet",
  "inputs": [{"name": "data", "dtype": "float32", "shape": [1, 28, 28]}, {"name": "label", "dtype": "int32", "shape": []}],
  "layers": [
    {"name": "conv1", "type": "conv", "in": ["data"], "options": {"filters": 16, "kernel": 5, "pad": 2}},
    {"name": "bn1", "type": "batch-norm", "in": ["conv1"]},
    {"name": "relu1", "type": "relu", "in": ["bn1"]},
    {"name": "pool1", "type": "max-pool", "in": ["relu1"], "options": {"window": 3, "stride": 2}},
    {"name": "conv2", "type": "conv", "in": ["pool1"], "options": {"filters": 32, "kernel": 3, "pad": 1, "groups": 2}},
    {"name": "bn2", "type": "batch-norm", "in": ["conv2"]},
    {"name": "relu2", "type": "relu", "in": ["bn2"]},
    {"name": "pool2", "type": "max-pool", "in": ["relu2"], "options": {"window": 3, "stride": 2}},
    {"name": "fc6", "type": "dense", "in": ["pool2"], "options": {"out": 256}},
    {"name": "relu6", "type": "relu", "in": ["fc6"]},
    {"name": "drop6", "type": "dropout", "in": ["relu6"]},
    {"name": "fc8", "type": "dense", "in": ["drop6"], "options": {"out": 10}},
    {"name": "prob", "type": "softmax", "in": ["fc8"]},
    {"name": "loss", "type": "softmax-loss", "in": ["fc8", "label"]},
    {"name": "accuracy", "type": "accuracy", "in": ["fc8", "label"]}
  ],
  "outputs": ["prob"]
}`

// digits are flags of a short run: an epoch's last update has passes for some ranks alone.
var digits = []string{"-data", "synthetic:300,40", "-batch", "8", "-epochs", "2", "-threads", "1", "-lr-policy", "plateau", "-gamma", "0.5", "-step", "1", "-lr", "0.02"}

// normRun is a folder with the file of normNetwork, and the flags to train it.
func normRun(t *testing.T) []string {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("norms.json", []byte(normNetwork), 0o666))
	return append([]string{"-net", "norms.json"}, digits...)
}

func TestMPIRanksAreOneProcess(t *testing.T) {
	launcher(t)
	norms := normRun(t)
	for name, flags := range map[string][]string{"lenet": append([]string{"-model", "lenet"}, digits...), "norms": norms} {
		for _, n := range []int{1, 2, 4} {
			for _, more := range [][]string{{"-dist-order", "fixed"}, {"-dist-order", "fixed", "-zero"}} {
				if len(more) > 2 && n == 1 {
					continue // there is nothing to share out
				}
				flags := append(slices.Clone(flags), more[:2]...)
				succeed(t, append(flags, "-accumulate", strconv.Itoa(2*n), "-out", "one")...)
				flags = append(flags, more[2:]...)
				out := together(t, n, append(flags, "-accumulate", "2", "-dist", "auto", "-out", "run")...)
				require.Contains(t, out, fmt.Sprintf("on %d ranks (mpi) on cpu", n), name)
				same(t, "one", "run")
				sameLog(t, "one", "run")
				require.NoError(t, os.RemoveAll("one"))
				require.NoError(t, os.RemoveAll("run"))
			}
		}
	}
	// The plain order, too, makes the same bits each time.
	for _, more := range [][]string{nil, {"-zero"}} {
		flags := append(slices.Clone(norms), more...)
		together(t, 2, append(flags, "-dist", "mpi", "-out", "a")...)
		together(t, 2, append(flags, "-dist", "mpi", "-out", "b")...)
		same(t, "a", "b")
		require.NoError(t, os.RemoveAll("a"))
		require.NoError(t, os.RemoveAll("b"))
	}
}

// A rank that is killed at a random moment, some of them while a checkpoint is written, ends the
// others in time; the run goes on with another number of ranks, to the same bytes.
func TestMPIKilledAnywhere(t *testing.T) {
	launcher(t)
	kills := 4
	if os.Getenv("HUBEL_LONG") != "" {
		kills = 20
	}
	flags := append(normRun(t), "-dist-order", "fixed", "-checkpoint", "1", "-epochs", "4")
	succeed(t, append(slices.Clone(flags), "-accumulate", "4", "-out", "whole")...)

	random := rand.New(rand.NewPCG(3, 4))
	killed, within, ends := 0, 0, 0
	longest := time.Duration(0)
	for attempt := 0; killed < kills || ends == 0; attempt++ {
		require.Less(t, attempt, 10*kills)
		n := []int{4, 2}[attempt%2]
		args := []string{"-resume", "run", "-threads", "1", "-dist", "mpi"}
		if checkpoint, err := solver.ReadCheckpoint("run"); err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
			require.NoError(t, os.RemoveAll("run"))
			args = append(slices.Clone(flags), "-accumulate", strconv.Itoa(4/n), "-dist", "mpi", "-out", "run")
		} else {
			require.NoError(t, checkpoint.Damaged)
		}
		if attempt%4 == 1 && ends == 0 {
			args = append(args, "-zero")
		}
		r := startRanks(t, n, args...)
		if killed < kills {
			of := r.await(n)
			if killed%2 == 0 {
				time.Sleep(time.Duration(random.IntN(900)) * time.Millisecond)
			} else {
				awaitWrite("run", random.IntN(8))
			}
			if pid, ok := of[random.IntN(n)]; ok {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
		}
		began := time.Now()
		if code := r.end(t, 2*time.Minute); code != 0 {
			longest = max(longest, time.Since(began))
			require.Less(t, time.Since(began), endsWithin, "%s%s", r.stdout.String(), r.stderr.String())
			require.Eventually(t, func() bool { return len(r.processes()) == 0 }, endsWithin, 10*time.Millisecond)
			killed++
			if len(writes("run")) > 0 {
				within++
			}
			continue
		}
		ends++
		same(t, "whole", "run")
		sameLog(t, "whole", "run")
		require.NoError(t, os.RemoveAll("run"))
	}
	t.Logf("%d kills, %d of them inside a checkpoint's write; all ranks had ended after %v at most", killed, within, longest.Round(time.Millisecond))
}

// A rank that stands still for a while holds the others up, and changes nothing.
func TestMPISlowRank(t *testing.T) {
	flags := append(normRun(t), "-dist-order", "fixed")
	launcher(t)
	succeed(t, append(slices.Clone(flags), "-accumulate", "2", "-out", "whole")...)
	r := startRanks(t, 2, append(flags, "-dist", "mpi", "-out", "run")...)
	of := r.await(2)
	for _, rank := range []int{1, 0, 1} {
		time.Sleep(100 * time.Millisecond)
		if syscall.Kill(of[rank], syscall.SIGSTOP) == nil {
			time.Sleep(700 * time.Millisecond)
			_ = syscall.Kill(of[rank], syscall.SIGCONT) // it may have been killed
		}
	}
	require.Zero(t, r.end(t, time.Minute), "%s%s", r.stdout.String(), r.stderr.String())
	same(t, "whole", "run")
}

// A disk that is full on rank 0 ends all ranks with its error, and the old checkpoint stays.
func TestMPIFullDisk(t *testing.T) {
	launcher(t)
	flags := append(normRun(t), "-dist-order", "fixed")
	succeed(t, append(slices.Clone(flags), "-accumulate", "2", "-out", "whole")...)
	r := startRanks(t, 2, append(slices.Clone(flags), "-epochs", "200", "-checkpoint", "20", "-dist", "mpi", "-out", "run")...)
	pid := r.await(2)[0]
	require.Eventually(t, func() bool { _, err := os.Stat("run/" + solver.PreviousFile); return err == nil }, time.Minute, time.Millisecond)
	weights, err := os.Stat("whole/" + solver.WeightsFile)
	require.NoError(t, err)
	limit := [2]uint64{uint64(weights.Size()) + 4096, uint64(weights.Size()) + 4096}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	require.Zero(t, errno)
	require.NotZero(t, r.end(t, time.Minute))
	require.Contains(t, r.stderr.String(), "train: rank 0: run/checkpoint.safetensors: ")
	require.Contains(t, r.stderr.String(), "file too large\n")
	require.NotContains(t, r.stderr.String(), "train: rank 1: ")
	require.Eventually(t, func() bool { return len(r.processes()) == 0 }, endsWithin, 10*time.Millisecond)
	checkpoint, err := solver.ReadCheckpoint("run")
	require.NoError(t, err)
	require.NoError(t, checkpoint.Damaged)
	require.Empty(t, writes("run"))
	together(t, 2, "-resume", "run", "-iters", strconv.Itoa(checkpoint.Iteration+2), "-threads", "1", "-dist", "mpi")
}

// Ctrl-C, which reaches the launcher, stops all ranks after the same update, with a checkpoint.
func TestMPIInterrupt(t *testing.T) {
	launcher(t)
	flags := append(normRun(t), "-dist-order", "fixed", "-epochs", "1000")
	r := startRanks(t, 2, append(flags, "-dist", "mpi", "-out", "run")...)
	r.await(2)
	require.Eventually(t, func() bool { _, err := os.Stat("run/" + solver.PreviousFile); return err == nil }, time.Minute, time.Millisecond)
	require.NoError(t, r.Process.Signal(os.Interrupt))
	r.end(t, endsWithin) // with a code that MPICH's launcher does not always pass on
	checkpoint, err := solver.ReadCheckpoint("run")
	require.NoError(t, err)
	require.Contains(t, r.stdout.String(), fmt.Sprintf("Stopped and saved after %d of ", checkpoint.Iteration))
	succeed(t, "-resume", "run", "-iters", strconv.Itoa(checkpoint.Iteration+3), "-threads", "1")
}

// Ranks of another program, with other flags or with other data are refused, and what differs is
// named, once.
func TestMPIRanksThatDiffer(t *testing.T) {
	launcher(t)
	tiny(t)
	program, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll("elsewhere", 0o777))
	tinySet(t, "elsewhere/set")
	require.NoError(t, os.WriteFile("elsewhere/tiny.json", []byte(tinyNetwork), 0o666))
	labels := make([]byte, tinyTrain)
	writeIDX(t, "elsewhere/set/train-labels-idx1-ubyte", labels, tinyTrain)
	text, err := os.ReadFile(program)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("other", append(text, 0), 0o777))
	here, err := os.Getwd()
	require.NoError(t, err)

	flags := with("-dist", "mpi", "-threads", "1", "-out", "run")
	second := func(more ...string) []string {
		return slices.Concat([]string{"-n", "1", program}, flags, []string{":", "-n", "1"}, more)
	}
	for message, args := range map[string][]string{
		"train: rank 0: rank 0 has no -seed and rank 1 has -seed 5: all ranks must have the same flags\n":                          second(append([]string{program, "-seed", "5"}, flags...)...),
		"train: rank 0: rank 1 runs another program than rank 0: copy the same binary to every machine\n":                          second(append([]string{filepath.Join(here, "other")}, flags...)...),
		"train: rank 0: rank 0 and rank 1 do not train the same: sets.train_samples is ":                                           second(append([]string{"-wdir", filepath.Join(here, "elsewhere"), program}, flags...)...),
		"mpirun has started 2 processes, and each would train the same: -dist mpi joins them, -dist off lets each train by itself": slices.Concat([]string{"-n", "2", program}, with("-out", "run")),
	} {
		r := launch(t, args...)
		require.NotZero(t, r.end(t, time.Minute), "%s: %s%s", message, r.stdout.String(), r.stderr.String())
		require.Contains(t, r.stderr.String(), message)
		require.NoDirExists(t, "run")
	}
}

// An error of one rank reaches the terminal with its rank.
func TestMPIErrorOfARank(t *testing.T) {
	launcher(t)
	tiny(t)
	program, err := os.Executable()
	require.NoError(t, err)
	here, err := os.Getwd()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll("elsewhere", 0o777))
	require.NoError(t, os.WriteFile("elsewhere/tiny.json", []byte(tinyNetwork), 0o666))
	flags := with("-dist", "mpi", "-threads", "1", "-out", "run")
	r := launch(t, slices.Concat([]string{"-n", "1", program}, flags, []string{":", "-n", "1", "-wdir", filepath.Join(here, "elsewhere"), program}, flags)...)
	require.NotZero(t, r.end(t, endsWithin))
	lines := 0
	for s := bufio.NewScanner(&r.stderr); s.Scan(); {
		if strings.HasPrefix(s.Text(), "train: ") {
			lines++
			require.Contains(t, s.Text(), "train: rank 1: ")
		}
	}
	require.Equal(t, 1, lines)
	require.NoDirExists(t, "run")
}
