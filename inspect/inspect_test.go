package inspect

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/layers/layerstest"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/predict"
)

// set is a weight of a model.
func set(m *modelfile.Model, name string, shape []int, values ...float32) {
	m.Weights[name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

// dots is a network of 8x8 images with one filter that finds a dot: class "dot" has its
// largest response as the score, and class "none" minus that.
func dots(drop layers.Layer) *modelfile.Model {
	n := &graph.Network{Name: "dots"}
	x := n.Add("conv", &layers.Conv{Filters: 1, Kernel: layers.Square(3), NoBias: true}, n.Image("data", 1, 8, 8))
	x = n.Add("relu", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("top", &layers.Pool{Op: device.MaxPool, Global: true}, x)
	if drop != nil {
		x = n.Add("drop", drop, x)
	}
	x = n.Add("scores", &layers.Dense{Out: 2, NoBias: true}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	label := n.Label("label")
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	m := &modelfile.Model{Network: n, Classes: []string{"dot", "none"}, Weights: map[string]*tensor.Dense{}, Preprocess: data.Preprocess{Scale: 1. / 255}}
	set(m, "conv.weight", []int{1, 1, 3, 3}, -1, -1, -1, -1, 8, -1, -1, -1, -1)
	set(m, "scores.weight", []int{2, 1}, 1./8, -1./8)
	return m
}

// dotAt is an image with a dot in a row and a column.
func dotAt(row, column int) []float32 {
	x := make([]float32, 64)
	x[8*row+column] = 255
	return x
}

func inspector(t *testing.T, d device.Device, m *modelfile.Model) *Inspector {
	t.Helper()
	x, err := New(d, m)
	require.NoError(t, err)
	return x
}

// onDevices runs a test on the CPU, on the reference device and on the simulator.
func onDevices(t *testing.T, test func(t *testing.T, d device.Device)) {
	for _, name := range []string{"cpu", "reference", "ptxsim"} {
		t.Run(name, func(t *testing.T) {
			d, err := device.Open(name, device.Options{Threads: 2})
			require.NoError(t, err)
			defer func() { require.NoError(t, d.Close()) }()
			test(t, d)
		})
	}
}

func TestADot(t *testing.T) {
	onDevices(t, func(t *testing.T, d device.Device) {
		for _, drop := range []layers.Layer{nil, &layers.Dropout{P: 0.9}, &layers.GaussianNoise{StdDev: 100}} {
			x := inspector(t, d, dots(drop))
			require.Equal(t, []int{1, 8, 8}, x.Shape())
			sample := dotAt(2, 5)

			all, err := x.Predict(t.Context(), sample)
			require.NoError(t, err)
			require.Equal(t, "dot", all[0].Class)
			p := 1 / (1 + math.Exp(-2))
			require.InDelta(t, p, all[0].Probability, 1e-5)

			maps, err := x.Activations(t.Context(), sample, "relu")
			require.NoError(t, err)
			require.Len(t, maps, 1)
			want := make([]float32, 36)
			want[1*6+4] = 8
			require.Equal(t, 6, maps[0].H)
			require.InDeltaSlice(t, want, maps[0].Values, 1e-4)

			// Grad-CAM: the score changes by 1/8 where the maximum is, the mean of 36
			// places is 1/288, and times 8 that is 1/36.
			last, err := x.LastConvolution()
			require.NoError(t, err)
			require.Equal(t, "relu", last)
			cam, err := x.GradCAM(sample, 0, last)
			require.NoError(t, err)
			want[1*6+4] = 1. / 36
			require.InDeltaSlice(t, want, cam.Values, 1e-6)
			cam, err = x.GradCAM(sample, 1, last) // which the dot speaks against
			require.NoError(t, err)
			require.InDeltaSlice(t, make([]float32, 36), cam.Values, 0)

			// Saliency: the filter around the dot, times 1/8.
			for class := range 2 {
				m, err := x.Saliency(sample, class)
				require.NoError(t, err)
				for i, v := range m.Values {
					row, column := i/8, i%8
					switch {
					case row == 2 && column == 5:
						require.InDelta(t, 1, v, 1e-5)
					case row >= 1 && row <= 3 && column >= 4 && column <= 6:
						require.InDelta(t, 1./8, v, 1e-6)
					default:
						require.Zero(t, v)
					}
				}
			}
		}
	})
}

// A square of the background's value changes nothing unless it covers the dot: then
// both classes have one half.
func TestOcclusionOfADot(t *testing.T) {
	onDevices(t, func(t *testing.T, d device.Device) {
		x := inspector(t, d, dots(nil))
		p := 1 / (1 + math.Exp(-2))
		for _, o := range []Occluder{{Size: 3, Step: 1}, {Size: 3, Step: 2}, {Size: 1, Step: 1}, {Size: 8, Step: 8}, {Size: 5, Step: 4}} {
			m, err := x.Occlusion(t.Context(), dotAt(2, 5), 0, o)
			require.NoError(t, err)
			for i, v := range m.Values {
				sum, count := 0.0, 0
				for row := 0; row <= 8-o.Size; row++ {
					for column := 0; column <= 8-o.Size; column++ {
						placed := func(at int) bool { return at%o.Step == 0 || at == 8-o.Size }
						covers := func(r, c int) bool {
							return r >= row && r < row+o.Size && c >= column && c < column+o.Size
						}
						if !placed(row) || !placed(column) || !covers(i/8, i%8) {
							continue
						}
						count++
						if covers(2, 5) {
							sum += 0.5
						} else {
							sum += p
						}
					}
				}
				require.InDelta(t, sum/float64(count), v, 1e-5, "%v at %d", o, i)
			}
		}
		// A white square without an edge inside the image hides the dot, too.
		m, err := x.Occlusion(t.Context(), dotAt(2, 5), 0, Occluder{Size: 8, Step: 1, Value: 255})
		require.NoError(t, err)
		require.InDelta(t, 0.5, m.Values[0], 1e-5)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = x.Occlusion(ctx, dotAt(2, 5), 0, Occluder{Size: 3, Step: 1})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// write writes a grey picture of a sample, and returns its name.
func write(t *testing.T, dir string, i int, x []float32) string {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 8, 8))
	for p, v := range x {
		m.SetGray(p%8, p/8, color.Gray{uint8(v)})
	}
	name := filepath.Join(dir, fmt.Sprintf("%02d.png", i))
	f, err := os.Create(name)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, m))
	require.NoError(t, f.Close())
	return name
}

func TestProjectADot(t *testing.T) {
	dir := t.TempDir()
	torn := filepath.Join(dir, "torn.png")
	require.NoError(t, os.WriteFile(torn, []byte("hello"), 0o666))
	var names []string
	for i := range 6 { // brighter from one to the next
		x := dotAt(1+i%3, 5)
		for p := range x {
			x[p] *= float32(i+1) / 6
		}
		names = append(names, write(t, dir, i, x), torn)
	}
	onDevices(t, func(t *testing.T, d device.Device) {
		x := inspector(t, d, dots(nil))
		for _, rule := range []Rule{Gradient, Deconv, Guided} {
			skipped := 0
			unit, list, err := x.Project(t.Context(), names, Projection{Layer: "relu", Unit: -1, Most: 4, Rule: rule}, func(name string, err error) {
				require.Equal(t, torn, name)
				require.ErrorContains(t, err, "torn.png")
				skipped++
			})
			require.NoError(t, err)
			require.Zero(t, unit)
			require.Equal(t, 6, skipped)
			require.Len(t, list, 4)
			for k, r := range list {
				i := 5 - k
				require.Equal(t, names[2*i], r.Name)
				require.Equal(t, [2]int{i % 3, 4}, [2]int{r.Row, r.Column})
				require.InDelta(t, 8*float64(int(255*float32(i+1)/6))/255, r.Activation, 1e-4)
				require.Equal(t, image.Rect(4, i%3, 7, 3+i%3), r.Field)
				require.Equal(t, float32(int(255*float32(i+1)/6)), r.Sample[8*(1+i%3)+5])
				for p, v := range r.Pixels {
					want := 0.0
					if image.Pt(p%8, p/8).In(r.Field) {
						want = -1
					}
					if p == 8*(1+i%3)+5 {
						want = 8
					}
					require.InDelta(t, want, v, 1e-4)
				}
			}
		}
	})
}

// The rules differ at a ReLU whose input, or gradient, is negative.
func TestRules(t *testing.T) {
	n := &graph.Network{Name: "rules"}
	x := n.Add("conv1", &layers.Conv{Filters: 2, Kernel: layers.Square(1), NoBias: true}, n.Image("data", 1, 8, 8))
	x = n.Add("relu", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("conv2", &layers.Conv{Filters: 1, Kernel: layers.Square(1)}, x)
	n.Outputs = []string{x}
	m := &modelfile.Model{Network: n, Weights: map[string]*tensor.Dense{}, Preprocess: data.Preprocess{Mean: []float32{128}}}
	set(m, "conv1.weight", []int{2, 1, 1, 1}, 1, 1)
	set(m, "conv2.weight", []int{1, 2, 1, 1}, 1, -3)
	set(m, "conv2.bias", []int{1}, 0)
	low, high := make([]float32, 64), make([]float32, 64)
	for i := range low {
		low[i], high[i] = 100, 200
	}
	dir := t.TempDir()
	names := []string{write(t, dir, 0, low), write(t, dir, 1, high)}
	onDevices(t, func(t *testing.T, d device.Device) {
		x := inspector(t, d, m)
		for rule, want := range map[Rule][2]float32{Gradient: {0, -2}, Deconv: {1, 1}, Guided: {0, 1}} {
			for i, name := range names {
				_, list, err := x.Project(t.Context(), []string{name}, Projection{Layer: "conv2", Most: 1, Rule: rule}, nil)
				require.NoError(t, err)
				require.Equal(t, want[i], list[0].Pixels[0], "%s of %d", rule, i)
				require.Zero(t, list[0].Pixels[1])
			}
		}
	})
}

// small is a smooth network with weights by chance, whose layers differ between training
// and inference.
func small(t *testing.T) *modelfile.Model {
	t.Helper()
	n := &graph.Network{Name: "small"}
	x := n.Add("conv1", &layers.Conv{Filters: 3, Kernel: layers.Square(3), Pad: layers.Around(1)}, n.Image("data", 2, 6, 5))
	x = n.Add("norm1", &layers.BatchNorm{}, x)
	x = n.Add("tanh1", &layers.Unary{Op: device.Tanh}, x)
	x = n.Add("pool1", &layers.Pool{Op: device.AveragePool, Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("drop1", &layers.Dropout{P: 0.5}, x)
	x = n.Add("fc2", &layers.DropConnect{Dense: layers.Dense{Out: 4}, P: 0.5}, x)
	x = n.Add("tanh2", &layers.Unary{Op: device.Tanh}, x)
	x = n.Add("scores", &layers.Dense{Out: 3}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, n.Label("label"))
	w, err := graph.NewWeights(n, reference.New())
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Fill(7))
	m := &modelfile.Model{Network: n, Weights: map[string]*tensor.Dense{}, Preprocess: data.Preprocess{Mean: []float32{120, 130}, Scale: 1. / 64}}
	for _, name := range w.Names() {
		m.Weights[name], err = w.Get(name)
		require.NoError(t, err)
	}
	set(m, "norm1.running_mean", []int{3}, 0.5, -1, 0.25)
	set(m, "norm1.running_var", []int{3}, 0.5, 2, 4)
	return m
}

// Saliency is the larger of the two channels' slopes of a score.
func TestSaliencyAgainstDifferences(t *testing.T) {
	x := inspector(t, reference.New(), small(t))
	sample := make([]float32, 60)
	for i := range sample {
		sample[i] = float32((i * 83) % 256)
	}
	p, err := x.predictor(1, "scores")
	require.NoError(t, err)
	defer p.Close()
	scores := func(i int, by float32) []float32 {
		moved := append([]float32(nil), sample...)
		moved[i] += by
		y, err := p.Predict(t.Context(), moved)
		require.NoError(t, err)
		return y[0].Features[0]
	}
	for class := range 3 {
		m, err := x.Saliency(sample, class)
		require.NoError(t, err)
		require.Equal(t, [2]int{6, 5}, [2]int{m.H, m.W})
		for pixel, v := range m.Values {
			want := 0.0
			for c := range 2 {
				const step = 1. / 4 // of 64 that the input is divided by
				slope := float64(scores(c*30+pixel, step)[class]-scores(c*30+pixel, -step)[class]) / (2 * step / 64)
				want = max(want, math.Abs(slope))
			}
			require.InDelta(t, want, v, 2e-4*max(1, want), "class %d, pixel %d", class, pixel)
		}
	}
}

func TestTheLastConvolution(t *testing.T) {
	last, err := inspector(t, reference.New(), small(t)).LastConvolution()
	require.NoError(t, err)
	require.Equal(t, "tanh1", last, "behind the normalisation")
}

// State is as in inference, and stays so.
func TestStateIsNotUpdated(t *testing.T) {
	n := &graph.Network{Name: "state"}
	x := n.Add("mean", &layerstest.RunningMean{}, n.Image("data", 1, 2, 2))
	n.Outputs = []string{n.Add("scores", &layers.Dense{Out: 1}, x)}
	m := &modelfile.Model{Network: n, Weights: map[string]*tensor.Dense{}}
	set(m, "scores.weight", []int{1, 4}, 1, 2, 3, 4)
	set(m, "scores.bias", []int{1}, 0)
	set(m, "mean.mean", []int{1}, 10)
	set(m, "mean.calls", []int{1}, 3)
	onDevices(t, func(t *testing.T, d device.Device) {
		b, err := inspector(t, d, m).backward("mean", Gradient)
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, b.run([]float32{11, 12, 13, 14}, []float32{0, 1, 0, 2}))
			y, err := b.read("mean")
			require.NoError(t, err)
			require.Equal(t, []float32{1, 2, 3, 4}, y)
			dx, err := b.read("data/d")
			require.NoError(t, err)
			require.Equal(t, []float32{0, 1, 0, 2}, dx)
		}
		require.NoError(t, b.Close())
	})
}

func TestEnlarge(t *testing.T) {
	m := Map{2, 2, []float32{0, 4, 8, 12}}
	require.Equal(t, m, m.Enlarge(2, 2))
	require.Equal(t, []float32{0, 1, 3, 4, 2, 3, 5, 6, 6, 7, 9, 10, 8, 9, 11, 12}, m.Enlarge(4, 4).Values)
	require.Equal(t, []float32{5, 5, 5}, Map{1, 1, []float32{5}}.Enlarge(1, 3).Values)
	require.Equal(t, []float32{6}, m.Enlarge(1, 1).Values)
}

// random draws numbers in training, and keeps them.
type random struct{ layers.Flatten }

func (random) Plan(t device.Traits, in []layers.Input, o layers.Options) (layers.Spec, error) {
	s := layers.Spec{Out: in, Streams: 1}
	if o.Train {
		s.Saved = []layers.Slot{{Name: "drawn", Shape: tensor.Shape{1}}}
	}
	return s, nil
}

func TestRefused(t *testing.T) {
	d := reference.New()
	_, err := New(nil, dots(nil))
	require.Error(t, err)
	_, err = New(d, &modelfile.Model{})
	require.Error(t, err)
	none := dots(nil)
	none.Network.Outputs = nil
	_, err = New(d, none)
	require.ErrorContains(t, err, "no outputs")

	x := inspector(t, d, dots(nil))
	for text, want := range map[string]int{"dot": 0, "none": 1, "1": 1} {
		class, err := x.Class(text)
		require.NoError(t, err)
		require.Equal(t, want, class)
	}
	for _, text := range []string{"2", "-1", "cat", ""} {
		_, err = x.Class(text)
		require.EqualError(t, err, fmt.Sprintf("there is no class %q: give a name that the weights file has, or a number from 0 to 1", text))
	}
	sample := dotAt(1, 1)
	for layer, want := range map[string]string{
		"scores": "scores makes 2, not maps: name a layer whose output is channels x height x width",
		"data":   "data is the image: name a layer",
		"conv9":  `no value "conv9"; it has data, label, conv, `,
		"loss":   "loss makes a number, not maps",
	} {
		_, err = x.Activations(t.Context(), sample, layer)
		require.ErrorContains(t, err, want)
		_, err = x.GradCAM(sample, 0, layer)
		require.ErrorContains(t, err, want)
		_, _, err = x.Project(t.Context(), nil, Projection{Layer: layer, Most: 1, Rule: Deconv}, nil)
		require.ErrorContains(t, err, want)
	}
	for want, p := range map[string]Projection{
		"unit 1 must be 0 to 0, the channels of conv":                    {Layer: "conv", Unit: 1, Most: 1, Rule: Deconv},
		"0 pictures must be at least 1":                                  {Layer: "conv", Rule: Deconv},
		`rule "other" is unknown; there are deconv, guided and gradient`: {Layer: "conv", Most: 1, Rule: "other"},
	} {
		require.EqualError(t, x.Check(p), want)
	}
	for want, o := range map[string]Occluder{
		"size 0 of the square must be 1 to 8, the shorter side of the image": {Step: 1},
		"size 9 of": {Size: 9, Step: 1},
		"step 0 of the square must be 1 to 3, its size": {Size: 3},
		"step 4 of": {Size: 3, Step: 4},
		"value 256": {Size: 3, Step: 1, Value: 256},
		"value NaN": {Size: 3, Step: 1, Value: float32(math.NaN())},
	} {
		_, err = x.Occlusion(t.Context(), sample, 0, o)
		require.ErrorContains(t, err, want)
	}
	aside := dots(nil)
	aside.Network.Add("aside", &layers.Unary{Op: device.ReLU}, "conv")
	_, err = inspector(t, d, aside).GradCAM(sample, 0, "aside")
	require.EqualError(t, err, "the scores of classes, scores, do not depend on aside: name a layer before")
	last, err := inspector(t, d, aside).LastConvolution()
	require.NoError(t, err)
	require.Equal(t, "conv", last, "two layers read it")

	_, err = inspector(t, d, dots(&random{})).Saliency(sample, 0)
	require.ErrorContains(t, err, "drop: a layer of the type flatten has no gradient in inference")

	spoilt := dots(nil)
	set(spoilt, "scores.weight", []int{2, 1}, 1, float32(math.NaN()))
	_, err = inspector(t, d, spoilt).Saliency(sample, 0)
	require.ErrorAs(t, err, new(predict.FailedError))

	flat := &graph.Network{Name: "flat"}
	flat.Outputs = []string{flat.Add("fc", &layers.Dense{Out: 1}, flat.Image("data", 4, 1, 1))}
	x = inspector(t, d, &modelfile.Model{Network: flat})
	_, err = x.LastConvolution()
	require.ErrorContains(t, err, "network flat has no convolution")
}
