package onnx

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// written are layers that are written, with the shapes of the samples that they take.
func written() map[string]struct {
	layer layers.Layer
	in    [][]int
} {
	type c = struct {
		layer layers.Layer
		in    [][]int
	}
	image, row, pixels := [][]int{{4, 6, 5}}, [][]int{{7}}, [][]int{{4, 9}}
	three := layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}
	ceil := layers.Pool{Window: layers.Square(2), Stride: layers.Square(2), Ceil: true}
	average := func(p layers.Pool) *layers.Pool { p.Op = device.AveragePool; return &p }
	counted := three
	counted.CountPad = true
	return map[string]c{
		"conv": {&layers.Conv{Filters: 4, Kernel: layers.Size{H: 3, W: 2}, Groups: 2, Stride: layers.Size{H: 2, W: 1},
			Pad: layers.Pad{Top: 1, Bottom: 2, Left: 0, Right: 1}, Dilation: layers.Size{H: 2, W: 1}}, image},
		"conv of rows": {&layers.Conv{Filters: 4, Kernel: layers.Square(3), Stride: layers.Square(2), Pad: layers.Pad{Left: 1, Right: 2}, NoBias: true}, pixels},
		"deconv": {&layers.Deconv{Conv: layers.Conv{Filters: 6, Kernel: layers.Size{H: 3, W: 2}, Groups: 2, Stride: layers.Size{H: 2, W: 3},
			Pad: layers.Pad{Top: 1, Bottom: 2, Left: 0, Right: 1}}, OutputPad: layers.Size{H: 1, W: 2}}, image},
		"dense":                 {&layers.Dense{Out: 3}, image},
		"dense of a row":        {&layers.Dense{Out: 3, NoBias: true}, row},
		"drop connect":          {&layers.DropConnect{Dense: layers.Dense{Out: 3}, P: 0.3}, image},
		"max pool":              {&three, image},
		"max pool ceil":         {&ceil, image},
		"max pool of rows":      {&three, pixels},
		"max pool global":       {&layers.Pool{Global: true}, image},
		"average pool":          {average(three), image},
		"average pool ceil":     {average(ceil), image},
		"average pool counted":  {average(counted), image},
		"average pool global":   {average(layers.Pool{Global: true}), image},
		"l2 pool":               {&layers.L2Pool{Pool: three}, image},
		"l2 pool sum":           {&layers.L2Pool{Pool: layers.Pool{Window: layers.Size{H: 2, W: 3}, Pad: layers.Around(1)}, Sum: true}, image},
		"adaptive pool":         {&layers.AdaptivePool{Op: device.AveragePool, Size: layers.Size{H: 3, W: 1}}, image},
		"adaptive max pool":     {&layers.AdaptivePool{Size: layers.Size{H: 3, W: 1}}, image},
		"lrn":                   {&layers.LRN{Size: 3, Alpha: new(float32(0.5))}, image},
		"lrn over size":         {&layers.LRN{Alpha: new(float32(2)), K: 1, AlphaOverSize: true}, image},
		"relu":                  {&layers.Unary{Op: device.ReLU}, image},
		"leaky relu":            {&layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0.2))}, image},
		"sigmoid":               {&layers.Unary{Op: device.Sigmoid}, image},
		"tanh":                  {&layers.Unary{Op: device.Tanh}, row},
		"hard sigmoid":          {&layers.Activation{Function: "hard-sigmoid"}, image},
		"mish":                  {&layers.Activation{Function: "mish"}, image},
		"relu6":                 {&layers.Activation{Function: "relu6"}, row},
		"selu":                  {&layers.Activation{Function: "selu"}, image},
		"silu":                  {&layers.Activation{Function: "silu"}, image},
		"softplus":              {&layers.Activation{Function: "softplus"}, image},
		"softsign":              {&layers.Activation{Function: "softsign"}, image},
		"elu":                   {&layers.ELU{Alpha: 0.7}, image},
		"gelu":                  {&layers.GELU{}, image},
		"gelu by tanh":          {&layers.GELU{Tanh: true}, image},
		"hard swish":            {&layers.HardSwish{}, image},
		"formula":               {&layers.Formula{Formula: "select(x < 0.5, exp(x), sqrt(abs(x)))"}, image},
		"scale":                 {&layers.Scale{Factor: -1.5}, image},
		"prelu":                 {&layers.PReLU{}, image},
		"prelu shared":          {&layers.PReLU{Shared: true}, row},
		"maxout":                {&layers.Maxout{Pieces: 2}, image},
		"softmax":               {&layers.Softmax{}, image},
		"argmax":                {&layers.ArgMax{}, image},
		"l2 norm":               {&layers.L2Norm{}, image},
		"batch norm":            {&layers.BatchNorm{}, image},
		"batch norm caffe":      {&layers.BatchNorm{Convention: "caffe", Affine: layers.Affine{On: new(false)}}, image},
		"batch norm matconvnet": {&layers.BatchNorm{Convention: "matconvnet"}, image},
		"group norm":            {&layers.GroupNorm{Groups: 2}, image},
		"instance norm":         {&layers.InstanceNorm{}, image},
		"instance norm affine":  {&layers.InstanceNorm{Affine: layers.Affine{On: new(true)}}, image},
		"layer norm":            {&layers.LayerNorm{}, image},
		"layer norm alone":      {&layers.LayerNorm{Affine: layers.Affine{On: new(false)}}, row},
		"layer norm channels":   {&layers.LayerNorm{Channels: true}, image},
		"dropout":               {&layers.Dropout{P: 0.3}, image},
		"noise":                 {&layers.GaussianNoise{StdDev: 0.3}, image},
		"flatten":               {&layers.Flatten{}, image},
		"reshape":               {&layers.Reshape{Shape: []int{-1, 5, 4}}, image},
		"permute":               {&layers.Permute{Order: []int{0, 2, 3, 1}}, image},
		"channel shuffle":       {&layers.ChannelShuffle{Groups: 2}, image},
		"upsample":              {&layers.Upsample{Scale: layers.Size{H: 2, W: 3}}, image},
		"upsample bilinearly":   {&layers.Upsample{Scale: layers.Size{H: 2, W: 3}, Mode: "bilinear"}, image},
		"slice":                 {&layers.Slice{Axis: 3, Begin: 1, Step: 2}, image},
		"split":                 {&layers.Split{Channels: []int{1, 3}}, image},
		"pad":                   {&layers.Padding{Pad: layers.Pad{Top: 1, Left: 2, Right: 3}, Value: -1.5}, image},
		"crop":                  {&layers.Crop{Offset: []int{4, 1}}, [][]int{{3, 6, 5}, {7, 2, 4}}},
		"concat":                {&layers.Concat{}, [][]int{{3, 2, 2}, {1, 2, 2}}},
		"add":                   {&layers.Add{Coefficients: []float32{0.5, -1}}, [][]int{{3, 2}, {3, 2}}},
		"multiply":              {&layers.Product{}, [][]int{{3, 2}, {3, 2}}},
		"maximum":               {&layers.Maximum{}, [][]int{{3, 2}, {3, 2}}},
	}
}

// filledModel is a network with random weights.
func filledModel(t *testing.T, n *graph.Network) *formats.Model {
	d, err := cpu.New(1)
	require.NoError(t, err)
	defer d.Close()
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	defer w.Close()
	random := rand.New(rand.NewPCG(1, 2))
	m := &formats.Model{Model: modelfile.Model{Network: n, Weights: map[string]*tensor.Dense{}}}
	for _, name := range w.Names() {
		shape := w.Shape(name)
		values := make([]float32, product(shape))
		for i := range values {
			values[i] = random.Float32() + 0.1
		}
		m.Weights[name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
	}
	return m
}

// randomInputs are samples for all inputs of a network.
func randomInputs(n *graph.Network, samples int) map[string]array {
	random := rand.New(rand.NewPCG(3, 4))
	list := map[string]array{}
	for _, in := range n.Inputs {
		x := array{shape: append([]int{samples}, in.Shape...)}
		for range product(x.shape) {
			x.values = append(x.values, 3*random.Float32()-1.2)
		}
		list[in.Name] = x
	}
	return list
}

// TestWhatIsWrittenComputesTheSame writes each layer, reads it again, and compares; where
// onnxruntime is in .tools (make interop), with that too.
func TestWhatIsWrittenComputesTheSame(t *testing.T) {
	python, err := filepath.Abs(filepath.Join("..", "..", ".tools", "interop", "bin", "python"))
	require.NoError(t, err)
	folder := t.TempDir()
	var peers []map[string]any
	for name, c := range written() {
		n := &graph.Network{Name: "one"}
		var in []string
		for i, shape := range c.in {
			in = append(in, n.Input(string(rune('a'+i)), device.Float32, shape...))
		}
		n.Outputs = []string{n.Add("layer", c.layer, in...)}
		if _, ok := c.layer.(*layers.Split); ok {
			n.Outputs = append(n.Outputs, "layer:1")
		}
		m := filledModel(t, n)
		inputs := randomInputs(n, 3)
		want, err := runOnCPU(m, inputs)
		require.NoError(t, err, name)
		var file bytes.Buffer
		require.NoError(t, Write(&file, &m.Model, ExportOptions{}), name)
		path := filepath.Join(folder, "model"+string(rune('a'+len(peers)/26))+string(rune('a'+len(peers)%26))+".onnx")
		require.NoError(t, os.WriteFile(path, file.Bytes(), 0o644))
		again, err := Read(context.Background(), []string{path}, formats.Options{})
		require.NoError(t, err, name)
		got, err := runOnCPU(again, inputs)
		require.NoError(t, err, name)
		arrays := func(m map[string]array, names []string) (list [][]float32) {
			for _, name := range names {
				list = append(list, m[name].values)
			}
			return list
		}
		for i, out := range n.Outputs {
			worst, largest := difference(got[again.Network.Outputs[i]].values, want[out].values)
			require.Less(t, worst, 1e-5*largest+1e-7, "%s read again", name)
		}
		inputValues := map[string]any{}
		for key, x := range inputs {
			inputValues[key] = map[string]any{"shape": x.shape, "values": x.values}
		}
		peers = append(peers, map[string]any{"name": name, "file": path, "inputs": inputValues, "outputs": arrays(want, n.Outputs)})
	}
	if exec.Command(python, "-c", "import onnxruntime, onnx").Run() != nil {
		t.Skip("what is written was read again, and not run by onnxruntime, which is not in .tools/interop: make interop CHECK=onnx puts it there")
	}
	text, err := json.Marshal(peers)
	require.NoError(t, err)
	list := filepath.Join(folder, "peers.json")
	require.NoError(t, os.WriteFile(list, text, 0o644))
	out, err := exec.Command(python, filepath.Join("..", "..", "tools", "interop", "onnx-run.py"), list).CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

func TestPreprocessingIsWrittenIntoTheGraph(t *testing.T) {
	n := &graph.Network{Name: "picture"}
	n.Outputs = []string{n.Add("pixels", &layers.Reshape{Shape: []int{-1}}, n.Image("data", 2, 2, 2))}
	m := filledModel(t, n)
	m.Preprocess = data.Preprocess{Mean: data.Floats{10, 20}, Scale: 0.5, Deviation: data.Floats{2, 4}}
	var file bytes.Buffer
	require.NoError(t, Write(&file, &m.Model, ExportOptions{Preprocess: true}))
	path := filepath.Join(t.TempDir(), "picture.onnx")
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o644))
	again, err := Read(context.Background(), []string{path}, formats.Options{})
	require.NoError(t, err)
	x := []float32{0, 1, 2, 255, 4, 50, 6, 7}
	got, err := runOnCPU(again, map[string]array{"data": {values: x}})
	require.NoError(t, err)
	m.Preprocess.Apply(x)
	require.InDeltaSlice(t, x, got[again.Network.Outputs[0]].values, 1e-5)

	m.Preprocess = data.Preprocess{Whiten: make(data.Floats, 4)}
	require.ErrorContains(t, Write(&file, &m.Model, ExportOptions{Preprocess: true}), "network picture as ONNX: the preprocessing whitens")
}

// Every layer is written, or one of those that only training needs or that ONNX lacks.
func TestEveryLayerIsWrittenOrRefused(t *testing.T) {
	have := map[string]bool{}
	for _, c := range written() {
		have[c.layer.Type()] = true
	}
	var lacks []string
	for _, name := range layers.Types() {
		if !have[name] {
			lacks = append(lacks, name)
		}
	}
	require.Equal(t, []string{
		"accuracy", "contrastive-loss", "focal-loss", "hinge-loss", "huber-loss", "l1-loss", "l2-loss", "logistic-loss",
		"smooth-l1-loss", "softmax-loss", "stochastic-pool", "triplet-loss", "unpool",
	}, lacks)
}

func TestWriteNamesWhatOnnxLacks(t *testing.T) {
	for want, l := range map[string]layers.Layer{
		"network n as ONNX: last: a layer of the type stochastic-pool is not written as ONNX": &layers.StochasticPool{Pool: layers.Pool{Window: layers.Square(2)}},
		"last: max-pool with switches has no operator":                                        &layers.Pool{Window: layers.Square(2), Switches: true},
		"last: lrn within channels has no operator":                                           &layers.LRN{Region: "within"},
		"windows of several sizes":                                                            &layers.AdaptivePool{Size: layers.Square(4)},
	} {
		n := &graph.Network{Name: "n"}
		n.Outputs = []string{n.Add("last", l, n.Image("data", 2, 6, 6))}
		require.ErrorContains(t, Write(&bytes.Buffer{}, &modelfile.Model{Network: n}, ExportOptions{}), want)
	}
	n := &graph.Network{Name: "n"}
	n.Outputs = []string{n.Add("last", &layers.Dense{Out: 2}, n.Image("data", 2, 6, 6))}
	require.ErrorContains(t, Write(&bytes.Buffer{}, &modelfile.Model{Network: n}, ExportOptions{}), "last: there are no weights last.weight")
	require.ErrorContains(t, Write(&bytes.Buffer{}, nil, ExportOptions{}), "there is no network")
}
