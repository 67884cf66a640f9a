package solver

import (
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

func TestTrainFromWeights(t *testing.T) {
	c := smallConfig(t)
	c.Weights = filepath.Join(trainIn(t, c), WeightsFile)
	before := weightsOf(t, filepath.Dir(c.Weights))
	c.Seed, c.Frozen = 2, []string{"conv1"}
	after := weightsOf(t, trainIn(t, c))
	require.Equal(t, before["conv1.weight"], after["conv1.weight"])
	require.Equal(t, before["conv1.bias"], after["conv1.bias"])
	require.NotEqual(t, before["fc2.weight"], after["fc2.weight"])

	// A file of another program has no network.
	var tensors []safetensors.Tensor
	m, err := modelfile.Read(c.Weights)
	require.NoError(t, err)
	for name, x := range m.Weights {
		tensors = append(tensors, safetensors.Tensor{Name: name, Value: x})
	}
	c.Weights = filepath.Join(t.TempDir(), "foreign.safetensors")
	require.NoError(t, safetensors.Write(c.Weights, tensors, nil))
	require.Equal(t, after, weightsOf(t, trainIn(t, c)))
	_, err = modelfile.Read(c.Weights)
	require.ErrorContains(t, err, c.Weights+": the file holds weights without their network")
}

func TestWeightsThatDoNotFit(t *testing.T) {
	c := smallConfig(t)
	c.Weights = filepath.Join(trainIn(t, c), WeightsFile)
	c.Dir = filepath.Join(t.TempDir(), "new")
	m, err := modelfile.Read(c.Weights)
	require.NoError(t, err)
	for want, change := range map[string]func(n *graph.Network){
		": weights of network small are missing: conv9.weight, conv9.bias": func(n *graph.Network) {
			n.Nodes[0].Name = "conv9"
			n.Nodes[1].In = []string{"conv9"}
		},
		": network small has no weights named conv1.bias": func(n *graph.Network) { n.Nodes[0].Layer.(*layers.Conv).NoBias = true },
		"conv1.weight has the shape [5 1 3 3] in the network and [4 1 3 3] in the file; the file is of another network, or damaged": func(n *graph.Network) { n.Nodes[0].Layer.(*layers.Conv).Filters = 5 },
	} {
		c.Network = smallNet()
		change(c.Network)
		_, err := Train(t.Context(), c)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, c.Weights)
		w, err := graph.NewWeights(c.Network, c.Device)
		require.NoError(t, err)
		require.ErrorContains(t, m.Set(w), want)
		require.NoError(t, w.Close())
	}
	// A layer of another name leaves the old one over: it is left out where it is
	// named, and only there.
	c.Network = smallNet()
	c.Network.Nodes[0].Name, c.Network.Nodes[1].In = "conv9", []string{"conv9"}
	for _, fresh := range [][]string{{"conv9"}, {"conv9", "conv1.bias"}} {
		c.Fresh = fresh
		_, err = Train(t.Context(), c)
		require.ErrorContains(t, err, c.Weights+": network small has no weights named conv1")
		require.ErrorContains(t, err, "the file is of another network, or damaged")
		require.NoDirExists(t, c.Dir)
	}
	c.Fresh = []string{"conv9", "conv7"}
	_, err = Train(t.Context(), c)
	require.EqualError(t, err, "fresh: neither network small nor "+c.Weights+` has a layer or parameter "conv7" with weights`)
	all := c
	all.Fresh, all.Dir = []string{"conv9", "conv1"}, ""
	_, err = Train(t.Context(), all)
	require.NoError(t, err)
	c.Network, c.Fresh = smallNet(), nil
	checkpoint := filepath.Join(filepath.Dir(c.Weights), CheckpointFile)
	_, err = modelfile.Read(checkpoint)
	require.ErrorContains(t, err, checkpoint+": a checkpoint is for resuming its run; the weights are in weights.safetensors beside it")
	c.Weights = "nowhere.safetensors"
	_, err = Train(t.Context(), c)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = modelfile.Read(c.Weights)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoDirExists(t, c.Dir)
}

func TestWeightsFileIsWhatOthersRead(t *testing.T) {
	c := smallConfig(t)
	f, err := safetensors.Open(filepath.Join(trainIn(t, c), WeightsFile))
	require.NoError(t, err)
	require.NoError(t, f.Verify())
	var names []string
	for _, x := range f.Tensors() {
		names = append(names, x.Name)
		require.Equal(t, safetensors.F32, x.DType)
	}
	slices.Sort(names)
	require.Equal(t, []string{"conv1.bias", "conv1.weight", "fc2.bias", "fc2.weight"}, names)
	info, _ := f.Info("fc2.weight")
	require.Equal(t, []int{10, 100}, info.Shape, "as in PyTorch: outputs, inputs")
	metadata := f.Metadata()
	require.Len(t, metadata, 3)
	require.JSONEq(t, `{"mean": [128], "scale": 0.015625}`, metadata[modelfile.PreprocessKey])
	require.JSONEq(t, `["0","1","2","3","4","5","6","7","8","9"]`, metadata[modelfile.ClassesKey])
	require.Contains(t, metadata[modelfile.NetworkKey], `"name":"small"`)
	require.NoError(t, f.Close())
}

func TestCheckpointWithoutAVelocity(t *testing.T) {
	c := smallConfig(t)
	c.Iterations = 2
	c.Dir = trainIn(t, c)
	path := filepath.Join(c.Dir, CheckpointFile)
	all, metadata, err := modelfile.ReadTensors(path)
	require.NoError(t, err)
	write := func(tensors map[string]*tensor.Dense) { writeTensors(t, path, tensors, metadata) }
	c.Resume, c.Iterations = true, 4
	velocity := all["momentum/fc2.bias"]
	require.Equal(t, []int{10}, []int(velocity.Shape()))

	delete(all, "momentum/fc2.bias")
	write(all)
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, path+": tensor momentum/fc2.bias is missing")
	all["momentum/fc2.bias"] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(11))
	write(all)
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, path+": tensor momentum/fc2.bias has the shape [11], but fc2.bias is [10]")
	all["momentum/fc2.bias"] = velocity
	all["momentum/fc3.bias"] = velocity
	write(all)
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, path+": tensor momentum/fc3.bias is of no trained parameter")
}

func TestCheckpointWithNonsense(t *testing.T) {
	c := smallConfig(t)
	c.Iterations = 1
	c.Dir = trainIn(t, c)
	path := filepath.Join(c.Dir, CheckpointFile)
	require.NoError(t, os.Remove(filepath.Join(c.Dir, PreviousFile))) // or it would be used
	_, good, err := modelfile.ReadTensors(path)
	require.NoError(t, err)
	for _, x := range [][3]string{
		{modelfile.NetworkKey, "", "the file holds weights without their network"},
		{modelfile.NetworkKey, `{"name": "x"}`, "network x: there are no layers"},
		{modelfile.PreprocessKey, "12", "metadata preprocess: "},
		{modelfile.ClassesKey, "{", "metadata classes: "},
		{solverKey, "", "it is no checkpoint: it has weights, but nothing of the run that made them; there is none before it"},
		{solverKey, "{", "metadata solver: unexpected end of JSON input"},
		{solverKey, "{}", "metadata solver: batch 0 must be at least 1"},
		{iterationKey, "-1", `metadata iteration: "-1" is not a number of updates`},
		{historyKey, "", "metadata standing: unexpected end of JSON input"},
		{iterationKey, "", `metadata iteration: "" is not a number of updates`},
	} {
		metadata := maps.Clone(good)
		metadata[x[0]] = x[1]
		require.NoError(t, safetensors.Write(path, nil, metadata))
		_, err := ReadCheckpoint(c.Dir)
		require.ErrorContains(t, err, path+": "+x[2])
	}
}

// Weights that are NaN are refused where they are used: nothing right comes of
// them.
func TestSpoiltWeights(t *testing.T) {
	c := smallConfig(t)
	whole := filepath.Join(trainIn(t, c), WeightsFile)
	tensors, metadata, err := modelfile.ReadTensors(whole)
	require.NoError(t, err)
	tensors["conv1.weight"].Float32s()[3] = float32(math.NaN())
	tensors["conv1.weight"].Float32s()[5] = float32(math.NaN())
	tensors["conv1.bias"].Float32s()[0] = float32(math.NaN())
	c.Weights = filepath.Join(t.TempDir(), "nan.safetensors")
	writeTensors(t, c.Weights, tensors, metadata)
	const says = "nan.safetensors: the weights are spoilt: 2 of the 36 values of conv1.weight are NaN, and in 1 more tensors"

	m, err := modelfile.Read(c.Weights)
	require.NoError(t, err)
	w, err := graph.NewWeights(m.Network, c.Device)
	require.NoError(t, err)
	defer w.Close()
	err = m.Set(w)
	require.ErrorContains(t, err, says)
	require.ErrorAs(t, err, new(modelfile.NaNError))

	c.Dir = filepath.Join(t.TempDir(), "run")
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, says)
	require.NotErrorAs(t, err, new(FailedError))
	require.NoDirExists(t, c.Dir)
	c.Fresh = []string{"conv1"}
	trainIn(t, c)
}

// A checkpoint of a newer hubel is refused, and stays where it is, although there is
// an older one before it.
func TestResumingACheckpointOfANewerHubel(t *testing.T) {
	c := smallConfig(t)
	dir := stopAfter(t, c, 7)
	path := filepath.Join(dir, CheckpointFile)
	tensors, metadata, err := modelfile.ReadTensors(path)
	require.NoError(t, err)
	metadata[modelfile.NetworkKey] = strings.Replace(metadata[modelfile.NetworkKey], `"version":1`, `"version":3`, 1)
	writeTensors(t, path, tensors, metadata)
	before := readAll(t, dir)
	want := path + ": network in JSON: version 3 is newer than this hubel, which reads up to version 2: a newer hubel opens it"
	_, err = ReadCheckpoint(dir)
	require.EqualError(t, err, want)
	c.Dir, c.Resume = dir, true
	_, err = Train(t.Context(), c)
	require.EqualError(t, err, want)
	require.Equal(t, before, readAll(t, dir))
}
