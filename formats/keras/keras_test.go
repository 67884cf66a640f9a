package keras

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
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

var _ = []any{bytes.NewReader, strings.Contains, device.Float32}

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
