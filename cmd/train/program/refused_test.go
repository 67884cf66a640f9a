package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// TestWrongWritesNothing tries what is wrong in the flags, in the files they name and
// in folders of runs: exit code 2 leaves every file and folder as it was. What came
// too late for that is exit code 1.
func TestWrongWritesNothing(t *testing.T) {
	tiny(t)
	succeed(t, with("-iters", "12", "-checkpoint", "5", "-debug", "4", "-out", "run")...)
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	run := func(dir string) string { // a copy of the run
		require.NoError(t, os.CopyFS(dir, os.DirFS("run")))
		return dir
	}
	file := func(dir, name string) string { return filepath.Join(run(dir), name) }
	damage := func(path string) string {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		b[len(b)-3] ^= 1
		require.NoError(t, os.WriteFile(path, b, 0o666))
		return filepath.Dir(path)
	}
	write("file", "")
	write("occupied/file", "")
	write("bad.json", "{")
	write(file("log", results.LogFile), "no JSON\n")
	write(filepath.Join(damage(file("both", solver.CheckpointFile)), results.LogFile), "no JSON\n")
	damage(file("none", solver.CheckpointFile))
	damage("none/" + solver.PreviousFile)
	require.NoError(t, os.Remove(file("partial", solver.CheckpointFile)))
	require.NoError(t, os.Remove("partial/"+solver.PreviousFile))
	run("whole")
	write("left/"+solver.CheckpointFile+".ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp", "") // of a run that never began
	keypoints := []string{"-model", "net1", "-data", "synthetic:64,16", "-batch", "16", "-iters", "1"}
	succeed(t, append(keypoints, "-out", "points")...)

	for _, args := range []string{
		"-nowhere",
		"-net bad.json -data mnist:set",
		"-net nowhere.json -data mnist:set",
		"-net tiny.json -data mnist:nowhere",
		"-net tiny.json -data mnist:set -out occupied",
		"-net tiny.json -data mnist:set -out file",
		"-net tiny.json -data mnist:set -out file/below",
		"-net tiny.json -data mnist:set -out whole",
		"-net tiny.json -data mnist:set -out partial",
		"-net tiny.json -data mnist:set -out left",
		"-net tiny.json -data mnist:set -out new/folder -batch 0",
		"-net tiny.json -data mnist:set -out new/folder -device gpu",
		"-net tiny.json -data mnist:set -out new/folder -threads 5000",
		"-net tiny.json -data mnist:set -out new/folder -batch 2000000000",
		"-net tiny.json -data mnist:set -out new/folder -frozen conv9",
		"-net tiny.json -data mnist:set -out new/folder -weights file",
		"-net tiny.json -data mnist:set -out new/folder -weights run/weights.safetensors -fresh conv9",
		"-net tiny.json -data mnist:set -out new/folder -weights run/checkpoint.safetensors",
		"-net tiny.json -data mnist:set -out new/folder -lr-policy step",
		"-model alexnet -data mnist:set -out new/folder",
		"-model lenet -data synthetic:0,0 -out new/folder",
		"-resume nowhere",
		"-resume file",
		"-resume set",
		"-resume whole",
		"-resume whole -iters 4",
		"-resume whole -iters 20 -data mnist:nowhere",
		"-resume whole -iters 20 -data synthetic:64,16",
		"-resume whole -iters 20 -device reference:1",
		"-resume partial",
		"-resume left",
		"-resume none",
		"-resume log -iters 20",
		"-resume both -iters 20",
		"-eval -weights file -data mnist:set -out new/folder",
		"-eval -weights run/weights.safetensors -data mnist:nowhere -out new/folder",
		"-eval -weights run/weights.safetensors -data mnist:set -out file",
		"-eval -weights run/weights.safetensors -data mnist:set -out file/below",
		"-eval -weights points/weights.safetensors -data synthetic:64,16 -out new/folder",
		"-replay file",
		"-replay run/checkpoint.safetensors",
		"-preview 4 out.png -data occupied -augment resize=8",
		"-preview 4 nowhere/out.png -data mnist:set -augment flip",
		"-preview 4 set -data mnist:set -augment flip",
		"-summary -net bad.json",
	} {
		before := files(t)
		code, _, stderr := call(t, strings.Fields(args)...)
		require.Equal(t, command.Wrong, code, "%s: %s", args, stderr)
		require.Equal(t, 1, strings.Count(stderr, "\n")-strings.Count(stderr, "; going on from the one before it, "), "%s: %s", args, stderr)
		require.Equal(t, before, files(t), args)
	}

	// The log is cut by then.
	write(file("debug", solver.DebugFile), "no JSON\n")
	code, _, stderr := call(t, "-resume", "debug", "-iters", "20", "-debug", "4")
	require.Equal(t, command.Broken, code, stderr)
}
