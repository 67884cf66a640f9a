package onnx

import (
	"archive/zip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/kernels/cpu"
)

// array is a tensor with its numbers.
type array struct {
	shape  []int
	values []float32
}

// runOnCPU is run on a device of its own.
func runOnCPU(m *formats.Model, inputs map[string]array) (map[string]array, error) {
	d, err := cpu.New(2)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return run(d, m, inputs)
}

// run computes the outputs of a model by their names. The inputs have the network's names.
func run(d device.Device, m *formats.Model, inputs map[string]array) (out map[string]array, err error) {
	w, err := graph.NewWeights(m.Network, d)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := m.Set(w); err != nil {
		return nil, err
	}
	batch := 1
	for _, in := range m.Network.Inputs {
		per := product(in.Shape)
		x, ok := inputs[in.Name]
		if !ok || len(x.values)%per != 0 {
			return nil, errors.New("there are no numbers for the input " + in.Name)
		}
		batch = len(x.values) / per
	}
	plan, err := m.Network.Plan(d.Traits(), graph.PlanOptions{Batch: batch, Keep: m.Network.Outputs})
	if err != nil {
		return nil, err
	}
	e, err := graph.NewExecutor(plan, w)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	for _, in := range m.Network.Inputs {
		x := tensor.New(tensor.WithShape(append([]int{batch}, in.Shape...)...), tensor.WithBacking(inputs[in.Name].values))
		if err := e.Upload(in.Name, x); err != nil {
			return nil, err
		}
	}
	e.Forward(graph.Pass{})
	if err := e.Sync(); err != nil {
		return nil, err
	}
	out = map[string]array{}
	for _, name := range m.Network.Outputs {
		y, err := e.Read(name)
		if err != nil {
			return nil, err
		}
		values := append([]float32(nil), y.Float32s()...)
		out[name] = array{append([]int(nil), y.Shape()...), values}
	}
	return out, nil
}

// difference is the largest between two lists, and the largest magnitude of the second.
// Numbers that are not finite must be the same.
func difference(got, want []float32) (worst, largest float64) {
	for i, w := range want {
		g := float64(got[i])
		w := float64(w)
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			largest = max(largest, finite(w))
			continue
		}
		if d := math.Abs(g - w); !(d <= worst) {
			worst = d
			if math.IsNaN(d) {
				return math.Inf(1), 1
			}
		}
		largest = max(largest, finite(w))
	}
	return worst, largest
}

func finite(v float64) float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	return math.Abs(v)
}

// realModels is the folder of real files, which may not be there.
func realModels(t *testing.T) string {
	folder := filepath.Join("..", "..", "..", "shared", "data", "models", "onnx")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("there are no real files: ", err)
	}
	return folder
}

// archive reads an .npz file. Arrays that are neither of uint8 nor of float32 are left out.
func archive(t *testing.T, path string) map[string]array {
	z, err := zip.OpenReader(path)
	require.NoError(t, err)
	defer z.Close()
	arrays := map[string]array{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		a, err := npy.Parse(b)
		if err != nil {
			continue
		}
		x := array{shape: append([]int(nil), a.Shape[:a.Dims]...)}
		for i := range product(x.shape) {
			if a.Float32 {
				x.values = append(x.values, math.Float32frombits(binary.LittleEndian.Uint32(a.Data[4*i:])))
			} else {
				x.values = append(x.values, float32(a.Data[i]))
			}
		}
		arrays[strings.TrimSuffix(f.Name, ".npy")] = x
	}
	return arrays
}

// TestRealFilesComputeWhatIsRecorded runs every real file on its recorded inputs.
func TestRealFilesComputeWhatIsRecorded(t *testing.T) {
	folder := realModels(t)
	scaled := func(x array, minus, by float32) array {
		y := array{shape: x.shape}
		for _, v := range x.values {
			y.values = append(y.values, (v-minus)*by)
		}
		return y
	}
	asIs := func(x array) array { return x }
	for _, c := range []struct {
		file, input string
		prepare     func(x array) array
		outputs     []string // of the archive, in the order of the file
	}{
		{"mnist_opset1/model.onnx", "input", asIs, []string{"output"}},
		{"super_resolution_opset10/super_resolution.onnx", "image_uint8", func(x array) array { return scaled(x, 0, 1.0/255) }, []string{"out_crop_300_364"}},
		{"face_slim320_opset9/version-slim-320_without_postprocessing.onnx", "image_uint8", func(x array) array { return scaled(x, 127, 1.0/128) }, []string{"scores", "boxes"}},
		{"torch_densenet_tiny/densenet_tiny_opset11.onnx", "input", asIs, []string{"out0"}},
		{"torch_densenet_tiny/densenet_tiny_opset17.onnx", "input", asIs, []string{"out0"}},
		{"torch_mobilenet_v2_w010/mobilenet_v2_w010_opset11.onnx", "input", asIs, []string{"out0"}},
		{"torch_shufflenet_tiny/shufflenet_tiny_opset11.onnx", "input", asIs, []string{"out0"}},
		{"torch_shufflenet_tiny/shufflenet_tiny_opset17.onnx", "input", asIs, []string{"out0"}},
		{"torch_tiny_ops/tiny_ops_opset11.onnx", "input", asIs, []string{"out0", "out1", "out2"}},
		{"torch_tiny_ops/tiny_ops_opset17.onnx", "input", asIs, []string{"out0", "out1", "out2"}},
		{"torch_tiny_ops/tiny_ops_dynamic_opset11.onnx", "input", asIs, []string{"out0", "out1", "out2"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			path := filepath.Join(folder, filepath.FromSlash(c.file))
			head := make([]byte, 4096)
			f, err := os.Open(path)
			require.NoError(t, err)
			n, err := io.ReadFull(f, head)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.True(t, Reader.Is(head[:n], path))
			m, err := Read(context.Background(), []string{path}, formats.Options{})
			require.NoError(t, err)
			require.Empty(t, m.Lost)
			arrays := archive(t, filepath.Join(filepath.Dir(path), "io.npz"))
			require.Len(t, m.Network.Outputs, len(c.outputs))
			got, err := runOnCPU(m, map[string]array{m.Network.Inputs[0].Name: c.prepare(arrays[c.input])})
			require.NoError(t, err)
			for i, name := range c.outputs {
				want, y := arrays[name], got[m.Network.Outputs[i]]
				if strings.Contains(name, "crop") {
					y = crop(y, 300, 300, 64)
				}
				require.Equal(t, len(want.values), len(y.values), "%v %v", want.shape, y.shape)
				worst, largest := difference(y.values, want.values)
				require.Less(t, worst, 1e-5*largest, name)
				t.Logf("%s: %.1e of the largest, %d layers", name, worst/largest, len(m.Network.Nodes))
			}
		})
	}
}

// crop is a square of an image of one channel.
func crop(x array, row, column, size int) array {
	y := array{shape: []int{1, 1, size, size}}
	for r := range size {
		at := (row+r)*x.shape[3] + column
		y.values = append(y.values, x.values[at:at+size]...)
	}
	return y
}
