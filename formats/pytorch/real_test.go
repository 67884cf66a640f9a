package pytorch

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/onnx"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
)

// data is where real files lie, which the project does not have.
const realData = "../../../shared/data/models"

func realFile(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{realData}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there", path)
	}
	return path
}

func readFile(path string, o formats.Options) (*formats.Model, error) {
	return Reader.Read(context.Background(), []string{path}, o)
}

// arrays reads an .npz file.
func arrays(t *testing.T, path string) map[string]npy.Numbers {
	t.Helper()
	a, err := npy.OpenArchive(path)
	require.NoError(t, err)
	defer a.Close()
	all := map[string]npy.Numbers{}
	for _, name := range a.Names {
		if name == "c64" {
			continue // complex numbers are not read
		}
		all[name], err = a.Read(name)
		require.NoError(t, err)
	}
	return all
}

// numbers are the elements of a tensor of any type.
func numbersOf(x *gorgonia.Dense) (list []float32) {
	switch x.Dtype() {
	case gorgonia.Float32:
		return x.Float32s()
	case gorgonia.Int32:
		for _, v := range x.Int32s() {
			list = append(list, float32(v))
		}
	case gorgonia.Int64:
		for _, v := range x.Int64s() {
			list = append(list, float32(v))
		}
	case gorgonia.Uint8:
		for _, v := range x.Uint8s() {
			list = append(list, float32(v))
		}
	}
	return list
}

// sameBits compares the tensors of a model with those that were recorded.
func sameBits(t *testing.T, want map[string]npy.Numbers, got map[string]*gorgonia.Dense, cut string) {
	t.Helper()
	for name, w := range want {
		x := got[cut+name]
		require.NotNil(t, x, name)
		require.Equal(t, len(w.Shape), x.Dims(), name)
		for i, d := range w.Shape {
			require.Equal(t, d, x.Shape()[i], name)
		}
		if x.Shape().TotalSize() == 0 {
			continue
		}
		for i, v := range numbersOf(x) {
			require.Equal(t, math.Float32bits(w.Values[i]), math.Float32bits(v), "%s at %d", name, i)
		}
	}
	require.Len(t, got, len(want))
}

func TestEveryFormHasTheSameTensors(t *testing.T) {
	want := arrays(t, realFile(t, "pytorch/forms/base.expect.npz"))
	for _, name := range []string{"base_dataparallel.pt", "base_legacy.pth", "base_legacy_protocol3.pth", "base_ordereddict.pt", "base_parameters.pt",
		"base_plain_dict.pt", "base_protocol4.pt", "base_tar_2016.pth", "checkpoint_model_state_dict_legacy.pth", "checkpoint_nested.pth"} {
		m, err := readFile(realFile(t, "pytorch/forms", name), formats.Options{})
		require.NoError(t, err)
		cut := ""
		if m.Weights["module.fc.weight"] != nil {
			cut = "module."
		}
		sameBits(t, want, m.Weights, cut)
		require.Nil(t, m.Network)
		require.Empty(t, m.Lost, name)
	}
}

func TestTypesAndViewsAreRead(t *testing.T) {
	for _, name := range []string{"dtypes", "views"} {
		want := arrays(t, realFile(t, "pytorch/forms", name+".expect.npz"))
		for _, suffix := range []string{".pt", "_legacy.pth"} {
			m, err := readFile(realFile(t, "pytorch/forms", name+suffix), formats.Options{})
			require.NoError(t, err)
			sameBits(t, want, m.Weights, "")
			if name == "dtypes" {
				require.Equal(t, []string{"c64: hubel has no elements of the type complex64"}, m.Lost)
				require.Contains(t, m.Facts, "1 tensors of float64 were rounded to float32")
			}
		}
	}
}

func TestWholeModulesAreReadAsData(t *testing.T) {
	want := arrays(t, realFile(t, "pytorch/forms/full_module.expect.npz"))
	n := &graph.Network{Name: "sequence"}
	x := n.Add("conv", &layers.Conv{Filters: 4, Kernel: layers.Square(3)}, n.Image("data", 3, 6, 6))
	x = n.Add("relu", &layers.Unary{Op: device.ReLU}, n.Add("norm", &layers.BatchNorm{}, x))
	n.Outputs = []string{n.Add("dense", &layers.Dense{Out: 5}, x)}
	io := arrays(t, realFile(t, "pytorch/forms/full_module.io.npz"))
	for _, name := range []string{"full_module.pt", "full_module_legacy.pth", "torchscript.pt"} {
		path := realFile(t, "pytorch/forms", name)
		m, err := readFile(path, formats.Options{})
		require.NoError(t, err)
		sameBits(t, want, m.Weights, "")
		require.Contains(t, m.Facts[0], "nothing of it was run")

		m, err = readFile(path, formats.Options{Network: n})
		require.NoError(t, err)
		require.Contains(t, m.Facts, "  conv = 0") // by shape: the names differ
		near(t, io["output"], run(t, m, io["input"], "dense"), 1e-5)
	}
}

func TestFilesThatMustBeRefused(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(realFile(t, "pytorch/must_refuse/eval.pt")), "*"))
	require.NoError(t, err)
	require.Len(t, files, 10)
	for i, path := range files {
		files[i], err = filepath.Abs(path)
		require.NoError(t, err)
	}
	t.Chdir(t.TempDir())
	for _, path := range files {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readFile(path, formats.Options{})
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, path)
		require.NotContains(t, err.Error(), "\n")
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), path)
		if strings.Contains(path, "os_system") || strings.Contains(path, "eval") {
			require.ErrorContains(t, err, "not on the list of what may be read; nothing was run; torch.save(model.state_dict(), …)")
		}
	}
	made, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, made)
}

// run computes a value of the network on the CPU.
func run(t *testing.T, m *formats.Model, x npy.Numbers, value string) *gorgonia.Dense {
	t.Helper()
	e := executor(t, onCPU(t), m, graph.PlanOptions{Batch: x.Shape[0], Keep: []string{value}})
	require.NoError(t, e.Upload(m.Network.Inputs[0].Name, gorgonia.New(gorgonia.WithShape(x.Shape...), gorgonia.WithBacking(x.Values))))
	e.Forward(graph.Pass{})
	y, err := e.Read(value)
	require.NoError(t, err)
	return y.Clone().(*gorgonia.Dense)
}

// executor has the weights of a model on a device.
func executor(t *testing.T, d device.Device, m *formats.Model, o graph.PlanOptions) *graph.Executor {
	t.Helper()
	w, err := graph.NewWeights(m.Network, d)
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	require.Len(t, m.Weights, len(w.Names()))
	for name, v := range m.Weights {
		require.NoError(t, w.Set(name, v))
	}
	p, err := m.Network.Plan(d.Traits(), o)
	require.NoError(t, err)
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

func onCPU(t *testing.T) device.Device {
	t.Helper()
	d, err := cpu.New(0)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

// near compares outputs, relative to the largest value.
func near(t *testing.T, want npy.Numbers, got *gorgonia.Dense, tolerance float64) {
	t.Helper()
	largest, worst := 0.0, 0.0
	require.Len(t, got.Float32s(), len(want.Values))
	for i, v := range got.Float32s() {
		largest = max(largest, math.Abs(float64(want.Values[i])))
		difference := math.Abs(float64(v) - float64(want.Values[i]))
		require.False(t, math.IsNaN(difference))
		worst = max(worst, difference)
	}
	t.Logf("off by %.1e of the largest value", worst/largest)
	require.Less(t, worst/largest, tolerance)
}

func TestDenseNetOfAnotherSize(t *testing.T) {
	io := arrays(t, realFile(t, "onnx/torch_densenet_tiny/io.npz"))
	for _, name := range []string{"densenet_tiny.pt", "densenet_tiny_legacy.pth"} {
		m, err := readFile(realFile(t, "pytorch/densenet_tiny", name), formats.Options{Input: []int{3, 64, 64}})
		require.NoError(t, err)
		require.Empty(t, m.Lost)
		near(t, io["out0"], run(t, m, io["input"], "fc"), 1e-5)
	}
}

// tinyOps is the network of tiny_ops, written down from its ONNX file.
func tinyOps() *graph.Network {
	n := &graph.Network{Name: "tiny_ops"}
	pool := func(op device.PoolOp, window int, pad int, ceil, count bool) layers.Layer {
		return &layers.Pool{Op: op, Window: layers.Square(window), Stride: layers.Square(2), Pad: layers.Around(pad), Ceil: ceil, CountPad: count}
	}
	add := n.Add
	x := add("conv1", &layers.Conv{Filters: 8, Kernel: layers.Size{H: 5, W: 3}, Stride: layers.Size{H: 2, W: 1}, Pad: layers.Pad{Top: 2, Bottom: 2, Left: 1, Right: 1}}, n.Image("data", 3, 20, 18))
	x = add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = add("lrn", &layers.LRN{Size: 3, Alpha: new(float32(0.01)), Beta: new(float32(0.75)), K: 1.5, AlphaOverSize: true}, x)
	x = add("pool1", pool(device.MaxPool, 3, 0, true, false), x)
	x = add("conv2", &layers.Conv{Filters: 12, Kernel: layers.Square(3), Pad: layers.Around(2), Dilation: layers.Square(2), Groups: 4, NoBias: true}, x)
	x = add("bn2", &layers.BatchNorm{Eps: new(float32(0.001))}, x)
	x = add("prelu", &layers.PReLU{}, x)
	a := add("relu_a", &layers.Unary{Op: device.ReLU}, add("a", &layers.Conv{Filters: 6, Kernel: layers.Square(1)}, x))
	b := add("tanh_b", &layers.Unary{Op: device.Tanh}, add("b", &layers.Conv{Filters: 6, Kernel: layers.Square(3), Pad: layers.Around(1)}, x))
	c := add("concat", &layers.Concat{}, a, b)
	dw := add("dw", &layers.Conv{Filters: 12, Kernel: layers.Square(3), Pad: layers.Around(1), Groups: 12}, c)
	dw = add("act", &layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0.1))}, dw)
	s := add("sum", &layers.Add{}, dw, c)
	s = add("sum2", &layers.Add{}, add("mx", pool(device.MaxPool, 2, 0, true, false), s), add("avg2", pool(device.AveragePool, 2, 0, true, true), s))
	add("out2", &layers.Pool{Op: device.AveragePool, Global: true}, s)
	up := add("avg", pool(device.AveragePool, 3, 1, false, false), c)
	up = add("up", &layers.Deconv{Conv: layers.Conv{Filters: 6, Kernel: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, OutputPad: layers.Size{H: 1}}, up)
	add("out1", &layers.Unary{Op: device.Sigmoid}, up)
	n.Outputs = []string{"out2", "out1"}
	return n
}

// fc1 and fc2 hang on a Clip and are left out: they are lost, and the others are right.
func TestTinyOpsIntoAGivenNetwork(t *testing.T) {
	io := arrays(t, realFile(t, "onnx/torch_tiny_ops/io.npz"))
	for _, name := range []string{"tiny_ops.pt", "tiny_ops_legacy.pth"} {
		m, err := readFile(realFile(t, "pytorch/tiny_ops", name), formats.Options{Network: tinyOps()})
		require.NoError(t, err)
		require.Contains(t, m.Facts, "8 of 8 layers were found by name")
		require.Len(t, m.Lost, 4)
		require.Contains(t, m.Lost[0], "fc1.weight [")
		require.Contains(t, m.Lost[0], "no layer of the network has it")
		near(t, io["out1"], run(t, m, io["input"], "out1"), 1e-5)
		near(t, io["out2"], run(t, m, io["input"], "out2"), 1e-5)
	}
}

// The same networks were exported to ONNX: each of the weights there is here, bit for bit.
// (face_slim320 has storages of a GPU.)
func TestTensorsAreThoseOfTheONNXFile(t *testing.T) {
	for _, c := range []struct{ onnx, torch string }{
		{"face_slim320_opset9/version-slim-320_without_postprocessing.onnx", "face_slim320/version-slim-320.pth"},
		{"torch_shufflenet_tiny/shufflenet_tiny_opset11.onnx", "shufflenet_tiny/shufflenet_tiny.pt"},
		{"torch_shufflenet_tiny/shufflenet_tiny_opset11.onnx", "shufflenet_tiny/shufflenet_tiny_legacy.pth"},
	} {
		other, err := onnx.Reader.Read(context.Background(), []string{realFile(t, "onnx", c.onnx)}, formats.Options{})
		require.NoError(t, err)
		m, err := readFile(realFile(t, "pytorch", c.torch), formats.Options{})
		require.NoError(t, err)
		have := map[string]bool{}
		for _, x := range m.Weights {
			have[fmt.Sprint(x.Shape(), x.Data())] = true
		}
		require.Greater(t, len(other.Weights), 100)
		for name, x := range other.Weights {
			require.True(t, have[fmt.Sprint(x.Shape(), x.Data())], "%s: %s", c.torch, name)
		}
		// The layers have other names there. By their order they are found, or none is.
		m, err = readFile(realFile(t, "pytorch", c.torch), formats.Options{Network: other.Network})
		if strings.HasPrefix(c.torch, "face") {
			require.ErrorContains(t, err, "have another order than the layers")
			continue
		}
		require.NoError(t, err)
		for name, x := range other.Weights {
			require.Equal(t, x.Float32s(), m.Weights[name].Float32s(), "%s: %s", c.torch, name)
		}
	}
}
