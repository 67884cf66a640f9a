package program

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/predict"
	"github.com/hubel-go/hubel/solver"
)

// call runs the program in the working directory.
func call(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(context.Background(), args, &out, &err)
	return code, out.String(), err.String()
}

// paint writes a grey picture of an image, 1x12x12.
func paint(t *testing.T, path string, pixels []float32) {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 12, 12))
	for i, v := range pixels {
		m.SetGray(i%12, i/12, color.Gray{uint8(v)})
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, m))
	require.NoError(t, f.Close())
}

// digits makes a working directory with pictures and weights, w.safetensors, of a small
// network that was trained on such pictures.
func digits(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	n := &graph.Network{Name: "small"}
	in, label := n.Image("data", 1, 12, 12), n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 4, Kernel: layers.Square(3)}, in)
	x = n.Add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("pool1", &layers.Pool{Op: device.MaxPool, Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("drop1", &layers.Dropout{P: 0.2}, x)
	x = n.Add("conv2", &layers.Conv{Filters: 6, Kernel: layers.Square(3)}, x)
	x = n.Add("relu2", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("fc3", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	train, test, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Train: 320, Test: 20})
	require.NoError(t, err)
	d, err := device.Open("cpu", device.Options{Threads: 2})
	require.NoError(t, err)
	defer d.Close()
	_, err = solver.Train(t.Context(), solver.Config{
		Network: n, Device: d, Train: train, Test: test, Dir: "run",
		Preprocess: data.Preprocess{Mean: []float32{128}, Scale: 1. / 64},
		Optimiser:  solver.Optimiser{Schedule: solver.Schedule{Policy: solver.Fixed, Rate: 0.05}, Momentum: 0.9},
		Batch:      16, Accumulate: 1, Iterations: 40, Seed: 1,
	})
	require.NoError(t, err)
	require.NoError(t, os.Rename(filepath.Join("run", solver.BestFile), "w.safetensors"))
	require.NoError(t, os.RemoveAll("run"))
	pixels := make([]float32, 144)
	for i := range 12 {
		_, err := test.Read(pixels, i)
		require.NoError(t, err)
		paint(t, fmt.Sprintf("photos/%02d.png", i), pixels)
	}
}

// size is that of a PNG file.
func size(t *testing.T, path string) image.Point {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	m, err := png.Decode(f)
	require.NoError(t, err)
	return m.Bounds().Size()
}

func TestShow(t *testing.T) {
	digits(t)
	const one = " -image photos/03.png"
	for args, want := range map[string]string{
		"filters":                                          `^4 filters of conv1, 1x3x3 in OUT\n$`,
		"filters -layer conv2":                             `^6 filters of conv2, 4x3x3 in OUT\n$`,
		"activations -layer conv1" + one:                   `^4 maps of conv1, 10x10, -?[\d.]+ to [\d.]+ in OUT\n$`,
		"activations -layer relu2 -scale all" + one:        `^6 maps of relu2, 3x3, 0 to [\d.]+ in OUT\n$`,
		"saliency" + one:                                   `^saliency of \d \([\d.e-]+\), gradient [\d.e-]+ to [\d.e-]+ in OUT\n$`,
		"saliency -class 7" + one:                          `^saliency of 7 \([\d.e-]+\), gradient .* in OUT\n$`,
		"occlusion" + one:                                  `^occlusion of \d \([\d.e-]+\) by 1x1 every 1 pixels, covered [\d.e-]+ to [\d.e-]+ in OUT\n$`,
		"occlusion -class 2 -size 4 -step 2 -grey 0" + one: `^occlusion of 2 \([\d.e-]+\) by 4x4 every 2 pixels, covered .* in OUT\n$`,
		"deconv" + one:                                     `^unit \d of relu2, [\d.]+ at the strongest, in 1 of 1 pictures in OUT\n$`,
		"deconv -layer conv1 -unit 2 -rule guided -images photos": `^unit 2 of conv1, -?[\d.]+ at the strongest, in 9 of 12 pictures in OUT\n$`,
		"gradcam" + one: `^Grad-CAM of \d \([\d.e-]+\), relu2 [\d.e-]+ to [\d.e-]+ in OUT\n$`,
		"gradcam -layer pool1 -class 0 -device reference" + one: `^Grad-CAM of 0 \([\d.e-]+\), pool1 .* in OUT\n$`,
		"receptive-field" + one:                                 `(?s)^.*\nfields of the middle units of 4 layers in OUT\n$`,
	} {
		code, stdout, stderr := call(append(strings.Fields(args), "-weights", "w.safetensors", "-out", "of/it.png")...)
		require.Equal(t, command.Done, code, "%s: %s", args, stderr)
		require.Empty(t, stderr)
		require.Regexp(t, want, strings.ReplaceAll(filepath.ToSlash(stdout), "of/it.png", "OUT"), args)
		require.Greater(t, size(t, "of/it.png").X, 100, args)
		require.NoError(t, os.RemoveAll("of"))
	}
}

func TestTables(t *testing.T) {
	digits(t)
	code, stdout, stderr := call("receptive-field", "-weights", "w.safetensors")
	require.Equal(t, command.Done, code, stderr)
	var rows []string
	for line := range strings.Lines(stdout) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	require.Equal(t, []string{
		"layer type output receptive field stride offset",
		"conv1 conv 4x10x10 3 1 0",
		"relu1 relu 4x10x10 3 1 0",
		"pool1 max-pool 4x5x5 4 2 0",
		"drop1 dropout 4x5x5 4 2 0",
		"conv2 conv 6x3x3 8 2 0",
		"relu2 relu 6x3x3 8 2 0",
		"fc3 dense 10 12 0",
		"prob softmax 10 12 0",
	}, rows)

	// LeNet-5, line by line.
	n, err := models.Build("lenet5", models.Options{})
	require.NoError(t, err)
	save(t, n, "lenet5.safetensors")
	code, stdout, stderr = call("parameters", "-weights", "lenet5.safetensors")
	require.Equal(t, command.Done, code, stderr)
	for _, line := range []string{
		`conv1 +conv +6x28x28 +156 +0.24`, `conv2 +conv +16x10x10 +2,416 +0.48`, `conv3 +conv +120x1x1 +48,120 +0.10`,
		`fc4 +dense +84 +10,164 +0.02`, `fc5 +dense +10 +850 +0.00`, `total +61,706 +0.83`,
	} {
		require.Regexp(t, line, stdout)
	}
}

// save writes a weights file of an untrained network.
func save(t *testing.T, n *graph.Network, path string) {
	t.Helper()
	d, err := device.Open("cpu", device.Options{Threads: 1})
	require.NoError(t, err)
	defer d.Close()
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Fill(1))
	list, err := modelfile.Download(w)
	require.NoError(t, err)
	metadata, err := modelfile.Encode(n, data.Preprocess{}, nil)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(path, list, metadata))
}

// Pictures of a folder that cannot be read are named, and the others are drawn.
func TestPicturesThatCannotBeRead(t *testing.T) {
	digits(t)
	require.NoError(t, os.WriteFile("photos/torn.jpg", []byte("hello"), 0o666))
	args := []string{"deconv", "-weights", "w.safetensors", "-images", "photos", "-out", "out.png"}
	code, stdout, stderr := call(args...)
	require.Equal(t, command.Broken, code)
	require.Contains(t, stdout, "in 9 of 13 pictures in out.png")
	require.Regexp(t, `^show: photos/torn.jpg: .*\nshow: 1 pictures could not be read, or gave NaN\n$`, filepath.ToSlash(stderr))
	for i := range 12 {
		require.NoError(t, os.Remove(fmt.Sprintf("photos/%02d.png", i)))
	}
	require.NoError(t, os.Remove("out.png"))
	code, stdout, stderr = call(args...)
	require.Equal(t, command.Broken, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "show: none of 1 pictures could be read, or all gave NaN\n")
	require.NoFileExists(t, "out.png")
}

func TestNaN(t *testing.T) {
	digits(t)
	m, err := modelfile.Read("w.safetensors")
	require.NoError(t, err)
	metadata, err := modelfile.Encode(m.Network, m.Preprocess, m.Classes)
	require.NoError(t, err)
	spoil := func(value float32) {
		var list []safetensors.Tensor
		for name, x := range m.Weights {
			if name == "fc3.bias" {
				require.NoError(t, x.Memset(value))
			}
			list = append(list, safetensors.Tensor{Name: name, Value: x})
		}
		require.NoError(t, safetensors.Write("spoilt.safetensors", list, metadata))
	}
	for value, want := range map[float32]string{
		float32(math.NaN()):  "show: spoilt.safetensors: the weights are spoilt: 10 of the 10 values of fc3.bias are NaN\n",
		float32(math.Inf(1)): "show: " + predict.ErrNaN.Error() + "\n",
	} {
		spoil(value)
		for _, verb := range []string{"saliency", "occlusion", "gradcam"} {
			code, stdout, stderr := call(verb, "-weights", "spoilt.safetensors", "-image", "photos/01.png", "-class", "1", "-out", "out.png")
			require.Equal(t, command.Broken, code)
			require.Empty(t, stdout)
			require.Equal(t, want, stderr)
			require.NoFileExists(t, "out.png")
		}
	}
}

func TestRefused(t *testing.T) {
	digits(t)
	require.NoError(t, os.MkdirAll("bare", 0o777))
	require.NoError(t, os.WriteFile("text.png", []byte("hello"), 0o666))
	flat := &graph.Network{Name: "flat"}
	flat.Outputs = []string{flat.Add("fc", &layers.Dense{Out: 2}, flat.Image("data", 1, 12, 12))}
	save(t, flat, "flat.safetensors")
	const file, picture, out = " -weights w.safetensors", " -image photos/01.png", " -out out.png"
	files := func() (list []string) {
		require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
			list = append(list, path)
			return err
		}))
		return list
	}
	before := files()
	for args, want := range map[string]string{
		"":                                                            "the first word says what to show: filters, parameters, receptive-field, activations, saliency, occlusion, deconv, gradcam; -h lists the flags",
		"-weights w.safetensors filters":                              "the first word says what to show",
		"weights":                                                     `there is no "weights" to show: there are filters, `,
		"filters -out out.png":                                        "-weights is missing, such as ",
		"filters" + file:                                              "filters needs -out",
		"filters -step 1" + file + out:                                "-step has no meaning for filters; it takes -weights, -layer, -out",
		"filters -out out.jpg" + file:                                 `-out "out.jpg" must end in .png`,
		"filters -out text.png/out.png" + file:                        "-out: text.png is not a folder",
		"filters -layer fc3" + file + out:                             "layer fc3, of the type dense, has no filters: name a convolution",
		"filters -layer conv9" + file + out:                           `network small has no layer "conv9"`,
		"filters -weights flat.safetensors" + out:                     "network flat has no convolution",
		"filters -weights nowhere.safetensors" + out:                  "nowhere.safetensors",
		"filters photos" + file + out:                                 `"photos" is no flag; a picture is -image FILE`,
		"parameters -out out.png" + file:                              "-out has no meaning for parameters; it takes -weights, -device, ",
		"receptive-field" + file + picture:                            "-image and -out belong together",
		"receptive-field" + file + out:                                "-image and -out belong together",
		"receptive-field -image text.png" + file + out:                "text.png: it is not a JPEG, PNG, ",
		"activations" + file + picture + out:                          "activations needs -layer",
		"activations -layer fc3" + file + picture + out:               "fc3 makes 10, not maps: name a layer whose output is channels x height x width",
		"activations -layer conv9" + file + picture + out:             `no value "conv9"`,
		"activations -layer conv1 -scale some" + file + picture + out: `-scale "some" is unknown; there are each and all`,
		"saliency" + file + out:                                       "saliency needs -image",
		"saliency -image nowhere.png" + file + out:                    "nowhere.png",
		"saliency -class cat" + file + picture + out:                  `there is no class "cat": give a name that the weights file has, or a number from 0 to 9`,
		"saliency -class 10" + file + picture + out:                   `there is no class "10"`,
		"saliency -device gpu" + file + picture + out:                 `device "gpu" is unknown`,
		"saliency -cpu-path sse" + file + picture + out:               "it is auto, avx512, avx2, neon or generic",
		"saliency -threads -1" + file + picture + out:                 "-threads must be at least 0",
		"occlusion -size 13" + file + picture + out:                   "size 13 of the square must be 1 to 12, the shorter side of the image",
		"occlusion -size 0" + file + picture + out:                    "-size must be at least 1",
		"occlusion -step 0" + file + picture + out:                    "-step must be at least 1",
		"occlusion -size 2 -step 3" + file + picture + out:            "step 3 of the square must be 1 to 2, its size",
		"occlusion -grey 300" + file + picture + out:                  "value 300 of the square must be 0 to 255",
		"deconv" + file + out:                                         "deconv needs either -image or -images",
		"deconv -images photos" + file + picture + out:                "deconv needs either -image or -images",
		"deconv -images bare" + file + out:                            "bare: there are no pictures in it",
		"deconv -images nowhere" + file + out:                         "nowhere",
		"deconv -unit -1" + file + picture + out:                      "-unit must be at least 0",
		"deconv -unit 6" + file + picture + out:                       "unit 6 must be 0 to 5, the channels of relu2",
		"deconv -rule other" + file + picture + out:                   `rule "other" is unknown; there are deconv, guided and gradient`,
		"gradcam -layer fc3" + file + picture + out:                   "fc3 makes 10, not maps",
		"gradcam -weights flat.safetensors" + picture + out:           "network flat has no convolution",
	} {
		code, stdout, stderr := call(strings.Fields(args)...)
		require.Equal(t, command.Wrong, code, "%s: %s", args, stderr)
		require.Empty(t, stdout, args)
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		require.Contains(t, stderr, want, args)
		require.Equal(t, before, files(), args)
	}
	for _, args := range [][]string{{"-h"}, {"saliency", "-h"}} {
		code, stdout, _ := call(args...)
		require.Equal(t, command.Done, code)
		require.Contains(t, stdout, "  gradcam          where a convolution finds a class\n                   takes -image -class -layer -out\n")
		require.Contains(t, stdout, "  -images FOLDER        FOLDER of pictures")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, command.Interrupted, run(ctx, strings.Fields("occlusion"+file+picture+out), &bytes.Buffer{}, &bytes.Buffer{}))
}
