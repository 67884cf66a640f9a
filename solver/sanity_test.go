package solver

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// checked runs the sanity checks and maps their names to their outcomes.
func checked(t *testing.T, c Config) map[string]Sanity {
	t.Helper()
	found := map[string]Sanity{}
	c.Observers = []Observer{watch(func(s Sanity) {
		found[s.Name] = s
		t.Log(s)
	})}
	require.NoError(t, CheckSanity(t.Context(), c))
	require.Len(t, found, 4)
	return found
}

func TestSanity(t *testing.T) {
	c := smallConfig(t)
	c.Dir = filepath.Join(t.TempDir(), "run")
	for name, s := range checked(t, c) {
		require.True(t, s.OK, "%s: %s", name, s.Text)
	}
	require.NoDirExists(t, c.Dir)

	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	c = smallConfig(t)
	c.Network, c.Preprocess = n, data.Preprocess{Scale: 1. / 256}
	c.Train, c.Test = synthetic(t, 60, 10, 1, 28, 28)
	for name, s := range checked(t, c) {
		require.True(t, s.OK, "%s: %s", name, s.Text)
	}

	// A regression, whose loss at zero is that of its targets.
	c = smallConfig(t)
	c.Train, c.Test, err = data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Targets: 6, Train: 40, Test: 8})
	require.NoError(t, err)
	c.Network, err = models.Build("net1", models.Options{Shape: []int{1, 12, 12}, Classes: 6})
	require.NoError(t, err)
	c.Preprocess = data.Preprocess{Scale: 1. / 255}
	for name, s := range checked(t, c) {
		require.True(t, s.OK, "%s: %s", name, s.Text)
	}

	// Targets that are missing, which its loss masks.
	c.Train = incomplete{c.Train.(data.Regression)}
	for name, s := range checked(t, c) {
		require.True(t, s.OK, "%s: %s", name, s.Text)
	}
}

// incomplete misses the first two numbers of each third sample.
type incomplete struct{ data.Regression }

func (d incomplete) ReadTarget(dst []float32, i int) error {
	err := d.Regression.ReadTarget(dst, i)
	if i%3 == 0 {
		dst[0], dst[1] = float32(math.NaN()), float32(math.NaN())
	}
	return err
}

// Each check fails for a reason of its own.
func TestSanityFails(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"initial loss": func(c *Config) { // what is predicted from nothing is a half
			var err error
			c.Train, _, err = data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Targets: 6, Train: 40, Test: 8})
			require.NoError(t, err)
			c.Network = &graph.Network{Name: "halves"}
			in := c.Network.Image("data", 1, 12, 12)
			target := c.Network.Target("target", 6)
			x := c.Network.Add("fc1", &layers.Dense{Out: 20}, in)
			x = c.Network.Add("relu1", &layers.Unary{Op: device.ReLU}, x)
			x = c.Network.Add("fc2", &layers.Dense{Out: 6}, x)
			x = c.Network.Add("half", &layers.Unary{Op: device.Sigmoid}, x)
			c.Network.Add("loss", &layers.L2Loss{}, x, target)
			c.Preprocess = data.Preprocess{Scale: 1. / 255}
		},
		"weight decay": func(c *Config) {
			c.Network.Nodes[0].Layer.(*layers.Conv).WeightDecay = new(float32(0))
			c.Network.Nodes[0].Layer.(*layers.Conv).BiasDecay = new(float32(0))
			c.Network.Nodes[4].Layer.(*layers.Dense).WeightDecay = new(float32(0))
			c.Network.Nodes[4].Layer.(*layers.Dense).BiasDecay = new(float32(0))
		},
		"gradients":   func(c *Config) { c.Network.Nodes[2].Layer = &steep{} },
		"overfitting": func(c *Config) { c.Optimiser.Schedule.Rate = 1e-5 },
	} {
		t.Run(name, func(t *testing.T) {
			c := smallConfig(t)
			change(&c)
			for other, s := range checked(t, c) {
				if other == name {
					require.False(t, s.OK, s.Text)
				} else if name != "initial loss" || other != "overfitting" { // half the targets are out of its range
					require.True(t, s.OK, "%s: %s", other, s.Text)
				}
			}
		})
	}
}

// A device that does not decay as it is told is found.
func TestSanityOfAnUpdate(t *testing.T) {
	c := smallConfig(t)
	c.Device = forgetful{c.Device, t}
	for name, s := range checked(t, c) {
		require.Equal(t, name != "weight decay", s.OK, "%s: %s", name, s.Text)
		if !s.OK {
			require.Contains(t, s.Text, "an update by a decay of 0.01 alone makes the squares of conv1.weight ")
		}
	}
}

// forgetful is a device whose updates decay by half of what they are told.
type forgetful struct {
	device.Device
	t *testing.T
}

func (f forgetful) NewQueue() (device.Queue, error) {
	q, err := f.Device.NewQueue()
	return forgetfulQueue{q, f.t}, err
}

type forgetfulQueue struct {
	device.Queue
	t *testing.T
}

func (q forgetfulQueue) Update(p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
	decays := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(len(segments)))
	q.Download(decays, in[decaysInput])
	require.NoError(q.t, q.Sync())
	scaled := func(factor float32) {
		for i := range decays.Float32s() {
			decays.Float32s()[i] *= factor
		}
		q.Upload(in[decaysInput], decays)
	}
	scaled(0.5)
	q.Queue.Update(p, out, in, segments)
	scaled(2)
}

// steep is a ReLU whose gradient is a tenth too large.
type steep struct{ layers.Unary }

func (*steep) Type() string { return "steep" }

func (s *steep) Backward(q device.Queue, c *layers.Call) {
	scaled := *c
	s.Unary.Backward(q, &scaled)
	p := expr.MustNew(expr.Mul(expr.Const(1.1), expr.Input(0, expr.Whole)))
	q.Map(p, device.View{N: 1, C: 1, Inner: c.DIn[0].Len()}, c.DIn, c.DIn, []device.Mode{device.Overwrite}, device.Random{})
}

func TestSubsets(t *testing.T) {
	set, _ := synthetic(t, 90, 1, 1, 4, 4)
	s := subsetOf(set, 9)
	require.Equal(t, 9, s.Len())
	a, b := make([]float32, 16), make([]float32, 16)
	for i := range 9 {
		got, err := s.Read(a, i)
		require.NoError(t, err)
		want, err := set.Read(b, 10*i)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, b, a)
	}
	require.Equal(t, 90, subsetOf(set, 1000).Len())
}

// Each layer is visited once, however many ways lead to it.
func TestLastLayersOfManyWays(t *testing.T) {
	n := &graph.Network{Name: "ways"}
	x := n.Add("fc", &layers.Dense{Out: 1}, n.Image("data", 1))
	for i := range 64 { // 2^64 ways
		x = n.Add(fmt.Sprintf("twice%d", i), &layers.Add{}, x, x)
	}
	n.Add("loss", &layers.L2Loss{}, x, n.Target("target", 1))
	p, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 1})
	require.NoError(t, err)
	require.Equal(t, []string{"fc"}, lastLayers(p))
}

// doubled is a ReLU whose gradient is twice what it should be.
type doubled struct{ layers.Unary }

func (d *doubled) Backward(q device.Queue, c *layers.Call) {
	d.Unary.Backward(q, c)
	p := expr.MustNew(expr.Mul(expr.Const(2), expr.Input(0, expr.Whole)))
	q.Map(p, device.View{N: 1, C: 1, Inner: c.DIn[0].Len()}, c.DIn, c.DIn, []device.Mode{device.Overwrite}, device.Random{})
}

// A gradient that is wrong is said to disagree, with the layer below it.
func TestSlopesThatDisagree(t *testing.T) {
	c := smallConfig(t)
	n := &graph.Network{Name: "wrong"}
	x := n.Add("fc1", &layers.Dense{Out: 8}, n.Add("flat", &layers.Flatten{}, n.Image("data", c.Train.Shape()...)))
	x = n.Add("fc2", &layers.Dense{Out: len(c.Train.Classes())}, n.Add("act", &doubled{}, x))
	n.Add("loss", &layers.SoftmaxLoss{}, x, n.Label("label"))
	n.Outputs = []string{x}
	c.Network = n
	s, err := checkSlopes(t.Context(), c)
	require.NoError(t, err)
	require.False(t, s.OK)
	require.Regexp(t, `^directional derivatives of \d tensors disagree with finite differences of the loss: at most .* of fc1\.`, s.Text)
}

// A bias that the batch-norm behind it takes away again has a gradient that is rounding
// alone: the loss does not show it.
func TestSanityOfBatchNorm(t *testing.T) {
	for seed := range uint64(3) {
		c := batchNormConfig(t, "")
		c.Seed = seed
		found := checked(t, c)
		for name, s := range found {
			require.True(t, s.OK, "%s: %s", name, s.Text)
		}
		require.Regexp(t, "; of [1-3] the loss does not show it well enough$", found["gradients"].Text)
	}
}
