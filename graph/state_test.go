package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/layers/layerstest"
)

// meanNet has the layer between two dense ones.
func meanNet() *graph.Network {
	n := &graph.Network{Name: "means"}
	x := n.Add("fc", &layers.Dense{Out: 2}, n.Input("data", device.Float32, 2))
	x = n.Add("m", &layerstest.RunningMean{}, x)
	n.Outputs = []string{x}
	n.Add("loss", &layers.L2Loss{}, x, n.Input("target", device.Float32, 2))
	return n
}

// onDevices runs a test on the CPU and the simulator.
func onDevices(t *testing.T, test func(*testing.T, device.Device)) {
	for _, name := range []string{"cpu", "ptxsim"} {
		t.Run(name, func(t *testing.T) {
			d, err := device.Open(name, device.Options{Threads: 2})
			require.NoError(t, err)
			defer func() { require.NoError(t, d.Close()) }()
			test(t, d)
		})
	}
}

// stateOf is the mean and the number of calls.
func stateOf(t *testing.T, w *graph.Weights) (mean, calls float32) {
	t.Helper()
	state, err := w.State()
	require.NoError(t, err)
	require.Len(t, state, 2)
	return state["m.mean"].Float32s()[0], state["m.calls"].Float32s()[0]
}

// A pass of training updates the state once, in order; inference and frozen layers
// read it, whichever executor of the weights it was that changed it.
func TestState(t *testing.T) { onDevices(t, testState) }

func testState(t *testing.T, d device.Device) {
	n := meanNet()
	train := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 4, Keep: []string{"fc", "m"}})
	w := train.Weights()
	executor := func(o graph.PlanOptions) *graph.Executor {
		o.Batch, o.Keep = 4, []string{"fc", "m"}
		p, err := n.Plan(d.Traits(), o)
		require.NoError(t, err)
		e, err := graph.NewExecutor(p, w)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		return e
	}
	second := executor(graph.PlanOptions{Mode: graph.Train})
	mean, calls := stateOf(t, w)
	require.Equal(t, float32(0.25), mean)
	require.Equal(t, float32(3), calls)

	// run makes a pass, and checks its output and the state after it.
	run := func(e *graph.Executor, first, samples int, mode device.Mode, updates bool) {
		t.Helper()
		require.NoError(t, e.SetBatch(samples))
		upload(t, e, first)
		pass := graph.Pass{FirstSample: first, WholeBatch: 7}
		e.Forward(pass)
		if e.Plan().Options.Mode == graph.Train {
			e.Backward(pass, mode)
		}
		require.NoError(t, e.Sync())
		x, err := e.Read("fc")
		require.NoError(t, err)
		y, err := e.Read("m")
		require.NoError(t, err)
		sum := float32(0)
		for i, v := range x.Float32s() {
			sum += v
			require.Equal(t, v-mean, y.Float32s()[i])
		}
		gotMean, gotCalls := stateOf(t, w)
		if updates {
			mean += (sum/float32(x.Size()) - mean) / 2
			calls++
			require.InDelta(t, mean, gotMean, 1e-6) // another order of the sum
			mean = gotMean
		}
		require.Equal(t, mean, gotMean)
		require.Equal(t, calls, gotCalls)
	}
	run(train, 0, 4, device.Overwrite, true)
	run(train, 4, 3, device.Accumulate, true) // a smaller micro-batch
	run(second, 1, 4, device.Overwrite, true)
	run(executor(graph.PlanOptions{}), 2, 4, device.Overwrite, false)
	for _, frozen := range []string{"m", "m.mean"} {
		run(executor(graph.PlanOptions{Mode: graph.Train, Frozen: []string{frozen}}), 3, 4, device.Overwrite, false)
	}
	run(executor(graph.PlanOptions{Mode: graph.Train, Frozen: []string{"fc.bias"}}), 3, 4, device.Overwrite, true)

	before, err := w.State()
	require.NoError(t, err)
	m, c := mean, calls
	run(train, 5, 4, device.Overwrite, true)
	require.NoError(t, w.SetState(before))
	mean, calls = m, c
	run(train, 5, 4, device.Overwrite, true)
}

// The gradient is right although a pass of training changes what the next one reads.
func TestGradientOfALayerWithState(t *testing.T) {
	n := gradcheck.Layer(&layerstest.RunningMean{}, graph.Input{Name: "x", Shape: []int{3, 2}})
	require.NoError(t, gradcheck.Check(n, gradcheck.Options{}))
	onDevices(t, func(t *testing.T, d device.Device) { require.NoError(t, gradcheck.Compare(n, d, gradcheck.Options{})) })
}

// slots is a layer with other slots.
type slots struct {
	layerstest.RunningMean
	saved, state []layers.Slot
}

func (b *slots) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return layers.Spec{Out: []layers.Input{in[0]}, Saved: b.saved, State: b.state}, nil
}

func TestSlotsThatAreNotWhatTheySay(t *testing.T) {
	for want, l := range map[string]*slots{
		"m: the slot used is said to be batched, and its shape [2] does not begin with the batch, 4": {saved: []layers.Slot{{Name: "used", Shape: tensor.Shape{2}, Batched: true}}},
		"m: the slot one is said to be batched, and its shape [] does not begin with the batch, 4":   {saved: []layers.Slot{{Name: "one", Batched: true}}},
		`m: the state "a.mean" is said to have a dot in its name: that is for names of layers`:       {state: []layers.Slot{{Name: "a.mean", Shape: tensor.Shape{4}}}},
		"m: the state mean is said to be batched: state has a fixed shape":                           {state: []layers.Slot{{Name: "mean", Shape: tensor.Shape{4}, Batched: true}}},
	} {
		n := meanNet()
		n.Nodes[1].Layer = l
		_, err := n.Plan(plainTraits, graph.PlanOptions{Batch: 4})
		require.EqualError(t, err, want)
	}
}

// A smaller pass leaves a slot as it is that is not of samples.
func TestSlotThatIsNotBatched(t *testing.T) {
	n := meanNet()
	n.Nodes[1].Layer = &slots{saved: []layers.Slot{{Name: "used", Shape: tensor.Shape{2}}}}
	e := newExecutor(t, openCPU(t, 1), n, graph.PlanOptions{Mode: graph.Train, Batch: 4})
	require.NoError(t, e.SetBatch(3))
	used, err := e.Tensor("m/used")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{2}, used.Shape)
}

// State may be of integers, which only an upload changes.
func TestStateOfIntegers(t *testing.T) {
	n := meanNet()
	n.Nodes[1].Layer = &slots{state: []layers.Slot{{Name: "calls", Shape: tensor.Shape{1}, DType: device.Int32, Init: 3}}}
	onDevices(t, func(t *testing.T, d device.Device) {
		w, err := graph.NewWeights(n, d)
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Close()) }()
		require.NoError(t, w.Fill(1))
		state, err := w.State()
		require.NoError(t, err)
		require.Equal(t, []int32{3}, state["m.calls"].Int32s())
		state["m.calls"].Int32s()[0] = 1<<24 + 1
		require.NoError(t, w.SetState(state))
		state, err = w.State()
		require.NoError(t, err)
		require.Equal(t, []int32{1<<24 + 1}, state["m.calls"].Int32s())
	})
}

// Weights of another network whose state is another are refused.
func TestStateOfAnotherShape(t *testing.T) {
	d := reference.New()
	w, err := graph.NewWeights(meanNet(), d)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	n := meanNet()
	n.Nodes[1].Layer = &slots{state: []layers.Slot{{Name: "mean", Shape: tensor.Shape{2}}}}
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	_, err = graph.NewExecutor(p, w)
	require.EqualError(t, err, "plan of means: m: m.mean has the shape [2] in the plan and [1] in the weights")
}

// counted counts the calls of its Plan.
type counted struct {
	*layerstest.RunningMean
	plans *int
}

func (c counted) Plan(t device.Traits, in []layers.Input, o layers.Options) (layers.Spec, error) {
	*c.plans++
	return (&layerstest.RunningMean{}).Plan(t, in, o)
}

// A plan is its layers' Specs and the traits they were made for: an executor asks no
// layer again, and refuses traits of another name.
func TestAPlanOwnsItsSpecs(t *testing.T) {
	d := openCPU(t, 1)
	n := meanNet()
	plans := 0
	n.Nodes[1].Layer = counted{plans: &plans}
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Batch: 2})
	require.NoError(t, err)
	require.Equal(t, 1, plans)
	require.Len(t, p.Specs, 3)
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	plans = 0
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.Zero(t, plans)

	p, err = n.Plan(plainTraits, graph.PlanOptions{Batch: 2})
	require.NoError(t, err)
	_, err = graph.NewExecutor(p, w)
	require.EqualError(t, err, "the plan of means was made for reference, and the weights are on "+d.Traits().String()+": plan the network with the traits of that device")
	_, err = graph.NewExecutor(&graph.Plan{Network: n}, w)
	require.ErrorContains(t, err, "was made for no device")
}
