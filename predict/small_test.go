package predict

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// corners is a network that says what the first and the last value of a sample
// are, and has a feature of them doubled.
func corners(shape ...int) *modelfile.Model {
	n := &graph.Network{Name: "corners"}
	x := n.Add("corner", &layers.Dense{Out: 2}, n.Image("data", shape...))
	n.Outputs = []string{x}
	n.Add("twice", &layers.Scale{Factor: 2}, x)
	n.Add("loss", &layers.L2Loss{}, x, n.Target("target", 2))
	each := tensor.Shape(shape).TotalSize()
	w := make([]float32, 2*each)
	w[0], w[2*each-1] = 1, 1
	return &modelfile.Model{Network: n, Weights: map[string]*tensor.Dense{
		"corner.weight": tensor.New(tensor.WithShape(2, each), tensor.WithBacking(w)),
		"corner.bias":   tensor.New(tensor.WithShape(2), tensor.WithBacking(make([]float32, 2))),
	}}
}

func newPredictor(t *testing.T, m *modelfile.Model, o Options) *Predictor {
	t.Helper()
	p, err := New(reference.New(), m, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// picture is a PNG of h by w pixels whose value at y, x is first+10*y+x.
func picture(t *testing.T, h, w, first int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetGray(x, y, color.Gray{Y: uint8(first + 10*y + x)})
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

// pictures are files of so many pictures, and one that is none.
func pictures(t *testing.T, h, w int, first ...int) []string {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for i, v := range first {
		name := filepath.Join(dir, fmt.Sprintf("%d.png", i))
		b := []byte("no picture")
		if v >= 0 {
			b = picture(t, h, w, v)
		}
		require.NoError(t, os.WriteFile(name, b, 0o666))
		names = append(names, name)
	}
	return names
}

func TestOfSamples(t *testing.T) {
	m := corners(1, 2, 3)
	m.Preprocess.Mean = data.Floats{10}
	for _, o := range []Options{{}, {Batch: 1}, {Batch: 2, Parallel: 2}, {Batch: 5}} {
		o.Features = []string{"twice", "data"}
		p := newPredictor(t, m, o)
		require.Equal(t, []int{1, 2, 3}, p.Shape())
		require.Equal(t, []int{2}, p.FeatureShape(0))
		require.Equal(t, []int{1, 2, 3}, p.FeatureShape(1))
		require.Equal(t, m.Preprocess, p.Preprocess())
		x := make([]float32, 5*6)
		for i := range x {
			x[i] = float32(i)
		}
		all, err := p.Predict(t.Context(), x)
		require.NoError(t, err)
		require.Len(t, all, 5)
		for i, y := range all {
			a, b := float32(6*i-10), float32(6*i-5)
			require.Equal(t, []float32{a, b}, y.Output)
			require.Equal(t, [][]float32{{2 * a, 2 * b}, {a, a + 1, a + 2, a + 3, a + 4, b}}, y.Features)
			require.Equal(t, 2, cap(y.Output), "what is appended to one is not written to the next")
		}
		require.Equal(t, float32(7), x[7], "the samples stay as they are")
		_, err = p.Predict(t.Context(), x[:7])
		require.EqualError(t, err, "7 values are not samples of the shape [1 2 3]")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = p.Predict(ctx, x)
		require.ErrorIs(t, err, context.Canceled)
	}
}

// The input of images may have any name, and stand behind another.
func TestImagesOfAnyName(t *testing.T) {
	m := corners(1, 2, 3)
	m.Network.Inputs[0].Name, m.Network.Nodes[0].In = "photo", []string{"photo"}
	m.Network.Inputs[0], m.Network.Inputs[1] = m.Network.Inputs[1], m.Network.Inputs[0]
	p := newPredictor(t, m, Options{})
	all, err := p.Predict(t.Context(), []float32{1, 2, 3, 4, 5, 6})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 6}, all[0].Output)
	_, err = New(reference.New(), m, Options{Features: []string{"target"}})
	require.EqualError(t, err, `corner, target: that takes the input "target", and a picture has none`)
}

func TestDefaults(t *testing.T) {
	p := newPredictor(t, corners(1, 2, 3), Options{})
	require.Equal(t, 32, p.options.Batch)
	require.Equal(t, runtime.GOMAXPROCS(0), p.options.Parallel)
	require.Equal(t, cap(p.slots), p.options.Parallel)
	require.False(t, p.options.TenCrops)
}

func TestRefusals(t *testing.T) {
	refused := func(m *modelfile.Model, o Options) string {
		_, err := New(reference.New(), m, o)
		require.Error(t, err)
		return err.Error()
	}
	changed := func(f func(m *modelfile.Model)) *modelfile.Model {
		m := corners(1, 2, 3)
		f(m)
		return m
	}
	require.Equal(t, "batch -1 and 2 batches in parallel must be at least 1", refused(corners(1, 2, 3), Options{Batch: -1, Parallel: 2}))
	require.Equal(t, "batch 3 and -2 batches in parallel must be at least 1", refused(corners(1, 2, 3), Options{Batch: 3, Parallel: -2}))
	require.Equal(t, "network corners takes images of the shape [2 3], not [channels, height, width]", refused(corners(2, 3), Options{}))
	require.Equal(t, `network corners has no outputs, so that there is nothing to predict: name one in "outputs"`, refused(changed(func(m *modelfile.Model) { m.Network.Outputs = nil }), Options{}))
	require.Equal(t, "network corners: input data is int32 of the shape [1 2 3]; the role \"image\" takes float32", refused(changed(func(m *modelfile.Model) { m.Network.Inputs[0].DType = device.Int32 }), Options{}))
	require.Equal(t, `network corners has no input of the role "image": give it to the one that takes them, "role": "image" in JSON`, refused(changed(func(m *modelfile.Model) { m.Network.Inputs[0].Role = "" }), Options{}))
	require.Equal(t, `network corners has two inputs of the role "image", data and more: keep one, which any number of layers can read`, refused(changed(func(m *modelfile.Model) { m.Network.Image("more", 1, 2, 3) }), Options{}))
	require.Equal(t, "preprocessing has a mean for 2 channels, but a sample has 1", refused(changed(func(m *modelfile.Model) { m.Preprocess.Mean = data.Floats{1, 2} }), Options{}))
	require.Equal(t, `keep: network corners has no value "x"; it has data, target, corner, twice, loss`, refused(corners(1, 2, 3), Options{Features: []string{"x"}}))
	require.Equal(t, `corner, loss: that takes the input "target", and a picture has none`, refused(corners(1, 2, 3), Options{Features: []string{"loss"}}))
	require.Equal(t, `corner, target: that takes the input "target", and a picture has none`, refused(corners(1, 2, 3), Options{Features: []string{"target"}}))
	require.Equal(t, "ten crops need a network that was trained with a crop", refused(corners(1, 2, 3), Options{TenCrops: true}))
	require.Contains(t, refused(changed(func(m *modelfile.Model) { delete(m.Weights, "corner.bias") }), Options{}), "weights of network corners are missing: corner.bias")
	nan := changed(func(m *modelfile.Model) { m.Weights["corner.bias"].Float32s()[1] = float32(math.NaN()) })
	require.Contains(t, refused(nan, Options{}), "the weights are spoilt: 1 of the 2 values of corner.bias are NaN")
	_, err := New(reference.New(), nan, Options{})
	require.ErrorAs(t, err, new(FailedError))

	// A value that no picture decides, or that is not of numbers.
	ints := corners(1, 2, 3)
	ints.Network.Add("class", &number{}, "corner")
	require.Equal(t, "class is not made of float32 numbers of the picture", refused(ints, Options{Features: []string{"class"}}))
	more := corners(1, 2, 3)
	more.Network.Input("more", device.Float32, 2)
	require.Equal(t, `corner, more: that takes the input "more", and a picture has none`, refused(more, Options{Features: []string{"more"}}))
	newPredictor(t, more, Options{})
}

// number is a layer that makes an integer of each sample.
type number struct{}

func (*number) Type() string { return "number" }
func (*number) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return layers.Spec{Out: []layers.Input{{Shape: in[0].Shape[:1], DType: device.Int32}}}, nil
}
func (*number) Forward(device.Queue, *layers.Call)  {}
func (*number) Backward(device.Queue, *layers.Call) {}

func TestPictureOfAnyNetwork(t *testing.T) {
	file := picture(t, 2, 3, 100)
	p := newPredictor(t, corners(1, 2, 3), Options{})
	y, err := p.Picture(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, []float32{100, 112}, y.Output)
	_, err = p.Picture(t.Context(), []byte("no picture"))
	require.Error(t, err)

	// In colour, and of another size.
	p = newPredictor(t, corners(3, 4, 6), Options{})
	y, err = p.Picture(t.Context(), file)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{100, 112}, []float64{float64(y.Output[0]), float64(y.Output[1])}, 1.5)

	// A network of no pictures has predictions of samples all the same.
	p = newPredictor(t, corners(2, 2, 3), Options{})
	const why = "network corners takes images of the shape [2 2 3], but its preprocessing makes [3 2 3] of a picture"
	_, err = p.Picture(t.Context(), file)
	require.EqualError(t, err, why)
	require.EqualError(t, p.Files(t.Context(), nil, nil), why)
	all, err := p.Predict(t.Context(), make([]float32, 12))
	require.NoError(t, err)
	require.Len(t, all, 1)

	m := corners(1, 6, 8)
	m.Preprocess.Augment = data.Augment{{Op: data.Crop, H: 4, P: 1}}
	p = newPredictor(t, m, Options{})
	require.EqualError(t, p.Files(t.Context(), nil, nil), "network corners takes images of the shape [1 6 8], but its preprocessing makes [1 4 4] of a picture")
}

// Where the output is NaN there is no answer.
func TestNoAnswer(t *testing.T) {
	m := corners(1, 2, 3)
	m.Weights["corner.weight"].Float32s()[0] = float32(math.Inf(1))
	p := newPredictor(t, m, Options{Batch: 1})
	dark, bright := picture(t, 2, 3, 0), picture(t, 2, 3, 5) // infinity times 0 is NaN
	_, err := p.Picture(t.Context(), dark)
	require.Equal(t, ErrNaN, err)
	y, err := p.Picture(t.Context(), bright)
	require.NoError(t, err)
	require.Equal(t, float32(math.Inf(1)), y.Output[0])
	var said []error
	require.NoError(t, p.Files(t.Context(), pictures(t, 2, 3, 5, 0, 6), func(_ int, _ Prediction, err error) { said = append(said, err) }))
	require.Equal(t, []error{nil, ErrNaN, nil}, said)
}

// Files are answered in order, whatever the batches are, and one that cannot be
// read does not stop the others.
func TestFiles(t *testing.T) {
	names := pictures(t, 2, 3, 10, 20, -1, 30, -1, -1, 40)
	for _, o := range []Options{{Batch: 1}, {Batch: 2, Parallel: 1}, {Batch: 3}, {Batch: 100}} {
		p := newPredictor(t, corners(1, 2, 3), o)
		var first []float32
		next := 0
		require.NoError(t, p.Files(t.Context(), names, func(i int, y Prediction, err error) {
			require.Equal(t, next, i)
			next++
			if slices.Contains([]int{2, 4, 5}, i) {
				require.ErrorContains(t, err, names[i])
				require.Empty(t, y.Output)
				return
			}
			require.NoError(t, err)
			require.Equal(t, y.Output[0]+12, y.Output[1])
			first = append(first, y.Output[0])
		}))
		require.Equal(t, []float32{10, 20, 30, 40}, first)
		require.Equal(t, 7, next)
	}
}

// A prediction of ten crops is the mean of those of the ten: of the first value
// of five places, and of their mirror images.
func TestFilesInTenCrops(t *testing.T) {
	m := corners(1, 2, 3)
	m.Preprocess.Augment = data.Augment{{Op: data.Resize, H: 4, W: 5, P: 1}, {Op: data.Crop, H: 2, W: 3, P: 1}}
	names := pictures(t, 4, 5, 10, -1, 20)
	// The places are at 1,1 and the corners 0,0, 0,2, 2,0 and 2,2: on average
	// 1,1, and so is the pixel two to the right of the first.
	for _, batch := range []int{1, 9, 10, 25, 40} {
		p := newPredictor(t, m, Options{Batch: batch, TenCrops: true, Features: []string{"twice"}})
		var got []Prediction
		var errs []error
		require.NoError(t, p.Files(t.Context(), names, func(_ int, y Prediction, err error) { got, errs = append(got, y), append(errs, err) }))
		require.Len(t, got, 3)
		require.NoError(t, errs[0])
		require.Error(t, errs[1])
		require.NoError(t, errs[2])
		for k, v := range []float32{10, 20} {
			first, last := v+11+1, v+11+10+1 // the mean of the pixel and its mirror image, two away
			require.Equal(t, []float32{first, last}, got[2*k].Output, "batch %d", batch)
			require.Equal(t, [][]float32{{2 * first, 2 * last}}, got[2*k].Features)
		}
	}
	p := newPredictor(t, m, Options{})
	require.NoError(t, p.Files(t.Context(), names[:1], func(_ int, y Prediction, err error) {
		require.NoError(t, err)
		require.Equal(t, []float32{21, 33}, y.Output, "the centre alone")
	}))
}

// Files ends with the context's error, and answers nothing more.
func TestFilesCalledOff(t *testing.T) {
	names := pictures(t, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8)
	p := newPredictor(t, corners(1, 2, 3), Options{Batch: 1, Parallel: 1})
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := p.Files(ctx, names, func(int, Prediction, error) { calls++; cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, calls, len(names))
	require.ErrorIs(t, p.Files(ctx, names, func(int, Prediction, error) { t.Error("called off") }), context.Canceled)
	require.NoError(t, p.Files(t.Context(), nil, nil))
}

// Where the device fails, what Files says is that it failed, and not the files.
func TestFilesOnADeviceThatFails(t *testing.T) {
	d := reference.New()
	p, err := New(d, corners(1, 2, 3), Options{Batch: 1, Parallel: 1})
	require.NoError(t, err)
	require.NoError(t, d.Close())
	err = p.Files(t.Context(), pictures(t, 2, 3, 1, 2), func(int, Prediction, error) { t.Error("it has no answer") })
	require.ErrorAs(t, err, new(FailedError))
	require.ErrorIs(t, err, device.ErrClosed)
	require.NoError(t, p.Close())
}

// What a device gave is given back where it then refuses more, and a batch that
// had no memory once may have it the next time.
func TestPredictOnAScarceDevice(t *testing.T) {
	errs := devicetest.Scarcity(t, devicetest.Scarce{Once: true}, func(d *devicetest.Scarce) error {
		p, err := New(d, corners(1, 2, 3), Options{Parallel: 2})
		if err != nil {
			require.Nil(t, p)
			return err
		}
		return p.Close()
	})
	require.Len(t, errs, 6)
	require.ErrorContains(t, errs[0], "weights of corners: there is nothing left")
	require.ErrorContains(t, errs[5], "plan of corners: there is nothing left")

	errs = devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true}, func(d *devicetest.Scarce) error {
		p, err := New(d, corners(1, 2, 3), Options{Batch: 1, Features: []string{"twice"}})
		if err != nil {
			return err
		}
		all, err := p.Predict(t.Context(), make([]float32, 12))
		if err != nil {
			require.Nil(t, all)
			d.Left = 1 << 20 // closing wants to wait
		}
		require.NoError(t, p.Close())
		if err != nil {
			d.Left = -1
		}
		return err
	})
	require.Greater(t, len(errs), 12)

	d := &devicetest.Scarce{Device: reference.New(), Left: 6}
	p, err := New(d, corners(1, 2, 3), Options{Parallel: 2})
	require.NoError(t, err)
	one := <-p.slots // the slot that is not made yet
	if one != nil {
		p.slots <- one
		one = <-p.slots
	}
	require.Nil(t, one)
	p.slots <- one
	held := <-p.slots
	for range 3 {
		_, err = p.Predict(t.Context(), make([]float32, 6))
		require.ErrorIs(t, err, devicetest.ErrScarce)
	}
	d.Left = 3
	_, err = p.Predict(t.Context(), make([]float32, 6))
	require.NoError(t, err)
	p.slots <- held
	require.NoError(t, p.Close())
	free, total, _ := d.MemInfo()
	require.Equal(t, total, free)
}

func TestTop(t *testing.T) {
	p := &Predictor{model: &modelfile.Model{Classes: []string{"cat", "dog"}}}
	require.Equal(t, []Guess{{Class: "dog", Label: 1, Probability: 0.5}, {Class: "#2", Label: 2, Probability: 0.3}, {Class: "#3", Label: 3, Probability: 0.3}}, p.Top(Prediction{Output: []float32{0.1, 0.5, 0.3, 0.3}}, 3))
	require.Equal(t, []string{"cat", "dog"}, p.Classes())
}

// Open names the file of what is wrong, once.
func TestOpenNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	_, err := Open(reference.New(), path, Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, 1, strings.Count(err.Error(), path))
}
