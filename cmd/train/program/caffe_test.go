package program

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// TestTrainOnDataSetsOfCaffes trains on an LMDB and on HDF5, goes on, and tests.
func TestTrainOnDataSetsOfCaffes(t *testing.T) {
	sets, err := filepath.Abs(filepath.Join("..", "..", "..", "data", "testdata", "caffe"))
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CACHE_HOME", filepath.Join(t.TempDir(), "cache"))
	require.NoError(t, os.WriteFile("net.json", []byte(`{"version": 1, "name": "tiny",
		"inputs": [{"name": "data", "dtype": "float32", "shape": [3, 4, 5], "role": "image"}, {"name": "label", "dtype": "int32", "shape": [], "role": "label"}],
		"layers": [{"name": "fc", "type": "dense", "in": ["data"], "options": {"out": 3}}, {"name": "loss", "type": "softmax-loss", "in": ["fc", "label"]}],
		"outputs": ["fc"]}`), 0o666))
	lmdb, h5 := filepath.Join(sets, "colour"), filepath.Join(sets, "packed.h5")
	flags := []string{"-net", "net.json", "-batch", "2", "-iters", "3", "-lr", "0.001", "-data"}
	code, stdout, stderr := call(t, append(flags, lmdb, "-val", h5, "-out", "run")...)
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, stderr, "three channels are taken for blue, green and red, as Caffe's tools write them; -order rgb if they are red, green and blue")
	require.Contains(t, stdout, "tiny on colour into run: 6 images to train, 2 to test; 3 iterations of 2")
	m, err := modelfile.Read(filepath.Join("run", solver.WeightsFile))
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1", "2"}, m.Classes)
	require.Empty(t, m.Preprocess.Augment) // the records are as large as the network wants them
	code, stdout, stderr = call(t, "-resume", "run", "-iters", "4")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, stdout, "4 iterations of 2")

	// The order is a part of what the data is, and of the run.
	require.Contains(t, succeed(t, append(flags, lmdb, "-split", "0.34", "-order", "rgb", "-out", "rgb")...), "tiny on colour into rgb")
	c, err := solver.ReadCheckpoint("rgb")
	require.NoError(t, err)
	require.Equal(t, lmdb+" -split 0.34 -order rgb", c.Config.Data)
	require.Equal(t, -m.Preprocess.Mean[0]+m.Preprocess.Mean[2], c.Config.Preprocess.Statistics.Mean[0]-c.Config.Preprocess.Statistics.Mean[2])
	require.Contains(t, succeed(t, "-eval", "-weights", filepath.Join("rgb", solver.WeightsFile), "-data", h5, "-order", "rgb"), "tiny on the 2 test images of packed")
	_, _, stderr = call(t, "-eval", "-weights", filepath.Join("rgb", solver.WeightsFile), "-data", h5)
	require.Contains(t, stderr, "-order rgb if they are red, green and blue")
	refused(t, "rgb was begun with -order rgb, and the colours", "-resume", "rgb", "-iters", "4", "-data", lmdb, "-split", "0.34")
	refused(t, "run was begun with -order bgr, and the colours", "-resume", "run", "-iters", "5", "-data", lmdb, "-val", h5, "-order", "rgb")
	require.Contains(t, succeed(t, "-resume", "rgb", "-iters", "4", "-data", lmdb, "-split", "0.34", "-order", "rgb"), "4 iterations of 2")
	refused(t, "-val, -split, -classes, -each and -order need -data", "-resume", "run", "-order", "rgb")
	refused(t, "net.json is no data set of Caffe's", append(flags, "net.json", "-order", "rgb")...)
}
