package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	train "github.com/hubel-go/hubel/cmd/train/program"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// realRun are the files of a run of Caffe's, or a skipped test.
func realRun(t *testing.T, iteration string, names ...string) []string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "shared", "data", "models", "caffe"))
	require.NoError(t, err)
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the run of Caffe's is not there: %v", err)
	}
	paths := []string{filepath.Join(folder, "cifar10_quick_v1", "mean.binaryproto")}
	for _, name := range names {
		paths = append(paths, filepath.Join(folder, iteration, name))
	}
	return paths
}

// TestARunIsConvertedAndGoesOn converts the published runs of CIFAR-10 quick, and trains on.
func TestARunIsConvertedAndGoesOn(t *testing.T) {
	for _, c := range []struct {
		folder, weights, state string
		done                   int
	}{
		{"cifar10_quick_v1", "cifar10_quick_iter_4000.caffemodel", "cifar10_quick_iter_4000.solverstate", 4000},
		{"cifar10_quick_hdf5", "cifar10_quick_iter_5000.caffemodel.h5", "cifar10_quick_iter_5000.solverstate.h5", 5000},
	} {
		t.Run(c.folder, func(t *testing.T) {
			paths := realRun(t, c.folder, "cifar10_quick_solver.prototxt", "cifar10_quick_train_test.prototxt", c.weights, c.state)
			t.Chdir(t.TempDir())
			code, stdout, stderr := call(append(paths, "-o", filepath.Join("runs", "quick"), "-order", "rgb", "-batch", "4")...)
			require.Equal(t, command.Done, code, stderr)
			require.Empty(t, stderr)
			require.Contains(t, stdout, "a run of network CIFAR10_quick at iteration ")
			require.Contains(t, stdout, "go on with it: train -resume ")
			require.Contains(t, stdout, " -data SET -iters N, with N above ")
			was, _, err := modelfile.ReadTensors(filepath.Join("runs", "quick", solver.CheckpointFile))
			require.NoError(t, err)

			resume := func(args ...string) (int, string) {
				var out, err bytes.Buffer
				code := train.Run(context.Background(), append([]string{"train", "-resume", filepath.Join("runs", "quick")}, args...), &out, &err)
				return code, err.String()
			}
			next := strconv.Itoa(c.done + 1)
			code, stderr = resume("-iters", next)
			require.Equal(t, command.Wrong, code)
			require.Contains(t, stderr, "was converted, and has no data set yet: -data names it, with -val or -split")
			code, stderr = resume("-data", "synthetic:8,4", "-iters", strconv.Itoa(c.done))
			require.Equal(t, command.Wrong, code)
			require.Contains(t, stderr, "a larger -epochs or -iters goes on with it")
			code, stderr = resume("-data", "synthetic:8,4", "-iters", next)
			require.Equal(t, command.Done, code, stderr)
			require.Contains(t, stderr, fmt.Sprintf("the run was converted at iteration %d, without its data set: from now on its 8 samples are these", c.done))
			now, err := solver.ReadCheckpoint(filepath.Join("runs", "quick"))
			require.NoError(t, err)
			require.Equal(t, c.done+1, now.Iteration)
			require.False(t, now.WithoutData())
			require.Equal(t, 8, now.Samples)
			require.NotEqual(t, was["momentum/conv1.weight"].Float32s(), after(t)["momentum/conv1.weight"].Float32s())
		})
	}
}

// after are the tensors of the checkpoint.
func after(t *testing.T) map[string]*tensor.Dense {
	tensors, _, err := modelfile.ReadTensors(filepath.Join("runs", "quick", solver.CheckpointFile))
	require.NoError(t, err)
	return tensors
}

// TestARunThatCannotBeWritten asks for runs where there is no place for them.
func TestARunThatCannotBeWritten(t *testing.T) {
	folder(t)
	lossy(t, func(m *formats.Model) { m.Lost = nil })
	last := &readers[len(readers)-1]
	last.IsState = func(_ []byte, name string) bool { return name == "a.lossy" }
	last.ReadRun = func(ctx context.Context, paths []string, o formats.Options) (*formats.Run, error) {
		m, err := last.Read(ctx, paths, o)
		return &formats.Run{Model: m, Iteration: 3, Iterations: 9, Checkpoint: func(batch int) ([]safetensors.Tensor, map[string]string, error) {
			if batch == 0 {
				return nil, nil, errors.New("how many samples?")
			}
			metadata, err := modelfile.Encode(m.Network, m.Preprocess, m.Classes)
			if err != nil {
				return nil, nil, err
			}
			metadata[modelfile.IterationKey] = "3"
			schedule := map[string]any{"policy": "step", "rate": 0.1, "gamma": 0.1, "step": batch - 1}
			return nil, metadata, modelfile.PutJSON(metadata, map[string]any{"standing": struct{}{},
				"solver": map[string]any{"batch": batch, "accumulate": 1, "iterations": 9, "schedule": schedule}})
		}}, err
	}
	require.NoError(t, os.WriteFile("b.lossy", []byte("lossy 2"), 0o666))
	for want, args := range map[string][]string{
		"-batch is for a run":                                   {"b.lossy", "-info", "-batch", "7"},
		"-batch must be at least 1":                             {"a.lossy", "-info", "-batch", "0"},
		"which is written into a folder, such as -o runs/net":   {"a.lossy", "-o", "x.safetensors"},
		". is there already, and not empty":                     {"a.lossy", "-o", "."},
		"-o: b.lossy is not a folder":                           {"a.lossy", "-o", filepath.Join("b.lossy", "run")},
		"-with-preprocessing is for a network":                  {"a.lossy", "-o", "run", "-with-preprocessing"},
		"how many samples?":                                     {"a.lossy", "-o", "run"},
		"train cannot go on with this run, which was not writt": {"a.lossy", "-o", "run", "-batch", "1"}, // its step is 0
		"-o a.lossy is an input too: it would be written over;": {"a.lossy", "-o", "a.lossy"},
	} {
		code, _, stderr := call(args...)
		require.Equal(t, command.Wrong, code, "%v: %s", args, stderr)
		require.Contains(t, filepath.ToSlash(stderr), want)
		require.NoDirExists(t, "run")
	}
	code, stdout, stderr := call("b.lossy", "a.lossy", "-o", "run", "-batch", "7")
	require.Equal(t, command.Done, code, stderr)
	require.Equal(t, "run: a run of network small at iteration 3 of 9, from Lossy\ngo on with it: train -resume run -data SET\n", stdout)
	c, err := solver.PeekCheckpoint("run")
	require.NoError(t, err)
	require.Equal(t, 7, c.Config.Batch)
}
