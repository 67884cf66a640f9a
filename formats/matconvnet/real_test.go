package matconvnet

import (
	"archive/zip"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/kernels/cpu"
)

// arrays reads an archive of NumPy arrays as float32.
func arrays(t *testing.T, path string) map[string]*tensor.Dense {
	z, err := zip.OpenReader(path)
	require.NoError(t, err)
	defer z.Close()
	all := map[string]*tensor.Dense{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		a, err := npy.Parse(b)
		require.NoError(t, err)
		var x []float32
		for i := 0; i < len(a.Data); {
			if a.Float32 {
				x = append(x, math.Float32frombits(binary.LittleEndian.Uint32(a.Data[i:])))
				i += 4
			} else {
				x = append(x, float32(a.Data[i]))
				i++
			}
		}
		all[f.Name[:len(f.Name)-len(".npy")]] = tensor.New(tensor.WithShape(a.Shape[:a.Dims]...), tensor.WithBacking(x))
	}
	return all
}

// run computes values of a model.
func run(t *testing.T, m *formats.Model, x *tensor.Dense, keep ...string) []*tensor.Dense {
	d, err := cpu.Open(device.Options{Threads: 1})
	require.NoError(t, err)
	defer d.Close()
	w, err := graph.NewWeights(m.Network, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, m.Set(w))
	p, err := m.Network.Plan(d.Traits(), graph.PlanOptions{Batch: x.Shape()[0], Keep: keep})
	require.NoError(t, err)
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	defer e.Close()
	require.NoError(t, e.Upload(m.Network.Inputs[0].Name, x))
	e.Forward(graph.Pass{})
	require.NoError(t, e.Sync())
	var out []*tensor.Dense
	for _, name := range keep {
		y, err := e.Read(name)
		require.NoError(t, err)
		out = append(out, y)
	}
	return out
}

// near compares an output, or the first channels and samples of one, with what is right.
func near(t *testing.T, want, got *tensor.Dense, what string) {
	ws, gs := want.Shape(), got.Shape()
	plane := ws[2] * ws[3]
	require.Equal(t, gs[2]*gs[3], plane, what)
	largest, worst := 0.0, 0.0
	for n := range ws[0] {
		for c := range ws[1] {
			for i := range plane {
				w, g := float64(want.Float32s()[(n*ws[1]+c)*plane+i]), float64(got.Float32s()[(n*gs[1]+c)*plane+i])
				largest, worst = max(largest, math.Abs(w)), max(worst, math.Abs(w-g))
			}
		}
	}
	t.Logf("%s: error %.2g of the largest value", what, worst/largest)
	require.Less(t, worst, 1e-5*largest, what)
}

func TestRealNetworksComputeWhatIsRight(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "models", "matconvnet")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the real files are not here: " + folder)
	}
	for _, c := range []struct {
		file, input string
		shape       []int
		values      map[string]string // of the network, by their names in io.npz
	}{
		{"dncnn_sigma25_simplenn_v73/sigma=25.mat", "input", []int{1, 64, 64}, map[string]string{"residual": ""}},
		{"dncnn_dagnn_v73/DnCNN-epoch-50.mat", "input", []int{1, 64, 64}, map[string]string{"prediction": "prediction"}},
		{"chars_simplenn_v5/charscnn.mat", "image_uint8", []int{1, 32, 32}, map[string]string{"after_layer4": "layer4", "after_layer8": "layer8", "after_layer9": "layer9"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			path := filepath.Join(folder, filepath.FromSlash(c.file))
			head, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, Reader.Is(head[:4096], path))
			m, err := Reader.Read(t.Context(), []string{path}, formats.Options{Input: c.shape})
			require.NoError(t, err)
			t.Log(m.Format, m.Lost, m.Network.Outputs)
			io := arrays(t, filepath.Join(filepath.Dir(path), "io.npz"))
			x := io[c.input]
			for i := range x.Shape()[0] {
				n := x.Shape().TotalSize() / x.Shape()[0]
				m.Preprocess.Apply(x.Float32s()[i*n : (i+1)*n])
			}
			for name, value := range c.values {
				if value == "" {
					value = m.Network.Outputs[0]
				} else {
					value = m.Values[value]
				}
				near(t, io[name], run(t, m, x, value)[0], name)
			}
		})
	}
}
