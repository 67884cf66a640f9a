package graph_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// spy is a layer that wants some of everything, and keeps what it is called with.
type spy struct {
	Of    string `json:"of"` // only so that two of them differ
	calls map[string]layers.Call
}

func (*spy) Type() string { return "spy" }

func (l *spy) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return layers.Spec{
		Out:   []layers.Input{in[0], {Shape: tensor.Shape{in[0].Shape[0]}, DType: device.Int32}},
		Saved: []layers.Slot{{Name: "mask", Shape: tensor.Shape{in[0].Shape[0], 5}, DType: device.Uint8, Batched: true}},
		Params: []layers.Param{
			{Name: "weight", Shape: tensor.Shape{2, 3}, Filler: layers.Constant(4), Rate: 1, Decay: 1},
			{Name: "bias", Shape: tensor.Shape{7}, Filler: layers.Constant(5), Rate: 2},
		},
		State: []layers.Slot{
			{Name: "mean", Shape: tensor.Shape{65}, DType: device.Float32, Init: 0.5},
			{Name: "count", Shape: tensor.Shape{3}, DType: device.Int32},
			{Name: "spread", Shape: tensor.Shape{2, 2}, DType: device.Float32, Init: 2},
		},
		Constants: []*tensor.Dense{
			tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{1, 2, 3})),
			tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]float32{l.number(), 5})),
		},
		Temporary: []layers.Slot{{Name: "sums", Shape: tensor.Shape{in[0].Shape[0], 2}, Batched: true}, {Name: "one", Shape: tensor.Shape{1}}},
		Scratch:   12,
		Backward:  layers.NeedInputs | layers.NeedOutputs,
		Streams:   2,
		FLOPs:     100,
	}, nil
}

// number is another one in each layer.
func (l *spy) number() float32 { return float32(len(l.Of)) }

func (l *spy) Forward(q device.Queue, c *layers.Call) {
	l.calls["forward"] = *c
	q.Copy(c.Out[0], c.In[0])
}

func (l *spy) Backward(q device.Queue, c *layers.Call) {
	l.calls["backward"] = *c
	if c.WantsGradient(0) {
		q.Copy(c.DIn[0], c.DOut[0])
	}
	for _, d := range c.DParams {
		if !d.IsNil() {
			q.Fill(d, 1)
		}
	}
}

// A layer is called with what it asked for, each in its place.
func TestWhatALayerIsCalledWith(t *testing.T) {
	first, second := &spy{"first", map[string]layers.Call{}}, &spy{"second", map[string]layers.Call{}}
	n := &graph.Network{Name: "spied"}
	n.Input("data", device.Float32, 3)
	n.Input("target", device.Float32, 3)
	n.Add("a", first, "data")
	n.Add("drop", &layers.Dropout{P: 0.5}, "a")
	n.Add("b", second, "drop")
	n.Add("loss", &layers.L2Loss{Weight: new(float32(0.25))}, "b", "target")
	d := reference.New()
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 4, Frozen: []string{"b.bias"}})
	require.NoError(t, err)
	require.Equal(t, int64(2*(512+256+256)), p.StateBytes, "in pieces of 256 bytes")
	require.Equal(t, int64(4*256), p.ConstantBytes)
	require.Equal(t, int64(4*256), p.WeightBytes)
	require.Equal(t, int64(3*256), p.GradientBytes)
	names := func(list []graph.Param) (s []string) {
		for _, q := range list {
			s = append(s, q.Name)
		}
		return s
	}
	require.Equal(t, []string{"b.weight", "b.bias", "a.weight", "a.bias"}, names(p.Params))
	require.Equal(t, []string{"a.weight", "a.bias"}, names(p.ParamsOf(0)))
	require.Empty(t, p.ParamsOf(1))
	require.Equal(t, []string{"b.weight", "b.bias"}, names(p.ParamsOf(2)))
	require.Empty(t, p.ParamsOf(3))
	var flops []int64
	for _, s := range p.Steps {
		flops = append(flops, s.FLOPs)
	}
	require.Equal(t, []int64{100, 0, 100, 0, 0, 200, 0, 100}, flops, "backward twice, but nothing wants the gradient of the data")

	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	require.Equal(t, []string{"a.weight", "a.bias", "b.weight", "b.bias",
		"a.mean", "a.count", "a.spread", "b.mean", "b.count", "b.spread"}, w.Names())
	require.NoError(t, w.Fill(1))
	for _, layer := range []string{"a", "b"} {
		for name, want := range map[string]float32{"weight": 4, "bias": 5, "mean": 0.5, "spread": 2} {
			x, err := w.Get(layer + "." + name)
			require.NoError(t, err)
			for _, v := range x.Float32s() {
				require.Equal(t, want, v, name)
			}
		}
	}
	count := tensor.New(tensor.WithShape(3), tensor.WithBacking([]int32{1, 2, 3}))
	require.NoError(t, w.Set("b.count", count))
	x, err := w.Get("b.count")
	require.NoError(t, err)
	require.Equal(t, []int32{1, 2, 3}, x.Int32s())

	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	var told []string
	e.OnGradient(func(p *graph.Param, _ device.Tensor) { told = append(told, p.Name) })
	upload(t, e, 0)
	pass := graph.Pass{Seed: 9, Iteration: 8, FirstSample: 16, WholeBatch: 32}
	e.Forward(pass)
	e.Backward(pass, device.Accumulate)
	require.NoError(t, e.Sync())
	require.Equal(t, []string{"b.weight", "a.weight", "a.bias"}, told)
	for i, l := range []*spy{first, second} {
		for pass, c := range l.calls {
			require.Equal(t, device.Random{Seed: 9, Stream: []uint32{1, 4}[i], Iteration: 8, Sample: 16}, c.Random, "a dropout layer between them takes one stream")
			require.Equal(t, 4, c.Samples())
			require.Equal(t, int64(12), c.Scratch.Size())
			require.Len(t, c.State, 3)
			require.Equal(t, tensor.Shape{2, 2}, c.State[2].Shape)
			require.Len(t, c.Temporary, 2)
			require.Equal(t, []tensor.Shape{{4, 2}, {1}}, []tensor.Shape{c.Temporary[0].Shape, c.Temporary[1].Shape})
			require.Len(t, c.Constants, 2)
			for k, want := range [][]float64{{1, 2, 3}, {float64(len(l.Of)), 5}} {
				values, _ := reference.Floats(c.Constants[k])
				require.Equal(t, want, values, "%s of %s", pass, l.Of)
			}
			require.Equal(t, tensor.Shape{2, 1}, c.Constants[1].Shape)
			require.Len(t, c.Saved, 1)
			require.Equal(t, tensor.Shape{4, 5}, c.Saved[0].Shape)
			require.Equal(t, []tensor.Shape{{2, 3}, {7}}, []tensor.Shape{c.Params[0].Shape, c.Params[1].Shape})
			require.Len(t, c.Out, 2)
			require.Equal(t, device.Int32, c.Out[1].DType)
			require.Empty(t, c.Epilogue)
			require.Equal(t, i == 1, c.DParams[1].IsNil(), "%s of %s", pass, l.Of)
			require.False(t, c.DParams[0].IsNil())
			if pass == "backward" {
				require.Equal(t, device.Accumulate, c.ParamMode)
				require.Equal(t, i == 1, c.WantsGradient(0))
				require.False(t, c.DOut[0].IsNil())
				require.True(t, c.DOut[1].IsNil(), "an integer has no gradient")
			} else {
				require.Empty(t, c.DIn)
				require.Empty(t, c.DOut)
			}
		}
		require.Len(t, l.calls, 2)
	}
	require.NoError(t, e.Close())
	require.NoError(t, w.Close())
	free, total, err := d.MemInfo()
	require.NoError(t, err)
	require.Equal(t, total, free)
}

func TestNetworkThatHasNoJSON(t *testing.T) {
	n := small()
	n.Nodes[1].Layer = &layers.Unary{Op: device.LeakyReLU, Slope: new(float32(math.NaN()))}
	_, err := json.Marshal(n)
	require.ErrorContains(t, err, "relu: json: unsupported value: NaN")
	n.Nodes[1].Layer = &layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0.5))}
	text, err := json.Marshal(n.Nodes[1])
	require.NoError(t, err)
	require.Equal(t, `{"name":"relu","type":"leaky-relu","in":["conv"],"options":{"slope":0.5}}`, string(text))
	n.Nodes[1].Layer = &layers.Unary{}
	text, err = json.Marshal(n.Nodes[1])
	require.NoError(t, err)
	require.Equal(t, `{"name":"relu","type":"relu","in":["conv"]}`, string(text))
}

func TestNetworkThatCannotBeRead(t *testing.T) {
	_, err := graph.ReadJSON(iotest.ErrReader(errors.New("the disk is gone")))
	require.EqualError(t, err, "network in JSON: the disk is gone")
	_, err = graph.ReadJSON(strings.NewReader(`{"name":"x","layers":[{"name":"a","kind":"relu"}]}`))
	require.EqualError(t, err, `network in JSON: json: unknown field "kind"`)
	_, err = graph.ReadJSON(strings.NewReader(`{"name":"x","layers":[]}`))
	require.EqualError(t, err, "network x: there are no layers")

	// 16 MiB are allowed.
	text := `{"name":"x","inputs":[{"name":"data","dtype":"float32","shape":[1]}],"layers":[{"name":"a","type":"relu","in":["data"]}]}`
	path := filepath.Join(t.TempDir(), "n.json")
	require.NoError(t, os.WriteFile(path, []byte(text+strings.Repeat(" ", 16<<20-len(text))), 0o666))
	_, err = graph.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(text+strings.Repeat(" ", 16<<20+1-len(text))), 0o666))
	_, err = graph.ReadFile(path)
	require.EqualError(t, err, path+": network in JSON: it has more than 16 MiB")
}

// As many values as are allowed, by inputs and layers or by outputs of layers.
func TestMostValues(t *testing.T) {
	n := &graph.Network{Name: "wide"}
	split := &layers.Split{}
	for range 131_071 {
		split.Channels = append(split.Channels, 1)
	}
	n.Outputs = []string{n.Add("split", split, n.Input("data", device.Float32, len(split.Channels)))}
	_, err := n.Plan(plainTraits, graph.PlanOptions{Batch: 1})
	require.NoError(t, err)

	n = &graph.Network{Name: "wide", Inputs: make([]graph.Input, 131_072)}
	require.EqualError(t, n.Check(), "network wide: input 0 has no name")
	n.Add("a", &layers.Unary{}, "b")
	require.EqualError(t, n.Check(), "network wide has 131073 values, inputs and outputs of layers; at most 131072 are allowed")
}

func TestPlanErrorsInWords(t *testing.T) {
	plan := func(change func(n *graph.Network), o graph.PlanOptions) string {
		n := learner()
		if change != nil {
			change(n)
		}
		_, err := n.Plan(plainTraits, o)
		require.Error(t, err)
		return err.Error()
	}
	train := func(o graph.PlanOptions) graph.PlanOptions { o.Mode, o.Batch = graph.Train, 1; return o }
	const has = `; it has data, label, conv, fc, prob, loss`
	for _, c := range []struct{ want, got string }{
		{"batch -1 must be at least 1", plan(nil, graph.PlanOptions{Batch: -1})},
		{`keep: network learner has no value "x"` + has, plan(nil, graph.PlanOptions{Batch: 1, Keep: []string{"x"}})},
		{`outputs: network learner has no value "x"` + has, plan(func(n *graph.Network) { n.Outputs = []string{"x"} }, graph.PlanOptions{Batch: 1})},
		{"network learner names no outputs, and no value was asked for", plan(func(n *graph.Network) { n.Outputs = nil }, graph.PlanOptions{Batch: 1})},
		{"network learner has no loss to train", plan(func(n *graph.Network) { n.Nodes = n.Nodes[:3] }, train(graph.PlanOptions{}))},
		{`frozen: network learner has no layer or parameter "loss" with weights`, plan(nil, train(graph.PlanOptions{Frozen: []string{"fc.bias", "conv", "loss"}}))},
		{`input gradient: network learner has no value "x"` + has, plan(nil, train(graph.PlanOptions{InputGrad: []string{"data", "x"}}))},
		{"input gradient: fc is not a float32 input of the network", plan(nil, train(graph.PlanOptions{InputGrad: []string{"fc"}}))},
		{"input gradient: label is not a float32 input of the network", plan(nil, train(graph.PlanOptions{InputGrad: []string{"label"}}))},
		{"input gradient: a plan for inference has none of data", plan(nil, graph.PlanOptions{Batch: 1, InputGrad: []string{"data"}})},
		{`fc: its input "dat" is not defined before it`, plan(func(n *graph.Network) { n.Nodes[1].In = []string{"dat"} }, graph.PlanOptions{Batch: 1})},
	} {
		require.Equal(t, c.want, c.got)
	}
	require.Regexp(t, `^input data: .*more than 2\^40 elements`, plan(func(n *graph.Network) { n.Inputs[0].Shape = []int{1 << 40, 2} }, graph.PlanOptions{Batch: 1}))
	_, err := learner().Summary(plainTraits, graph.PlanOptions{})
	require.EqualError(t, err, "batch 0 must be at least 1")
	bad := learner()
	bad.Nodes = nil
	_, err = bad.Summary(plainTraits, graph.PlanOptions{Batch: 1})
	require.EqualError(t, err, "network learner: there are no layers")
	_, err = bad.LargestBatch(plainTraits, graph.PlanOptions{}, 1<<30)
	require.EqualError(t, err, "network learner: there are no layers")
	require.Equal(t, "infer", graph.Infer.String())
	require.Equal(t, "train", graph.Train.String())
}

// In inference the kept values decide what is computed, and the outputs where
// there are none; in training the losses do and what is kept.
func TestWhatIsComputed(t *testing.T) {
	n := learner()
	steps := func(o graph.PlanOptions) (s []string) {
		o.Batch = 1
		p, err := n.Plan(plainTraits, o)
		require.NoError(t, err)
		for _, step := range p.Steps {
			name := n.Nodes[step.Node].Name
			if step.Backward {
				name += "'"
			}
			s = append(s, name)
		}
		return s
	}
	require.Equal(t, []string{"conv", "fc", "prob"}, steps(graph.PlanOptions{}))
	require.Equal(t, []string{"conv"}, steps(graph.PlanOptions{Keep: []string{"conv"}}))
	require.Equal(t, []string{"conv", "fc", "loss"}, steps(graph.PlanOptions{Keep: []string{"loss", "conv"}}))
	require.Equal(t, []string{"conv", "fc", "loss", "loss'", "fc'", "conv'"}, steps(graph.PlanOptions{Mode: graph.Train}))
	require.Equal(t, []string{"conv", "fc", "prob", "loss", "loss'", "fc'", "conv'"}, steps(graph.PlanOptions{Mode: graph.Train, Keep: []string{"prob"}}))
	require.Equal(t, []string{"conv", "fc", "loss", "loss'", "fc'"}, steps(graph.PlanOptions{Mode: graph.Train, Frozen: []string{"conv"}}))
	require.Equal(t, []string{"conv", "fc", "loss", "loss'", "fc'"}, steps(graph.PlanOptions{Mode: graph.Train, Frozen: []string{"conv.weight", "conv.bias"}}))
	require.Equal(t, []string{"conv", "fc", "loss", "loss'", "fc'", "conv'"}, steps(graph.PlanOptions{Mode: graph.Train, Frozen: []string{"conv", "fc"}, InputGrad: []string{"data"}}))
	require.Equal(t, []string{"conv", "fc", "loss"}, steps(graph.PlanOptions{Mode: graph.Train, Frozen: []string{"conv", "fc"}}))
}

// The largest batch is exact, also where it is as large as is looked for.
func TestLargestBatchIsExact(t *testing.T) {
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	o := graph.PlanOptions{Mode: graph.Train}
	memory := func(batch int) int64 {
		o := o
		o.Batch = batch
		p, err := n.Plan(plainTraits, o)
		require.NoError(t, err)
		return p.Memory().Total()
	}
	for batch := range 20 {
		for _, less := range []int64{0, 1} {
			got, err := n.LargestBatch(plainTraits, o, memory(batch+1)-less)
			require.NoError(t, err)
			require.Equal(t, batch+1-int(less), got)
		}
	}
	got, err := n.LargestBatch(plainTraits, o, math.MaxInt64)
	require.NoError(t, err)
	require.Equal(t, 1<<20, got)
}

// picky is a device that applies no tanh in an epilogue.
type picky struct{ device.Traits }

func (picky) Epilogue(a device.Unary) bool { return a.Op != device.Tanh }

// An activation is fused into the layer whose output it overwrites, if that can
// and nobody else reads it. Those that the device does not know and those after the first are
// maps of the epilogue, and what does nothing is nothing there.
func TestWhatIsFused(t *testing.T) {
	pool := &layers.Pool{Op: device.MaxPool, Window: layers.Square(2), Stride: layers.Square(2)}
	conv := &layers.Conv{Filters: 2, Kernel: layers.Square(3), Pad: layers.Around(1)}
	relu, tanh := &layers.Unary{}, &layers.Unary{Op: device.Tanh}
	for _, c := range []struct {
		what   string
		chain  []layers.Layer
		keep   []string
		traits device.Traits
		want   string // of each step: its epilogue, or - where it is fused
	}{
		{"a convolution", []layers.Layer{conv, relu}, nil, plainTraits, "relu -"},
		{"dense", []layers.Layer{&layers.Dense{Out: 3}, tanh}, nil, plainTraits, "tanh -"},
		{"what the device can", []layers.Layer{conv, relu}, nil, picky{plainTraits}, "relu -"},
		{"what the device cannot", []layers.Layer{conv, tanh}, nil, picky{plainTraits}, "+l1 -"},
		{"no epilogue", []layers.Layer{pool, relu}, nil, plainTraits, ". ."},
		{"one of two", []layers.Layer{conv, relu, tanh}, nil, plainTraits, "relu+l2 - -"},
		{"a map, and then no activation", []layers.Layer{conv, &layers.HardSwish{}, relu}, nil, plainTraits, "+l1+l2 - -"},
		{"a deconvolution", []layers.Layer{&layers.Deconv{Conv: *conv}, relu, &layers.Scale{Factor: 2}}, nil, plainTraits, "relu+l2 - -"},
		{"one input, but no program", []layers.Layer{conv, &layers.Softmax{}, relu}, nil, plainTraits, ". . ."},
		{"each its own", []layers.Layer{conv, relu, conv, tanh}, nil, plainTraits, "relu - tanh -"},
		{"an input that is kept", []layers.Layer{conv, relu}, []string{"l0", "l1"}, plainTraits, ". ."},
		{"not the first", []layers.Layer{relu, conv}, nil, plainTraits, ". ."},
		{"another in place", []layers.Layer{conv, &layers.Dropout{P: 0.5}, relu}, nil, plainTraits, "relu - -"},
	} {
		n := &graph.Network{Name: "chain"}
		x := n.Input("data", device.Float32, 2, 6, 6)
		for i, l := range c.chain {
			x = n.Add("l"+string(rune('0'+i)), l, x)
		}
		n.Outputs = []string{x}
		p, err := n.Plan(c.traits, graph.PlanOptions{Batch: 2, Keep: c.keep})
		require.NoError(t, err)
		require.Equal(t, c.want, epilogues(p), c.what)
		p, err = n.Plan(c.traits, graph.PlanOptions{Batch: 2, Keep: c.keep, Unshared: true})
		require.NoError(t, err)
		for i, v := range p.Values {
			require.Equal(t, -1, v.InPlaceOf)
			require.False(t, p.Steps[min(i, len(p.Steps)-1)].Fused)
		}
		require.Equal(t, p.Unshared, p.Arena)
	}
}

// epilogues are those of the forward steps: an activation, and the layers whose programs are
// maps behind it; "-" is a step that is in one, and "." one without.
func epilogues(p *graph.Plan) string {
	var list []string
	for _, s := range p.Steps {
		text := ""
		switch {
		case s.Backward:
			continue
		case s.Fused:
			text = "-"
		case s.Activation.On:
			text = s.Activation.Op.String()
		}
		for _, m := range s.Maps {
			text += "+" + p.Network.Nodes[p.Steps[m].Node].Name
		}
		list = append(list, cmp.Or(text, "."))
	}
	return strings.Join(list, " ")
}

// A sum is fused into the last of the products that it adds, if the others are there before
// that one and nobody else reads it.
func TestWhichSumsAreFused(t *testing.T) {
	conv := func() layers.Layer { return &layers.Conv{Filters: 2, Kernel: layers.Square(1)} }
	relu, sum := &layers.Unary{}, &layers.Add{}
	type node struct {
		name string
		l    layers.Layer
		in   []string
	}
	a, b := node{"a", conv(), []string{"data"}}, node{"b", conv(), []string{"a"}}
	for _, c := range []struct {
		what  string
		nodes []node
		train bool
		want  string
	}{
		{"the product first", []node{a, b, {"sum", sum, []string{"b", "a"}}, {"relu", relu, []string{"sum"}}}, false, ". +sum+relu - -"},
		{"the product second", []node{a, b, {"sum", sum, []string{"a", "b"}}, {"relu", relu, []string{"sum"}}}, false, ". +sum+relu - -"},
		{"behind an activation", []node{a, b, {"relu", relu, []string{"b"}}, {"sum", sum, []string{"relu", "a"}}}, false, ". relu+sum - -"},
		{"in training", []node{a, b, {"sum", sum, []string{"a", "b"}}, {"relu", relu, []string{"sum"}}}, true, ". +sum+relu - - ."},
		{"of two products", []node{a, {"b", conv(), []string{"data"}}, {"sum", sum, []string{"a", "b"}}}, false, ". +sum -"},
		{"of three", []node{a, {"b", conv(), []string{"data"}}, {"c", conv(), []string{"data"}}, {"sum", sum, []string{"c", "a", "b"}}}, false, ". . +sum -"},
		{"of two epilogues", []node{a, {"b", conv(), []string{"data"}}, {"relu", relu, []string{"a"}}, {"sum", sum, []string{"b", "relu"}}}, false, "relu +sum - -"},
		{"what comes after the product", []node{a, b, {"relu", &layers.Softmax{}, []string{"a"}}, {"sum", sum, []string{"b", "relu"}}}, false, ". . . ."},
		{"a choice of the product", []node{a, b, {"choice", &layers.Formula{Formula: "x1"}, []string{"a", "b"}}}, false, ". . -"},
		{"a choice of the other", []node{a, b, {"choice", &layers.Formula{Formula: "x1"}, []string{"b", "a"}}}, false, ". +choice -"},
		{"the product twice", []node{a, b, {"sum", sum, []string{"b", "b"}}}, false, ". . ."},
		{"a product that others read", []node{a, b, {"sum", sum, []string{"a", "b"}}, {"c", conv(), []string{"b"}}, {"last", sum, []string{"sum", "c"}}}, false, ". . . +last -"},
		{"an input that a gradient needs", []node{a, b, {"product", &layers.Product{}, []string{"a", "b"}}}, true, ". . . ."},
		{"the same in inference", []node{a, b, {"product", &layers.Product{}, []string{"a", "b"}}}, false, ". +product -"},
	} {
		n := &graph.Network{Name: "sums"}
		n.Input("data", device.Float32, 2, 4, 4)
		x := ""
		for _, l := range c.nodes {
			x = n.Add(l.name, l.l, l.in...)
		}
		o := graph.PlanOptions{Batch: 2}
		if n.Outputs = []string{x}; c.train {
			o.Mode = graph.Train
			n.Add("loss", &layers.L2Loss{}, x, n.Input("target", device.Float32, 2, 4, 4))
		}
		p, err := n.Plan(plainTraits, o)
		require.NoError(t, err)
		require.Equal(t, c.want, epilogues(p), c.what)
		requireDisjoint(t, p, 0)
	}
}

// The plan of a sum that reads a value twice, of a scale and of two losses, by
// sight: what is written in place, accumulated and filled with zeros.
func TestPlanByHand(t *testing.T) {
	n := &graph.Network{Name: "hand"}
	x := n.Add("fc", &layers.Dense{Out: 4}, n.Input("data", device.Float32, 4))
	twice := n.Add("twice", &layers.Add{}, x, x)
	half := n.Add("half", &layers.Scale{Factor: 0.5}, twice)
	n.Add("first", &layers.L2Loss{}, half, n.Input("target", device.Float32, 4))
	n.Add("split", &layers.Split{Channels: []int{1, 3}}, x)
	n.Add("last", &layers.L2Loss{}, "split:1", n.Input("more", device.Float32, 3))
	p, err := n.Plan(plainTraits, graph.PlanOptions{Mode: graph.Train, Batch: 3, InputGrad: []string{"data"}})
	require.NoError(t, err)
	steps, _, ok := strings.Cut(p.String(), "\noffset")
	require.True(t, ok)
	require.Equal(t, strings.TrimPrefix(planByHand, "\n"), steps)
	values := map[string]graph.Value{}
	for _, v := range p.Values {
		values[v.Name] = v
	}
	require.Equal(t, -1, values["data"].First)
	require.Equal(t, len(p.Steps), values["first"].Last)
	require.Equal(t, len(p.Steps), values["data/d"].Last)
	require.Equal(t, []graph.Kind{graph.Uploaded, graph.Activation, graph.Gradient}, []graph.Kind{values["data"].Kind, values["fc"].Kind, values["fc/d"].Kind})
	require.Equal(t, int64(48), values["fc"].Bytes)
	require.Len(t, p.Losses, 2)
	require.Equal(t, "last", p.Values[p.Losses[1].Value].Name)
	require.Equal(t, float32(1), p.Losses[0].Weight)
	zeros := 0
	for _, s := range p.Steps {
		zeros += len(s.Zero)
		for _, v := range s.Zero {
			require.Equal(t, "split/d", p.Values[v].Name)
		}
	}
	require.Equal(t, 1, zeros)
}

const planByHand = `
plan of hand: train, batch 3
arena 0.0 MiB (0.0 MiB unshared), weights 0.0 MiB, gradients 0.0 MiB, state 0.0 MiB, packed 0.0 MiB

step  layer  pass      reads and writes
0     fc     forward   data -> fc
1     twice  forward   fc, fc -> twice
2     half   forward   twice -> half
3     first  forward   half, target -> first
4     split  forward   fc -> split, split:1
5     last   forward   split:1, more -> last
6     last   backward  - -> split:1/d, -
7     split  backward  split/d, split:1/d -> fc/d
8     first  backward  - -> half/d, -
9     half   backward  half/d -> twice/d
10    twice  backward  twice/d -> fc/d, fc/d (accumulate 0) (accumulate 1)
11    fc     backward  fc/d -> data/d
`
