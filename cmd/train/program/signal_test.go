//go:build unix

package program

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/solver"
)

// endless are the flags of a run that writes no checkpoint by itself before it is
// stopped.
func endless(out string) []string {
	return with("-iters", "10000000", "-checkpoint", "100000000", "-threads", "1", "-out", out)
}

// heed makes programs that the test starts heed a signal that it was itself started to
// ignore, as nohup does with SIGHUP.
func heed(t *testing.T, s os.Signal) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, s)
	t.Cleanup(func() { signal.Stop(c) })
}

// Whatever asks a run to stop, it saves first. A terminal that is closed asks more
// than once.
func TestSignalsSave(t *testing.T) {
	tiny(t)
	heed(t, syscall.SIGHUP)
	for _, asked := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		process, stdout := start(t, endless("run")...)
		_, err := stdout.ReadString('\n') // it has begun
		require.NoError(t, err)
		require.NoError(t, process.Process.Signal(asked))
		var again sync.WaitGroup
		ended := make(chan struct{})
		again.Go(func() {
			for asked == syscall.SIGHUP {
				select {
				case <-ended:
					return
				case <-time.After(100 * time.Microsecond):
					_ = process.Process.Signal(asked) // it may have ended
				}
			}
		})
		said, err := io.ReadAll(stdout)
		close(ended)
		again.Wait()
		require.NoError(t, err)
		require.Error(t, process.Wait())
		require.Equal(t, command.Interrupted, process.ProcessState.ExitCode(), "%v: %s", asked, said)
		require.Contains(t, string(said), "\nStopped and saved after ")
		checkpoint, err := solver.ReadCheckpoint("run")
		require.NoError(t, err)
		require.Positive(t, checkpoint.Iteration)
		require.Empty(t, temporaries(t, "run"))
		require.NoError(t, os.RemoveAll("run"))
	}
}

// shell starts the program by a shell's command, in which "$@" are its words.
func shell(t *testing.T, script string, stdout io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command("sh", append([]string{"-c", script, "sh", program}, args...)...)
	c.Env = append(os.Environ(), asTrain+"=1")
	c.Stdout, c.Stderr = stdout, stdout
	require.NoError(t, c.Start())
	return c
}

// A hangup that is ignored at the start, as nohup has it, stays ignored.
func TestNohup(t *testing.T) {
	tiny(t)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	c := shell(t, `trap "" HUP; exec "$@"`, write, with("-epochs", "20", "-out", "run")...)
	require.NoError(t, write.Close())
	_, err = read.Read(make([]byte, 1)) // it has begun
	require.NoError(t, err)
	require.NoError(t, c.Process.Signal(syscall.SIGHUP))
	_, err = io.Copy(io.Discard, read)
	require.NoError(t, err)
	require.NoError(t, c.Wait())
	checkpoint, err := solver.ReadCheckpoint("run")
	require.NoError(t, err)
	require.Equal(t, 200, checkpoint.Iteration)
}

// A run whose output nobody reads any more goes on to its end.
func TestNobodyReads(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "20", "-threads", "1", "-out", "whole")...)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	c := shell(t, `exec "$@"`, write, with("-epochs", "20", "-threads", "1", "-out", "run")...)
	require.NoError(t, write.Close())
	_, err = read.Read(make([]byte, 1)) // it has begun
	require.NoError(t, err)
	require.NoError(t, read.Close())
	require.NoError(t, c.Wait())
	same(t, "whole", "run")
	require.FileExists(t, "run/"+curveFile)

	c = shell(t, `exec "$@" >&- 2>&-`, io.Discard, with("-epochs", "20", "-threads", "1", "-out", "closed")...)
	require.NoError(t, c.Wait())
	same(t, "whole", "closed")
}

// What somebody reads and cannot be written, on a disk that is full, is exit code 1.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	defer full.Close()
	tiny(t)
	succeed(t, with("-iters", "1", "-out", "run")...)
	for _, args := range [][]string{{"-devices"}, {"-net", "tiny.json", "-summary"}, {"-eval", "-weights", "run/weights.safetensors", "-data", "mnist:set"}, {"-h"}} {
		c := shell(t, `exec "$@" 2>said`, full, args...)
		require.Error(t, c.Wait())
		require.Equal(t, command.Broken, c.ProcessState.ExitCode(), args)
		said, err := os.ReadFile("said")
		require.NoError(t, err)
		require.Regexp(t, `^train: write \S+: no space left on device\n$`, string(said), args)
	}
}

// The second process in a run's folder is told, and changes nothing. A process that
// is killed is no longer in the way.
func TestTwoProcessesInOneFolder(t *testing.T) {
	tiny(t)
	process, stdout := start(t, with("-iters", "10000000", "-threads", "1", "-out", "run")...)
	_, err := stdout.ReadString('\n') // it has begun
	require.NoError(t, err)
	for range 3 {
		code, said, stderr := call(t, "-resume", "run")
		require.Equal(t, command.Wrong, code, stderr)
		require.Empty(t, said)
		require.Equal(t, "train: run: another process trains there: wait for its end, or choose another folder\n", stderr)
	}
	code, _, stderr := call(t, "-eval", "-weights", "run/weights.safetensors", "-data", "mnist:set", "-out", "run")
	require.Equal(t, command.Broken, code, stderr)
	require.Equal(t, "train: -out: run: another process trains there: wait for its end, or choose another folder\n", stderr)
	require.NoError(t, process.Process.Kill())
	_, _ = io.Copy(io.Discard, stdout)
	require.Error(t, process.Wait())
	require.FileExists(t, "run/"+solver.LockFile)
	checkpoint, err := solver.ReadCheckpoint("run")
	require.NoError(t, err)
	succeed(t, "-resume", "run", "-iters", strconv.Itoa(checkpoint.Iteration+3))
	require.Empty(t, temporaries(t, "run"))
}
