package program

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// asTrain is set in the environment of a process of this test that is to be
// the program itself.
const asTrain = "HUBEL_TEST_AS_TRAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asTrain) != "" {
		Main()
	}
	os.Exit(m.Run())
}

// start starts the program as a process of its own.
func start(t *testing.T, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), asTrain+"=1")
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	c.Stderr = os.Stderr
	require.NoError(t, c.Start())
	return c, bufio.NewReader(stdout)
}

// TestKilledAnywhere kills a run, again and again, at random moments of its
// life and as soon as a checkpoint is seen to be written, and resumes it. A
// temporary file that is left behind shows that a kill came inside the write of
// a checkpoint. Each time the run comes to its end it must have left the bytes
// of one that nobody disturbed.
func TestKilledAnywhere(t *testing.T) {
	kills, inside := 30, 5
	if testing.Short() {
		kills, inside = 6, 1
	}
	tiny(t)
	// A layer that makes writing a checkpoint last some milliseconds.
	wide := strings.Replace(tinyNetwork, `{"name": "fc2", "type": "dense", "in": ["relu1"]`,
		`{"name": "wide", "type": "dense", "in": ["relu1"], "options": {"out": 2000}},
    {"name": "drop", "type": "dropout", "in": ["wide"]},
    {"name": "fc2", "type": "dense", "in": ["drop"]`, 1)
	require.Contains(t, wide, "drop")
	require.NoError(t, os.WriteFile("wide.json", []byte(wide), 0o666))
	flags := func(out string) []string {
		return []string{"-net", "wide.json", "-data", "mnist:set", "-batch", "32", "-lr", "0.01", "-lr-policy", "plateau", "-gamma", "0.5", "-step", "1",
			"-epochs", "30", "-checkpoint", "7", "-threads", "1", "-out", out}
	}
	succeed(t, flags("whole")...)

	random := rand.New(rand.NewPCG(1, 2))
	killed, within, ends := 0, 0, 0
	for attempt := 0; killed < kills || within < inside || ends == 0; attempt++ {
		require.Less(t, attempt, 10*kills, "%d kills, %d of them inside a checkpoint's write, %d ends", killed, within, ends)
		args := []string{"-resume", "run", "-threads", "1"}              // it keeps its -checkpoint
		if checkpoint, err := solver.ReadCheckpoint("run"); err != nil { // killed before the first
			require.ErrorIs(t, err, os.ErrNotExist)
			require.NoError(t, os.RemoveAll("run"))
			args = flags("run")
		} else {
			require.NoError(t, checkpoint.Damaged)
			if checkpoint.Done(checkpoint.Config.Iterations) && drawn("run", checkpoint) { // killed after it drew pictures
				sameEnd(t)
				continue
			}
		}
		process, stdout := start(t, args...)
		if killed < kills || within < inside {
			if killed%2 == 0 {
				_, _ = stdout.ReadString('\n') // it has begun
				time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
			} else {
				awaitWrite("run", random.IntN(8))
			}
			_ = process.Process.Kill() // it may have ended
		}
		_, _ = io.Copy(io.Discard, stdout)
		if process.Wait() == nil {
			require.Empty(t, temporaries(t, "run"))
			sameEnd(t)
			ends++
			continue
		}
		require.Equal(t, -1, process.ProcessState.ExitCode(), "it did not end by itself")
		killed++
		if len(writes("run")) > 0 {
			within++
		}
	}
	t.Logf("%d kills, %d of them inside a checkpoint's write; the run came to its end %d times", killed, within, ends)
}

// sameEnd requires that run has become what whole is, and removes it.
func sameEnd(t *testing.T) {
	t.Helper()
	same(t, "whole", "run")
	sameLog(t, "whole", "run")
	for _, name := range []string{filtersFile, confusionFile + ".png", confusionFile + ".csv"} { // the curve shows speeds
		a, err := os.ReadFile(filepath.Join("whole", name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join("run", name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(a, b), name)
	}
	require.FileExists(t, filepath.Join("run", curveFile))
	require.NoError(t, os.RemoveAll("run"))
}

// temporaries are what a write that was killed, or a lock, leaves in a folder.
func temporaries(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var left []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".tmp" || e.Name() == solver.LockFile {
			left = append(left, e.Name())
		}
	}
	return left
}

// writes are the temporary files of checkpoints.
func writes(dir string) []string {
	names, _ := filepath.Glob(filepath.Join(dir, solver.CheckpointFile+".*.tmp")) // the pattern is good
	return names
}

// awaitWrite waits for one of the next checkpoints to be written.
func awaitWrite(dir string, skip int) {
	seen := map[string]bool{}
	for _, name := range writes(dir) { // what the last kill left
		seen[name] = true
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		for _, name := range writes(dir) {
			if !seen[name] {
				seen[name] = true
				skip--
			}
		}
		if skip < 0 {
			return
		}
	}
}

// sameLog requires that two logs differ in speeds alone.
func sameLog(t *testing.T, want, got string) {
	t.Helper()
	var logs [2][]results.LogLine
	for i, dir := range []string{want, got} {
		log, err := results.ReadLog(filepath.Join(dir, results.LogFile))
		require.NoError(t, err)
		for k := range log {
			log[k].ImagesPerSecond, log[k].InputPerSecond = 0, 0
		}
		logs[i] = log
	}
	require.Equal(t, logs[0], logs[1])
}
