package darknet

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// tiny has each layer that is read.
const tiny = `# a comment
[net]
height=8
width = 8
channels=2
learning_rate=0.1

; another one
[convolutional]
batch_normalize=1
filters=4
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=1
[convolutional]
filters=4
size=1
groups=2
activation=mish
[shortcut]
from=-3
activation=relu
[local_avgpool]
size=2
stride=2
[upsample]
stride=2
[route]
layers=-1,3
[route]
layers=-1
groups=2
group_id=1
[activation]
activation=swish
[avgpool]
[dropout]
probability=.3
[connected]
output=5
batch_normalize=1
activation=tanh
[softmax]
temperature=2
`

// numbersOfTiny is how many its weights are.
const numbersOfTiny = 4*4 + 4*2*9 + 4 + 4*2 + 5*4 + 5*4

// bytesOf is a file of weights of version 0.2.5, or 0.1.0.
func bytesOf(old bool, values ...float32) []byte {
	b := []byte{0, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0}
	if old {
		b = []byte{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 0, 0}
	}
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// some are n numbers above 0, as variances must be.
func some(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 0.1 + float32(i*37%11)/10
	}
	return x
}

// write makes files in a new folder and returns their paths.
func write(t testing.TB, description string, weights []byte) (cfg, bin string) {
	return writeTo(t, t.TempDir(), description, weights)
}

func writeTo(t testing.TB, dir, description string, weights []byte) (cfg, bin string) {
	cfg, bin = filepath.Join(dir, "net.cfg"), filepath.Join(dir, "net.weights")
	require.NoError(t, os.WriteFile(cfg, []byte(description), 0o666))
	require.NoError(t, os.WriteFile(bin, weights, 0o666))
	return cfg, bin
}

// run gives what a network computes of an input, by the names of Values.
func run(t *testing.T, m *formats.Model, x *tensor.Dense, names ...string) [][]float32 {
	t.Helper()
	d := reference.New()
	w, err := graph.NewWeights(m.Network, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, modelfile.SetWeights(w, m.Weights, "file", nil))
	var keep []string
	for _, name := range names {
		require.Contains(t, m.Values, name)
		keep = append(keep, m.Values[name])
	}
	plan, err := m.Network.Plan(d.Traits(), graph.PlanOptions{Batch: x.Shape()[0], Keep: keep})
	require.NoError(t, err)
	e, err := graph.NewExecutor(plan, w)
	require.NoError(t, err)
	defer e.Close()
	require.NoError(t, e.Upload("data", x))
	e.Forward(graph.Pass{})
	var list [][]float32
	for _, name := range keep {
		y, err := e.Read(name)
		require.NoError(t, err)
		list = append(list, append([]float32{}, y.Float32s()...))
	}
	return list
}

func TestEveryLayerIsRead(t *testing.T) {
	for _, old := range []bool{false, true} {
		cfg, bin := write(t, tiny, bytesOf(old, some(numbersOfTiny)...))
		m, err := Reader.Read(t.Context(), []string{bin, cfg}, formats.Options{})
		require.NoError(t, err)
		require.Empty(t, m.Lost)
		require.Equal(t, []string{"softmax12"}, m.Network.Outputs)
		require.InDelta(t, 1.0/255, m.Preprocess.Scale, 1e-9)
		x := tensor.New(tensor.WithShape(1, 2, 8, 8), tensor.WithBacking(some(128)))
		y := run(t, m, x, "0", "1", "3", "4", "5", "6", "7", "9", "12")
		for i, n := range []int{256, 256, 256, 64, 256, 512, 256, 4, 5} {
			require.Len(t, y[i], n)
		}
		// A window of 2 with the stride 1 looks right and down, and keeps the size.
		require.Equal(t, max(y[0][0], y[0][1], y[0][8], y[0][9]), y[1][0])
		require.Equal(t, y[0][63], y[1][63])
		require.Equal(t, y[5][256:], y[2]) // route joins in its order
		require.Equal(t, y[5][256:], y[6]) // the second group
		sum := float32(0)
		for _, p := range y[8] {
			sum += p
		}
		require.InDelta(t, 1, sum, 1e-5)
	}
}

// The order of weights, checked by hand: biases, scales, means, variances, weights.
func TestOrderOfWeights(t *testing.T) {
	cfg, bin := write(t, "[net]\nheight=1\nwidth=2\nchannels=1\n[conv]\nbatch_normalize=1\nactivation=linear\n[conn]\noutput=1\nbatch_normalize=1\nactivation=linear\n",
		bytesOf(false, 1, 2, 3, 4, 5 /* conv */, 6, 7, 8, 9, 10, 11 /* connected */))
	m, err := Reader.Read(t.Context(), []string{cfg, bin}, formats.Options{})
	require.NoError(t, err)
	y := run(t, m, tensor.New(tensor.WithShape(1, 1, 1, 2), tensor.WithBacking([]float32{0.5, 1})), "0", "1")
	norm := func(x, bias, scale, mean, variance float64) float64 {
		return (x-mean)/math.Sqrt(variance+1e-5)*scale + bias
	}
	a, b := norm(5*0.5, 1, 2, 3, 4), norm(5*1, 1, 2, 3, 4)
	require.InDeltaSlice(t, []float32{float32(a), float32(b)}, y[0], 1e-5)
	require.InDelta(t, norm(7*a+8*b, 6, 9, 10, 11), y[1][0], 1e-4)
}

func TestHeadsAreOutputs(t *testing.T) {
	description := "[net]\nheight=4\nwidth=4\nchannels=3\n[conv]\nfilters=6\nactivation=linear\n[yolo]\nclasses=1\nanchors=1,2\n[route]\nlayers=0\n[conv]\nfilters=7\nactivation=linear\nanew=1\n[yolo]\nmask = 0\n"
	cfg, _ := write(t, description, nil)
	m, err := Reader.Read(t.Context(), []string{cfg}, formats.Options{})
	require.NoError(t, err)
	require.Nil(t, m.Weights)
	require.Equal(t, []string{"conv0", "conv3"}, m.Network.Outputs)
	require.Equal(t, "conv0", m.Values["head0"])
	require.Equal(t, "conv3", m.Values["head1"])
	require.Equal(t, []string{
		"line 8: layer 1, [yolo], computes no boxes: what it reads is the output conv0 (classes=1, anchors=1,2)",
		"line 16: [conv] anew=1 is not known",
		"line 17: layer 4, [yolo], computes no boxes: what it reads is the output conv3 (mask=0)",
	}, m.Lost)
	m, err = Reader.Read(t.Context(), []string{cfg}, formats.Options{Input: []int{3, 8, 12}})
	require.NoError(t, err)
	require.Equal(t, []int{3, 8, 12}, m.Network.Inputs[0].Shape)
}

func TestDescriptionsThatAreRefused(t *testing.T) {
	const net = "[net]\nheight=4\nwidth=4\nchannels=3\n"
	for want, description := range map[string]string{
		"a description of Darknet begins with the section [net]":                   "[conv]\n",
		`net.cfg:1: the option "a" is in no section`:                               "a=b\n",
		`net.cfg:5: "hello" is neither an option, such as filters=32, nor a sect`:  net + "hello\n",
		`net.cfg:5: "[conv" is not the name of a section`:                          net + "[conv\n",
		"net.cfg:1: an image of 1048576x65536x65536 is too large":                  "[net]\nheight=65536\nwidth=65536\nchannels=1048576\n",
		"net.cfg:6: an image of 1x65536x65536 is too large":                        net + "[conv]\n[upsample]\nstride=16384\n",
		"net.cfg: there are no layers after [net]":                                 net,
		"net.cfg:1: [net] has no channels":                                         "[net]\ninputs=9\n[conn]\n",
		"net.cfg:1: [net] has no height and width: -input 3xHxW says":              "[net]\nchannels=3\n[conv]\n",
		`net.cfg:2: [net] channels is "0", and must be a whole number from 1 to`:   "[net]\nchannels=0\n",
		"net.cfg:5: layer 0, [reorg], is not supported; the nearest that there is": net + "[reorg]\n",
		"net.cfg:5: layer 0, [x\\x00], is not supported":                           net + "[x\\x00]\n",
		`net.cfg:6: [conv] filters is "99999999999999999999", and must be a`:       net + "[conv]\nfilters=99999999999999999999\n",
		"net.cfg:5: [conv] groups=2 does not divide 3 channels":                    net + "[conv]\ngroups=2\n",
		"net.cfg:5: [conv] a window of 7 does not fit into the image 3x4x4":        net + "[conv]\nsize=7\n",
		`net.cfg:5: [conv] the activation "stair" is not supported; there are el`:  net + "[conv]\nactivation=stair\n",
		"net.cfg:6: [conv] xnor=1 is not supported":                                net + "[conv]\nxnor=1\n",
		"net.cfg:5: [conv] dilation=2 with the padding 0 and the size 3 is not":    net + "[conv]\nsize=3\ndilation=2\n",
		"net.cfg:5: [route] layers names layer 0, which is not before layer 0":     net + "[route]\nlayers=0\n",
		"net.cfg:6: [route] layers names layer -2, which is not before layer 1":    net + "[avg]\n[route]\nlayers=-3\n",
		"net.cfg:5: [route] layers is missing":                                     net + "[route]\n",
		"net.cfg:8: [route] layers joins images of the sizes 3x2x2 and 3x1x1":      net + "[max]\nstride=2\n[avg]\n[route]\nlayers=0,1\n",
		"net.cfg:7: [shortcut] from=0 is of the shape 3x4x4, and the layer before": net + "[dropout]\n[avg]\n[shortcut]\nfrom=0\n",
		"net.cfg:6: [conv] reads the boxes of the detection layer before it":       net + "[yolo]\n[conv]\n",
		"net.cfg:7: [route] layers reads layer 0, the boxes of a detection layer":  net + "[yolo]\n\n[route]\nlayers=0",
		"net.cfg:5: [dropout] probability=1 must be from 0":                        net + "[dropout]\nprobability=1\n",
		`net.cfg:6: [dropout] probability is "nan", and must be a number`:          net + "[dropout]\nprobability=nan\n",
	} {
		cfg, _ := write(t, description, nil)
		_, err := Reader.Read(t.Context(), []string{cfg}, formats.Options{})
		require.ErrorContains(t, err, want, "%s", description)
		require.NotContains(t, err.Error(), "\n")
	}
	cfg, bin := write(t, tiny, nil)
	for want, c := range map[string]struct {
		paths []string
		o     formats.Options
	}{
		"name the network's .cfg too":                        {[]string{bin}, formats.Options{}},
		"a network of Darknet has one description":           {[]string{cfg, cfg}, formats.Options{}},
		"leave out -net and -model":                          {[]string{cfg}, formats.Options{Network: &graph.Network{}}},
		"takes 2 channels, and -input has the shape [3 8 8]": {[]string{cfg}, formats.Options{Input: []int{3, 8, 8}}},
		"net.weights: truncated: weights of Darknet begin":   {[]string{cfg, bin}, formats.Options{}},
		"absent.cfg: no such file or directory":              {[]string{"absent.cfg"}, formats.Options{}},
	} {
		_, err := Reader.Read(t.Context(), c.paths, c.o)
		require.ErrorContains(t, err, want)
	}
}

// Weights that are cut anywhere, or too long, are an error; a large size costs no memory.
func TestWeightsThatDoNotFit(t *testing.T) {
	whole := bytesOf(false, some(numbersOfTiny)...)
	cfg, bin := write(t, tiny, whole)
	for n := range whole {
		require.NoError(t, os.WriteFile(bin, whole[:n], 0o666))
		_, err := Reader.Read(t.Context(), []string{cfg, bin}, formats.Options{})
		require.ErrorContains(t, err, "net.weights: ")
	}
	for want, b := range map[string][]byte{
		"it holds 141 numbers, and": append(whole, 0, 0, 0, 0),
		"are no float32 numbers":    append(whole, 0),
		"is none that Darknet has":  append([]byte{255, 255}, whole...),
	} {
		require.NoError(t, os.WriteFile(bin, b, 0o666))
		_, err := Reader.Read(t.Context(), []string{cfg, bin}, formats.Options{})
		require.ErrorContains(t, err, want)
	}
	cfg, bin = write(t, "[net]\nheight=1024\nwidth=1024\nchannels=2048\n[conn]\noutput=1048576\n", whole)
	_, err := Reader.Read(t.Context(), []string{cfg, bin}, formats.Options{})
	require.ErrorContains(t, err, "truncated, or of another network")
}

func TestIs(t *testing.T) {
	require.True(t, Reader.Is([]byte("\ufeff# x\n\n; y\n [ net ]\r\n"), "a"))
	require.False(t, Reader.Is([]byte("[package]\n"), "a.cfg"))
	require.True(t, Reader.Is(bytesOf(true), "a.weights"))
	require.False(t, Reader.Is(bytesOf(true), "a.bin"))
	require.False(t, Reader.Is([]byte("\x89PNG\r\n\x1a\n            "), "a.weights"))
}

func FuzzRead(f *testing.F) {
	f.Add(tiny, bytesOf(false, some(numbersOfTiny)...))
	f.Add("[net]\nheight=2\nwidth=2\nchannels=1\n[conv]\n", bytesOf(true, 1, 2))
	f.Add("[net]\nheight=9\nwidth=9\nchannels=1\n[max]\nsize=3\nstride=2\n[yolo]\n[route]\nlayers=-2\n", bytesOf(false))
	dir := f.TempDir() // one, which is faster
	f.Fuzz(func(t *testing.T, description string, weights []byte) {
		cfg, bin := writeTo(t, dir, description, weights)
		m, err := Reader.Read(t.Context(), []string{cfg, bin}, formats.Options{})
		if err == nil {
			require.NoError(t, m.Network.Check())
		}
	})
}

// Each activation computes what Darknet's activations.h does, to what float32 can hold.
func TestActivationsAreDarknets(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	want := map[string]func(x float64) float64{
		"relu": func(x float64) float64 { return max(x, 0) }, "relu6": func(x float64) float64 { return min(max(x, 0), 6) },
		"leaky": func(x float64) float64 { return max(x, x/10) }, "logistic": sigmoid, "tanh": math.Tanh,
		"elu": func(x float64) float64 { return max(x, 0) + min(math.Expm1(x), 0) },
		"selu": func(x float64) float64 {
			return 1.0507009873554804934 * (max(x, 0) + 1.6732632423543772848*min(math.Expm1(x), 0))
		},
		"mish":  func(x float64) float64 { return x * math.Tanh(math.Log1p(math.Exp(x))) },
		"swish": func(x float64) float64 { return x * sigmoid(x) },
		"gelu":  func(x float64) float64 { return x / 2 * (1 + math.Tanh(0.797885*(x+0.044715*x*x*x))) },
	}
	x := []float32{-2, -0.5, 0, 3, 7}
	for name, make := range activations {
		f, ok := want[name]
		require.True(t, ok, name)
		n := &graph.Network{}
		n.Image("data", 1, 1, len(x))
		n.Outputs = []string{n.Add("y", make(), "data")}
		d := reference.New()
		w, err := graph.NewWeights(n, d)
		require.NoError(t, err)
		p, err := n.Plan(d.Traits(), graph.PlanOptions{Batch: 1})
		require.NoError(t, err)
		e, err := graph.NewExecutor(p, w)
		require.NoError(t, err)
		require.NoError(t, e.Upload("data", tensor.New(tensor.WithShape(1, 1, 1, len(x)), tensor.WithBacking(x))))
		e.Forward(graph.Pass{})
		y, err := e.Read("y")
		require.NoError(t, err)
		for i, v := range x {
			require.InDelta(t, f(float64(v)), y.Float32s()[i], 2e-6, "%s of %g", name, v)
		}
		require.NoError(t, e.Close())
		require.NoError(t, w.Close())
	}
	require.Len(t, want, len(activations))
}
