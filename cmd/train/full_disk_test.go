//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/solver"
)

// TestAFullDiskKeepsTheOldCheckpoint lets the write of a checkpoint fail in its
// middle, by the shell's limit on the size of files: the error is the disk's,
// the checkpoint before it is as it was, and the run goes on from there once
// there is room.
func TestAFullDiskKeepsTheOldCheckpoint(t *testing.T) {
	tiny(t)
	flags := func(more ...string) []string { return with(append(more, "-threads", "1")...) }
	succeed(t, flags("-epochs", "2", "-out", "whole")...)
	succeed(t, flags("-epochs", "1", "-out", "run")...)
	require.NoError(t, os.Remove("run/"+solver.PreviousFile))
	before, err := os.ReadFile("run/" + solver.CheckpointFile)
	require.NoError(t, err)
	weights, err := os.Stat("run/" + solver.WeightsFile)
	require.NoError(t, err)
	require.Less(t, weights.Size(), int64(5*1024))
	require.Greater(t, len(before), 5*1024)

	program, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command("sh", "-c", `ulimit -f 10; exec "$0" "$@"`, program, "-resume", "run", "-epochs", "2") // 10 blocks of 512
	c.Env = append(os.Environ(), asTrain+"=1")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	require.Error(t, c.Run())
	require.Equal(t, broken, c.ProcessState.ExitCode(), stderr.String())
	require.Regexp(t, `^train: run/checkpoint.safetensors: .*file too large\n$`, stderr.String())
	after, err := os.ReadFile("run/" + solver.CheckpointFile)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
	require.Empty(t, writes("run"), "no temporary file is left")

	succeed(t, "-resume", "run", "-epochs", "2")
	same(t, "whole", "run")
}
