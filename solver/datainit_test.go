package solver

import (
	"cmp"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// smallAlexNet has what AlexNet has, with fewer filters: strides, groups, biases of 1,
// activations in the epilogue of products, local response normalisation and dropout.
func smallAlexNet() *graph.Network {
	n := &graph.Network{Name: "small-alexnet"}
	image, label := n.Image("data", 3, 35, 35), n.Label("label")
	relu := func(name, x string) string { return n.Add(name, &layers.Unary{Op: device.ReLU}, x) }
	pool := &layers.Pool{Op: device.MaxPool, Window: layers.Square(3), Stride: layers.Square(2)}
	filler, one := layers.Gaussian(0.01), layers.Constant(1)
	x := relu("relu1", n.Add("conv1", &layers.Conv{Filters: 12, Kernel: layers.Square(11), Stride: layers.Square(4), Pad: layers.Around(4), WeightFiller: filler}, image))
	x = n.Add("pool1", pool, n.Add("norm1", &layers.LRN{Size: 5, K: 2}, x))
	x = relu("relu2", n.Add("conv2", &layers.Conv{Filters: 16, Kernel: layers.Square(5), Pad: layers.Around(2), Groups: 2, WeightFiller: filler, BiasFiller: one}, x))
	x = relu("relu3", n.Add("conv3", &layers.Conv{Filters: 24, Kernel: layers.Square(3), Pad: layers.Around(1), WeightFiller: filler}, x))
	x = relu("relu4", n.Add("fc4", &layers.Dense{Out: 40, WeightFiller: filler, BiasFiller: one}, x))
	x = n.Add("drop4", &layers.Dropout{P: 0.5}, x)
	x = n.Add("fc5", &layers.Dense{Out: 10, WeightFiller: filler}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	return n
}

// branches has layers without a bias, before batch-norm and elsewhere, a deconvolution with
// groups, drop-connect, and a value that several layers read.
func branches() *graph.Network {
	n := &graph.Network{Name: "branches"}
	image, label := n.Image("data", 1, 12, 12), n.Label("label")
	stem := n.Add("stem", &layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0.1))}, n.Add("conv1", &layers.Conv{Filters: 6, Kernel: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, image))
	a := n.Add("conv2a", &layers.Conv{Filters: 6, Kernel: layers.Square(3), Pad: layers.Around(1), NoBias: true}, stem)
	a = n.Add("tanh", &layers.Unary{Op: device.Tanh}, n.Add("bn2a", &layers.BatchNorm{}, a))
	b := n.Add("conv2b", &layers.Conv{Filters: 6, Kernel: layers.Square(1)}, stem)
	b = n.Add("conv3b", &layers.Conv{Filters: 4, Kernel: layers.Square(2), Stride: layers.Square(2), Groups: 2, NoBias: true}, n.Add("relu2b", &layers.Unary{Op: device.ReLU}, b))
	b = n.Add("up3b", &layers.Deconv{Conv: layers.Conv{Filters: 6, Kernel: layers.Square(2), Stride: layers.Square(2), Groups: 2, BiasFiller: layers.Constant(5)}}, b)
	b = n.Add("relu3b", &layers.Unary{Op: device.ReLU}, b)
	x := n.Add("concat", &layers.Concat{}, n.Add("sum", &layers.Add{}, a, b), stem)
	x = n.Add("fc4", &layers.DropConnect{Dense: layers.Dense{Out: 20}, P: 0.3}, x)
	x = n.Add("fc5", &layers.Dense{Out: 10}, n.Add("relu4", &layers.Unary{Op: device.ReLU}, x))
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	return n
}

// trainerOf opens a trainer, and closes it when the test ends.
func trainerOf(t *testing.T, c Config) *trainer {
	t.Helper()
	tr, err := newTrainer(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cmp.Or(tr.close(), tr.release())) })
	return tr
}

// valuesOf downloads parameters and state.
func valuesOf(t *testing.T, w *graph.Weights) map[string][]float32 {
	t.Helper()
	values := map[string][]float32{}
	for _, name := range w.Names() {
		x, err := w.Get(name)
		require.NoError(t, err)
		if w.DType(name) == device.Float32 {
			values[name] = x.Float32s()
		}
	}
	return values
}

// worstMoments runs the first images of a run as training does, in an executor that shares
// no memory and no epilogues, and returns how far the mean of a layer's output channel is
// from 0, and its deviation from 1, at most.
func worstMoments(t *testing.T, tr *trainer, images int) (mean, deviation map[string]float64) {
	t.Helper()
	c := tr.c
	loader, err := data.NewLoader(t.Context(), c.Train, data.LoaderOptions{Batch: images, Shuffle: true, Seed: c.Seed, Preprocess: c.Preprocess})
	require.NoError(t, err)
	defer loader.Close()
	b, err := loader.Next()
	require.NoError(t, err)
	s := &batchCopy{}
	s.add(b, c.Train)
	b.Release()
	s.state, err = tr.weights.State()
	require.NoError(t, err)
	p, err := newProbe(c.Device, tr.weights, graph.PlanOptions{Mode: graph.Train, Batch: images})
	require.NoError(t, err)
	mean, deviation = map[string]float64{}, map[string]float64{}
	require.NoError(t, p.run(s, graph.Pass{Seed: c.Seed}, func(int) (bool, error) {
		return true, p.each(func(v seen) bool {
			if v.kind != KindOutput {
				return true
			}
			y, err := p.exec.Tensor(v.name)
			require.NoError(t, err)
			if len(y.Shape) < 2 {
				return true
			}
			inner := y.Len() / y.Shape[0] / y.Shape[1]
			for k := range y.Shape[1] {
				sum, squares, count := 0.0, 0.0, 0.0
				for i, x := range v.values {
					if i/inner%y.Shape[1] == k {
						sum, squares, count = sum+float64(x), squares+float64(x)*float64(x), count+1
					}
				}
				m := sum / count
				mean[v.name] = math.Max(mean[v.name], math.Abs(m))
				deviation[v.name] = math.Max(deviation[v.name], math.Abs(math.Sqrt(squares/count-m*m)-1))
			}
			return true
		})
	}))
	require.NoError(t, p.Close())
	return mean, deviation
}

// After a data-dependent initialisation each output channel of a convolution and a dense
// layer has mean 0 and deviation 1 over the images, before its activation.
func TestDataInit(t *testing.T) {
	leNet, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	const images = 12
	for _, n := range []struct {
		network *graph.Network
		shape   []int
		layers  []string
	}{
		{leNet, []int{1, 28, 28}, []string{"conv1", "conv2", "ip1", "ip2"}},
		{smallAlexNet(), []int{3, 35, 35}, []string{"conv1", "conv2", "conv3", "fc4", "fc5"}},
		{branches(), []int{1, 12, 12}, []string{"conv1", "conv2a", "conv2b", "conv3b", "up3b", "fc4", "fc5"}},
	} {
		for _, d := range []device.Device{openCPU(t, 2), reference.New()} {
			t.Run(n.network.Name+" on "+d.Name(), func(t *testing.T) {
				c := smallConfig(t)
				c.Network, c.Device, c.Test, c.Preprocess = n.network, d, nil, data.Preprocess{Scale: 1. / 256}
				c.Train, _ = synthetic(t, 30, 1, n.shape...)
				before := valuesOf(t, trainerOf(t, c).weights)
				c.DataInit = images
				tr := trainerOf(t, c)
				require.Empty(t, tr.notice)
				mean, deviation := worstMoments(t, tr, images)
				for _, name := range n.layers {
					if _, biased := before[name+".bias"]; biased {
						require.Less(t, mean[name], 1e-3, name)
					}
					require.Less(t, deviation[name], 1e-3, name)
				}
				after := valuesOf(t, tr.weights)
				for _, name := range []string{"weight", "bias", "running_mean", "running_var"} { // of batch-norm
					require.Equal(t, before["bn2a."+name], after["bn2a."+name], name)
				}
			})
		}
	}
}

// Only what begins anew and is trained is adapted to the data.
func TestDataInitTouchesNothingElse(t *testing.T) {
	c := smallConfig(t)
	c.Dir = filepath.Join(t.TempDir(), "run")
	start := valuesOf(t, trainerOf(t, c).weights)
	c.Weights, c.Dir = filepath.Join(trainIn(t, c), WeightsFile), ""
	trained := weightsOf(t, filepath.Dir(c.Weights))
	c.DataInit = 16
	same, other := "same", "other"
	for name, x := range map[string]struct {
		change func(c *Config)
		was    map[string][]float32
		want   [4]string // of conv1.weight, conv1.bias, fc2.weight, fc2.bias
	}{
		"all":                {func(c *Config) { c.Weights = "" }, start, [4]string{other, other, other, other}},
		"a frozen layer":     {func(c *Config) { c.Weights, c.Frozen = "", []string{"conv1"} }, start, [4]string{same, same, other, other}},
		"a frozen bias":      {func(c *Config) { c.Weights, c.Frozen = "", []string{"conv1.bias"} }, start, [4]string{other, same, other, other}},
		"a frozen weight":    {func(c *Config) { c.Weights, c.Frozen = "", []string{"fc2.weight"} }, start, [4]string{other, other, same, same}},
		"a layer of rate 0":  {func(c *Config) { c.Weights, c.Optimiser.LayerRates = "", map[string]float32{"fc2": 0} }, start, [4]string{other, other, same, same}},
		"a fresh layer":      {func(c *Config) { c.Fresh = []string{"fc2"} }, trained, [4]string{same, same, other, other}},
		"a fresh weight":     {func(c *Config) { c.Fresh = []string{"conv1.weight"} }, trained, [4]string{other, same, same, same}},
		"fresh and frozen":   {func(c *Config) { c.Fresh, c.Frozen = []string{"conv1", "fc2"}, []string{"conv1"} }, start, [4]string{same, same, other, other}},
		"a fresh bias alone": {func(c *Config) { c.Fresh = []string{"fc2.weight", "conv1.bias"} }, trained, [4]string{same, "fresh", other, same}},
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			x.change(&c)
			tr := trainerOf(t, c)
			now := valuesOf(t, tr.weights)
			for i, name := range []string{"conv1.weight", "conv1.bias", "fc2.weight", "fc2.bias"} {
				switch x.want[i] {
				case same:
					require.Equal(t, x.was[name], now[name], name)
				case other:
					require.NotEqual(t, start[name], now[name], name)
					require.NotEqual(t, trained[name], now[name], name)
				default: // as the filler makes it: its weight is not adapted
					require.Equal(t, start[name], now[name], name)
				}
			}
			_, deviation := worstMoments(t, tr, c.DataInit)
			for i, name := range []string{"conv1", "fc2"} {
				require.Equal(t, x.want[2*i] == other, deviation[name] < 1e-3, "%s: %g", name, deviation[name])
			}
		})
	}
}

// Channels that are the same for all images have no deviation to divide by. They stay as
// they were, with their bias, and the user learns of them.
func TestDataInitOfConstantChannels(t *testing.T) {
	c := smallConfig(t)
	c.DataInit = 16
	c.Network.Nodes[0].Layer.(*layers.Conv).WeightFiller = layers.Constant(0)
	c.Network.Nodes[0].Layer.(*layers.Conv).BiasFiller = layers.Constant(0.3)
	c.Network.Nodes[3].Layer = &layers.Dropout{}
	tr := trainerOf(t, c)
	require.Equal(t, "14 of the 14 channels that were to be initialised from data are the same in all of the 16 images, and stay as they were: 4 of conv1, 10 of fc2", tr.notice)
	now := valuesOf(t, tr.weights)
	require.Equal(t, []float32{0.3, 0.3, 0.3, 0.3}, now["conv1.bias"])
	c.DataInit = 0
	require.Equal(t, valuesOf(t, trainerOf(t, c).weights), now)

	var told []string
	c.DataInit = 16
	c.Observers = []Observer{watch(func(n Notice) { told = append(told, n.Text) })}
	_, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, []string{tr.notice}, told)
}

// The weights depend on the seed and on the images, not on the number of workers, and a run
// that was stopped and resumed goes on with those that it began with.
func TestDataInitRepeats(t *testing.T) {
	c := smallConfig(t)
	c.DataInit = 20
	whole := weightsOf(t, trainIn(t, c))
	one := c
	one.Device = openCPU(t, 1)
	require.Equal(t, whole, weightsOf(t, trainIn(t, one)))
	begun := valuesOf(t, trainerOf(t, c).weights)
	for name, change := range map[string]func(c *Config){
		"seed": func(c *Config) { c.Seed = 2 }, "images": func(c *Config) { c.DataInit = 21 },
		"balance": func(c *Config) { c.Balance = true },
	} {
		d := c
		change(&d)
		require.NotEqual(t, begun, valuesOf(t, trainerOf(t, d).weights), name)
	}

	c.Optimiser.Schedule.Max = c.Iterations
	c.Iterations = 4
	r := c
	r.Dir = trainIn(t, c)
	r.Iterations, r.Resume = 10, true
	_, err := Train(t.Context(), r)
	require.EqualError(t, err, "a run that is resumed has its own weights; they are not initialised again")
	r.DataInit = 0
	_, err = Train(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, whole, weightsOf(t, r.Dir))

	// The search for a value that is not finite repeats the run from its start.
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "run")} {
		c.Dir = dir
		tr := trainerOf(t, c)
		require.NoError(t, tr.begin(t.Context()))
		_, _, err = tr.step(0)
		require.NoError(t, err)
		require.NoError(t, tr.exec.Sync())
		require.NotEqual(t, begun, valuesOf(t, tr.weights))
		require.NoError(t, tr.doctor.rewind())
		require.Equal(t, begun, valuesOf(t, tr.weights))
	}
}

// A deep network whose weights begin too small learns with it, and not without.
func TestDataInitLetsDeepNetworksLearn(t *testing.T) {
	n := &graph.Network{Name: "deep"}
	x, label := n.Image("data", 1, 12, 12), n.Label("label")
	filler := layers.Gaussian(0.01)
	for i := range 9 {
		name := string(rune('a' + i))
		x = n.Add("conv-"+name, &layers.Conv{Filters: 8, Kernel: layers.Square(3), Pad: layers.Around(1), WeightFiller: filler}, x)
		x = n.Add("relu-"+name, &layers.Unary{Op: device.ReLU}, x)
	}
	x = n.Add("fc", &layers.Dense{Out: 10, WeightFiller: filler}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	c := smallConfig(t)
	c.Network, c.Iterations, c.Optimiser.Schedule = n, 100, Schedule{Policy: Fixed, Rate: 0.01}
	c.Train, c.Test = synthetic(t, 480, 100, 1, 12, 12)
	without, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.InDelta(t, math.Log(10), without.Test.Loss, 0.01)
	c.DataInit = 32
	with, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.Greater(t, accuracyOf(t, *with.Test), 0.7) // 0.92 to 1 with seeds 1 to 16
	require.Less(t, with.Test.Loss, 1.0)
}

// What cannot be done is said before anything is written.
func TestDataInitRefuses(t *testing.T) {
	c := smallConfig(t)
	weights := filepath.Join(trainIn(t, c), WeightsFile)
	for want, change := range map[string]func(c *Config){
		"weights from 1 images: there must be at least 2 and at most 2147483647, or 0 for none":                   func(c *Config) { c.DataInit = 1 },
		"weights from -2 images: there must be at least 2 and at most 2147483647, or 0 for none":                  func(c *Config) { c.DataInit = -2 },
		"all weights come from a file, so that no layer begins anew that could be adapted to the data":            func(c *Config) { c.Weights = weights },
		"weights from 16 images: network small has no convolution or dense layer that begins anew and is trained": func(c *Config) { c.Frozen = []string{"conv1.weight", "fc2.weight"} },
		"initialising from data: sample 70: the disk is on fire":                                                  func(c *Config) { c.Train, c.DataInit = torn{c.Train}, 90 },
		"initialising from data: conv1 makes values of channel 0 that are not finite":                             func(c *Config) { c.Preprocess.Scale = math.MaxFloat32 },
		"beside training, initialising small from data with a batch of 90 needs ": func(c *Config) {
			c.DataInit, c.Device = 1000, tight{c.Device, 300_000}
		},
	} {
		c := c
		c.DataInit, c.Dir = 16, filepath.Join(t.TempDir(), "run")
		change(&c)
		_, err := Train(t.Context(), c)
		require.ErrorContains(t, err, want)
		require.False(t, strings.Contains(err.Error(), "\n"))
		require.NoDirExists(t, c.Dir)
	}
}
