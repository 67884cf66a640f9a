package graph_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

var update = flag.Bool("update", false, "rewrite the golden plans in testdata")

// plainTraits is a device without packing and scratch, so that golden plans
// show what the network itself needs.
var plainTraits = reference.New().Traits()

func alexNet(t *testing.T) *graph.Network {
	t.Helper()
	n, err := models.Build("alexnet-onetower", models.Options{})
	require.NoError(t, err)
	return n
}

// The bounds come from counting by hand what must be alive at once.
func TestAlexNetMemory(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		mode         graph.Mode
		arena, alone int64
	}{
		{graph.Train, 1025 * mib, 2250 * mib},
		{graph.Infer, 284 * mib, 1016 * mib},
	} {
		o := graph.PlanOptions{Mode: c.mode, Batch: 128}
		shared, err := alexNet(t).Plan(plainTraits, o)
		require.NoError(t, err)
		require.LessOrEqual(t, shared.Arena, c.arena, "%v: %s", c.mode, graph.MiB(shared.Arena))
		o.Unshared = true
		unshared, err := alexNet(t).Plan(plainTraits, o)
		require.NoError(t, err)
		require.InDelta(t, float64(c.alone), float64(unshared.Arena), 6*mib, "%v unshared: %s", c.mode, graph.MiB(unshared.Arena))
	}
}

// A change of order or memory shows in the diff of a golden plan.
func TestGoldenPlans(t *testing.T) {
	for _, model := range []string{"lenet", "alexnet", "alexnet-onetower"} {
		for _, mode := range []graph.Mode{graph.Train, graph.Infer} {
			t.Run(model+"-"+mode.String(), func(t *testing.T) {
				n, err := models.Build(model, models.Options{})
				require.NoError(t, err)
				p, err := n.Plan(plainTraits, graph.PlanOptions{Mode: mode, Batch: 128})
				require.NoError(t, err)
				requireGolden(t, model+"-"+mode.String(), p)
			})
		}
	}
}

// Networks with batch-norms, as they are used: those are folded, and sums and activations are
// in the epilogues of convolutions.
func TestGoldenPlansFolded(t *testing.T) {
	for _, model := range []string{"resnet18", "mobilenet-v2"} {
		t.Run(model, func(t *testing.T) {
			n, err := models.Build(model, models.Options{})
			require.NoError(t, err)
			p, err := n.Plan(plainTraits, graph.PlanOptions{Batch: 1})
			require.NoError(t, err)
			weights := map[string]*tensor.Dense{}
			for i, s := range p.Specs {
				for _, w := range s.Params {
					weights[n.Nodes[i].Name+"."+w.Name] = tensor.New(tensor.WithShape(w.Shape...), tensor.Of(tensor.Float32))
				}
				for _, w := range s.State {
					weights[n.Nodes[i].Name+"."+w.Name] = tensor.New(tensor.WithShape(w.Shape...), tensor.Of(w.DType.Host()))
				}
			}
			folded, _ := p.Fold(weights)
			p, err = folded.Plan(plainTraits, graph.PlanOptions{Batch: 1})
			require.NoError(t, err)
			requireGolden(t, model+"-folded-infer", p)
		})
	}
}

func requireGolden(t *testing.T, name string, p *graph.Plan) {
	t.Helper()
	path := filepath.Join("testdata", name+".plan")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(p.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "go test ./graph -update writes it")
	require.Equal(t, string(want), p.String())
}

// Two values may lie on the same bytes only at different times, or one in
// place of the other from the step on that reads the old value last.
func TestNoTwoLiveValuesOverlap(t *testing.T) {
	for seed := range uint64(300) {
		n := randomNetwork(seed)
		for _, o := range []graph.PlanOptions{
			{Mode: graph.Train, Batch: 3},
			{Mode: graph.Train, Batch: 3, InputGrad: []string{"data"}, Keep: []string{n.Nodes[len(n.Nodes)/2].Name}},
			{Mode: graph.Infer, Batch: 3},
		} {
			p, err := n.Plan(plainTraits, o)
			require.NoError(t, err, "seed %d", seed)
			requireDisjoint(t, p, seed)
		}
	}
}

func requireDisjoint(t *testing.T, p *graph.Plan, seed uint64) {
	t.Helper()
	for i, a := range p.Values {
		require.LessOrEqual(t, a.Offset+a.Bytes, p.Arena, "seed %d: %s leaves the arena", seed, a.Name)
		require.Zero(t, a.Offset%plainTraits.Alignment(), "seed %d: %s", seed, a.Name)
		require.LessOrEqual(t, a.First, a.Last, "seed %d: %s is never used", seed, a.Name)
		for _, b := range p.Values[i+1:] {
			memory := a.Offset < b.Offset+b.Bytes && b.Offset < a.Offset+a.Bytes
			time := a.First <= b.Last && b.First <= a.Last
			if !memory || !time {
				continue
			}
			first, second := a, b
			if b.First < a.First {
				first, second = b, a
			}
			handover := first.Last == second.First && second.InPlaceOf >= 0 && p.Values[second.InPlaceOf].Name == first.Name
			require.True(t, handover, "seed %d: %s (steps %d-%d) and %s (steps %d-%d) are on the same bytes\n%s",
				seed, a.Name, a.First, a.Last, b.Name, b.First, b.Last, p)
		}
	}
}

func TestFusion(t *testing.T) {
	n := &graph.Network{Name: "fused"}
	x := n.Add("conv", &layers.Conv{Filters: 2, Kernel: layers.Square(3)}, n.Input("data", device.Float32, 1, 5, 5))
	relu := n.Add("relu", &layers.Unary{Op: device.ReLU}, x)
	n.Outputs = []string{relu}
	p, err := n.Plan(plainTraits, graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	require.True(t, p.Steps[0].Activation.On)
	require.True(t, p.Steps[1].Fused)

	// Where another layer reads the convolution's output, it must stay.
	n.Outputs = append(n.Outputs, n.Add("scale", &layers.Scale{Factor: 2}, x))
	p, err = n.Plan(plainTraits, graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	require.False(t, p.Steps[0].Activation.On)
	require.False(t, p.Steps[1].Fused)
}

func TestPlanErrors(t *testing.T) {
	lenet := func() *graph.Network {
		n, err := models.Build("lenet", models.Options{})
		require.NoError(t, err)
		return n
	}
	for name, c := range map[string]struct {
		change  func(n *graph.Network)
		options graph.PlanOptions
		want    string
	}{
		"no batch":          {nil, graph.PlanOptions{}, "batch 0 must be at least 1"},
		"keep":              {nil, graph.PlanOptions{Batch: 1, Keep: []string{"conv9"}}, `network lenet has no value "conv9"`},
		"frozen":            {nil, graph.PlanOptions{Batch: 1, Mode: graph.Train, Frozen: []string{"pool1"}}, `no layer or parameter "pool1" with weights`},
		"input gradient":    {nil, graph.PlanOptions{Batch: 1, Mode: graph.Train, InputGrad: []string{"label"}}, "label is not a float32 input"},
		"no input gradient": {nil, graph.PlanOptions{Batch: 1, InputGrad: []string{"data"}}, "a plan for inference has none of data"},
		"unknown input": {func(n *graph.Network) { n.Nodes[1].In = []string{"convolution1"} },
			graph.PlanOptions{Batch: 1}, `pool1: its input "convolution1" is not defined before it`},
		"cycle": {func(n *graph.Network) { n.Nodes[0].In = []string{"pool1"} },
			graph.PlanOptions{Batch: 1}, `conv1: its input "pool1" is not defined before it`},
		"name twice": {func(n *graph.Network) { n.Nodes[1].Name = "conv1" },
			graph.PlanOptions{Batch: 1}, `the name "conv1" is taken twice`},
		"shapes": {func(n *graph.Network) { n.Inputs[0].Shape = []int{1, 3, 3} },
			graph.PlanOptions{Batch: 1}, "conv1: a window of 5x5 does not fit in an image of 3x3"},
		"huge": {nil, graph.PlanOptions{Batch: 1 << 60}, "more than 2^40 elements"},
		"no loss": {func(n *graph.Network) { n.Nodes, n.Metrics = n.Nodes[:2], nil },
			graph.PlanOptions{Batch: 1, Mode: graph.Train}, "has no loss"},
	} {
		t.Run(name, func(t *testing.T) {
			n := lenet()
			if c.change != nil {
				c.change(n)
			}
			_, err := n.Plan(plainTraits, c.options)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A parameter that reaches no loss is computed with, if its layer is asked
// for, but has no gradient.
func TestParametersWithoutLossAreNotTrained(t *testing.T) {
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	n.Add("extra", &layers.Dense{Out: 3}, "pool1")
	p, err := n.Plan(plainTraits, graph.PlanOptions{Mode: graph.Train, Batch: 1, Keep: []string{"extra"}})
	require.NoError(t, err)
	for _, param := range p.Params {
		require.Equal(t, param.Name == "extra.weight" || param.Name == "extra.bias", param.Grad < 0, param.Name)
	}
}

// Weights that are packed for the gradient of a layer's input are left out
// where nobody wants that gradient.
func TestPackedWeightsThatAreRead(t *testing.T) {
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	for _, c := range []struct {
		grad  []string
		conv1 [device.Passes]int64
	}{{nil, [device.Passes]int64{64}}, {[]string{"data"}, [device.Passes]int64{64, 64}}} {
		p, err := n.Plan(packingTraits{plainTraits}, graph.PlanOptions{Mode: graph.Train, Batch: 2, InputGrad: c.grad})
		require.NoError(t, err)
		bytes := int64(0)
		for _, s := range p.Steps {
			switch n.Nodes[s.Node].Name {
			case "conv1":
				require.Equal(t, c.conv1, s.Packed)
			case "conv2":
				require.Equal(t, [device.Passes]int64{64, 64}, s.Packed)
			}
			if !s.Backward {
				for _, b := range s.Packed {
					bytes += b
				}
			}
		}
		require.Equal(t, bytes, p.PackedBytes)
	}
}

// packingTraits packs the weights of every convolution in 64 bytes.
type packingTraits struct{ device.Traits }

func (packingTraits) Needs(op device.Operation) device.Needs {
	if c, ok := op.(device.ConvPass); ok && c.Pass != device.BackwardFilter {
		return device.Needs{Packed: 64}
	}
	return device.Needs{}
}

func TestLargestBatch(t *testing.T) {
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	o := graph.PlanOptions{Mode: graph.Train}
	const bytes = 64 << 20
	batch, err := n.LargestBatch(plainTraits, o, bytes)
	require.NoError(t, err)
	memory := func(batch int) int64 {
		o.Batch = batch
		p, err := n.Plan(plainTraits, o)
		require.NoError(t, err)
		return p.Memory().Total()
	}
	require.LessOrEqual(t, memory(batch), int64(bytes))
	require.Greater(t, memory(batch+1), int64(bytes))
	batch, err = n.LargestBatch(plainTraits, o, 1000)
	require.NoError(t, err)
	require.Zero(t, batch)
}

func TestSummary(t *testing.T) {
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	s, err := n.Summary(plainTraits, graph.PlanOptions{Mode: graph.Train, Batch: 64})
	require.NoError(t, err)
	for _, want := range []string{"conv1", "20x24x24", "431,080", "memory to train at batch 64"} {
		require.Contains(t, s, want)
	}
}
