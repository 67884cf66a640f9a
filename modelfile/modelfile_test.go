package modelfile

import (
	"maps"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

func TestNaNsAreCounted(t *testing.T) {
	require.Equal(t, 1, nans(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{1, float32(math.NaN()), float32(math.Inf(1))}))))
	require.Zero(t, nans(tensor.New(tensor.WithShape(3), tensor.WithBacking([]int64{1, 2, 3}))))
}

// two is a network of two dense layers.
func two() *graph.Network {
	n := &graph.Network{Name: "two"}
	x := n.Image("data", 3)
	n.Outputs = []string{n.Add("b", &layers.Dense{Out: 2}, n.Add("a", &layers.Dense{Out: 2}, x))}
	return n
}

// small are weights of two.
func small(t *testing.T) *graph.Weights {
	w, err := graph.NewWeights(two(), reference.New())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	for _, name := range w.Names() {
		require.NoError(t, w.Set(name, tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(w.Shape(name)...))))
	}
	return w
}

// write writes a file and returns its path.
func write(t *testing.T, tensors []safetensors.Tensor, metadata map[string]string) string {
	path := filepath.Join(t.TempDir(), "two.safetensors")
	require.NoError(t, safetensors.Write(path, tensors, metadata))
	return path
}

// What is written is read: the network, how images are made ready, names of classes,
// UTF-8 or not, and the weights.
func TestWhatIsWrittenIsRead(t *testing.T) {
	w := small(t)
	tensors, err := Download(w)
	require.NoError(t, err)
	classes, how := []string{"ant", "caf\xe9"}, data.Preprocess{Scale: 0.5}
	metadata, err := Encode(two(), how, classes)
	require.NoError(t, err)
	path := write(t, tensors, metadata)
	m, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, classes, m.Classes)
	require.Equal(t, how, m.Preprocess)
	require.Equal(t, two(), m.Network)
	require.Len(t, m.Weights, 4)
	require.NoError(t, m.Set(small(t)))

	newer := maps.Clone(metadata)
	newer[NetworkKey] = strings.Replace(metadata[NetworkKey], `"version":1,`, `"version":3,"kind":"later",`, 1)
	_, err = Read(write(t, tensors, newer))
	require.ErrorContains(t, err, "two.safetensors: network in JSON: version 3 is newer than this hubel, which reads up to version 2: a newer hubel opens it")
	require.ErrorAs(t, err, new(*graph.NewerError))
	require.NotContains(t, err.Error(), "\n")

	metadata[ClassBytesKey] = `["YW50"]`
	_, err = Read(write(t, tensors, metadata))
	require.ErrorContains(t, err, "metadata "+ClassBytesKey+": it is not the 2 classes in base64")
	delete(metadata, NetworkKey)
	_, err = Read(write(t, tensors, metadata))
	require.ErrorContains(t, err, "two.safetensors: the file holds weights without their network: it was not written by training")
	metadata[IterationKey] = "7"
	_, err = Read(write(t, tensors, metadata))
	require.ErrorContains(t, err, "two.safetensors: a checkpoint is for resuming its run")
}

// Layers of other frameworks have dots in their names: "features.0" has the parameter
// "features.0.weight", and "features" has none.
func TestFreshLayersWithDotsInTheirNames(t *testing.T) {
	for name, want := range map[string]string{
		"fc8.weight": "fc8", "features.0.weight": "features.0", "a.b.c.running_mean": "a.b.c",
	} {
		require.True(t, IsFresh(name, []string{"x", want}), name)
		require.True(t, IsFresh(name, []string{name}), name)
		require.False(t, IsFresh(name, []string{"features", "a", "a.b", "weight", want + "."}), name)
	}
	n := &graph.Network{Name: "dots"}
	n.Outputs = []string{n.Add("features.1", &layers.Dense{Out: 2}, n.Add("features.0", &layers.Dense{Out: 2}, n.Image("data", 3)))}
	w, err := graph.NewWeights(n, reference.New())
	require.NoError(t, err)
	defer w.Close()
	stored := map[string]*tensor.Dense{}
	for _, part := range []string{"weight", "bias"} {
		name := "features.0." + part
		stored[name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(w.Shape(name)...))
	}
	require.NoError(t, SetWeights(w, stored, "file", []string{"features.1"}))
	require.ErrorContains(t, SetWeights(w, stored, "file", nil), "weights of network dots are missing: features.1.weight, features.1.bias")
	require.EqualError(t, SetWeights(w, stored, "file", []string{"features"}),
		`fresh: neither network dots nor file has a layer or parameter "features" with weights`)
}

// To begin a layer anew whose weights are another one's would begin less anew than it says.
func TestFreshNamesOfSharedWeights(t *testing.T) {
	n := &graph.Network{Name: "twice"}
	n.Outputs = []string{n.Add("b", &layers.Dense{Out: 3}, n.Add("a", &layers.Dense{Out: 3}, n.Image("data", 3)))}
	n.Nodes[1].Share = map[string]string{"weight": "a.weight"}
	w, err := graph.NewWeights(n, reference.New())
	require.NoError(t, err)
	defer w.Close()
	stored := map[string]*tensor.Dense{}
	for _, name := range w.Names() {
		stored[name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(w.Shape(name)...))
	}
	for _, name := range []string{"b", "b.weight"} {
		require.EqualError(t, SetWeights(w, stored, "file", []string{name}),
			"fresh: weight of layer b is a.weight, which layers share: name that, or what b has itself")
	}
	for _, name := range []string{"a", "a.weight", "b.bias"} {
		require.NoError(t, SetWeights(w, stored, "file", []string{name}), name)
	}
	stored["b.weight"] = stored["a.weight"] // of a file in which they were two
	require.ErrorContains(t, SetWeights(w, stored, "file", nil), "no weights named b.weight")
	require.NoError(t, SetWeights(w, stored, "file", []string{"b.weight"}), "it is left out")
}

func TestWeightsThatDoNotFit(t *testing.T) {
	w := small(t)
	set := func(change func(x map[string]*tensor.Dense), fresh ...string) error {
		x := map[string]*tensor.Dense{}
		for _, name := range w.Names() {
			x[name] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(w.Shape(name)...))
		}
		change(x)
		return SetWeights(w, x, "file", fresh)
	}
	const why = "; the file is of another network, or damaged"
	nothing := func(map[string]*tensor.Dense) {}
	spoil := func(name string, values ...int) func(x map[string]*tensor.Dense) {
		return func(x map[string]*tensor.Dense) {
			for _, i := range values {
				x[name].Float32s()[i] = float32(math.NaN())
			}
		}
	}
	require.NoError(t, set(nothing))
	require.EqualError(t, set(func(x map[string]*tensor.Dense) { delete(x, "b.bias") }), "file: weights of network two are missing: b.bias"+why)
	require.EqualError(t, set(func(x map[string]*tensor.Dense) { x["c"] = x["b.bias"] }), "file: network two has no weights named c"+why)
	require.EqualError(t, set(func(x map[string]*tensor.Dense) { x["a.weight"] = x["b.weight"] }), "file: a.weight has the shape [2 3] in the network and [2 2] in the file"+why)
	require.EqualError(t, set(func(x map[string]*tensor.Dense) {
		x["a.bias"] = tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(2))
	}), "file: a.bias is float32 in the network and int32 in the file"+why)
	require.ErrorAs(t, set(func(x map[string]*tensor.Dense) { delete(x, "b.bias") }), new(MismatchError))
	require.EqualError(t, set(nothing, "c"), `fresh: neither network two nor file has a layer or parameter "c" with weights`)
	require.NoError(t, set(func(x map[string]*tensor.Dense) { delete(x, "b.bias"); delete(x, "b.weight") }, "b"))
	require.NoError(t, set(func(x map[string]*tensor.Dense) { delete(x, "b.bias"); x["c.bias"] = x["a.bias"] }, "b.bias", "c"))

	err := set(spoil("a.weight", 0, 5))
	require.EqualError(t, err, "file: the weights are spoilt: 2 of the 6 values of a.weight are NaN")
	require.ErrorAs(t, err, new(NaNError))
	err = set(func(x map[string]*tensor.Dense) {
		spoil("a.bias", 1)(x)
		spoil("b.bias", 0)(x)
		spoil("b.weight", 0)(x)
	})
	require.ErrorContains(t, err, "1 of the 2 values of a.bias are NaN, and in 2 more tensors")
	require.NoError(t, set(spoil("a.weight", 0), "a"), "fresh layers are not read")
}
