package solver

import (
	"cmp"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/results"
)

// smallNet has what makes resuming and accumulating hard: dropout.
func smallNet() *graph.Network {
	n := &graph.Network{Name: "small"}
	in := n.Image("data", 1, 12, 12)
	label := n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 4, Kernel: layers.Square(3), BiasRate: new(float32(2))}, in)
	x = n.Add("pool1", &layers.Pool{Op: device.MaxPool, Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("drop1", &layers.Dropout{P: 0.3}, x)
	x = n.Add("fc2", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	n.Metric(n.Add("top5", &layers.Accuracy{TopK: 5}, x, label), graph.Higher)
	return n
}

// smallConfig is a run of 10 iterations. An epoch has 5 of 16 samples and one
// of 10.
func smallConfig(t *testing.T) Config {
	train, test := synthetic(t, 90, 25, 1, 12, 12)
	return Config{
		Network:    smallNet(),
		Device:     openCPU(t, 2),
		Train:      train,
		Test:       test,
		Preprocess: data.Preprocess{Mean: []float32{128}, Scale: 1.0 / 64},
		Data:       "synthetic:90,25",
		Optimiser:  Optimiser{Schedule: Schedule{Policy: Cosine, Rate: 0.05}, Momentum: 0.9, Decay: 1e-3, ClipNorm: 2},
		Batch:      16,
		Accumulate: 1,
		Iterations: 10,
		Seed:       1<<63 + 12345,
		LogEvery:   2,
	}
}

func synthetic(t *testing.T, train, test int, shape ...int) (data.Dataset, data.Dataset) {
	t.Helper()
	a, b, err := data.NewSynthetic(data.SyntheticOptions{Shape: tensor.Shape(shape), Train: train, Test: test, Seed: 4})
	require.NoError(t, err)
	return a, b
}

// weightsOf are the weights that a run left in its folder.
func weightsOf(t *testing.T, dir string) map[string][]float32 {
	t.Helper()
	m, err := modelfile.Read(filepath.Join(dir, WeightsFile))
	require.NoError(t, err)
	w := map[string][]float32{}
	for name, x := range m.Weights {
		w[name] = x.Float32s()
	}
	return w
}

// distance is the largest difference between two sets of weights.
func distance(t *testing.T, a, b map[string][]float32) float64 {
	t.Helper()
	require.Len(t, b, len(a))
	most := 0.0
	for name := range a {
		require.Len(t, b[name], len(a[name]))
		for i := range a[name] {
			most = max(most, math.Abs(float64(a[name][i])-float64(b[name][i])))
		}
	}
	return most
}

// trainIn trains in a new folder and returns it.
func trainIn(t *testing.T, c Config) string {
	t.Helper()
	c.Dir = filepath.Join(t.TempDir(), "run")
	_, err := Train(t.Context(), c)
	require.NoError(t, err)
	return c.Dir
}

// accuracyOf is the metric "accuracy" of a test.
func accuracyOf(t *testing.T, test Test) float64 {
	t.Helper()
	x, ok := test.Metrics.Get("accuracy")
	require.True(t, ok)
	return x
}

// numbers are metrics as a log has them.
func numbers(list results.Metrics) (plain results.Metrics) {
	for _, m := range list {
		plain = append(plain, results.Metric{Name: m.Name, Value: m.Value})
	}
	return plain
}

func TestTrainLearns(t *testing.T) {
	c := smallConfig(t)
	c.Train, c.Test = synthetic(t, 320, 100, 1, 12, 12)
	c.Iterations = Iterations(4, 320, 16)
	require.Equal(t, 80, c.Iterations)
	var progress []Progress
	var tests []Test
	c.Observers = []Observer{watch(func(p Progress) { progress = append(progress, p) }), watch(func(test Test) { tests = append(tests, test) })}
	c.Dir = filepath.Join(t.TempDir(), "runs", "small")
	result, err := Train(t.Context(), c)
	require.NoError(t, err)

	require.Len(t, progress, 80)
	for i, p := range progress {
		require.Equal(t, i+1, p.Iteration)
		require.Equal(t, i/20+1, p.Epoch)
		require.Equal(t, 80, p.Iterations)
		require.Positive(t, p.ImagesPerSecond)
	}
	require.InDelta(t, math.Log(10), progress[0].Loss, 1)
	require.Equal(t, float32(0.05), progress[0].Rate)
	require.InDelta(t, 0.05*(1+math.Cos(math.Pi*40/80))/2, progress[40].Rate, 1e-8)

	require.Len(t, tests, 4)
	last := tests[3]
	best := slices.MaxFunc(tests, func(a, b Test) int {
		return cmp.Or(cmp.Compare(accuracyOf(t, a), accuracyOf(t, b)), cmp.Compare(b.Loss, a.Loss))
	})
	require.Equal(t, Result{Began: true, Iteration: 80, Loss: progress[79].Loss, Test: &last, Best: best.Iteration}, result)
	require.Equal(t, 80, last.Iteration)
	require.Equal(t, 4, last.Epoch)
	require.Equal(t, 100, last.Samples)
	require.Less(t, last.Loss, 0.3)
	require.Greater(t, accuracyOf(t, last), 0.9)
	require.Equal(t, "top5", last.Metrics[1].Name)
	require.GreaterOrEqual(t, last.Metrics[1].Value, accuracyOf(t, last))

	// The log says the same.
	log, err := results.ReadLog(filepath.Join(c.Dir, results.LogFile))
	require.NoError(t, err)
	require.Len(t, log, 41, "the first, and every second")
	require.Equal(t, 1, log[0].Iteration)
	require.InDelta(t, 1.0/20, log[0].Epoch, 1e-12)
	tested := 0
	for _, l := range log {
		require.Equal(t, progress[l.Iteration-1].Loss, l.Loss)
		require.Equal(t, progress[l.Iteration-1].Rate, l.Rate)
		require.Positive(t, l.ImagesPerSecond)
		if l.Iteration%20 != 0 {
			require.Nil(t, l.TestLoss)
			require.Empty(t, l.Test)
			continue
		}
		require.Equal(t, tests[tested].Loss, *l.TestLoss)
		require.Equal(t, numbers(tests[tested].Metrics), l.Test)
		require.Equal(t, numbers(progress[l.Iteration-1].Metrics), l.Train)
		tested++
	}
	require.Equal(t, 4, tested)

	// And so does evaluating the file, with another batch.
	m, err := modelfile.Read(filepath.Join(c.Dir, WeightsFile))
	require.NoError(t, err)
	require.Equal(t, c.Preprocess, m.Preprocess)
	require.Equal(t, c.Train.Classes(), m.Classes)
	w, err := graph.NewWeights(m.Network, c.Device)
	require.NoError(t, err)
	require.NoError(t, m.Set(w))
	again, err := Evaluate(t.Context(), c.Device, w, c.Test, m.Preprocess, 7)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.InDelta(t, last.Loss, again.Loss, 1e-5)
	require.Equal(t, last.Metrics, again.Metrics)
	require.Equal(t, 100, again.Samples)
}

// TestTrainIsThePlainLoop makes the same updates by hand: which samples, which
// masks, which rate.
func TestTrainIsThePlainLoop(t *testing.T) {
	c := smallConfig(t)
	got := weightsOf(t, trainIn(t, c))

	plan, err := c.Network.Plan(c.Device.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 16})
	require.NoError(t, err)
	weights, err := graph.NewWeights(c.Network, c.Device)
	require.NoError(t, err)
	require.NoError(t, weights.Fill(c.Seed))
	exec, err := graph.NewExecutor(plan, weights)
	require.NoError(t, err)
	loader, err := data.NewLoader(t.Context(), c.Train, data.LoaderOptions{Batch: 16, Shuffle: true, Seed: c.Seed, Preprocess: c.Preprocess})
	require.NoError(t, err)
	multipliers := map[string][2]float64{"conv1.weight": {1, 1}, "conv1.bias": {2, 1}, "fc2.weight": {1, 1}, "fc2.bias": {1, 1}}
	w, kept, dw := downloadWide(t, weights), keptOf(plan), map[string][]float64{}
	for k := range c.Iterations {
		b, err := loader.Next()
		require.NoError(t, err)
		require.NoError(t, exec.SetBatch([]int{16, 16, 16, 16, 16, 10}[k%6]))
		require.NoError(t, exec.Upload("data", b.X))
		require.NoError(t, exec.Upload("label", b.Labels))
		pass := graph.Pass{Seed: c.Seed, Iteration: uint32(k)}
		exec.Forward(pass)
		exec.Backward(pass, device.Overwrite)
		require.NoError(t, exec.Sync())
		b.Release()
		for name := range w {
			x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(len(w[name])))
			exec.Queue().Download(x, exec.Gradient(name))
			require.NoError(t, exec.Sync())
			dw[name] = wide(x.Float32s())
		}
		plainUpdate(c.Optimiser, k, 0.05*(1+math.Cos(math.Pi*float64(k)/10))/2, multipliers, w, kept, dw)
		for name := range w {
			values := make([]float32, len(w[name]))
			for i, x := range w[name] {
				values[i] = float32(x)
			}
			require.NoError(t, weights.Set(name, tensor.New(tensor.WithShape(weights.Shape(name)...), tensor.WithBacking(values))))
		}
	}
	for name := range w {
		require.InDeltaSlice(t, w[name], wide(got[name]), 1e-5, name)
	}
	loader.Close()
	require.NoError(t, exec.Close())
	require.NoError(t, weights.Close())
}

func TestTrainIsTheSameForAnyNumberOfWorkers(t *testing.T) {
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	train, _ := synthetic(t, 20, 1, 1, 28, 28)
	var first []byte
	for _, workers := range []int{1, 2, 4} {
		dir := trainIn(t, Config{
			Network:    n,
			Device:     openCPU(t, workers),
			Train:      train,
			Preprocess: data.Preprocess{Scale: 1.0 / 256},
			Optimiser:  Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 0.01}, Momentum: 0.9, Decay: 5e-4, ClipNorm: 1},
			Batch:      8,
			Accumulate: 1,
			Iterations: 4,
			Seed:       5,
		})
		b, err := os.ReadFile(filepath.Join(dir, CheckpointFile))
		require.NoError(t, err)
		if first == nil {
			first = b
		}
		require.True(t, slices.Equal(first, b), "%d workers", workers)
	}
}

func TestAccumulatedPassesAreOneBatch(t *testing.T) {
	c := smallConfig(t)
	c.Test, c.LogEvery = nil, 1
	run := func() (weights map[string][]float32, losses []float64) {
		c.Observers = []Observer{watch(func(p Progress) { losses = append(losses, p.Loss) })}
		return weightsOf(t, trainIn(t, c)), losses // 10 iterations, over an epoch's end and its batch of 10
	}
	whole, wholeLosses := run()
	for _, batch := range []int{8, 4} {
		c.Batch, c.Accumulate = batch, 16/batch
		weights, losses := run()
		require.Less(t, distance(t, whole, weights), 1e-5, "batch %d", batch)
		require.InDeltaSlice(t, wholeLosses, losses, 1e-5)
	}
	c.Batch, c.Accumulate = 16, 1
	c.Seed++ // other masks and another order: what was measured is small
	weights, _ := run()
	require.Greater(t, distance(t, whole, weights), 1e-2)
}

func TestFrozenParametersStay(t *testing.T) {
	c := smallConfig(t)
	c.Frozen = []string{"conv1", "fc2.bias"}
	dir := trainIn(t, c)
	w, err := graph.NewWeights(c.Network, c.Device)
	require.NoError(t, err)
	require.NoError(t, w.Fill(c.Seed))
	after := weightsOf(t, dir)
	for name, moves := range map[string]bool{"conv1.weight": false, "conv1.bias": false, "fc2.weight": true, "fc2.bias": false} {
		x, err := w.Get(name)
		require.NoError(t, err)
		require.Equal(t, moves, !slices.Equal(x.Float32s(), after[name]), name)
	}
	require.NoError(t, w.Close())
	_, tensors, err := readState(dir)
	require.NoError(t, err)
	_, kept := c.Optimiser.split(tensors)
	require.Len(t, kept, 1)
}

// autoencoder makes its input again, and tells nothing apart.
func autoencoder() *graph.Network {
	n := &graph.Network{Name: "auto"}
	in := n.Image("data", 1, 12, 12)
	x := n.Add("conv1", &layers.Conv{Filters: 1, Kernel: layers.Square(3), Pad: layers.Around(1)}, in)
	n.Add("loss", &layers.L2Loss{Weight: new(float32(0.01))}, x, in)
	return n
}

func TestTrainAnAutoencoder(t *testing.T) {
	c := smallConfig(t)
	c.Network = autoencoder()
	var losses []float64
	c.Observers = []Observer{watch(func(test Test) {
		require.Empty(t, test.Metrics)
		losses = append(losses, test.Loss)
	})}
	_, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.Len(t, losses, 2, "at the end of an epoch, and of the run")
	require.Less(t, losses[1], losses[0])
}

// net1, the smaller of the networks for facial keypoints, learns to find the
// dots of synthetic faces, far better than their mean place would.
func TestTrainKeypoints(t *testing.T) {
	c := smallConfig(t)
	var err error
	c.Train, c.Test, err = data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 24, 24}, Targets: 8, Train: 320, Test: 64})
	require.NoError(t, err)
	c.Network, err = models.Build("net1", models.Options{Shape: []int{1, 24, 24}, Classes: 8})
	require.NoError(t, err)
	c.Preprocess = data.Preprocess{Scale: 1. / 255}
	c.Optimiser = Optimiser{Schedule: Schedule{Policy: Cosine, Rate: 0.05}, Momentum: 0.9}
	c.Iterations = Iterations(20, 320, 16)
	result, err := Train(t.Context(), c)
	require.NoError(t, err)

	mean := make([]float32, 8)
	target := make([]float32, 8)
	for i := range c.Train.Len() {
		require.NoError(t, c.Train.(data.Regression).ReadTarget(target, i))
		for d, v := range target {
			mean[d] += v / 320
		}
	}
	guess := 0.0 // the loss of always answering the mean
	for i := range c.Test.Len() {
		require.NoError(t, c.Test.(data.Regression).ReadTarget(target, i))
		for d, v := range target {
			guess += float64(v-mean[d]) * float64(v-mean[d]) / 2 / 64
		}
	}
	require.Less(t, result.Test.Loss, guess/10)
	require.Empty(t, result.Test.Metrics)
}

func TestTrainStopsWhereTheLossIsNotANumber(t *testing.T) {
	c := smallConfig(t)
	c.Optimiser = Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 1e30}}
	c.LogEvery, c.CheckpointEvery = 1, 1
	c.Dir = filepath.Join(t.TempDir(), "run")
	result, err := Train(t.Context(), c)
	require.ErrorContains(t, err, ": a smaller learning rate")
	require.Regexp(t, `^iteration 2: the loss is (NaN|\+Inf); the first value to go bad is in the output of layer fc2 \(dense\), sample 0 of the batch`, err.Error())
	require.Equal(t, 1, result.Iteration)
	checkpoint, err := ReadCheckpoint(c.Dir)
	require.NoError(t, err)
	require.Equal(t, 1, checkpoint.Iteration)
}

func TestTrainWithoutAFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	c := smallConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	c.Observers = []Observer{watch(func(p Progress) {
		if p.Iteration == 3 {
			cancel()
		}
	})}
	result, err := Train(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "stopped after 3 of 10 iterations; nothing is saved without a folder")
	require.Equal(t, 3, result.Iteration)
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestIterations(t *testing.T) {
	require.Equal(t, 12, Iterations(2, 90, 16))
	require.Equal(t, 10, Iterations(2, 80, 16))
	require.Equal(t, 3, Iterations(3, 5, 16))
}
