package caffe

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
)

// TestPublishedRunInHDF5 reads weights and state in HDF5.
func TestPublishedRunInHDF5(t *testing.T) {
	dir := realFiles(t, "cifar10_quick_hdf5")
	file := func(name string) string { return filepath.Join(dir, name) }
	mean := filepath.Join(filepath.Dir(dir), "cifar10_quick_v1", "mean.binaryproto")
	paths := []string{
		file("cifar10_quick_train_test.prototxt"), file("cifar10_quick_iter_5000.caffemodel.h5"), file("cifar10_quick_solver.prototxt"),
		file("cifar10_quick_iter_5000.solverstate.h5"), mean,
	}
	r, err := ReadRun(context.Background(), paths, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, 5000, r.State.Iteration)
	want := []float64{0.027509, 1.8e-05, 0.123667, 1.9e-05, 0.223659, 9.8e-05, 0.075244, 0.00012, 0.007118, 7.1e-05}
	require.Len(t, r.State.History, len(want))
	for i, h := range r.State.History {
		sum := 0.0
		for _, v := range h.Values {
			sum += math.Abs(float64(v))
		}
		require.InDelta(t, want[i], sum, 1e-6)
	}
	_, err = Read(context.Background(), paths[1:2], formats.Options{})
	require.ErrorContains(t, err, "weights in HDF5 have no network: give the network's prototxt too")
}

// TestOtherFilesInHDF5AreErrors reads files that are no weights, whole and cut.
func TestOtherFilesInHDF5AreErrors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "hdf5", "testdata", "*.h5"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, weightsHDF5, kindOf(b[:min(len(b), 4096)], "x.caffemodel.h5"))
		require.Equal(t, stateHDF5, kindOf(b[:min(len(b), 4096)], "x.solverstate.h5"))
		require.Equal(t, otherFile, kindOf(b[:min(len(b), 4096)], "x.h5"))
		for n := len(b); n > 0; n -= 1 + n/50 {
			_, err := weightsOfHDF5(b[:n])
			require.Error(t, err)
			_, err = stateOfHDF5(b[:n])
			require.Error(t, err)
		}
	}
}
