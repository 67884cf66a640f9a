package matconvnet

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/matfile"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

func TestEveryBlockComputesWhatPlainLoopsDo(t *testing.T) {
	m, err := Reader.Read(t.Context(), []string{filepath.Join("testdata", "blocks.mat")}, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, "MatConvNet, DagNN", m.Format)
	require.Equal(t, []int{4, 9, 8}, m.Network.Inputs[0].Shape)
	require.Equal(t, []string{"prob"}, m.Network.Outputs)
	require.Equal(t, []string{"cat", "dog"}, m.Classes)
	require.Equal(t, []float32{0, 1, 2, 3}, []float32(m.Preprocess.Mean))
	require.Equal(t, []string{
		`layer "loss": Loss is left out: its scores are of pixels, [10 6 13]: hubel's softmax-loss has one label for each sample`,
		"meta.normalization.keepAspect: how pictures are brought to 9x8 is left to who loads them",
	}, m.Lost)

	want := blocks(t)
	for name := range want {
		if name != "input" {
			near(t, want[name], run(t, m, want["input"], m.Values[name])[0], name)
		}
	}
}

// blocks are what testdata/blocks.py computed.
func blocks(t *testing.T) map[string]*tensor.Dense {
	text, err := os.ReadFile(filepath.Join("testdata", "blocks.json"))
	require.NoError(t, err)
	var want map[string]struct {
		Shape  []int
		Values []float32
	}
	require.NoError(t, json.Unmarshal(text, &want))
	all := map[string]*tensor.Dense{}
	for name, w := range want {
		all[name] = tensor.New(tensor.WithShape(append([]int{1}, w.Shape...)...), tensor.WithBacking(w.Values))
	}
	return all
}

func TestTheOldestForm(t *testing.T) {
	path := []string{filepath.Join("testdata", "simple.mat")}
	_, err := Reader.Read(t.Context(), path, formats.Options{})
	require.ErrorContains(t, err, "simple.mat: the file does not say how large its images are")
	m, err := Reader.Read(t.Context(), path, formats.Options{Input: []int{4, 9, 8}})
	require.NoError(t, err)
	require.Equal(t, "MatConvNet, SimpleNN", m.Format)
	require.Equal(t, []float32{3, 3, 3, 3}, []float32(m.Preprocess.Mean))
	require.Equal(t, []string{`layer "layer4": softmaxloss is left out: its scores are of pixels, [6 6 5]: hubel's softmax-loss has one label for each sample`}, m.Lost)
	want := blocks(t)
	near(t, want["r"], run(t, m, want["input"], "layer3")[0], "r")
}

// TestWhatATrainingAdds reads losses, and multipliers of rates and decays, of both kinds of networks.
func TestWhatATrainingAdds(t *testing.T) {
	path := func(name string) []string { return []string{filepath.Join("testdata", name)} }
	at := func(m *formats.Model, name string) layers.Layer {
		i := slices.IndexFunc(m.Network.Nodes, func(n graph.Node) bool { return n.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		return m.Network.Nodes[i].Layer
	}
	m, err := Reader.Read(t.Context(), path("trained.mat"), formats.Options{Input: []int{2, 4, 4}})
	require.NoError(t, err)
	require.Equal(t, []string{"arrays of momentum of a training: 1; a training of the weights begins without any"}, m.Lost)
	require.Equal(t, []string{"layer4_prob"}, m.Network.Outputs)
	require.Equal(t, []graph.Metric{{Value: "accuracy", Better: graph.Higher}}, m.Network.Metrics)
	require.Equal(t, graph.Input{Name: "label", DType: device.Int32, Role: graph.RoleLabel}, m.Network.Inputs[1])
	require.Equal(t, &layers.SoftmaxLoss{}, at(m, "layer4"))
	c := at(m, "layer1").(*layers.Conv)
	require.Equal(t, []*float32{new(float32(0.5)), new(float32(2)), nil, new(float32(0))}, []*float32{c.WeightRate, c.BiasRate, c.WeightDecay, c.BiasDecay})
	n := at(m, "layer2").(*layers.BatchNorm)
	require.Equal(t, []*float32{new(float32(2)), nil, new(float32(0)), new(float32(0)), new(float32(0.05))}, []*float32{n.WeightRate, n.BiasRate, n.WeightDecay, n.BiasDecay, n.Momentum})
	c = at(m, "layer3").(*layers.Conv)
	require.Equal(t, []*float32{new(float32(3)), new(float32(4)), new(float32(0.25)), new(float32(0.25))}, []*float32{c.WeightRate, c.BiasRate, c.WeightDecay, c.BiasDecay})

	// It can be trained: its probabilities are those of the scores.
	x := tensor.New(tensor.WithShape(1, 2, 4, 4), tensor.WithBacking(slices.Repeat([]float32{0.25, -1}, 16)))
	values := run(t, m, x, "layer3", "layer4_prob")
	sum := 0.0
	for _, s := range values[0].Float32s() {
		sum += math.Exp(float64(s))
	}
	for i, s := range values[0].Float32s() {
		require.InDelta(t, math.Exp(float64(s))/sum, values[1].Float32s()[i], 1e-5)
	}
	_, err = m.Network.Plan(formats.NoDevice{}, graph.PlanOptions{Mode: graph.Train, Batch: 2})
	require.NoError(t, err)

	m, err = Reader.Read(t.Context(), path("trained_dag.mat"), formats.Options{Input: []int{2, 4, 4}})
	require.NoError(t, err)
	require.Equal(t, []string{`layer "error": Loss is left out: "classerror" is for training alone; of losses, a softmax log-loss of labels is carried over`}, m.Lost)
	require.Equal(t, []string{"loss_prob"}, m.Network.Outputs)
	c = at(m, "conv1").(*layers.Conv)
	require.Equal(t, []*float32{nil, new(float32(2)), nil, new(float32(0))}, []*float32{c.WeightRate, c.BiasRate, c.WeightDecay, c.BiasDecay})
	c = at(m, "conv2").(*layers.Conv)
	require.Equal(t, []*float32{new(float32(0)), new(float32(0)), nil, nil}, []*float32{c.WeightRate, c.BiasRate, c.WeightDecay, c.BiasDecay})
}

// field finds a value in the variables of the file with every block.
func field(t *testing.T, variables []matfile.Variable, path ...string) *matfile.Value {
	v := variables[0].Value
	for _, name := range path {
		v = v.Field(name)
		require.NotNil(t, v, name)
	}
	return v
}

// Each change makes a network that cannot be carried over; the error says where and why.
func TestWhatIsNotReadIsNamed(t *testing.T) {
	for want, change := range map[string]func(net *matfile.Value){
		`the network takes 4 channels, and -input has the shape [3 9 8]`: nil,
		`layer "relu": layers of type "cat" are not read`: func(net *matfile.Value) {
			net.Field("layers").Fields["type"][2] = cat(t)
		},
		`layer "conv": there is no parameter "f1"`: func(net *matfile.Value) {
			p := net.Field("params")
			p.Fields["name"][0] = p.Fields["name"][1]
		},
		`layer "norm": it has no moments of its 6 channels`: func(net *matfile.Value) {
			p := net.Field("params")
			i := slices.IndexFunc(p.Fields["name"], func(v *matfile.Value) bool { s, _ := v.Text(); return s == "moments" })
			p.Fields["value"][i] = p.Fields["value"][0]
		},
		`waits for itself`: func(net *matfile.Value) {
			l := net.Field("layers")
			l.Fields["inputs"][0] = l.Fields["outputs"][11]
		},
	} {
		variables, err := matfile.Open(filepath.Join("testdata", "blocks.mat"))
		require.NoError(t, err)
		o := formats.Options{}
		if change != nil {
			change(field(t, variables))
		} else {
			o.Input = []int{3, 9, 8}
		}
		_, err = convert(variables, o)
		require.ErrorContains(t, err, want)
	}
	require.Equal(t, ": the nearest layer of hubel's is prelu", hint("PReLU"))
	_, err := convert(nil, formats.Options{})
	require.ErrorContains(t, err, "there is no network of MatConvNet")
}

// Layers of a DagNN that name the same parameters share them.
func TestSharedParameters(t *testing.T) {
	variables, err := matfile.Open(filepath.Join("testdata", "blocks.mat"))
	require.NoError(t, err)
	list := field(t, variables, "layers").Fields
	for name, values := range list { // a second layer like the first
		list[name] = append(values, values[0])
	}
	list["name"][13], list["outputs"][13] = cat(t), cat(t)
	m, err := convert(variables, formats.Options{})
	require.NoError(t, err)
	of := map[string]map[string]string{}
	for _, n := range m.Network.Nodes {
		if n.Share != nil {
			of[n.Name] = n.Share
		}
	}
	require.Equal(t, map[string]map[string]string{"cat": {"weight": "conv.weight", "bias": "conv.bias"}}, of)
	require.NotContains(t, m.Weights, "cat.weight")
	_, err = m.Network.Plan(formats.NoDevice{}, graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
}

// cat is the text "cat", which is no type of layer.
func cat(t *testing.T) *matfile.Value {
	variables, err := matfile.Open(filepath.Join("testdata", "blocks.mat"))
	require.NoError(t, err)
	return field(t, variables, "meta", "classes", "description").Cells[0]
}

// Whatever a byte becomes, there is a network or an error.
func TestDamagedFilesDoNotPanic(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "blocks_plain.mat"))
	require.NoError(t, err)
	for i := range b {
		convertBytes(b[:i])
	}
	for i := range b {
		b[i] ^= 0xff
		convertBytes(b)
		b[i] ^= 0xff
	}
}

func convertBytes(b []byte) {
	if variables, err := matfile.Read(b); err == nil {
		_, _ = convert(variables, formats.Options{})
	}
}

func FuzzConvert(f *testing.F) {
	for _, name := range []string{"blocks.mat", "blocks_plain.mat"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) { convertBytes(b) })
}

// TestRatesOfMoments reads networks whose batch norms a training kept as they were: they compute
// the same, and what their training was is listed as lost.
func TestRatesOfMoments(t *testing.T) {
	for rate, momentum := range map[float64]float32{0: 0, 0.1: 0, 0.25: 0.25, 1: 1, 1.5: 0, -1: 0} {
		b, n := &builder{}, &layers.BatchNorm{}
		require.NoError(t, b.tune(&block{name: "bn", kind: "bnorm", rates: []float64{0, 0, rate}}, n))
		require.Zero(t, *n.WeightRate)
		if momentum > 0 {
			require.Equal(t, momentum, *n.Momentum)
		} else {
			require.Nil(t, n.Momentum)
		}
		if rate == 0.1 || momentum > 0 {
			require.Empty(t, b.Lost)
		} else {
			require.Contains(t, b.Lost[0], `layer "bn": the learning rate `)
		}
	}
	require.ErrorContains(t, (&builder{}).tune(&block{rates: []float64{-1}}, &layers.Conv{}), "the multiplier -1 of its learning rate")
}
