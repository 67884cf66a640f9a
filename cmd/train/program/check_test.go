package program

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/solver"
)

// Gradients are checked of networks with few multiplications, and few parameters
// times steps.
func TestCheap(t *testing.T) {
	isCheap := func(n *graph.Network) bool {
		t.Helper()
		p, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 2})
		require.NoError(t, err)
		return cheap(p)
	}
	for model, want := range map[string]bool{"lenet": true, "net1": true, "alexnet": false} {
		n, err := models.Build(model, models.Options{})
		require.NoError(t, err)
		require.Equal(t, want, isCheap(n), model)
	}
	for count, want := range map[int]bool{50: true, 500: false} {
		n := &graph.Network{Name: "deep"}
		x := n.Image("data", 1)
		for i := range count {
			x = n.Add(fmt.Sprintf("fc%d", i), &layers.Dense{Out: 1}, x)
		}
		n.Add("loss", &layers.L2Loss{}, x, n.Target("target", 1))
		require.Equal(t, want, isCheap(n), "%d layers", count)
	}
}

// Of a network with batch-norm, two samples would have gradients that are rounding alone,
// and so has a bias that the batch-norm behind it takes away again; neither is a fault.
func TestGradientsOfBatchNorm(t *testing.T) {
	n := &graph.Network{Name: "norms"}
	x := n.Add("conv1", &layers.Conv{Filters: 4, Kernel: layers.Square(3)}, n.Image("data", 1, 8, 8))
	x = n.Add("bn1", &layers.BatchNorm{}, x)
	x = n.Add("relu1", &layers.Unary{}, x)
	x = n.Add("ip1", &layers.Dense{Out: 16}, x)
	x = n.Add("bn2", &layers.BatchNorm{}, x)
	n.Add("loss", &layers.L2Loss{}, n.Add("ip2", &layers.Dense{Out: 3}, x), n.Target("target", 3))
	d, err := cpu.New(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	train, _, err := data.NewSynthetic(data.SyntheticOptions{Shape: tensor.Shape{1, 8, 8}, Train: 8, Test: 8})
	require.NoError(t, err)
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 2})
	require.NoError(t, err)
	s := checkGradients(solver.Config{Network: n, Device: d, Train: train}, p)
	require.True(t, s.OK, s.Text)
}

// The output of stochastic pooling jumps, so no differences are taken: that is no fault.
func TestCheckOfAJumpingNetwork(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("jumps.json", []byte(`{"name":"jumps","inputs":[{"name":"data","shape":[1,28,28]},{"name":"label","dtype":"int32"}],
		"layers":[{"name":"conv1","type":"conv","in":["data"],"options":{"filters":4,"kernel":5}},{"name":"relu1","type":"relu","in":["conv1"]},
		{"name":"pool1","type":"stochastic-pool","in":["relu1"],"options":{"window":2,"stride":2}},{"name":"ip1","type":"dense","in":["pool1"],"options":{"out":10}},
		{"name":"loss","type":"softmax-loss","in":["ip1","label"]}],"outputs":["ip1"]}`), 0o600))
	code, stdout, stderr := call(t, "-check", "-net", "jumps.json", "-data", "synthetic:64,8")
	require.Equal(t, command.Done, code, stdout+stderr)
	require.Contains(t, stdout, "PASS  gradients: not compared with finite differences: the output of pool1 jumps\n")
	require.NotContains(t, stdout, "gradients in float64")
}
