package program

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

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

// paint writes a picture whose colour varies a little around one.
func paint(t *testing.T, path string, c color.RGBA, w, h, seed int) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			d := uint8((x*7 + y*13 + seed*29) % 50)
			m.SetRGBA(x, y, color.RGBA{c.R - d, c.G + d, c.B - d/2, 255})
		}
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, m))
	require.NoError(t, f.Close())
}

var paints = map[string]color.RGBA{"red": {220, 20, 60, 255}, "green": {60, 180, 60, 255}, "blue": {60, 20, 220, 255}}

// colours makes a working directory with photographs of three colours and
// weights, w.safetensors, that tell them apart.
func colours(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for class, c := range paints {
		for i := range 24 {
			paint(t, fmt.Sprintf("photos/%s/%d.png", class, i), c, 20+i, 40-i, i)
		}
	}
	augment, err := data.ParseAugment("resize=18,crop=16,flip")
	require.NoError(t, err)
	normal, err := data.ParseNormal("mean,scale=0.03")
	require.NoError(t, err)
	sets, err := data.OpenPhotos(t.Context(), data.PhotoSpec{Train: "photos", Split: "0.25"}, data.PhotoOptions{Augment: augment, Normal: normal})
	require.NoError(t, err)
	n := &graph.Network{Name: "colours"}
	in, label := n.Image("data", 3, 16, 16), n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 4, Kernel: layers.Square(3)}, in)
	x = n.Add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("pool1", &layers.Pool{Op: device.AveragePool, Window: layers.Square(7), Stride: layers.Square(7)}, x)
	x = n.Add("fc2", &layers.Dense{Out: 3}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	save(t, n, sets.Train, sets.Val, sets.Preprocess, 60)
}

// save trains a network for some updates and puts its weights into the working
// directory.
func save(t *testing.T, n *graph.Network, train, test data.Dataset, p data.Preprocess, iterations int) {
	t.Helper()
	d, err := device.Open("cpu", device.Options{Threads: 2})
	require.NoError(t, err)
	defer d.Close()
	_, err = solver.Train(t.Context(), solver.Config{
		Network: n, Device: d, Train: train, Test: test, Preprocess: p, Dir: "run",
		Optimiser: solver.Optimiser{Schedule: solver.Schedule{Policy: solver.Fixed, Rate: 0.05}, Momentum: 0.9},
		Batch:     16, Accumulate: 1, Iterations: iterations, Seed: 1,
	})
	require.NoError(t, err)
	require.NoError(t, os.Rename(filepath.Join("run", solver.BestFile), "w.safetensors"))
	require.NoError(t, os.RemoveAll("run"))
}

func TestPredict(t *testing.T) {
	colours(t)
	for class, c := range paints {
		paint(t, "new/"+class+".png", c, 90, 70, 100)
	}
	code, stdout, stderr := call("-weights", "w.safetensors", "-cpu-path", "generic", "new/green.png")
	require.Equal(t, command.Done, code, stderr)
	require.Regexp(t, `^new/green.png\n +\d+\.\d\d %  green\n +\d+\.\d\d %  \w+\n +\d+\.\d\d %  \w+\n$`, filepath.ToSlash(stdout))

	// A whole folder, in JSON, in any batch, and with ten crops.
	for _, flags := range [][]string{nil, {"-batch", "1"}, {"-batch", "2"}, {"-ten-crop"}, {"-ten-crop", "-batch", "10"}} {
		code, stdout, stderr = call(append(append([]string{"-weights", "w.safetensors", "-json", "-top", "2"}, flags...), "new", "photos/red/3.png")...)
		require.Equal(t, command.Done, code, stderr)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		require.Len(t, lines, 4)
		for i, want := range []string{"new/blue.png", "new/green.png", "new/red.png", "photos/red/3.png"} {
			var l line
			require.NoError(t, json.Unmarshal([]byte(lines[i]), &l))
			require.Equal(t, want, filepath.ToSlash(l.File))
			require.Len(t, l.Top, 2)
			require.Contains(t, want, l.Top[0].Class)
			require.Greater(t, l.Top[0].Probability, float32(0.5))
		}
	}
}

// A link to a folder is that folder, and what cannot be read in it is no harm to
// the others.
func TestPredictFollowsLinks(t *testing.T) {
	colours(t)
	paint(t, "new/red.png", paints["red"], 90, 70, 100)
	paint(t, "elsewhere/blue.png", paints["blue"], 90, 70, 100)
	paint(t, "new/@eaDir/red.png/SYNOPHOTO_THUMB_M.png", paints["red"], 9, 9, 100)
	if err := os.Symlink("../elsewhere", "new/linked"); err != nil {
		t.Skipf("this system makes no links: %v", err)
	}
	require.NoError(t, os.Symlink("new", "link"))
	code, stdout, stderr := call("-weights", "w.safetensors", "-top", "1", "link")
	require.Equal(t, command.Done, code, stderr)
	require.Regexp(t, `^link/linked/blue.png\n.* blue\nlink/red.png\n.* red\n$`, filepath.ToSlash(stdout))

	require.NoError(t, os.Symlink("..", "elsewhere/round"))
	require.NoError(t, os.Symlink("../new", "elsewhere/again"))
	code, stdout, stderr = call("-weights", "w.safetensors", "-top", "1", "link")
	require.Equal(t, command.Broken, code)
	require.Regexp(t, `^link/linked/blue.png\n.* blue\nlink/red.png\n.* red\n$`, filepath.ToSlash(stdout))
	require.Regexp(t, `^predict: link/linked/again: it is a link to a folder that it is in, .*\npredict: link/linked/round: .*\npredict: folders and links that could not be read: 2\n$`, filepath.ToSlash(stderr))
	code, stdout, _ = call("-weights", "w.safetensors", "-top", "1", "-json", "link")
	require.Equal(t, command.Broken, code)
	require.Equal(t, 4, strings.Count(stdout, "\n"))
	require.Contains(t, stdout, `"error":"it is a link to a folder that it is in`)
}

// Weights may ask for ten crops themselves.
func TestTenCropsOfTheRun(t *testing.T) {
	colours(t)
	_, one, _ := call("-weights", "w.safetensors", "-json", "photos/red")
	_, ten, _ := call("-weights", "w.safetensors", "-json", "-ten-crop", "photos/red")
	require.NotEqual(t, one, ten)
	m, err := modelfile.Read("w.safetensors")
	require.NoError(t, err)
	m.Preprocess.TenCrops = true
	d, err := device.Open("cpu", device.Options{Threads: 2})
	require.NoError(t, err)
	defer d.Close()
	p, err := predict.New(d, m, predict.Options{})
	require.NoError(t, err)
	defer p.Close()
	lines := strings.Split(ten, "\n")
	err = p.Files(t.Context(), []string{"photos/red/0.png"}, func(_ int, y predict.Prediction, err error) {
		require.NoError(t, err)
		var l line
		require.NoError(t, json.Unmarshal([]byte(lines[0]), &l))
		for k, g := range p.Top(y, 5) {
			require.Equal(t, g, l.Top[k])
		}
	})
	require.NoError(t, err)
	m.Preprocess.Augment = nil
	_, err = predict.New(d, m, predict.Options{})
	require.ErrorContains(t, err, "ten crops need a step of augmentation that crops")
}

func TestPicturesThatCannotBeRead(t *testing.T) {
	colours(t)
	b, err := os.ReadFile("photos/red/1.png")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("torn.png", b[:len(b)/2], 0o666))
	require.NoError(t, os.WriteFile("empty.jpg", nil, 0o666))
	require.NoError(t, os.WriteFile("text.jpg", []byte("hello"), 0o666))
	args := []string{"torn.png", "photos/red/1.png", "empty.jpg", "text.jpg", "photos/blue/1.png"}
	code, stdout, stderr := call(append([]string{"-weights", "w.safetensors", "-features", "fc2", "-top", "1", "-batch", "2"}, args...)...)
	require.Equal(t, command.Broken, code)
	require.Regexp(t, `^photos/red/1.png\n.*  red\nphotos/blue/1.png\n.*  blue\n$`, filepath.ToSlash(stdout))
	require.Regexp(t, "^predict: torn.png: .*\npredict: empty.jpg: it is empty\npredict: text.jpg: it is not a JPEG, PNG, GIF, BMP, TIFF or WebP\npredict: 3 of 5 pictures could not be read\n$", stderr)
	shape, _ := readFeatures(t, "fc2.npy")
	require.Equal(t, "(2, 3)", shape)

	code, stdout, _ = call(append([]string{"-weights", "w.safetensors", "-json"}, args...)...)
	require.Equal(t, command.Broken, code)
	require.Contains(t, stdout, `{"file":"empty.jpg","error":"it is empty"}`)
}

// readFeatures reads what -features has written.
func readFeatures(t *testing.T, path string) (shape string, values []float32) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	n := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	_, shape, _ = strings.Cut(string(b[10:n]), "'shape': ")
	shape, _, _ = strings.Cut(shape, ", }")
	for b = b[n:]; len(b) > 0; b = b[4:] {
		values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return shape, values
}

func TestFeatures(t *testing.T) {
	colours(t)
	code, _, stderr := call("-weights", "w.safetensors", "-features", "conv1,relu1", "-out", "of/it", "photos/green")
	require.Equal(t, command.Done, code, stderr)
	shape, before := readFeatures(t, "of/it/conv1.npy")
	require.Equal(t, "(24, 4, 14, 14)", shape)
	_, after := readFeatures(t, "of/it/relu1.npy")
	require.Len(t, after, 24*4*14*14)
	for i, v := range before {
		require.Equal(t, max(v, 0), after[i])
	}
}

// A network of digits takes the whole picture, at its size, in grey; one that
// predicts numbers prints them.
func TestOtherNetworks(t *testing.T) {
	colours(t)
	code, _, stderr := call("-weights", "w.safetensors", "-draw", "points.png", "photos/red")
	require.Equal(t, command.Wrong, code)
	require.Contains(t, stderr, "-draw is for a network that predicts points, x and y in turn, from -1 to 1")
	train, test, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Targets: 4, Train: 32, Test: 8})
	require.NoError(t, err)
	n, err := models.Build("net1", models.Options{Shape: []int{1, 12, 12}, Classes: 4})
	require.NoError(t, err)
	save(t, n, train, test, data.Preprocess{Scale: 1. / 255}, 2)
	code, stdout, stderr := call("-weights", "w.safetensors", "photos/red/1.png")
	require.Equal(t, command.Done, code, stderr)
	require.Regexp(t, `^photos/red/1.png\n  \S+ \S+ \S+ \S+\n$`, filepath.ToSlash(stdout))
	code, stdout, stderr = call("-weights", "w.safetensors", "-json", "photos/red/1.png")
	require.Equal(t, command.Done, code, stderr)
	var l line
	require.NoError(t, json.Unmarshal([]byte(stdout), &l))
	require.Len(t, l.Output, 4)
	code, _, stderr = call("-weights", "w.safetensors", "-draw", "drawn/points.png", "photos/red")
	require.Equal(t, command.Done, code, stderr)
	f, err := os.Open("drawn/points.png")
	require.NoError(t, err)
	sheet, err := png.Decode(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Greater(t, sheet.Bounds().Dx(), 2*12)
	code, _, stderr = call("-weights", "w.safetensors", "-draw", "points.jpg", "photos/red")
	require.Equal(t, command.Wrong, code)
	require.Contains(t, stderr, `-draw "points.jpg" must end in .png`)
	code, _, stderr = call("-weights", "w.safetensors", "-draw", "photos/red/1.png/points.png", "photos/red")
	require.Equal(t, command.Wrong, code)
	require.Contains(t, stderr, "-draw: photos/red/1.png is not a folder")

	code, _, stderr = call("-weights", "w.safetensors", "-ten-crop", "photos/red/1.png")
	require.Equal(t, command.Wrong, code)
	require.Contains(t, stderr, "ten crops need a network that was trained with a crop")
}

// A weights file without a tensor of its network is named once.
func TestWeightsThatDoNotFit(t *testing.T) {
	colours(t)
	tensors, metadata, err := modelfile.ReadTensors("w.safetensors")
	require.NoError(t, err)
	write := func() {
		var all []safetensors.Tensor
		for name, x := range tensors {
			all = append(all, safetensors.Tensor{Name: name, Value: x})
		}
		require.NoError(t, safetensors.Write("bad.safetensors", all, metadata))
	}
	const why = "; the file is of another network, or damaged\n"
	tensors["fc2.bias"] = tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(3))
	write()
	code, _, stderr := call("-weights", "bad.safetensors", "photos")
	require.Equal(t, command.Wrong, code)
	require.Equal(t, "predict: bad.safetensors: fc2.bias is float32 in the network and int32 in the file"+why, stderr)
	delete(tensors, "fc2.bias")
	write()
	code, _, stderr = call("-weights", "bad.safetensors", "photos")
	require.Equal(t, command.Wrong, code)
	require.Equal(t, "predict: bad.safetensors: weights of network colours are missing: fc2.bias"+why, stderr)
}

func TestRefused(t *testing.T) {
	colours(t)
	require.NoError(t, os.MkdirAll("bare", 0o777))
	for want, args := range map[string]string{
		"-weights is missing":                        "photos",
		"there is no picture":                        "-weights w.safetensors",
		"nowhere.png":                                "-weights w.safetensors nowhere.png",
		"bare: there are no pictures in it":          "-weights w.safetensors bare",
		"nowhere.safetensors":                        "-weights nowhere.safetensors photos",
		`no value "fc9"; it has data, `:              "-weights w.safetensors -features fc9 photos",
		"-top must be at least 1":                    "-weights w.safetensors -top 0 photos",
		"it is auto, avx512, avx2, neon or generic":  "-weights w.safetensors -cpu-path sse photos",
		"-out: w.safetensors is not a folder":        "-weights w.safetensors -features conv1 -out w.safetensors photos",
		"-out: stat w.safetensors/below":             "-weights w.safetensors -features conv1 -out w.safetensors/below photos",
		"-batch must be at least 1":                  "-weights w.safetensors -batch 0 photos",
		"names with commas between":                  "-weights w.safetensors -features fc2, photos",
		"-out needs -features":                       "-weights w.safetensors -out x photos",
		"flags come before pictures":                 "-weights w.safetensors photos -json",
		"device \"gpu\" is unknown":                  "-weights w.safetensors -device gpu photos",
		"flag provided but not defined: -model; -h ": "-model lenet",
	} {
		code, stdout, stderr := call(strings.Fields(args)...)
		require.Equal(t, command.Wrong, code, args)
		require.Empty(t, stdout)
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		require.Contains(t, stderr, want)
	}
	code, stdout, _ := call("-h")
	require.Equal(t, command.Done, code)
	require.Contains(t, stdout, "  -features LAYERS      write the outputs of these LAYERS")
	require.Contains(t, stdout, "0 for all\n")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, command.Interrupted, run(ctx, []string{"-weights", "w.safetensors", "photos"}, &bytes.Buffer{}, &bytes.Buffer{}))
}
