//go:build unix

package program

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
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
	blocks := (weights.Size() + 511) / 512 // that a file may have: the weights fit, a checkpoint does not
	require.Greater(t, int64(len(before)), 512*blocks)

	onFullDisk := func(args ...string) (code int, message string) {
		program, err := os.Executable()
		require.NoError(t, err)
		c := exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, blocks), program}, args...)...)
		c.Env = append(os.Environ(), asTrain+"=1")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		require.Error(t, c.Run())
		return c.ProcessState.ExitCode(), stderr.String()
	}
	code, stderr := onFullDisk("-resume", "run", "-epochs", "2")
	require.Equal(t, command.Broken, code, stderr)
	require.Regexp(t, `^train: run/checkpoint.safetensors: .*file too large\n$`, stderr)
	after, err := os.ReadFile("run/" + solver.CheckpointFile)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
	require.Empty(t, writes("run"), "no temporary file is left")

	succeed(t, "-resume", "run", "-epochs", "2")
	same(t, "whole", "run")

	// A run that could not even begin leaves nothing in the way of the next.
	code, stderr = onFullDisk(flags("-epochs", "2", "-out", "new")...)
	require.Equal(t, command.Broken, code, stderr)
	require.Regexp(t, `^train: the first checkpoint: new/checkpoint.safetensors: .*file too large\n$`, stderr)
	left, err := os.ReadDir("new")
	require.NoError(t, err)
	require.Empty(t, left)
	succeed(t, flags("-epochs", "2", "-out", "new")...)
	same(t, "whole", "new")
}
