package keras

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	exact "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/modelfile"
)

// file is a file of testdata, which is unpacked if it is compressed.
func file(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("testdata", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	f, err := os.Open(path + ".gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, b, 0o666))
	return path
}

// arrays reads an archive of NumPy.
func arrays(t testing.TB, path string) map[string]npy.Numbers {
	t.Helper()
	a, err := npy.OpenArchive(path)
	require.NoError(t, err)
	defer a.Close()
	all := map[string]npy.Numbers{}
	for _, name := range a.Names {
		all[name], err = a.Read(name)
		require.NoError(t, err)
	}
	return all
}

// channelsFirst turns samples whose channels are the last axis.
func channelsFirst(x npy.Numbers) npy.Numbers {
	rank := len(x.Shape)
	if rank < 3 {
		return x
	}
	c, pixels := x.Shape[rank-1], product(x.Shape[1:rank-1])
	y := npy.Numbers{Shape: append([]int{x.Shape[0], c}, x.Shape[1:rank-1]...), Values: make([]float32, len(x.Values))}
	for n := range x.Shape[0] {
		for p := range pixels {
			for k := range c {
				y.Values[(n*c+k)*pixels+p] = x.Values[(n*pixels+p)*c+k]
			}
		}
	}
	return y
}

// values computes values of a network, by their names in the file.
func values(t testing.TB, m *formats.Model, x npy.Numbers, names []string) map[string]*tensor.Dense {
	t.Helper()
	d := exact.New()
	w, err := graph.NewWeights(m.Network, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, modelfile.SetWeights(w, m.Weights, "file", nil))
	var keep []string
	for _, name := range names {
		require.Contains(t, m.Values, name)
		if m.Values[name] != m.Network.Inputs[0].Name && !slices.Contains(keep, m.Values[name]) {
			keep = append(keep, m.Values[name])
		}
	}
	plan, err := m.Network.Plan(d.Traits(), graph.PlanOptions{Batch: x.Shape[0], Keep: keep})
	require.NoError(t, err)
	e, err := graph.NewExecutor(plan, w)
	require.NoError(t, err)
	defer e.Close()
	in := tensor.New(tensor.WithShape(x.Shape...), tensor.WithBacking(x.Values))
	require.NoError(t, e.Upload(m.Network.Inputs[0].Name, in))
	e.Forward(graph.Pass{})
	all := map[string]*tensor.Dense{m.Network.Inputs[0].Name: in}
	for _, name := range keep {
		all[name], err = e.Read(name)
		require.NoError(t, err)
	}
	out := map[string]*tensor.Dense{}
	for _, name := range names {
		out[name] = all[m.Values[name]]
	}
	return out
}

// compare compares all that is recorded of a network, of an input "image", with what the
// network computes.
func compare(t *testing.T, m *formats.Model, recorded map[string]npy.Numbers, last bool) {
	t.Helper()
	turn := func(x npy.Numbers) npy.Numbers { return x }
	if last {
		turn = channelsFirst
	}
	var names []string
	for name := range recorded {
		if _, known := m.Values[name]; name != "image" && (known || last) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	require.NotEmpty(t, names)
	got := values(t, m, turn(recorded["image"]), names)
	for _, name := range names {
		y, want := got[name], recorded[name]
		if last && len(want.Shape) == 2 && len(y.Shape()) > 2 { // flattened in the order of Keras
			want.Shape = append([]int{want.Shape[0]}, append(slices.Clone([]int(y.Shape())[2:]), y.Shape()[1])...)
		}
		want = turn(want)
		require.Equal(t, want.Shape, []int(y.Shape()), name)
		largest, worst := 0.0, 0.0
		for i, v := range want.Values {
			largest = max(largest, math.Abs(float64(v)))
			worst = max(worst, math.Abs(float64(v)-float64(y.Float32s()[i])))
		}
		require.Greater(t, largest, 0.0, name)
		require.LessOrEqual(t, worst, 4e-6*largest, "%s, which reads %v", name, m.Network.Inputs[0])
	}
}

func read(t testing.TB, o formats.Options, paths ...string) *formats.Model {
	t.Helper()
	m, err := Reader.Read(t.Context(), paths, o)
	require.NoError(t, err)
	require.NoError(t, m.Network.Check())
	return m
}

// Each layer that is read computes what Keras does.
func TestEveryLayerComputesWhatKerasDoes(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		last bool
	}{"keras3": {"keras3.keras", true}, "keras2": {"keras2.h5", true}, "first": {"first.keras", false}} {
		t.Run(name, func(t *testing.T) {
			m := read(t, formats.Options{}, file(t, c.file))
			require.Empty(t, m.Lost)
			require.Equal(t, c.last, m.ChannelsLast)
			compare(t, m, arrays(t, file(t, name+".npz")), c.last)
		})
	}
}

// A model is the same in every form of file.
func TestEveryFormOfFile(t *testing.T) {
	for form, names := range map[string][]string{
		"3, archive": {"forms3.keras"}, "3, HDF5": {"forms3.h5"}, "3, description and weights": {"forms3.weights.h5", "forms3.json"},
		"3, description and the older weights": {"forms3.json", "forms3.h5"},
		"2, archive":                           {"forms2.keras"}, "2, HDF5": {"forms2.h5"}, "2, description and weights": {"forms2.json", "forms2.weights.h5"},
		"2, description and the older weights": {"forms2.old.h5", "forms2.json"},
	} {
		t.Run(form, func(t *testing.T) {
			var paths []string
			for _, name := range names {
				paths = append(paths, file(t, name))
			}
			m := read(t, formats.Options{}, paths...)
			require.Empty(t, m.Lost)
			shares := m.Network.Nodes[slices.IndexFunc(m.Network.Nodes, func(n graph.Node) bool { return n.Share != nil })]
			require.Equal(t, "twice.weight", shares.Share["weight"], "a layer that is called twice")
			require.Equal(t, []string{"out_softmax"}, m.Network.Outputs)
			require.Equal(t, "loss", m.Network.Nodes[len(m.Network.Nodes)-2].Name)
			require.Equal(t, "inner_b", m.Values["inner/b"])
			require.Equal(t, "inner_b", m.Values["inner"])
			require.NotEqual(t, m.Values["outer/deep/c"], m.Values["inner/c"])
			version := "Keras 3."
			if form[0] == '2' {
				version = "Keras 2."
			}
			if len(names) == 1 || form[0] == '2' { // a description of Keras 3 does not say
				require.Contains(t, m.Facts[0], version)
			}
			compare(t, m, arrays(t, file(t, "forms"+form[:1]+".npz")), true)
		})
	}
}

// What a description says of training is told, and what is not carried over.
func TestFactsOfTraining(t *testing.T) {
	m := read(t, formats.Options{}, file(t, "forms2.h5"))
	require.Equal(t, []string{"Keras 2.21.0", "backend: tensorflow", "images: channels last in the file, first here",
		`trained with: optimizer Adam, loss "categorical_crossentropy"; neither is carried over`}, m.Facts)
	require.Equal(t, "Keras, HDF5", m.Format)
	m = read(t, formats.Options{}, file(t, "forms3.json"))
	require.Nil(t, m.Weights)
	require.Equal(t, "Keras, description", m.Format)
}

// Weights without a network are read as they are, or into a network: by the names of layers,
// and others by their shapes.
func TestWeightsAlone(t *testing.T) {
	m, err := Reader.Read(t.Context(), []string{file(t, "forms2.old.h5")}, formats.Options{})
	require.NoError(t, err)
	require.Nil(t, m.Network)
	require.Equal(t, []int{1, 1, 3, 2}, []int(m.Weights["twice/kernel"].Shape()))
	m, err = Reader.Read(t.Context(), []string{file(t, "forms3.weights.h5")}, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, []int{1, 1, 3, 2}, []int(m.Weights["layers/conv2d/0"].Shape()))
}

func TestWeightsIntoANetworkThatIsGiven(t *testing.T) {
	for _, name := range []string{"plain.weights.h5", "plain.old.h5"} {
		whole := read(t, formats.Options{}, file(t, "plain.json"), file(t, name))
		recorded := arrays(t, file(t, "plain.npz"))
		for _, rename := range []bool{false, true} {
			text, err := json.Marshal(whole.Network)
			require.NoError(t, err)
			given, err := graph.ReadJSON(bytes.NewReader(text))
			require.NoError(t, err)
			if rename {
				for i := range given.Nodes {
					given.Nodes[i].Name = "x" + given.Nodes[i].Name
					for k, in := range given.Nodes[i].In {
						if in != "image" && in != "label" {
							given.Nodes[i].In[k] = "x" + in
						}
					}
				}
				for i, out := range given.Outputs {
					given.Outputs[i] = "x" + out
				}
				given.Metrics[0].Value = "x" + given.Metrics[0].Value
			}
			m := read(t, formats.Options{Network: given}, file(t, name))
			require.Empty(t, m.Lost)
			m.Values = map[string]string{"out": given.Outputs[0]}
			compare(t, m, recorded, true)
		}
	}
}

func TestRealFilesComputeWhatIsRight(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "models", "keras")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the real files are not here: " + folder)
	}
	for _, c := range [][]string{
		{"lenet_like/lenet_like.keras"}, {"lenet_like/lenet_like_model.h5"}, {"lenet_like/lenet_like.json", "lenet_like/lenet_like.weights.h5"},
		{"small_functional/small_functional.keras"}, {"small_functional/small_functional_model.h5"},
		{"small_functional/small_functional.json", "small_functional/small_functional.weights.h5"},
		{"legacy_keras2/model.h5"},
	} {
		t.Run(c[0], func(t *testing.T) {
			var paths []string
			for _, name := range c {
				path := filepath.Join(folder, filepath.FromSlash(name))
				head, err := os.ReadFile(path)
				require.NoError(t, err)
				require.True(t, Reader.Is(head[:4096], path))
				paths = append(paths, path)
			}
			m := read(t, formats.Options{}, paths...)
			require.Empty(t, m.Lost)
			// All samples of the output, and of the first one what each layer computes.
			all := arrays(t, filepath.Join(filepath.Dir(paths[0]), "io.npz"))
			m.Values["output"] = m.Network.Outputs[0]
			compare(t, m, map[string]npy.Numbers{"image": all["input"], "output": all["output"]}, true)
			of, size := map[string]npy.Numbers{}, len(all["input"].Values)/all["input"].Shape[0]
			of["image"] = npy.Numbers{Shape: append([]int{1}, all["input"].Shape[1:]...), Values: all["input"].Values[:size]}
			for name, x := range all {
				if name, ok := strings.CutPrefix(name, "layer0_"); ok {
					of[name] = x
				}
			}
			if len(of) > 1 {
				compare(t, m, of, true)
			}
		})
	}
	// Weights of Keras 2 alone, into the network that their model has.
	whole := read(t, formats.Options{}, filepath.Join(folder, "legacy_keras2", "model.h5"))
	m := read(t, formats.Options{Network: whole.Network}, filepath.Join(folder, "legacy_keras2", "weights.h5"))
	require.Equal(t, len(whole.Weights), len(m.Weights))
	for name, x := range whole.Weights {
		require.Equal(t, x.Float32s(), m.Weights[name].Float32s(), name)
	}
}
