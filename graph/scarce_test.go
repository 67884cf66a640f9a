package graph_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// learner is a network that trains, of a layer with packed weights and state.
func learner() *graph.Network {
	n := &graph.Network{Name: "learner", Outputs: []string{"prob"}}
	n.Input("data", device.Float32, 1, 3, 4)
	n.Input("label", device.Int32)
	n.Add("conv", &layers.Conv{Filters: 2, Kernel: layers.Size{H: 1, W: 3}}, "data")
	n.Add("fc", &layers.Dense{Out: 3}, "conv")
	n.Add("prob", &layers.Softmax{}, "fc")
	n.Add("loss", &layers.SoftmaxLoss{}, "fc", "label")
	return n
}

// Where a device refuses what is asked of it, the error says what it was for,
// and all that was given is given back.
func TestDeviceRefuses(t *testing.T) {
	n := learner()
	traits := packingTraits{reference.New().Traits()}
	p, err := n.Plan(traits, graph.PlanOptions{Mode: graph.Train, Batch: 2, InputGrad: []string{"data"}})
	require.NoError(t, err)
	var said []string
	for _, err := range devicetest.Scarcity(t, devicetest.Scarce{Once: true, Facts: traits}, func(d *devicetest.Scarce) (err error) {
		w, err := graph.NewWeights(n, d)
		if err != nil {
			require.Nil(t, w)
			return err
		}
		defer func() { err = errors.Join(err, w.Close()) }()
		e, err := graph.NewExecutor(p, w)
		if err != nil {
			require.Nil(t, e)
			return err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		s, err := graph.NewStaging(e)
		if err != nil {
			require.Nil(t, s)
			return err
		}
		return s.Close()
	}) {
		said = append(said, err.Error())
	}
	const why = ": there is nothing left"
	weights, plan, next := "weights of learner"+why, "plan of learner", "the next inputs of learner"+why
	require.Equal(t, []string{
		weights, weights, weights, // the slab, the state, the queue
		plan + ": activations" + why, plan + ": gradients" + why, plan + why,
		plan + ": conv" + why, plan + ": conv" + why, // packed for each pass
		next, next, next, next, // the memory, the queue, two events
	}, said)
}

// Inputs that are uploaded ahead are those of the next pass, and not of the one
// under way.
func TestStaging(t *testing.T) {
	d := openCPU(t, 1)
	n := learner()
	e := newExecutor(t, d, n, graph.PlanOptions{Batch: 3})
	require.Equal(t, int64(192), e.Plan().StagingBytes(d.Traits()), "36 numbers of 4 bytes, in pieces of 64 bytes; the label is not read")
	train, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 3})
	require.NoError(t, err)
	require.Equal(t, int64(192+64), train.StagingBytes(d.Traits()))

	s, err := graph.NewStaging(e)
	require.NoError(t, err)
	require.NotSame(t, e.Queue(), s.Queue())
	sample := func(k float32, of int) *tensor.Dense {
		x := make([]float32, 12*of)
		for i := range x {
			x[i] = k * float32(i%5)
		}
		return tensor.New(tensor.WithShape(of, 1, 3, 4), tensor.WithBacking(x))
	}
	read := func() []float32 {
		e.Forward(graph.Pass{})
		x, err := e.Read("prob")
		require.NoError(t, err)
		return append([]float32(nil), x.Float32s()...)
	}
	require.NoError(t, e.Upload("data", sample(1, 3)))
	first := read()
	require.NoError(t, e.Upload("data", sample(2, 3)))
	second := read()
	require.NotEqual(t, first, second)

	require.NoError(t, s.Upload("data", sample(1, 3)))
	require.NoError(t, s.Upload("label", sample(1, 3)), "which the plan does not read")
	require.NoError(t, s.Take())
	require.NoError(t, s.Upload("data", sample(2, 3)))
	require.Equal(t, first, read())
	require.NoError(t, s.Take())
	require.Equal(t, second, read())

	// A smaller batch is the executor's from Take on.
	require.EqualError(t, s.SetBatch(4), "a batch of 4 samples does not fit a plan for 1 to 3")
	require.EqualError(t, s.SetBatch(0), "a batch of 0 samples does not fit a plan for 1 to 3")
	require.NoError(t, s.SetBatch(2))
	require.Equal(t, 3, e.Batch())
	require.EqualError(t, s.Upload("data", sample(2, 3)), "input data wants the shape [2 1 3 4], not [3 1 3 4]")
	require.EqualError(t, s.Upload("dates", sample(2, 2)), `network learner has no input "dates"`)
	require.NoError(t, s.Upload("data", sample(2, 2)))
	require.NoError(t, s.Take())
	require.Equal(t, 2, e.Batch())
	require.Equal(t, second[:6], read())
	require.NoError(t, s.Close())
}

// An error of the queue that uploads ahead is the executor's from Take on.
func TestStagingFails(t *testing.T) {
	d := openCPU(t, 1)
	e := newExecutor(t, d, learner(), graph.PlanOptions{Batch: 1})
	s, err := graph.NewStaging(e)
	require.NoError(t, err)
	s.Queue().Fail("upload", errors.New("the cable is out"))
	require.NoError(t, s.Take())
	e.Forward(graph.Pass{})
	require.ErrorContains(t, e.Sync(), "the cable is out")
	_ = s.Close()
}

// What is uploaded under one name is of that name in errors.
func TestErrorsNameTheLayer(t *testing.T) {
	d := reference.New()
	e := newExecutor(t, d, learner(), graph.PlanOptions{Mode: graph.Train, Batch: 1})
	wrong := tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(1, 1, 3, 4))
	require.NoError(t, e.Upload("data", wrong))
	require.ErrorContains(t, e.Sync(), "data: upload")
	ints := tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(3))
	require.ErrorContains(t, e.Weights().Set("fc.bias", ints), "fc.bias: upload")
	e.Queue().Fail("test", errors.New("gone"))
	_, err := e.Read("loss")
	require.ErrorContains(t, err, "gone")
	e.Queue().Fail("test", errors.New("gone"))
	_, err = e.Loss()
	require.ErrorContains(t, err, "gone")
}

func TestNoNetworkOrDevice(t *testing.T) {
	_, err := graph.NewWeights(nil, reference.New())
	require.EqualError(t, err, "weights of no network")
	_, err = graph.NewWeights(learner(), nil)
	require.EqualError(t, err, "weights of learner: there is no device for them")
	bad := learner()
	bad.Nodes = nil
	_, err = graph.NewWeights(bad, reference.New())
	require.EqualError(t, err, "network learner: there are no layers")
	_, err = graph.NewExecutor(nil, &graph.Weights{})
	require.EqualError(t, err, "an executor needs a plan and weights")
	_, err = graph.NewExecutor(&graph.Plan{}, nil)
	require.EqualError(t, err, "an executor needs a plan and weights")
}

// A plan runs on the weights of another network if they fit.
func TestWeightsOfAnotherNetwork(t *testing.T) {
	d := reference.New()
	w, err := graph.NewWeights(learner(), d)
	require.NoError(t, err)
	other := learner()
	other.Name = "other"
	p, err := other.Plan(d.Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	require.NoError(t, e.Close())
	packs := func(bytes int64) error {
		p, err := other.Plan(packsIn{d.Traits(), bytes}, graph.PlanOptions{Batch: 1})
		require.NoError(t, err)
		e, err := graph.NewExecutor(p, w)
		if err == nil {
			require.NoError(t, e.Close())
		}
		return err
	}
	require.NoError(t, packs(64))
	require.NoError(t, packs(64))
	require.EqualError(t, packs(128), "plan of other: conv: weights packed for forward take 64 bytes in one plan and 128 in another")
	other.Nodes[1].Layer = &layers.Dense{Out: 4}
	p, err = other.Plan(d.Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	_, err = graph.NewExecutor(p, w)
	require.EqualError(t, err, "plan of other: fc: fc.weight has the shape [4 12] in the plan and [3 12] in the weights")
	other.Nodes[1].Name, other.Nodes[2].In = "ip", []string{"ip"}
	other.Nodes = other.Nodes[:3]
	p, err = other.Plan(d.Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	_, err = graph.NewExecutor(p, w)
	require.EqualError(t, err, "plan of other: ip: ip.weight has the shape [4 12] in the plan and [] in the weights")
	require.NoError(t, w.Close())
}

// packsIn packs the weights of every convolution in so many bytes.
type packsIn struct {
	device.Traits
	bytes int64
}

func (p packsIn) Needs(op device.Operation) device.Needs {
	if _, ok := op.(device.ConvPass); ok {
		return device.Needs{Packed: p.bytes}
	}
	return device.Needs{}
}

// The weights in their own words: names in the network's order, shapes, values
// that depend on the seed and the name alone, and one slab of all.
func TestWeights(t *testing.T) {
	d := reference.New()
	n := learner()
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	require.Same(t, n, w.Network())
	require.Equal(t, []string{"conv.weight", "conv.bias", "fc.weight", "fc.bias"}, w.Names())
	require.Equal(t, tensor.Shape{3, 12}, w.Shape("fc.weight"))
	require.Nil(t, w.Shape("fc"))
	require.Equal(t, 4*64, w.Slab().Len(), "each in a piece of 256 bytes")
	require.NoError(t, w.Fill(7))
	get := func(name string) []float32 {
		x, err := w.Get(name)
		require.NoError(t, err)
		require.Equal(t, w.Shape(name), x.Shape())
		return x.Float32s()
	}
	conv, fc := get("conv.weight"), get("fc.weight")
	require.Equal(t, []float32{0, 0, 0}, get("fc.bias"))
	require.NoError(t, w.Fill(8))
	require.NotEqual(t, conv, get("conv.weight"))
	require.NoError(t, w.Fill(7))
	require.Equal(t, conv, get("conv.weight"))
	require.Equal(t, fc, get("fc.weight"))
	require.NotEqual(t, conv[0], fc[0])
	_, err = w.Get("fc.weights")
	require.EqualError(t, err, `network learner has no weights named "fc.weights"`)
	require.NoError(t, w.Close())
	require.NoError(t, d.Close())
	require.ErrorIs(t, w.Set("fc.bias", tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(3))), device.ErrClosed)
	require.ErrorIs(t, w.Fill(1), device.ErrClosed)
}

// What an executor tells of itself, and the scale of its gradients.
func TestExecutorInWords(t *testing.T) {
	d := openCPU(t, 1)
	n := learner()
	half := *n
	half.Nodes = append([]graph.Node(nil), n.Nodes...)
	half.Nodes[3].Layer = &layers.SoftmaxLoss{Weight: new(float32(0.5))}
	full := newExecutor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 2, Keep: []string{"prob"}})
	e := newExecutor(t, d, &half, graph.PlanOptions{Mode: graph.Train, Batch: 2})
	require.Equal(t, 2, e.Batch())
	require.Same(t, &half, e.Plan().Network)
	require.Same(t, e.Weights().Network(), e.Plan().Network)
	require.Equal(t, e.Plan().GradientBytes/4, int64(e.Gradients().Len()))
	require.True(t, e.Gradient("fc").IsNil())
	_, err := e.Tensor("fc/e")
	require.EqualError(t, err, `the plan of learner has no value "fc/e"`)
	x, err := e.Tensor("fc/d")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{2, 3}, x.Shape)
	_, err = e.Tensor("fc")
	require.NoError(t, err)
	_, err = e.Mean("fc")
	require.EqualError(t, err, `the plan of learner does not keep "fc"`)
	_, err = e.Mean("fd")
	require.EqualError(t, err, `the plan of learner does not keep "fd"`)

	for _, e := range []*graph.Executor{full, e} {
		upload(t, e, 0)
		step(e, graph.Pass{})
	}
	whole, err := full.Loss()
	require.NoError(t, err)
	part, err := e.Loss()
	require.NoError(t, err)
	require.Equal(t, whole/2, part)
	mean, err := full.Mean("prob")
	require.NoError(t, err)
	require.InDelta(t, 1./3, mean, 1e-6)
	a, b := gradients(t, full), gradients(t, e)
	for i, v := range a["fc.weight"] {
		require.InDelta(t, v/2, b["fc.weight"][i], 1e-6)
	}

	// The mean of a loss over the whole batch, and gradients that add up.
	upload(t, e, 0)
	e.Forward(graph.Pass{})
	e.Backward(graph.Pass{WholeBatch: 4}, device.Accumulate)
	c := gradients(t, e)
	for i, v := range b["fc.weight"] {
		require.InDelta(t, 1.5*v, c["fc.weight"][i], 1e-6)
	}
	require.Error(t, e.SetBatch(0))
	require.NoError(t, e.SetBatch(1))
	x, err = e.Tensor("fc")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{1, 3}, x.Shape)
}

// failing is a layer whose kernel fails, in one of its passes.
type failing struct {
	layers.HardSwish
	backward bool
}

func (f *failing) Forward(q device.Queue, c *layers.Call) {
	f.HardSwish.Forward(q, c)
	if !f.backward {
		q.Fail("kernel", errors.New("gone"))
	}
}

func (f *failing) Backward(q device.Queue, c *layers.Call) {
	f.HardSwish.Backward(q, c)
	if f.backward {
		q.Fail("kernel", errors.New("gone"))
	}
}

// The error of a kernel names the layer that it was for.
func TestErrorsOfKernelsNameTheirLayer(t *testing.T) {
	for _, backward := range []bool{false, true} {
		n := &graph.Network{Name: "fails"}
		x := n.Add("first", &layers.Dense{Out: 2}, n.Input("data", device.Float32, 2))
		x = n.Add("second", &failing{backward: backward}, x)
		n.Add("loss", &layers.L2Loss{}, n.Add("third", &layers.Dense{Out: 2}, x), n.Input("target", device.Float32, 2))
		e := newExecutor(t, reference.New(), n, graph.PlanOptions{Mode: graph.Train, Batch: 1})
		e.Forward(graph.Pass{})
		e.Backward(graph.Pass{}, device.Overwrite)
		require.EqualError(t, e.Sync(), "second: kernel: gone")
	}
}
