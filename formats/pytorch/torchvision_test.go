package pytorch

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/onnx"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/solver"
)

// TestTorchvision compares with what tools/interop/save_torchvision.py has recorded: outputs
// of the weights and of the ONNX files, and the weights after a step.
func TestTorchvision(t *testing.T) {
	folder := os.Getenv("HUBEL_TORCHVISION")
	if folder == "" {
		t.Skip("HUBEL_TORCHVISION is not a folder of tools/interop/save_torchvision.py")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.npz"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		base := strings.TrimSuffix(path, ".npz")
		recorded := arrays(t, path)
		x, y := recorded["x"], recorded["y"]
		name := filepath.Base(base)
		if recorded["loss"].Values != nil { // else it is one of ONNX alone
			t.Run(name+"/weights", func(t *testing.T) {
				m, err := readFile(base+".pth", formats.Options{Input: x.Shape[1:]})
				require.NoError(t, err)
				require.NotNil(t, m.Network)
				require.Empty(t, m.Lost)
				require.Equal(t, name, m.Network.Name)
				near(t, y, run(t, m, x, scoresOf(t, m.Network)), 1e-4)
				roundTrip(t, m)
			})
			t.Run(name+"/step", func(t *testing.T) { step(t, base, recorded, formats.Options{Input: x.Shape[1:]}) })
		}
		onnxX, onnxY := x, y
		if other, ok := recorded["onnx_x"]; ok {
			onnxX, onnxY = other, recorded["onnx_y"]
		}
		for _, exporter := range []string{"dynamo", "torchscript"} {
			t.Run(name+"/onnx-"+exporter, func(t *testing.T) {
				m, err := onnx.Reader.Read(context.Background(), []string{base + "." + exporter + ".onnx"}, formats.Options{})
				require.NoError(t, err)
				require.Empty(t, m.Lost)
				near(t, onnxY, run(t, m, onnxX, m.Network.Outputs[0]), 1e-4)
			})
		}
	}
}

// scoresOf is what the loss of a network reads.
func scoresOf(t *testing.T, n *graph.Network) string {
	t.Helper()
	for _, node := range n.Nodes {
		if node.Name == "loss" {
			return node.In[0]
		}
	}
	require.Fail(t, "the network has no loss")
	return ""
}

// Two steps of a network of testdata/tiny.py, the second with momentum.
func TestStepsAreThoseOfPyTorch(t *testing.T) {
	n := &graph.Network{Name: "tiny"}
	x := n.Add("conv", &layers.Conv{Filters: 4, Kernel: layers.Square(3), Pad: layers.Around(1), NoBias: true}, n.Image("data", 3, 8, 8))
	x = n.Add("relu", &layers.Unary{Op: device.ReLU}, n.Add("bn", &layers.BatchNorm{}, x))
	x = n.Add("pool", &layers.Pool{Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("fc", &layers.Dense{Out: 5}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, x, n.Label("label"))
	n.Outputs = []string{x}
	recorded := arrays(t, "testdata/tiny.npz")
	m, err := readFile("testdata/tiny.pth", formats.Options{Network: n})
	require.NoError(t, err)
	near(t, recorded["y"], run(t, m, recorded["x"], x), 1e-5)
	require.Len(t, recorded["loss"].Values, 2)
	step(t, "testdata/tiny", recorded, formats.Options{Network: n})
}

// step takes the recorded steps from the weights in BASE.pth, without dropout, and compares with
// BASE.step.pth. Rounding may decide which of two nearly equal values a pool takes, or on which
// side of a ReLU's kink a value lies: the gradient is then one of two. PyTorch's recorded step
// agrees with its own in float64, and the reference device, which computes in float64 too, says
// whether the step is right.
func step(t *testing.T, base string, recorded map[string]npy.Numbers, o formats.Options) {
	t.Helper()
	worst := stepOn(t, onCPU(t), base, recorded, o)
	if worst < stepError {
		return
	}
	require.Less(t, worst, 0.2)
	require.Less(t, stepOn(t, reference.New(), base, recorded, o), stepError, "the reference device")
}

// stepError is how far a step may be off.
const stepError = 1e-3

// stepOn is how far the steps of a device are off, at most, of any tensor. That is relative to the
// largest change that PyTorch made to the tensor: the weights themselves would be near without any
// step. Running statistics of BatchNorms are among the tensors.
func stepOn(t *testing.T, d device.Device, base string, recorded map[string]npy.Numbers, o formats.Options) float64 {
	t.Helper()
	x := recorded["x"]
	var labels []int32
	for _, v := range recorded["labels"].Values {
		labels = append(labels, int32(v))
	}
	from, err := readFile(base+".pth", o)
	require.NoError(t, err)
	to, err := readFile(base+".step.pth", o)
	require.NoError(t, err)
	require.Equal(t, from.Network.Name, to.Network.Name)
	require.Len(t, to.Weights, len(from.Weights))
	for _, node := range from.Network.Nodes {
		if d, ok := node.Layer.(*layers.Dropout); ok {
			d.P = 0
		}
	}
	e := executor(t, d, from, graph.PlanOptions{Mode: graph.Train, Batch: x.Shape[0]})
	number := func(name string) float32 { return recorded[name].Values[0] }
	u, err := solver.NewUpdater(d, e, solver.Optimiser{
		Method: solver.SGDPyTorch, Schedule: solver.Schedule{Policy: solver.Fixed, Rate: float64(number("rate"))},
		Momentum: number("momentum"), Decay: number("decay"),
	})
	require.NoError(t, err)
	defer u.Close()
	for k, want := range recorded["loss"].Values {
		pass := graph.Pass{Iteration: uint32(k)}
		require.NoError(t, e.Upload("data", gorgonia.New(gorgonia.WithShape(x.Shape...), gorgonia.WithBacking(x.Values))))
		require.NoError(t, e.Upload("label", gorgonia.New(gorgonia.WithShape(len(labels)), gorgonia.WithBacking(labels))))
		e.Forward(pass)
		loss, err := e.Loss()
		require.NoError(t, err)
		require.InEpsilon(t, want, loss, 1e-5)
		e.Backward(pass, device.Overwrite)
		u.Update(k)
	}
	worst, where := 0.0, ""
	for name, x := range from.Weights {
		y, err := e.Weights().Get(name)
		require.NoError(t, err)
		before, want, got := x.Float32s(), to.Weights[name].Float32s(), y.Float32s()
		largest, off := 0.0, 0.0
		for i := range want {
			require.False(t, math.IsNaN(float64(got[i])), name)
			largest = max(largest, math.Abs(float64(want[i])-float64(before[i])))
			off = max(off, math.Abs(float64(want[i])-float64(got[i])))
		}
		require.NotZero(t, largest, "%s did not change", name)
		if off/largest > worst {
			worst, where = off/largest, name
		}
	}
	t.Logf("%s: %d tensors are off by at most %.1e of the largest change of each (%s)", d.Name(), len(from.Weights), worst, where)
	return worst
}

// roundTrip writes a model with PyTorch's names, reads it again and compares.
func roundTrip(t *testing.T, m *formats.Model) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "net.pt.safetensors")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, Writer.Write(f, m, formats.WriteOptions{}))
	require.NoError(t, f.Close())
	again, err := readFile(path, formats.Options{Input: m.Network.Inputs[0].Shape})
	require.NoError(t, err)
	require.NotNil(t, again.Network)
	require.Equal(t, m.Network.Name, again.Network.Name)
	require.Len(t, again.Weights, len(m.Weights))
	for name, x := range m.Weights {
		require.Equal(t, x.Float32s(), again.Weights[name].Float32s(), name)
	}
	require.Equal(t, m.Preprocess, again.Preprocess)
}
