package caffe

import (
	"archive/zip"
	"context"
	"encoding/binary"
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

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	_ "github.com/hubel-go/hubel/kernels/cpu" // opened by name
	"github.com/hubel-go/hubel/layers"
)

// realFiles is a folder of files that are not part of the project: published networks with
// right outputs. A test of them is skipped where they are not.
func realFiles(t *testing.T, path ...string) string {
	dir := filepath.Join(append([]string{"..", "..", "..", "shared", "data", "models", "caffe"}, path...)...)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("there are no published networks in %s", dir)
	}
	return dir
}

// expected is what is known of a published description.
type expected struct {
	Style       string            `json:"style"`
	Input       map[string][]int  `json:"input"`
	Params      int               `json:"params"`
	Shapes      [][3]any          `json:"shapes_TEST"`
	Unreadable  string            `json:"not_in_caffe_proto"`
	ParseFailed string            `json:"parse_failed"`
	Solver      map[string]any    `json:"solver"`
	Enums       map[string]string `json:"enums"`
	Types       map[string]int    `json:"types"`
}

func expectations(t *testing.T, dir string) map[string]expected {
	text, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	require.NoError(t, err)
	var raw map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &raw))
	all := map[string]expected{}
	for name, r := range raw {
		var e expected
		if json.Unmarshal(r, &e) == nil {
			all[name] = e
		}
	}
	return all
}

// TestPublishedNetworksHaveTheirShapes reads every published description. Those of networks
// that hubel can have must have the published shapes and numbers of parameters; the others must
// end in an error that names the line and the layer.
func TestPublishedNetworksHaveTheirShapes(t *testing.T) {
	dir := realFiles(t, "prototxt")
	// Layers that BVLC's Caffe has and hubel does not, and data without a shape.
	unread := map[string]string{
		"fcn8s_voc_train":             `layer "data" (Python, line 1, column 1): hubel does not read layers of this type: hubel runs no code of a file`,
		"pycaffe_linreg_python_layer": `layer "loss" (Python, line 44, column 1): hubel does not read layers of this type: hubel runs no code of a file`,
	}
	read := 0
	for name, e := range expectations(t, dir) {
		if e.Solver != nil || e.Style == "" && e.ParseFailed == "" {
			continue
		}
		path := filepath.Join(dir, name+".prototxt")
		var o formats.Options
		for input, shape := range e.Input {
			if input != "label" {
				o.Input = shape[1:]
			}
		}
		switch name { // whose files do not say how large their samples are
		case "hdf5_nonlinear_train":
			o.Input = []int{4}
		case "mnist_siamese_train_test":
			o.Input = []int{2, 28, 28}
		case "mnist_autoencoder", "mnist_autoencoder_v1":
			o.Input = []int{1, 28, 28}
		}
		m, err := Read(context.Background(), []string{path}, o)
		if bad := e.Unreadable; bad != "" || unread[name] != "" {
			require.Error(t, err, name)
			if bad != "" {
				line, rest, _ := strings.Cut(bad, ":")
				column, _, _ := strings.Cut(rest, " ")
				require.ErrorContains(t, err, "line "+line+", column "+column+": ", name)
				require.ErrorContains(t, err, "layer", name)
			} else {
				require.ErrorContains(t, err, unread[name])
			}
			continue
		}
		require.NoError(t, err, name)
		read++
		plan, err := m.Network.Plan(formats.NoDevice{}, graph.PlanOptions{Mode: graph.Infer, Batch: 1})
		require.NoError(t, err, name)
		require.NotNil(t, plan)
		specs, params := specsOf(t, m.Network)
		if e.Params > 0 {
			require.Equal(t, e.Params, params, name)
		}
		compareShapes(t, name, m, e, specs)
	}
	require.Equal(t, 35, read)
}

// specsOf plans each layer of a network, and counts its parameters and state.
func specsOf(t *testing.T, n *graph.Network) (shapes map[string][]int, params int) {
	shapes = map[string][]int{}
	in := map[string]layers.Input{}
	for _, i := range n.Inputs {
		in[i.Name] = layers.Input{Shape: append([]int{1}, i.Shape...), DType: i.DType}
	}
	for _, node := range n.Nodes {
		var list []layers.Input
		for _, name := range node.In {
			list = append(list, in[name])
		}
		s, err := node.Layer.Plan(formats.NoDevice{}, list, layers.Options{})
		require.NoError(t, err, node.Name)
		for i, o := range s.Out {
			name := node.Name
			if i > 0 {
				name += ":" + string(rune('0'+i))
			}
			in[name] = o
		}
		shapes[node.Name] = s.Out[0].Shape
		for _, p := range s.Params {
			params += p.Shape.TotalSize()
		}
		for _, p := range s.State {
			params += p.Shape.TotalSize()
		}
	}
	return shapes, params
}

// compareShapes compares the published shapes of layers, but for the batch.
func compareShapes(t *testing.T, name string, m *formats.Model, e expected, got map[string][]int) {
	for _, s := range e.Shapes {
		layer, typ := s[0].(string), s[1].(string)
		var want []int
		for _, d := range s[2].([]any) {
			want = append(want, int(d.(float64)))
		}
		if typ == "SoftmaxWithLoss" || typ == "Accuracy" { // which hubel has a number of for each sample
			continue
		}
		var names formats.Names
		shape := got[names.Make(layer)]
		if shape == nil && (typ == "BatchNorm" || typ == "Scale") { // a norm and its scale are one layer
			continue
		}
		require.NotNil(t, shape, "%s: %s", name, layer)
		require.Equal(t, want[1:], shape[1:], "%s: %s", name, layer)
	}
}

// archive reads a .npz file of float32 and uint8.
func archive(t *testing.T, path string) map[string]*tensor.Dense {
	z, err := zip.OpenReader(path)
	require.NoError(t, err)
	defer z.Close()
	all := map[string]*tensor.Dense{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		a, err := npy.Parse(b)
		if err != nil {
			continue // of another type
		}
		values := make([]float32, 0, len(a.Data))
		for i := 0; i < len(a.Data); {
			if a.Float32 {
				values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(a.Data[i:])))
				i += 4
			} else {
				values = append(values, float32(a.Data[i]))
				i++
			}
		}
		all[strings.TrimSuffix(f.Name, ".npy")] = tensor.New(tensor.WithShape(slices.Clone(a.Shape[:a.Dims])...), tensor.WithBacking(values))
	}
	return all
}

// run computes a value of a model on the CPU.
func run(t *testing.T, m *formats.Model, x *tensor.Dense, value string, labels ...int32) map[string]*tensor.Dense {
	return runAll(t, m, x, []string{value}, labels...)
}

// runAll computes several values, for labels if the network takes some.
func runAll(t *testing.T, m *formats.Model, x *tensor.Dense, values []string, labels ...int32) map[string]*tensor.Dense {
	d, err := device.Open("cpu", device.Options{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = v
		if to, ok := m.Values[v]; ok {
			names[i] = to
		}
	}
	plan, err := m.Network.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: x.Shape()[0], Keep: names})
	require.NoError(t, err)
	w, err := graph.NewWeights(m.Network, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, m.Set(w))
	exec, err := graph.NewExecutor(plan, w)
	require.NoError(t, err)
	defer exec.Close()
	require.NoError(t, exec.Upload(m.Network.Inputs[0].Name, x))
	if labels != nil {
		require.NoError(t, exec.Upload(m.Network.Inputs[1].Name, tensor.New(tensor.WithShape(len(labels)), tensor.WithBacking(labels))))
	}
	exec.Forward(graph.Pass{})
	require.NoError(t, exec.Sync())
	out := map[string]*tensor.Dense{}
	for i, v := range values {
		y, err := exec.Read(names[i])
		require.NoError(t, err)
		out[v] = tensor.New(tensor.WithShape(y.Shape().Clone()...), tensor.WithBacking(slices.Clone(y.Float32s())))
	}
	return out
}

// verify compares what a model computes with recorded arrays, whose first samples are given.
func verify(t *testing.T, m *formats.Model, x *tensor.Dense, io map[string]*tensor.Dense, values map[string]string) {
	var blobs []string
	for _, blob := range values {
		blobs = append(blobs, blob)
	}
	got := runAll(t, m, x, blobs)
	for recorded, blob := range values {
		want := io[recorded]
		require.NotNil(t, want, recorded)
		a, b := got[blob].Float32s(), want.Float32s()
		require.LessOrEqual(t, len(b), len(a), recorded)
		largest, off := 0.0, 0.0
		for i, v := range b {
			largest = max(largest, math.Abs(float64(v)))
			off = max(off, math.Abs(float64(v)-float64(a[i])))
		}
		t.Logf("%s: %d values, largest %.4g, off by %.2g of it", recorded, len(b), largest, off/largest)
		require.LessOrEqual(t, off, 1e-5*largest, recorded)
	}
}

// TestPublishedNetworksComputeWhatWasRecorded converts networks with their weights, of all
// three versions, and compares what they compute.
func TestPublishedNetworksComputeWhatWasRecorded(t *testing.T) {
	root := realFiles(t)
	cifar := func(dir, network, weights string) func(t *testing.T) (*formats.Model, *tensor.Dense) {
		return func(t *testing.T) (*formats.Model, *tensor.Dense) {
			at := filepath.Join(root, dir)
			mean := filepath.Join(root, "cifar10_quick_v1", "mean.binaryproto")
			m, err := Read(context.Background(), []string{filepath.Join(at, network), mean, filepath.Join(at, weights)}, formats.Options{Order: "rgb"})
			require.NoError(t, err)
			require.Empty(t, m.Lost)
			io := dir
			if strings.Contains(dir, "v0") {
				io = "cifar10_quick_v1"
			}
			x := archive(t, filepath.Join(root, io, "io.npz"))["image_uint8"]
			values := slices.Clone(x.Float32s())
			for sample := range slices.Chunk(values, 3*32*32) {
				m.Preprocess.Apply(sample)
			}
			return m, tensor.New(tensor.WithShape(x.Shape()...), tensor.WithBacking(values))
		}
	}
	plain := func(dir, name, input string, shape ...int) func(t *testing.T) (*formats.Model, *tensor.Dense) {
		return func(t *testing.T) (*formats.Model, *tensor.Dense) {
			weights, io := name+".caffemodel", name+"_io.npz"
			if name == "lenet" {
				weights, io = "lenet_iter_10000.caffemodel", "io.npz"
			}
			m, err := Read(context.Background(), []string{filepath.Join(root, dir, name+".prototxt"), filepath.Join(root, dir, weights)}, formats.Options{Input: shape})
			require.NoError(t, err)
			require.Empty(t, m.Lost)
			return m, archive(t, filepath.Join(root, dir, io))[input]
		}
	}
	for _, c := range []struct {
		name   string
		read   func(t *testing.T) (*formats.Model, *tensor.Dense)
		io     string
		values map[string]string // recorded names, and those of blobs
	}{
		{"lenet", plain("lenet", "lenet", "data"), "lenet/io.npz", map[string]string{"pool2": "pool2", "ip2": "ip2", "prob": "prob"}},
		{"quick v0", cifar("cifar10_quick_v0_made", "cifar10_quick_v0.prototxt", "cifar10_quick_v0.caffemodel"), "cifar10_quick_v1/io.npz", map[string]string{"ip2": "ip2", "prob": "prob"}},
		{"quick v1", cifar("cifar10_quick_v1", "cifar10_quick.prototxt", "cifar10_quick_iter_4000.caffemodel"), "cifar10_quick_v1/io.npz", map[string]string{"ip2": "ip2", "prob": "prob"}},
		{"quick in HDF5", cifar("cifar10_quick_hdf5", "cifar10_quick.prototxt", "cifar10_quick_iter_5000.caffemodel.h5"), "cifar10_quick_hdf5/io.npz", map[string]string{"ip2": "ip2", "prob": "prob"}},
		{"full v1", cifar("cifar10_full_v1", "cifar10_full.prototxt", "cifar10_full_iter_60000.caffemodel"), "cifar10_full_v1/io.npz", map[string]string{"norm1": "norm1", "ip1": "ip1", "prob": "prob"}},
		{"det1", plain("mtcnn", "det1", "data"), "mtcnn/det1_io.npz", map[string]string{"conv4_2": "conv4-2", "prob1": "prob1"}},
		{"det1 of a larger picture", plain("mtcnn", "det1", "data2", 3, 45, 61), "mtcnn/det1_io.npz", map[string]string{"conv4_2_2": "conv4-2", "prob1_2": "prob1"}},
		{"det2", plain("mtcnn", "det2", "data"), "mtcnn/det2_io.npz", map[string]string{"conv5_2": "conv5-2", "prob1": "prob1"}},
		{"det3", plain("mtcnn", "det3", "data"), "mtcnn/det3_io.npz", map[string]string{"conv6_2": "conv6-2", "conv6_3": "conv6-3", "prob1": "prob1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, x := c.read(t)
			verify(t, m, x, archive(t, filepath.Join(root, filepath.FromSlash(c.io))), c.values)
			t.Log(strings.Join(m.Facts, "; "))
		})
	}
}
