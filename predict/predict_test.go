package predict

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/solver"
)

// trained trains a small network for a moment and returns the file of its
// weights and its test set.
func trained(t *testing.T, d device.Device) (path string, test data.Dataset) {
	t.Helper()
	n := &graph.Network{Name: "small"}
	in := n.Image("data", 1, 12, 12)
	label := n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 4, Kernel: layers.Square(3)}, in)
	x = n.Add("pool1", &layers.Pool{Op: device.MaxPool, Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("drop1", &layers.Dropout{P: 0.3}, x)
	x = n.Add("fc2", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	train, test, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Train: 160, Test: 50})
	require.NoError(t, err)
	return train1(t, d, n, train, test), test
}

func train1(t *testing.T, d device.Device, n *graph.Network, train, test data.Dataset) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	_, err := solver.Train(t.Context(), solver.Config{
		Network: n, Device: d, Train: train, Test: test, Dir: dir,
		Preprocess: data.Preprocess{Mean: []float32{128}, Scale: 1. / 64},
		Optimiser:  solver.Optimiser{Schedule: solver.Schedule{Policy: solver.Fixed, Rate: 0.05}, Momentum: 0.9},
		Batch:      16, Accumulate: 1, Iterations: 20, Seed: 1,
	})
	require.NoError(t, err)
	return filepath.Join(dir, solver.BestFile)
}

func openCPU(t *testing.T) device.Device {
	t.Helper()
	d, err := cpu.New(2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// raw are all samples of a data set, and their labels.
func raw(t *testing.T, d data.Dataset) (x []float32, labels []int32) {
	t.Helper()
	each := d.Shape().TotalSize()
	x = make([]float32, d.Len()*each)
	for i := range d.Len() {
		label, err := d.Read(x[i*each:(i+1)*each], i)
		require.NoError(t, err)
		labels = append(labels, label)
	}
	return x, labels
}

func open(t *testing.T, d device.Device, path string, o Options) *Predictor {
	t.Helper()
	p, err := Open(d, path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// What a Predictor says is what the test of the same weights counts.
func TestPredictIsTheTest(t *testing.T) {
	d := openCPU(t)
	path, test := trained(t, d)
	m, err := modelfile.Read(path)
	require.NoError(t, err)
	w, err := graph.NewWeights(m.Network, d)
	require.NoError(t, err)
	require.NoError(t, m.Set(w))
	want, err := solver.Evaluate(t.Context(), d, w, test, m.Preprocess, 16)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	accuracy, ok := want.Metrics.Get("accuracy")
	require.True(t, ok)
	require.Greater(t, accuracy, 0.3)

	x, labels := raw(t, test)
	for _, batch := range []int{1, 7, 50, 64} {
		p := open(t, d, path, Options{Batch: batch})
		require.Equal(t, []int{1, 12, 12}, p.Shape())
		require.Equal(t, test.Classes(), p.Classes())
		all, err := p.Predict(t.Context(), x)
		require.NoError(t, err)
		require.Len(t, all, 50)
		right, loss := 0, 0.0
		for i, y := range all {
			require.Len(t, y.Output, 10)
			sum := float32(0)
			for _, v := range y.Output {
				sum += v
			}
			require.InDelta(t, 1, sum, 1e-5)
			top := p.Top(y, 5)
			require.Len(t, top, 5)
			require.GreaterOrEqual(t, top[0].Probability, top[1].Probability)
			require.Equal(t, fmt.Sprint(top[0].Label), top[0].Class)
			require.Equal(t, y.Output[top[0].Label], top[0].Probability)
			if int32(top[0].Label) == labels[i] {
				right++
			}
			loss -= math.Log(float64(y.Output[labels[i]])) / 50
		}
		require.InDelta(t, accuracy, float64(right)/50, 1e-9)
		require.InDelta(t, want.Loss, loss, 1e-4)
		require.Len(t, p.Top(all[0], 100), 10)
	}
}

func TestFeatures(t *testing.T) {
	d := openCPU(t)
	path, test := trained(t, d)
	x, _ := raw(t, test)
	p := open(t, d, path, Options{Batch: 8, Features: []string{"pool1", "relu1", "fc2"}})
	require.Equal(t, []int{4, 5, 5}, p.FeatureShape(0))
	require.Equal(t, []int{10}, p.FeatureShape(2))
	all, err := p.Predict(t.Context(), x)
	require.NoError(t, err)
	negative := 0
	for _, y := range all {
		require.Len(t, y.Features, 3)
		require.Len(t, y.Features[0], 100)
		for i, v := range y.Features[0] {
			if v < 0 {
				negative++
			}
			require.Equal(t, max(v, 0), y.Features[1][i], "relu1 works on a value of its own")
		}
		// The output is the softmax of the scores.
		sum := 0.0
		for _, v := range y.Features[2] {
			sum += math.Exp(float64(v))
		}
		require.InDelta(t, math.Exp(float64(y.Features[2][3]))/sum, y.Output[3], 1e-5)
	}
	require.Positive(t, negative)
}

// Many goroutines share one set of weights, each with its own samples: `make
// race` runs this under the race detector.
func TestManyGoroutinesShareAPredictor(t *testing.T) {
	d := openCPU(t)
	path, test := trained(t, d)
	x, _ := raw(t, test)
	one := open(t, d, path, Options{Batch: 4, Parallel: 1})
	want, err := one.Predict(t.Context(), x)
	require.NoError(t, err)
	p := open(t, d, path, Options{Batch: 4, Parallel: 3})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 12 {
				first := (7*g + 4*i) % 40 / 4 * 4 // whole batches, which are the same everywhere
				n := 4 + 4*(i%2)
				got, err := p.Predict(context.Background(), x[first*144:(first+n)*144])
				if err != nil || len(got) != n {
					t.Errorf("%d predictions: %v", len(got), err)
					return
				}
				for k, y := range got {
					for c, v := range y.Output {
						if v != want[first+k].Output[c] {
							t.Errorf("sample %d: %g instead of %g", first+k, v, want[first+k].Output[c])
							return
						}
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestPredictARegression(t *testing.T) {
	d := openCPU(t)
	train, test, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Targets: 4, Train: 32, Test: 8})
	require.NoError(t, err)
	n, err := models.Build("net1", models.Options{Shape: []int{1, 12, 12}, Classes: 4})
	require.NoError(t, err)
	p := open(t, d, train1(t, d, n, train, test), Options{})
	require.Empty(t, p.Classes())
	x, _ := raw(t, test)
	all, err := p.Predict(t.Context(), x)
	require.NoError(t, err)
	require.Len(t, all[7].Output, 4)
}

func TestPredictRefuses(t *testing.T) {
	d := openCPU(t)
	path, _ := trained(t, d)
	_, err := Open(d, path, Options{Features: []string{"fc9"}})
	require.ErrorContains(t, err, path+": keep: network small has no value \"fc9\"; it has data, ")
	for _, feature := range []string{"label", "loss", "accuracy"} {
		_, err = Open(d, path, Options{Features: []string{"fc2", feature}})
		require.EqualError(t, err, path+": prob, fc2, "+feature+`: that takes the input "label", and a picture has none`)
	}
	_, err = Open(d, path, Options{Batch: -1})
	require.ErrorContains(t, err, "batch -1")
	_, err = Open(d, filepath.Join(filepath.Dir(path), solver.CheckpointFile), Options{})
	require.ErrorContains(t, err, "a checkpoint is for resuming")
	p := open(t, d, path, Options{Parallel: 1})
	_, err = p.Predict(t.Context(), make([]float32, 145))
	require.ErrorContains(t, err, "145 values are not samples of the shape [1 12 12]")
	all, err := p.Predict(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, all)

	// A caller that waits for its turn can be called off.
	taken := <-p.slots
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Predict(ctx, make([]float32, 144))
	require.ErrorIs(t, err, context.Canceled)
	p.slots <- taken
}

// Closing twice is closing once, and what comes after is an error at once.
func TestClose(t *testing.T) {
	d, err := cpu.New(2)
	require.NoError(t, err)
	path, test := trained(t, d)
	x, _ := raw(t, test)
	p, err := Open(d, path, Options{Parallel: 2, Batch: 4})
	require.NoError(t, err)
	y, err := p.Predict(t.Context(), x)
	require.NoError(t, err)

	// Passes that are under way come to their end.
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for {
				got, err := p.Predict(context.Background(), x)
				if err != nil {
					if err != ErrClosed {
						t.Error(err)
					}
					return
				}
				if len(got) != len(y) {
					t.Errorf("%d predictions", len(got))
				}
			}
		})
	}
	require.NoError(t, p.Close())
	users.Wait()
	require.NoError(t, p.Close())

	_, err = p.Predict(context.Background(), x)
	require.ErrorIs(t, err, ErrClosed)
	_, err = p.Predict(context.Background(), nil)
	require.ErrorIs(t, err, ErrClosed)
	file := filepath.Join(t.TempDir(), "a.png")
	paint(t, file)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	_, err = p.Picture(context.Background(), b)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, p.Files(context.Background(), []string{file}, func(int, Prediction, error) { t.Error("a file was predicted") }), ErrClosed)
	require.Len(t, p.Top(y[0], 3), 3, "which needs no device")

	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	_, err = Open(d, path, Options{})
	require.ErrorIs(t, err, device.ErrClosed)
}

// A device that is closed first is an error of what runs on it, and of nothing else.
func TestTheDeviceIsClosedFirst(t *testing.T) {
	d, err := cpu.New(2)
	require.NoError(t, err)
	path, test := trained(t, d)
	x, _ := raw(t, test)
	p, err := Open(d, path, Options{})
	require.NoError(t, err)
	require.NoError(t, d.Close())
	_, err = p.Predict(t.Context(), x)
	require.ErrorIs(t, err, device.ErrClosed)
	require.NoError(t, p.Close())
}

func TestTopOfAnyNumber(t *testing.T) {
	d := openCPU(t)
	path, test := trained(t, d)
	x, _ := raw(t, test)
	p := open(t, d, path, Options{})
	all, err := p.Predict(t.Context(), x[:144])
	require.NoError(t, err)
	for n, want := range map[int]int{math.MinInt: 0, -1: 0, 0: 0, 1: 1, 10: 10, 11: 10, math.MaxInt: 10} {
		require.Len(t, p.Top(all[0], n), want, n)
	}
	require.Empty(t, p.Top(Prediction{}, 5))
}

func TestNothingToPredictWith(t *testing.T) {
	d := openCPU(t)
	path, _ := trained(t, d)
	_, err := Open(nil, path, Options{})
	require.EqualError(t, err, "there is no device to predict on")
	m, err := modelfile.Read(path)
	require.NoError(t, err)
	_, err = New(nil, m, Options{})
	require.EqualError(t, err, "there is no device to predict on")
	for _, none := range []*modelfile.Model{nil, {}} {
		_, err = New(d, none, Options{})
		require.EqualError(t, err, "there is no network to predict with")
	}
	p := open(t, d, path, Options{})
	for _, none := range [][]byte{nil, {}, {0xff}} {
		_, err = p.Picture(t.Context(), none)
		require.Error(t, err)
	}
}

// paint writes a picture.
func paint(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, image.NewGray(image.Rect(0, 0, 12, 12))))
	require.NoError(t, f.Close())
}
