package graph_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

func openCPU(t *testing.T, workers int) device.Device {
	t.Helper()
	d, err := cpu.New(workers)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// newExecutor compiles a network with filled weights.
func newExecutor(t *testing.T, d device.Device, n *graph.Network, o graph.PlanOptions) *graph.Executor {
	t.Helper()
	p, err := n.Plan(d.Traits(), o)
	require.NoError(t, err)
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	require.NoError(t, w.Fill(7))
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// upload gives every input of the network numbers that depend on the sample's
// index from first on.
func upload(t *testing.T, e *graph.Executor, first int) {
	t.Helper()
	for k, in := range e.Plan().Network.Inputs {
		shape := append(tensor.Shape{e.Batch()}, in.Shape...)
		elements := device.Elements(shape)
		var x *tensor.Dense
		if in.DType == device.Int32 {
			labels := make([]int32, elements)
			for i := range labels {
				labels[i] = int32(first+i) % 3
			}
			x = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(labels))
		} else {
			values := make([]float32, elements)
			each := elements / e.Batch()
			for i := range e.Batch() {
				layers.Gaussian(1).Fill(values[i*each:(i+1)*each], layers.Fan{}, device.Random{Stream: uint32(k), Sample: uint32(first + i)})
			}
			x = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
		}
		require.NoError(t, e.Upload(in.Name, x))
	}
}

func step(e *graph.Executor, p graph.Pass) {
	e.Forward(p)
	e.Backward(p, device.Overwrite)
}

// gradients downloads all parameter gradients.
func gradients(t *testing.T, e *graph.Executor) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, p := range e.Plan().Params {
		g := e.Gradient(p.Name)
		if g.IsNil() {
			continue
		}
		x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(g.Len()))
		e.Queue().Download(x, g)
		require.NoError(t, e.Sync())
		all[p.Name] = x.Float32s()
	}
	return all
}

func requireSameBits(t *testing.T, want, got map[string][]float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for name, w := range want {
		for i := range w { // require on each of AlexNet's 61 million would take minutes
			if math.Float32bits(w[i]) != math.Float32bits(got[name][i]) {
				require.Failf(t, "different bits", "%s[%d]: %g and %g", name, i, w[i], got[name][i])
			}
		}
	}
}

// poison fills every byte that no live value holds with NaN before each step.
func poison(e *graph.Executor) {
	p := e.Plan()
	e.Before(func(step int) {
		var live []graph.Value
		for _, v := range p.Values {
			if v.First < step && step <= v.Last {
				live = append(live, v)
			}
		}
		slices.SortFunc(live, func(a, b graph.Value) int { return cmp.Compare(a.Offset, b.Offset) })
		end := int64(0)
		fill := func(to int64) {
			if to > end {
				e.Queue().Fill(e.ArenaSpan(end, to-end), float32(math.NaN()))
			}
		}
		for _, v := range live {
			fill(v.Offset)
			end = max(end, (v.Offset+v.Bytes+3)/4*4)
		}
		fill(p.Arena)
	})
}

// requireSharingChangesNothing runs a step with shared memory and NaN wherever
// nothing lives, and with memory of its own for every value.
func requireSharingChangesNothing(t *testing.T, n *graph.Network, o graph.PlanOptions) {
	d := openCPU(t, 2)
	shared := newExecutor(t, d, n, o)
	o.Unshared = true
	alone := newExecutor(t, d, n, o)
	poison(shared)
	p := graph.Pass{Seed: 3, Iteration: 5}
	var losses []float64
	for _, e := range []*graph.Executor{alone, shared} {
		upload(t, e, 0)
		step(e, p)
		loss, err := e.Loss()
		require.NoError(t, err)
		require.False(t, math.IsNaN(loss))
		losses = append(losses, loss)
	}
	require.Equal(t, losses[0], losses[1])
	requireSameBits(t, gradients(t, alone), gradients(t, shared))
}

func TestSharedMemoryOfRandomNetworks(t *testing.T) {
	for seed := range uint64(60) {
		n := randomNetwork(seed)
		requireSharingChangesNothing(t, n, graph.PlanOptions{Mode: graph.Train, Batch: 3})
		requireSharingChangesNothing(t, n, graph.PlanOptions{
			Mode: graph.Train, Batch: 3, InputGrad: []string{"data"}, Keep: []string{n.Nodes[len(n.Nodes)/2].Name},
		})
	}
}

// In inference more is shared, and in epilogues.
func TestSharedMemoryInInference(t *testing.T) {
	d := openCPU(t, 2)
	for seed := range uint64(60) {
		n := randomNetwork(seed)
		shared := newExecutor(t, d, n, graph.PlanOptions{Batch: 3})
		alone := newExecutor(t, d, n, graph.PlanOptions{Batch: 3, Unshared: true})
		poison(shared)
		var outputs [][]float32
		for _, e := range []*graph.Executor{alone, shared} {
			upload(t, e, 0)
			e.Forward(graph.Pass{})
			prob, err := e.Read(n.Outputs[0])
			require.NoError(t, err)
			outputs = append(outputs, slices.Clone(prob.Float32s()))
		}
		require.Equal(t, outputs[0], outputs[1], "seed %d", seed)
	}
}

func TestSharedMemoryOfAlexNet(t *testing.T) {
	n, err := models.Build("alexnet", models.Options{})
	require.NoError(t, err)
	requireSharingChangesNothing(t, n, graph.PlanOptions{Mode: graph.Train, Batch: 2})
}

// A smaller last batch runs in the same plan and gives what a plan of its
// size gives.
func TestSmallerBatch(t *testing.T) {
	d := openCPU(t, 2)
	for _, seed := range []uint64{2, 5, 11} {
		n := randomNetwork(seed)
		big := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 7})
		small := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 4})
		upload(t, big, 0) // a full batch before, to leave its traces
		step(big, graph.Pass{Seed: 3})
		require.NoError(t, big.SetBatch(4))
		p := graph.Pass{Seed: 3, Iteration: 1}
		for _, e := range []*graph.Executor{big, small} {
			upload(t, e, 20)
			step(e, p)
		}
		requireSameBits(t, gradients(t, small), gradients(t, big))
		lossBig, err := big.Loss()
		require.NoError(t, err)
		lossSmall, err := small.Loss()
		require.NoError(t, err)
		require.Equal(t, lossSmall, lossBig)
	}
}

// Micro-batches add up to the whole batch, with the same dropout masks.
func TestMicroBatches(t *testing.T) {
	d := openCPU(t, 2)
	for _, seed := range []uint64{2, 5, 11} {
		n := randomNetwork(seed)
		whole := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 6})
		micro := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 3})
		upload(t, whole, 0)
		step(whole, graph.Pass{Seed: 1, Iteration: 2})
		for i, mode := range []device.Mode{device.Overwrite, device.Accumulate} {
			p := graph.Pass{Seed: 1, Iteration: 2, FirstSample: 3 * i, WholeBatch: 6}
			upload(t, micro, p.FirstSample)
			micro.Forward(p)
			micro.Backward(p, mode)
		}
		want, got := gradients(t, whole), gradients(t, micro)
		for name := range want {
			largest := 0.0
			for _, v := range want[name] {
				largest = max(largest, math.Abs(float64(v)))
			}
			for i := range want[name] {
				require.InDelta(t, want[name][i], got[name][i], 1e-5*largest, "%s[%d]", name, i)
			}
		}
	}
}

// Plans for training and inference share weights, packed copies included.
func TestPlansShareWeights(t *testing.T) {
	d := openCPU(t, 2)
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	train := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 4})
	plan, err := n.Plan(d.Traits(), graph.PlanOptions{Batch: 2, Keep: []string{"loss"}})
	require.NoError(t, err)
	infer, err := graph.NewExecutor(plan, train.Weights())
	require.NoError(t, err)
	defer func() { require.NoError(t, infer.Close()) }()

	lossOf := func() float64 {
		upload(t, infer, 0)
		infer.Forward(graph.Pass{})
		loss, err := infer.Loss()
		require.NoError(t, err)
		return loss
	}
	before := lossOf()
	upload(t, train, 0)
	step(train, graph.Pass{})
	require.Equal(t, before, lossOf())
	w, err := train.Weights().Get("conv2.weight")
	require.NoError(t, err)
	for i := range w.Float32s() {
		w.Float32s()[i] *= 2
	}
	require.NoError(t, train.Weights().Set("conv2.weight", w))
	require.NotEqual(t, before, lossOf())
}

func TestFrozenAndGradientOrder(t *testing.T) {
	d := openCPU(t, 1)
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	e := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 2, Frozen: []string{"conv1", "ip1.bias"}})
	var names []string
	last := int64(-1)
	e.OnGradient(func(p *graph.Param, g device.Tensor) {
		names = append(names, p.Name)
		require.Greater(t, p.Grad, last, "%s is not in the order of the slab", p.Name)
		last = p.Grad
		require.False(t, g.IsNil())
	})
	upload(t, e, 0)
	step(e, graph.Pass{})
	require.NoError(t, e.Sync())
	require.Equal(t, []string{"ip2.weight", "ip2.bias", "ip1.weight", "conv2.weight", "conv2.bias"}, names)
	for _, s := range e.Plan().Steps {
		require.False(t, s.Backward && n.Nodes[s.Node].Name == "conv1", "a frozen first layer runs backward")
	}
}

func TestExecutorErrors(t *testing.T) {
	d := openCPU(t, 1)
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	e := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 2})
	float := func(shape ...int) *tensor.Dense {
		return tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
	}

	require.ErrorContains(t, e.SetBatch(3), "does not fit a plan for 1 to 2")
	require.ErrorContains(t, e.Upload("image", float(2, 1, 28, 28)), `no input "image"`)
	require.ErrorContains(t, e.Upload("data", float(2, 1, 28, 27)), "wants the shape [2 1 28 28], not [2 1 28 27]")
	_, err = e.Read("pool1")
	require.ErrorContains(t, err, `does not keep "pool1"`)
	require.ErrorContains(t, e.Weights().Set("conv1.weight", float(3)), "conv1.weight has the shape [20 1 5 5] in the network")
	require.ErrorContains(t, e.Weights().Set("conv9.weight", float(3)), `no weights named "conv9.weight"`)
}
