package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// smallest is the memory of the smallest plan that recomputes.
func smallest(t *testing.T, n *graph.Network, traits device.Traits, o graph.PlanOptions) int64 {
	t.Helper()
	o.Memory = 1
	_, err := n.Plan(traits, o)
	var scarce *graph.MemoryError
	require.ErrorAs(t, err, &scarce)
	return scarce.Least.Total()
}

func total(t *testing.T, n *graph.Network, traits device.Traits, o graph.PlanOptions) int64 {
	t.Helper()
	p, err := n.Plan(traits, o)
	require.NoError(t, err)
	return p.Memory().Total()
}

// normed has what a second run could spoil: running statistics, dropout, maxima, activations
// in place, and a sum that is read twice.
func normed() *graph.Network {
	n := &graph.Network{Name: "normed"}
	x := n.Input("data", device.Float32, 4, 8, 8)
	label := n.Input("label", device.Int32)
	conv := func(i int, x string) string {
		x = n.Add(fmt.Sprint("conv", i), &layers.Conv{Filters: 6, Kernel: layers.Square(3), Pad: layers.Around(1)}, x)
		x = n.Add(fmt.Sprint("norm", i), &layers.BatchNorm{}, x)
		return n.Add(fmt.Sprint("relu", i), &layers.Unary{Op: device.ReLU}, x)
	}
	x = conv(0, x)
	for i := range 4 {
		y := conv(2*i+2, conv(2*i+1, x))
		if i%2 == 0 {
			y = n.Add(fmt.Sprint("group", i), &layers.GroupNorm{Groups: 2}, y)
			y = n.Add(fmt.Sprint("drop", i), &layers.Dropout{P: 0.3}, y)
		}
		x = n.Add(fmt.Sprint("sum", i), &layers.Add{}, x, y)
	}
	x = n.Add("lrn", &layers.LRN{Size: 3}, x)
	x = n.Add("pool", &layers.Pool{Op: device.MaxPool, Window: layers.Square(2), Stride: layers.Square(2)}, x)
	scores := n.Add("scores", &layers.Dense{Out: 3}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, scores, label)
	n.Outputs = []string{scores}
	return n
}

// A step within less memory makes the same bits as the plan that keeps everything: losses,
// gradients, and the state that batch-norm updates once.
func TestRecomputedStepsMakeTheSameBits(t *testing.T) {
	cpu := openCPU(t, 2)
	fewer := 0
	check := func(name string, d device.Device, n *graph.Network, frozen []string) {
		o := graph.PlanOptions{Mode: graph.Train, Batch: 3, Frozen: frozen}
		least, all := smallest(t, n, d.Traits(), o), total(t, n, d.Traits(), o)
		require.LessOrEqual(t, least, all, name)
		plain := newExecutor(t, d, n, o)
		for _, memory := range []int64{least, (least + all) / 2} {
			o.Memory = memory
			e := newExecutor(t, d, n, o)
			require.LessOrEqual(t, e.Plan().Memory().Total(), memory, name)
			if d.Traits().Alignment() == plainTraits.Alignment() {
				requireDisjoint(t, e.Plan(), 0)
			}
			if steps, _ := e.Plan().Recomputed(); steps > 0 {
				fewer++
			}
			poison(e)
			require.NoError(t, plain.Weights().Fill(7))
			for i, batch := range []int{3, 2} {
				var losses []float64
				for _, e := range []*graph.Executor{plain, e} {
					require.NoError(t, e.SetBatch(batch))
					upload(t, e, 5*i)
					step(e, graph.Pass{Seed: 5, Iteration: uint32(i)})
					loss, err := e.Loss()
					require.NoError(t, err)
					losses = append(losses, loss)
				}
				require.Equal(t, losses[0], losses[1], name)
				requireSameBits(t, gradients(t, plain), gradients(t, e))
			}
			want, err := plain.Weights().State()
			require.NoError(t, err)
			got, err := e.Weights().State()
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
	}
	for seed := range uint64(60) {
		check(fmt.Sprint("random ", seed), cpu, randomNetwork(seed), nil)
	}
	require.Greater(t, fewer, 30, "few random networks recompute")
	ref := reference.New()
	for seed := range uint64(30) {
		check(fmt.Sprint("random ", seed), ref, randomNetwork(seed), nil)
	}
	for _, d := range []device.Device{cpu, ref} {
		check("normed", d, normed(), nil)
		check("frozen", d, normed(), []string{"conv3", "norm3", "norm4"})
	}
	sim, err := device.Open("ptxsim", device.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, sim.Close()) }()
	check("ptxsim", sim, normed(), nil)
}

// ResNet-18 in half the memory: a change of what is recomputed shows in the diff.
func TestGoldenPlanRecomputed(t *testing.T) {
	n, err := models.Build("resnet18", models.Options{})
	require.NoError(t, err)
	o := graph.PlanOptions{Mode: graph.Train, Batch: 32}
	o.Memory = total(t, n, plainTraits, o) * 3 / 5
	p, err := n.Plan(plainTraits, o)
	require.NoError(t, err)
	require.LessOrEqual(t, p.Memory().Total(), o.Memory)
	requireGolden(t, "resnet18-recomputed-train", p)
}

// Every model fits into less than it takes, and a limit that suffices changes nothing.
func TestModelsInLessMemory(t *testing.T) {
	for _, c := range []struct {
		model  string
		batch  int
		share  float64 // of the memory of the plan that keeps everything
		atMost float64 // operations more
	}{
		{"resnet50", 32, 0.5, 0.2},
		{"mobilenet-v2", 32, 0.5, 0.33},
		{"densenet121", 32, 0.5, 0.33},
		{"alexnet", 128, 0.9, 0.2},
	} {
		n, err := models.Build(c.model, models.Options{})
		require.NoError(t, err)
		o := graph.PlanOptions{Mode: graph.Train, Batch: c.batch}
		all := total(t, n, plainTraits, o)
		o.Memory = int64(c.share * float64(all))
		p, err := n.Plan(plainTraits, o)
		require.NoError(t, err)
		steps, share := p.Recomputed()
		t.Logf("%s: %s of %s, %d steps again, %.1f %% more operations", c.model, graph.MiB(p.Memory().Total()), graph.MiB(all), steps, 100*share)
		require.LessOrEqual(t, p.Memory().Total(), o.Memory)
		require.Positive(t, steps)
		require.LessOrEqual(t, share, c.atMost)
		o.Memory = all
		p, err = n.Plan(plainTraits, o)
		require.NoError(t, err)
		steps, _ = p.Recomputed()
		require.Zero(t, steps)
	}
}

func TestMemoryErrors(t *testing.T) {
	for want, o := range map[string]graph.PlanOptions{
		`training "normed" with a batch of 2 needs at least`: {Mode: graph.Train, Memory: 1},
		"a limit of -1 bytes: it must be positive":           {Mode: graph.Train, Memory: -1},
		"a limit of memory is for training":                  {Memory: 1 << 30},
		"not for a plan in which every value has its own":    {Mode: graph.Train, Memory: 1 << 30, Unshared: true},
	} {
		o.Batch = 2
		_, err := normed().Plan(plainTraits, o)
		require.ErrorContains(t, err, want)
	}
}
