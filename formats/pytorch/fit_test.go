package pytorch

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// ramp is a tensor of different numbers.
func ramp(name string, shape ...int) made {
	m := made{name: name, shape: shape}
	for i := range device.Elements(shape) {
		m.values = append(m.values, float32(i+1)/16)
	}
	return m
}

// normNet has a convolution, a BatchNorm of the convention, and a dense layer.
func normNet(convention string) *graph.Network {
	n := &graph.Network{Name: "net"}
	x := n.Add("conv", &layers.Conv{Filters: 2, Kernel: layers.Square(1)}, n.Image("data", 1, 2, 2))
	x = n.Add("norm", &layers.BatchNorm{Convention: convention}, x)
	n.Outputs = []string{n.Add("fc", &layers.Dense{Out: 3}, x)}
	return n
}

// normFile has its tensors, in modules of these names.
func normFile(conv, norm, fc string) []made {
	return []made{
		ramp(conv+".weight", 2, 1, 1, 1), ramp(conv+".bias", 2),
		ramp(norm+".weight", 2), ramp(norm+".bias", 2), ramp(norm+".running_mean", 2), ramp(norm+".running_var", 2), ramp(norm + ".num_batches_tracked"),
		ramp(fc+".weight", 3, 8), ramp(fc+".bias", 3),
	}
}

func into(t *testing.T, n *graph.Network, list []made) (*formats.Model, error) {
	t.Helper()
	return readFile(saved(t, zipFile(list, "little", nil)), formats.Options{Network: n})
}

func TestNamesFitANetwork(t *testing.T) {
	for _, prefix := range []string{"", "module.", "model.", "module.model.", "_orig_mod."} {
		m, err := into(t, normNet(""), normFile(prefix+"conv", prefix+"norm", prefix+"fc"))
		require.NoError(t, err, prefix)
		require.Len(t, m.Weights, 8)
		require.Equal(t, ramp("", 3, 8).values, m.Weights["fc.weight"].Float32s())
		require.Contains(t, m.Facts, "3 of 3 layers were found by name")
		require.Empty(t, m.Lost)
	}
	list := append(normFile("net.conv", "net.norm", "net.fc"), ramp("loss.weight", 5))
	m, err := into(t, normNet(""), list)
	require.NoError(t, err)
	require.Equal(t, []string{"loss.weight: it has not the prefix that the network's have"}, m.Lost)
}

func TestOrderAndShapesFitANetwork(t *testing.T) {
	m, err := into(t, normNet(""), append(normFile("features.0", "features.1", "head"), ramp("extra.weight", 9, 9)))
	require.NoError(t, err)
	require.Subset(t, m.Facts, []string{"  conv = features.0", "  norm = features.1", "  fc = head"})
	require.Equal(t, []string{"extra.weight [9 9]: no layer of the network has it"}, m.Lost)
	require.Equal(t, ramp("", 2).values, m.Weights["norm.running_var"].Float32s())
}

func TestWeightsThatDoNotFit(t *testing.T) {
	fit := normFile("a", "b", "c")
	two := &graph.Network{Name: "two"}
	x := two.Add("p", &layers.Dense{Out: 4}, two.Image("data", 4, 1, 1))
	two.Outputs = []string{two.Add("q", &layers.Dense{Out: 4}, x)}
	dense := func(names ...string) (list []made) {
		for _, name := range names {
			list = append(list, ramp(name+".weight", 4, 4), ramp(name+".bias", 4))
		}
		return list
	}
	for _, c := range []struct {
		name string
		n    *graph.Network
		list []made
		want string
	}{
		{"another shape", normNet(""), append(fit[:7:7], ramp("fc.weight", 3, 9), ramp("fc.bias", 3)),
			"the weights do not fit network net: fc.weight has the shape [3 9] in the file, and fc.weight the shape [3 8] in the network"},
		{"a part", normNet(""), append(fit[:7:7], ramp("fc.weight", 3, 8)), "fc.bias is not in the file: there is no fc.bias"},
		{"no statistics", normNet(""), append(fit[:4:4], fit[7:]...), "layer norm (weight [2], bias [2], running_mean [2], running_var [2]) has no module of its name or of its shapes in the file, which has: a, b, c"},
		{"too many", two, dense("a", "b", "c"), "layer p (weight [4 4], bias [4]): the network has 2 such layers that are not found by name, and the file 3"},
		{"too few", two, dense("a"), "the network has 2 such layers that are not found by name, and the file 1"},
		{"another order", normNet(""), append(normFile("a", "b", "c")[7:], normFile("a", "b", "c")[:7]...), "layer fc is not found by name, and the modules of the file have another order than the layers"},
		{"no weights", &graph.Network{Name: "n", Inputs: []graph.Input{{Name: "x", Shape: []int{1}}}, Nodes: []graph.Node{{Name: "r", Layer: &layers.Unary{Op: device.ReLU}, In: []string{"x"}}}, Outputs: []string{"r"}}, fit,
			"network n has no layer with weights"},
	} {
		_, err := into(t, c.n, c.list)
		require.ErrorContains(t, err, c.want, c.name)
	}
	m, err := into(t, two, dense("a", "b"))
	require.NoError(t, err)
	require.Contains(t, m.Facts, "  q = b")
	// A safetensors file is sorted by name.
	path := filepath.Join(t.TempDir(), "two.safetensors")
	var b bytes.Buffer
	require.NoError(t, Writer.Write(&b, m, formats.WriteOptions{}))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	other := &graph.Network{Name: "other"}
	x = other.Add("r", &layers.Dense{Out: 4}, other.Image("data", 4, 1, 1))
	other.Outputs = []string{other.Add("s", &layers.Dense{Out: 4}, x)}
	_, err = readFile(path, formats.Options{Network: other})
	require.ErrorContains(t, err, "a safetensors file does not keep the order of tensors")
}

// The conventions of Caffe and MatConvNet keep other statistics. Written again they are
// PyTorch's.
func TestStatisticsOfOtherConventions(t *testing.T) {
	plain, err := into(t, normNet(""), normFile("conv", "norm", "fc"))
	require.NoError(t, err)
	for _, convention := range []string{"caffe", "matconvnet"} {
		m, err := into(t, normNet(convention), normFile("conv", "norm", "fc"))
		require.NoError(t, err)
		if convention == "caffe" {
			require.Equal(t, []float32{1}, m.Weights["norm.scale_factor"].Float32s())
			for name, factor := range map[string]float32{"norm.scale_factor": 4, "norm.running_mean": 4, "norm.running_var": 4} {
				x := m.Weights[name].Clone().(*gorgonia.Dense)
				for i := range x.Float32s() {
					x.Float32s()[i] *= factor
				}
				m.Weights[name] = x
			}
		} else {
			require.InDelta(t, math.Sqrt(1.0/16+1e-5), m.Weights["norm.running_std"].Float32s()[0], 1e-7)
		}
		path := filepath.Join(t.TempDir(), "net.pt.safetensors")
		var b bytes.Buffer
		require.NoError(t, Writer.Write(&b, m, formats.WriteOptions{}))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
		again, err := readFile(path, formats.Options{Network: normNet("")})
		require.NoError(t, err)
		require.Empty(t, again.Lost)
		for name, x := range plain.Weights {
			require.InDeltaSlice(t, x.Float32s(), again.Weights[name].Float32s(), 1e-6, name)
		}
	}
}

func TestWritingNamesWhatIsWrong(t *testing.T) {
	m, err := into(t, normNet(""), normFile("conv", "norm", "fc"))
	require.NoError(t, err)
	err = Writer.Write(&bytes.Buffer{}, m, formats.WriteOptions{Preprocessing: true})
	require.ErrorContains(t, err, "preprocessing cannot be put into it")
	m.Weights["fc.bias"] = m.Weights["norm.bias"]
	require.EqualError(t, Writer.Write(&bytes.Buffer{}, m, formats.WriteOptions{}), "fc.bias has the shape [3] in the network and [2] in the weights")
	delete(m.Weights, "fc.bias")
	require.EqualError(t, Writer.Write(&bytes.Buffer{}, m, formats.WriteOptions{}), "the weights of network net have no fc.bias")
}

// torchvisionFile is a file of a network of torchvision, no two tensors alike.
func torchvisionFile(t *testing.T, name string) []made {
	t.Helper()
	for _, f := range families {
		for _, network := range f.networks {
			if network != name {
				continue
			}
			n, err := models.Torchvision(name, models.Options{Classes: 4})
			require.NoError(t, err)
			x, err := nameModules(n, f.modules(n))
			require.NoError(t, err)
			var list []made
			for _, n := range x.nodes {
				for _, s := range n.slots {
					m := made{name: join(x.modules[n.name], s.name), shape: s.shape, values: make([]float32, device.Elements(s.shape))}
					for i := range m.values {
						m.values[i] = float32(len(list)) + float32(i%101)/128
					}
					list = append(list, m)
				}
			}
			return list
		}
	}
	t.Fatal(name)
	return nil
}

func TestTorchvisionsNetworksAreRecognised(t *testing.T) {
	for _, name := range []string{"squeezenet1_1", "mobilenet_v2", "googlenet"} {
		m, err := readFile(saved(t, legacyFile(torchvisionFile(t, name))), formats.Options{})
		require.NoError(t, err)
		require.NotNil(t, m.Network, name)
		require.Equal(t, name, m.Network.Name)
		require.Equal(t, []int{3, 224, 224}, m.Network.Inputs[0].Shape)
		require.Equal(t, "resize=256,crop=224", m.Preprocess.Augment.String())
		last := m.Facts[len(m.Facts)-1]
		require.Contains(t, last, "it is that of torchvision's own weights: resize=256,crop=224, pixels from 0 to 1, mean [0.485 0.456 0.406], deviation [0.229 0.224 0.225]")
		require.Equal(t, strings.HasPrefix(name, "googlenet"), strings.Contains(last, "transform_input"), name)
		x := []float32{0.485 * 255, 255, 0.406 * 255}
		m.Preprocess.Apply(x)
		require.InDeltaSlice(t, []float32{0, (1 - 0.456) / 0.224, 0}, x, 1e-5)
		roundTrip(t, m)
	}
}

// Files that torchvision gave out have a dot more in names of DenseNets.
func TestOldNamesOfDenseNets(t *testing.T) {
	list := torchvisionFile(t, "densenet121")
	for i := range list {
		for _, part := range []string{"norm1", "norm2", "conv1", "conv2"} {
			list[i].name = strings.Replace(list[i].name, part+".", part[:4]+"."+part[4:]+".", 1)
		}
	}
	m, err := readFile(saved(t, legacyFile(list)), formats.Options{})
	require.NoError(t, err)
	require.NotNil(t, m.Network)
	require.Equal(t, "densenet121", m.Network.Name)
	require.Empty(t, m.Lost)
}

func TestNamesOfTorchvisionWithOtherShapes(t *testing.T) {
	list := torchvisionFile(t, "resnet18")
	list[0] = ramp("conv1.weight", 64, 3, 3, 3)
	m, err := readFile(saved(t, legacyFile(list)), formats.Options{})
	require.NoError(t, err)
	require.Nil(t, m.Network)
	require.Contains(t, m.Facts, "the names are those of torchvision's resnet18, but conv1.weight has the shape [64 3 3 3] and not [64 3 7 7]")
}

// Weights that are tied in the file are one in the network, and a network that shares weights
// takes those of both layers.
func TestTiedWeights(t *testing.T) {
	twins := func() *graph.Network {
		n := &graph.Network{Name: "twins"}
		n.Add("a", &layers.Dense{Out: 3}, n.Image("data", 3, 1, 1))
		n.Outputs = []string{n.Add("b", &layers.Dense{Out: 3}, "a")}
		return n
	}
	list := []made{ramp("a.weight", 3, 3), ramp("a.bias", 3), ramp("b.weight", 3, 3), ramp("b.bias", 3)}
	m, err := into(t, twins(), list)
	require.NoError(t, err)
	require.Nil(t, m.Network.Nodes[1].Share, "equal weights are not tied")
	require.Len(t, m.Weights, 4)

	shared := twins()
	shared.Nodes[1].Share = map[string]string{"weight": "a.weight"}
	m, err = into(t, shared, list)
	require.NoError(t, err)
	require.Len(t, m.Weights, 3)
	var b bytes.Buffer
	require.NoError(t, Writer.Write(&b, m, formats.WriteOptions{}))
	path := filepath.Join(t.TempDir(), "net.pt.safetensors")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
	again, err := readFile(path, formats.Options{Network: shared})
	require.NoError(t, err)
	require.Equal(t, m.Weights, again.Weights)
	list[2].values[0] = 7
	_, err = into(t, shared, list)
	require.ErrorContains(t, err, "the network has one tensor for b.weight and a.weight, and the file two that differ")

	list[2].back = 2
	given := twins()
	m, err = into(t, given, list)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"weight": "a.weight"}, m.Network.Nodes[1].Share)
	require.Len(t, m.Weights, 3)
	require.Contains(t, m.Facts, "layers share weights: 1 are those of layers before them")
	require.Empty(t, m.Lost)
	require.Nil(t, given.Nodes[1].Share, "the network that was given is as it was")
}
