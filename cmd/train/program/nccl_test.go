package program

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/modelfile"
)

// simulable is a network that the simulator trains in a moment.
const simulable = `{
  "name": "simulable",
  "inputs": [{"name": "data", "dtype": "float32", "shape": [1, 28, 28]}, {"name": "label", "dtype": "int32", "shape": []}],
  "layers": [
    {"name": "conv1", "type": "conv", "in": ["data"], "options": {"filters": 4, "kernel": 5, "stride": 4}},
    {"name": "bn1", "type": "batch-norm", "in": ["conv1"]},
    {"name": "relu1", "type": "relu", "in": ["bn1"]},
    {"name": "ip1", "type": "dense", "in": ["relu1"], "options": {"out": 10}},
    {"name": "bn2", "type": "batch-norm", "in": ["ip1"]},
    {"name": "prob", "type": "softmax", "in": ["bn2"]},
    {"name": "loss", "type": "softmax-loss", "in": ["bn2", "label"]},
    {"name": "accuracy", "type": "accuracy", "in": ["bn2", "label"]}
  ],
  "outputs": ["prob"]
}`

// simulated are flags of a run on the simulator. The last update of an epoch has 4 samples: two
// ranks have 4 and none.
func simulated(t *testing.T) []string {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("net.json", []byte(simulable), 0o666))
	return []string{"-net", "net.json", "-data", "synthetic:20,8", "-batch", "8", "-epochs", "2", "-threads", "1", "-lr", "0.02"}
}

// Two cards in one process, and two processes that a file joins, leave the bytes of one card that
// makes both passes.
func TestTwoCardsAreOne(t *testing.T) {
	flags := append(simulated(t), "-dist-order", "fixed")
	succeed(t, append(slices.Clone(flags), "-accumulate", "2", "-device", "ptxsim", "-out", "one")...)
	out := succeed(t, append(slices.Clone(flags), "-device", "ptxsim:0,ptxsim:1", "-out", "two")...)
	require.Contains(t, out, "on 2 ranks (nccl) on ptxsim:0")
	same(t, "one", "two")
	succeed(t, append(slices.Clone(flags), "-device", "ptxsim:0,ptxsim:1", "-zero", "-out", "zero")...)
	same(t, "one", "zero")

	var all sync.WaitGroup
	var said [2]bytes.Buffer
	var codes [2]int
	for rank, number := range []string{"0", "1"} {
		args := append([]string{"train"}, flags...)
		args = append(args, "-device", "ptxsim", "-dist", "nccl", "-nccl-id", "id", "-rank", number, "-ranks", "2", "-out", "file")
		all.Go(func() { codes[rank] = Run(t.Context(), args, &said[rank], &said[rank]) })
	}
	all.Wait()
	require.Equal(t, [2]int{}, codes, "%s%s", &said[0], &said[1])
	same(t, "one", "file")

	succeed(t, append(slices.Clone(flags), "-accumulate", "2", "-out", "cpu")...)
	out = succeed(t, append(slices.Clone(flags), "-device", "cpu,cpu", "-out", "cpus")...)
	require.Contains(t, out, "on 2 ranks (local) on cpu")
	same(t, "cpu", "cpus")
}

// Batch norm over two cards is that of one card with twice the batch, but for rounding.
func TestSyncBNOnTwoCards(t *testing.T) {
	flags := simulated(t)
	succeed(t, append(slices.Clone(flags), "-batch", "16", "-device", "ptxsim", "-out", "one")...)
	succeed(t, append(slices.Clone(flags), "-sync-bn", "-device", "ptxsim:0,ptxsim:1", "-out", "two")...)
	succeed(t, append(slices.Clone(flags), "-device", "ptxsim:0,ptxsim:1", "-out", "apart")...)
	require.Less(t, apart(t, "one", "two"), 1e-5)
	require.Greater(t, apart(t, "one", "apart"), 1e-2)
}

// apart is the largest difference between the weights of two runs.
func apart(t *testing.T, a, b string) float64 {
	t.Helper()
	var of [2]*modelfile.Model
	for i, dir := range []string{a, b} {
		m, err := modelfile.Read(filepath.Join(dir, "weights.safetensors"))
		require.NoError(t, err)
		of[i] = m
	}
	most := 0.0
	for name, x := range of[0].Weights {
		for i, v := range x.Float32s() {
			most = max(most, math.Abs(float64(v)-float64(of[1].Weights[name].Float32s()[i])))
		}
	}
	return most
}

func TestNCCLRefuses(t *testing.T) {
	flags := simulated(t)
	for message, more := range map[string][]string{
		"train: rank 0: NCCL joins CUDA devices, and this rank has the device cpu: -device cuda:0 names one\n":                                   {"-device", "cpu,cpu", "-dist", "nccl"},
		"train: -dist nccl: NCCL joins CUDA devices, and this rank has the device cpu: -device cuda:0 names one\n":                               {"-dist", "nccl", "-nccl-id", "id", "-rank", "0", "-ranks", "1"},
		"train: -device takes several devices to train on; everything else runs on one\n":                                                        {"-device", "cpu,cpu", "-check"},
		"train: -device names the card cuda:0 twice: each trains one share\n":                                                                    {"-device", "cuda,cuda:0"},
		"train: -device cpu,: a name is missing beside a comma\n":                                                                                {"-device", "cpu,"},
		"train: -nccl-id needs -dist nccl\n":                                                                                                     {"-nccl-id", "id"},
		"train: -rank must be from 0 to 1, one less than -ranks\n":                                                                               {"-dist", "nccl", "-nccl-id", "id", "-rank", "2", "-ranks", "2"},
		"train: -rank, -ranks and -nccl-id belong together: a process is number -rank of the -ranks that find each other by the file -nccl-id\n": {"-rank", "1"},
		"train: -dist nccl: -nccl-id needs -rank R and -ranks N where no launcher says them\n":                                                   {"-dist", "nccl", "-nccl-id", "id"},
	} {
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), append(append([]string{"train"}, flags...), more...), &stdout, &stderr)
		require.Equal(t, command.Wrong, code, "%v: %s", more, &stderr)
		require.Equal(t, message, stderr.String())
		require.NoDirExists(t, "runs")
	}
}
