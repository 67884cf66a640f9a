package program

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// call runs the program in the working directory.
func call(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// small is a network whose first convolution has a name as ONNX makes them.
func small() *graph.Network {
	n := &graph.Network{Name: "small"}
	x := n.Image("data", 2, 5, 4)
	x = n.Add("features.0-conv", &layers.Conv{Filters: 3, Kernel: layers.Square(3), Pad: layers.Around(1)}, x)
	x = n.Add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("fc", &layers.Dense{Out: 3}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, n.Label("label"))
	return n
}

// folder makes a working directory with net.safetensors, a network with random weights, and
// returns values of it, for bytes of five pictures, by their names.
func folder(t *testing.T) map[string]npy.Numbers {
	t.Helper()
	t.Chdir(t.TempDir())
	n, d := small(), reference.New()
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Fill(7))
	p := data.Preprocess{Mean: data.Floats{100, 50}, Scale: 0.01}
	metadata, err := modelfile.Encode(n, p, []string{"ant", "bee", "cat"})
	require.NoError(t, err)
	tensors, err := modelfile.Download(w)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write("net.safetensors", tensors, metadata))

	const samples = 5
	values := map[string]npy.Numbers{}
	pictures := make([]float32, samples*2*5*4)
	for i := range pictures {
		pictures[i] = float32(i * 37 % 256)
	}
	values["image_uint8"] = npy.Numbers{Shape: []int{samples, 2, 5, 4}, Values: pictures, Bytes: true}
	seen := slices.Clone(pictures)
	for i := range samples {
		p.Apply(seen[i*40 : (i+1)*40])
	}
	values["data"] = npy.Numbers{Shape: []int{samples, 2, 5, 4}, Values: seen}
	keep := []string{"features.0-conv", "relu1", "fc", "prob"}
	plan, err := n.Plan(d.Traits(), graph.PlanOptions{Batch: samples, Keep: keep})
	require.NoError(t, err)
	e, err := graph.NewExecutor(plan, w)
	require.NoError(t, err)
	defer e.Close()
	require.NoError(t, e.Upload("data", tensor.New(tensor.WithShape(samples, 2, 5, 4), tensor.WithBacking(seen))))
	e.Forward(graph.Pass{})
	for _, name := range keep {
		x, err := e.Read(name)
		require.NoError(t, err)
		values[name] = npy.Numbers{Shape: []int(x.Shape()), Values: slices.Clone(x.Float32s())}
	}
	return values
}

// archive writes io.npz.
func archive(t *testing.T, arrays map[string]npy.Numbers) {
	t.Helper()
	f, err := os.Create("io.npz")
	require.NoError(t, err)
	z := zip.NewWriter(f)
	for name, x := range arrays {
		w, err := z.Create(name + ".npy")
		require.NoError(t, err)
		if !x.Bytes {
			require.NoError(t, npy.Write(w, x.Shape, x.Values))
			continue
		}
		header := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%s,), }", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(x.Shape)), ","), "[]"))
		_, err = w.Write(append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8)))
		require.NoError(t, err)
		_, err = io.WriteString(w, header)
		require.NoError(t, err)
		pixels := make([]byte, len(x.Values))
		for i, v := range x.Values {
			pixels[i] = byte(v)
		}
		_, err = w.Write(pixels)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
}

// lossy stands for a reader of files that begin with "lossy".
func lossy(t *testing.T, change func(m *formats.Model)) {
	was := readers
	t.Cleanup(func() { readers = was })
	others := slices.DeleteFunc(slices.Clone(readers), func(r formats.Reader) bool { return r.Name == "lossy" })
	readers = append(others, formats.Reader{
		Name: "lossy",
		Is:   func(head []byte, _ string) bool { return bytes.HasPrefix(head, []byte("lossy")) },
		Read: func(ctx context.Context, paths []string, o formats.Options) (*formats.Model, error) {
			m, err := readWeightsFile(ctx, []string{"net.safetensors"}, formats.Options{})
			m.Lost, m.Format = []string{"layer \x1b[2J: its colour"}, "Lossy"
			m.Facts = []string{"producer: lost\nand found"}
			change(m)
			return m, err
		},
	})
	require.NoError(t, os.WriteFile("a.lossy", []byte("lossy 1"), 0o666))
}

func TestWeightsFilesAreReadAndWritten(t *testing.T) {
	folder(t)
	code, stdout, stderr := call("net.safetensors", "-o", "copy.safetensors")
	require.Equal(t, command.Done, code, stderr)
	require.Equal(t, "copy.safetensors: network small, 5 layers, 240 numbers in 4 tensors, from hubel, weights file\n", stdout)
	was, err := os.ReadFile("net.safetensors")
	require.NoError(t, err)
	is, err := os.ReadFile("copy.safetensors")
	require.NoError(t, err)
	require.Equal(t, was, is)

	// Names of classes and what is done to pixels can be given.
	require.NoError(t, os.WriteFile("classes.txt", []byte("\ufeffAnt\r\nn02206856 bee, or wasp\r\nCat\n\n"), 0o666))
	code, _, stderr = call("-o", "copy.safetensors", "-classes", "classes.txt", "net.safetensors", "-mean", "7", "-deviation", "2,3", "-scale", "0.5")
	require.Equal(t, command.Done, code, stderr)
	m, err := modelfile.Read("copy.safetensors")
	require.NoError(t, err)
	require.Equal(t, []string{"Ant", "n02206856 bee, or wasp", "Cat"}, m.Classes)
	require.Equal(t, data.Preprocess{Mean: data.Floats{7, 7}, Deviation: data.Floats{2, 3}, Scale: 0.5}, m.Preprocess)
}

// A network without a file of weights has those that training begins with, and its JSON is a
// network for -net.
func TestNetworksWithoutWeights(t *testing.T) {
	folder(t)
	code, _, stderr := call("-model", "lenet", "-o", "lenet.safetensors")
	require.Zero(t, code, stderr)
	m, err := modelfile.Read("lenet.safetensors")
	require.NoError(t, err)
	d := reference.New()
	w, err := graph.NewWeights(m.Network, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Fill(1))
	want, err := w.Get("conv2.weight")
	require.NoError(t, err)
	require.Equal(t, want.Float32s(), m.Weights["conv2.weight"].Float32s())

	code, stdout, stderr := call("lenet.safetensors", "-o", "lenet.json")
	require.Zero(t, code, stderr)
	require.Equal(t, "lenet.json: network lenet, 10 layers, without weights, from hubel, weights file\n", stdout)
	n, err := graph.ReadFile("lenet.json")
	require.NoError(t, err)
	require.Equal(t, m.Network, n)
	code, stdout, stderr = call("-net", "lenet.json", "-info")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "lenet.json: weights as training begins, seed 1\n")

	// A description without weights is enough for it, and for nothing else.
	text := `name: "tiny" input: "data" input_dim: 1 input_dim: 1 input_dim: 8 input_dim: 8
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }`
	require.NoError(t, os.WriteFile("tiny.prototxt", []byte(text), 0o644))
	code, stdout, stderr = call("tiny.prototxt", "-o", "tiny.json")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "without weights")
	n, err = graph.ReadFile("tiny.json")
	require.NoError(t, err)
	require.Equal(t, "ip", n.Nodes[0].Name)
	code, _, stderr = call("tiny.prototxt", "-o", "tiny.onnx")
	require.Equal(t, command.Wrong, code)
	require.Contains(t, stderr, "there is a network and no weights")
}

func TestInfo(t *testing.T) {
	folder(t)
	code, stdout, stderr := call("net.safetensors", "-info")
	require.Equal(t, command.Done, code, stderr)
	for _, want := range []string{
		"net.safetensors: hubel, weights file\n", "3 classes: ant, bee, cat\n", "preprocessing: pixels from 0 to 255, minus [100 50], times 0.01\n",
		"network small\n", "features.0-conv          conv", "3x5x4", "total", "240",
	} {
		require.Contains(t, stdout, want)
	}
	lossy(t, func(*formats.Model) {})
	code, stdout, stderr = call("-info", "a.lossy")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, stdout, "a.lossy: Lossy\nproducer: lost; and found\n")
	require.Contains(t, stdout, "not carried over: layer ")
	lossy(t, func(m *formats.Model) { m.Network = nil })
	_, stdout, _ = call("-info", "a.lossy")
	require.Contains(t, stdout, "network: none; -net or -model says which one the weights are of\n  fc.bias  3  float32\n")
}

func TestWhatIsLostIsListedAndNothingIsWritten(t *testing.T) {
	folder(t)
	lossy(t, func(*formats.Model) {})
	code, stdout, stderr := call("a.lossy", "-o", "out.safetensors")
	require.Equal(t, command.Broken, code)
	require.Empty(t, stdout)
	require.Equal(t, "not carried over: layer \x1b[2J: its colour\nconvert: could not be carried over: 1, listed above; out.safetensors was not written: -force writes it all the same\n", stderr)
	require.NoFileExists(t, "out.safetensors")
	code, stdout, stderr = call("a.lossy", "-o", "out.safetensors", "-force")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, stderr, "not carried over: layer")
	require.Contains(t, stdout, "from Lossy\n")
	require.FileExists(t, "out.safetensors")
}

func TestModelsThatDoNotFit(t *testing.T) {
	folder(t)
	for want, change := range map[string]func(m *formats.Model){
		"a.lossy: there are weights and no network: -net or -model":                  func(m *formats.Model) { m.Network = nil },
		"a.lossy: there is a network and no weights":                                 func(m *formats.Model) { m.Weights = nil },
		"a.lossy: weights of network small are missing: fc.bias":                     func(m *formats.Model) { delete(m.Weights, "fc.bias") },
		"a.lossy: fc.weight has the shape [3 60] in the network and [3] in the file": func(m *formats.Model) { m.Weights["fc.weight"] = m.Weights["fc.bias"] },
		"a.lossy: there are names for 1 classes, and the output prob has the shape 3": func(m *formats.Model) {
			m.Classes = []string{"ant"}
		},
		"a.lossy: fc: its input \"relu1\" is not defined before it": func(m *formats.Model) { m.Network.Nodes = slices.Delete(m.Network.Nodes, 1, 2) },
		"a.lossy: preprocessing has a mean for 3 channels, but":     func(m *formats.Model) { m.Preprocess.Mean = data.Floats{1, 2, 3} },
	} {
		lossy(t, change)
		code, _, stderr := call("a.lossy", "-o", "out.safetensors", "-force")
		require.Equal(t, command.Wrong, code, want)
		require.Contains(t, stderr, want)
		require.NoFileExists(t, "out.safetensors")
	}
}

func TestFilesThatAreNoNetworks(t *testing.T) {
	folder(t)
	var picture bytes.Buffer
	z := zip.NewWriter(&picture)
	_, err := z.Create("word/document.xml")
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for want, content := range map[string]string{
		"an empty file":                     "",
		"a PNG picture":                     "\x89PNG\r\n\x1a\n\x00\x00",
		"a JPEG picture":                    "\xff\xd8\xff\xe0",
		"a file that gzip has":              "\x1f\x8b\x08\x00",
		"a program or library of":           "\x7fELF\x02\x01\x01",
		"a web page, which servers":         "\n <!DOCTYPE html><html>",
		"a pointer that Git LFS":            "version https://git-lfs.github.com/spec/v1\noid sha256:0",
		`a zip archive, whose first`:        picture.String(),
		"JSON (-net takes":                  `{"name": "x"}`,
		`text, which begins "hello \x1b[2J`: "hello \u001b[2J"[:6] + "w\u00f6rld",
		"it begins with the bytes 00 01 02": "\x00\x01\x02",
		"a tar archive":                     strings.Repeat("a", 257) + "ustar",
	} {
		want := strings.ReplaceAll(want, `\x1b[2J`, "w\u00f6")
		require.NoError(t, os.WriteFile("file", []byte(content), 0o666))
		code, _, stderr := call("file", "-info")
		require.Equal(t, command.Wrong, code)
		require.Contains(t, stderr, "convert: file looks like ")
		require.Contains(t, stderr, want)
		require.Contains(t, stderr, "; what convert reads is hubel")
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	}
}

func TestFlagsThatAreWrong(t *testing.T) {
	folder(t)
	lossy(t, func(*formats.Model) {})
	require.NoError(t, os.Mkdir("sub", 0o777))
	require.NoError(t, os.WriteFile("empty.txt", []byte("\n\n"), 0o666))
	require.NoError(t, os.WriteFile("gap.txt", []byte("a\n\nc\n"), 0o666))
	text, err := json.Marshal(small())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("small.json", text, 0o666))
	for want, args := range map[string][]string{
		"there is no file to convert":                                {"-o", "a.safetensors"},
		"-o is missing, such as -o net.safetensors":                  {"net.safetensors"},
		`-o "a.txt": the end of the name says`:                       {"net.safetensors", "-o", "a.txt"},
		"-o net.safetensors is an input too":                         {"net.safetensors", "-o", "net.safetensors"},
		"-o sub/../net.safetensors is an input too":                  {"net.safetensors", "-o", "sub/../net.safetensors"},
		"-o: net.safetensors is not a folder":                        {"net.safetensors", "-o", "net.safetensors/a.safetensors"},
		"-info writes nothing":                                       {"net.safetensors", "-o", "a.safetensors", "-info"},
		"-info runs nothing":                                         {"net.safetensors", "-info", "-verify", "io.npz"},
		"-net and -model both name a network":                        {"net.safetensors", "-net", "a", "-model", "lenet", "-info"},
		"-tolerance must be above 0":                                 {"net.safetensors", "-verify", "io.npz", "-tolerance", "0"},
		"-map and -tolerance need -verify":                           {"net.safetensors", "-info", "-map", "a=b"},
		"-scale must be a number other than 0":                       {"net.safetensors", "-info", "-scale", "0"},
		`-order "gbr" is neither rgb nor bgr`:                        {"net.safetensors", "-info", "-order", "gbr"},
		"-threads must be at least 0":                                {"net.safetensors", "-info", "-threads", "-1"},
		"-with-preprocessing: what is written to .safetensors":       {"net.safetensors", "-o", "a.safetensors", "-with-preprocessing"},
		"-with-preprocessing needs -o":                               {"net.safetensors", "-verify", "io.npz", "-with-preprocessing"},
		"it is channels, height and width, such as 3x224x224":        {"net.safetensors", "-info", "-input", "3x224"},
		"it is numbers with commas between, such as":                 {"net.safetensors", "-info", "-mean", "1,x"},
		"it is ARRAY=VALUE, such as":                                 {"net.safetensors", "-verify", "io.npz", "-map", "a"},
		`"a" stands there twice`:                                     {"net.safetensors", "-verify", "io.npz", "-map", "a=b,a=c"},
		"-h lists the flags":                                         {"net.safetensors", "-colour"},
		"sub is a folder: name the files in it":                      {"sub", "-info"},
		"no such file or directory":                                  {"absent", "-info"},
		"are two weights files, each with a network":                 {"net.safetensors", "net.safetensors", "-info"},
		"holds its network: leave out -net and -model":               {"net.safetensors", "-info", "-net", "small.json"},
		"says what its input is: leave out -input":                   {"net.safetensors", "-info", "-input", "2x5x4"},
		"net.safetensors is of the format hubel, and a.lossy of los": {"net.safetensors", "a.lossy", "-info"},
		"-classes empty.txt: there is no name in it":                 {"net.safetensors", "-info", "-classes", "empty.txt"},
		"-classes gap.txt: line 2 is empty":                          {"net.safetensors", "-info", "-classes", "gap.txt"},
		`network "x" is unknown`:                                     {"a.lossy", "-info", "-model", "x"},
		"there are names for 2 classes, and the output prob":         {"net.safetensors", "-o", "a.safetensors", "-classes", "two.txt"},
	} {
		require.NoError(t, os.WriteFile("two.txt", []byte("a\nb\n"), 0o666))
		code, _, stderr := call(args...)
		require.Equal(t, command.Wrong, code, "%v: %s", args, stderr)
		require.Contains(t, filepath.ToSlash(stderr), want, "%v", args)
	}
	code, stdout, _ := call("-h")
	require.Equal(t, command.Done, code)
	require.Contains(t, stdout, "convert FILE… -verify INPUTS.npz")
	require.Contains(t, stdout, "-with-preprocessing")
}
