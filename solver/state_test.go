package solver

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/layers/layerstest"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/results"
)

// meanConfig is smallConfig with the layer before all others.
func meanConfig(t *testing.T) Config {
	c := smallConfig(t)
	n := &graph.Network{Name: "means"}
	label := n.Label("label")
	x := n.Add("m", &layerstest.RunningMean{}, n.Image("data", 1, 12, 12))
	x = n.Add("fc", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	c.Network = n
	return c
}

// callsOf is the number of updates of the state, in a run's folder.
func callsOf(t *testing.T, dir string) int {
	m, err := modelfile.Read(filepath.Join(dir, WeightsFile))
	require.NoError(t, err)
	return int(m.Weights["m.calls"].Float32s()[0]) - 3
}

// Each micro-batch updates the state once; tests, resuming and the probe of -debug
// leave the bytes of a run without them.
func TestStateInTraining(t *testing.T) {
	c := meanConfig(t)
	testStateInTraining(t, c)
	simulated, err := device.Open("ptxsim", device.Options{Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, simulated.Close()) }()
	c.Device = simulated
	testStateInTraining(t, c)
}

func testStateInTraining(t *testing.T, c Config) {
	for passes, updates := range map[int]int{1: 10, 2: 20} { // the last batch of an epoch, of 10, is 8 and 2
		c := c
		c.Batch, c.Accumulate = 16/passes, passes
		straight := trainIn(t, c)
		require.Equal(t, updates, callsOf(t, straight))
		for _, iteration := range []int{4, 6} {
			dir := stopAfter(t, c, iteration)
			resume(t, dir, c)
			requireSameFiles(t, straight, dir)
		}
		c.DebugEvery = 1
		require.Equal(t, weightsOf(t, straight)["fc.weight"], weightsOf(t, trainIn(t, c))["fc.weight"])
		require.Equal(t, updates, callsOf(t, trainIn(t, c)))
		c.Frozen = []string{"m"}
		require.Zero(t, callsOf(t, trainIn(t, c)))
	}
}

// The probe begins with the state before the update, not with what the update has
// made of it: NaN, here, of a sample in the second micro-batch. So does a replay.
func TestStateOfARunThatDiverges(t *testing.T) {
	c := meanConfig(t)
	c.Batch, c.Accumulate = 8, 2
	var culprit int
	updates := samplesOf(t, c, 3)
	culprit = updates[2][12]
	c.Train = marked{c.Train, float32(math.NaN()), []int{culprit}}
	c.Dir = filepath.Join(t.TempDir(), "run")
	_, err := Train(t.Context(), c)
	var d *Diverged
	require.ErrorAs(t, err, &d)
	require.Equal(t, 3, d.Iteration)
	require.Equal(t, KindInput, d.Kind)
	require.Equal(t, 12, d.Sample)
	require.Equal(t, culprit, d.Index)

	tensors, _, err := modelfile.ReadVerified(d.File)
	require.NoError(t, err)
	require.Equal(t, float32(3+4), tensors["m.calls"].Float32s()[0])
	for _, v := range tensors["m.mean"].Float32s() {
		require.False(t, math.IsNaN(float64(v)))
	}
	again, err := Replay(c.Device, d.File)
	require.NoError(t, err)
	d.Value, d.Loss, again.Value, again.Loss = 0, 0, 0, 0 // NaN is not NaN
	require.Equal(t, d, again)
}

func TestWeightsFilesWithoutTheState(t *testing.T) {
	c := meanConfig(t)
	path := filepath.Join(trainIn(t, c), WeightsFile)
	m, err := modelfile.Read(path)
	require.NoError(t, err)
	w, err := graph.NewWeights(c.Network, c.Device)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	require.NoError(t, m.Set(w))
	require.Equal(t, []string{"fc.bias", "fc.weight", "m.calls", "m.mean"}, slices.Sorted(maps.Keys(m.Weights)))
	const why = "; the file is of another network, or damaged"
	mean := m.Weights["m.mean"]
	delete(m.Weights, "m.mean")
	require.EqualError(t, m.Set(w), path+": weights of network means are missing: m.mean"+why)
	require.NoError(t, modelfile.SetWeights(w, m.Weights, path, []string{"m.mean"}))
	m.Weights["m.mean"] = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2))
	require.EqualError(t, m.Set(w), path+": m.mean has the shape [1] in the network and [2] in the file"+why)
	m.Weights["m.mean"] = tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(1))
	require.EqualError(t, m.Set(w), path+": m.mean is float32 in the network and int32 in the file"+why)
	m.Weights["m.mean"] = mean
	require.NoError(t, m.Set(w))
}

// batchNormConfig is smallConfig with a batch-norm behind each layer with weights.
func batchNormConfig(t *testing.T, convention string) Config {
	c := smallConfig(t)
	n := &graph.Network{Name: "norms"}
	label := n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 4, Kernel: layers.Square(3), NoBias: true}, n.Image("data", 1, 12, 12))
	x = n.Add("bn1", &layers.BatchNorm{Convention: convention}, x)
	x = n.Add("relu1", &layers.Unary{}, x)
	x = n.Add("pool1", &layers.Pool{Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("ip1", &layers.Dense{Out: 20}, x)
	x = n.Add("bn2", &layers.BatchNorm{Convention: convention}, x)
	x = n.Add("relu2", &layers.Unary{}, x)
	x = n.Add("ip2", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	c.Network = n
	return c
}

// A run with batch-norm leaves the same bytes where it was stopped and resumed, and with
// more workers; inference of its weights takes their running statistics; frozen layers keep
// theirs.
func TestBatchNormInTraining(t *testing.T) {
	for _, convention := range []string{"pytorch", "caffe", "matconvnet"} {
		for _, passes := range []int{1, 2} {
			c := batchNormConfig(t, convention)
			c.Batch, c.Accumulate = 16/passes, passes
			straight := trainIn(t, c)
			for _, iteration := range []int{4, 6} {
				dir := stopAfter(t, c, iteration)
				resume(t, dir, c)
				requireSameFiles(t, straight, dir)
			}
			alone := c
			alone.Device = openCPU(t, 1)
			requireSameFiles(t, straight, trainIn(t, alone))
			c.DebugEvery = 1
			require.Equal(t, weightsOf(t, straight), weightsOf(t, trainIn(t, c)))
		}

		c := batchNormConfig(t, convention)
		first := trainIn(t, c)
		m, err := modelfile.Read(filepath.Join(first, WeightsFile))
		require.NoError(t, err)
		w, err := graph.NewWeights(m.Network, c.Device)
		require.NoError(t, err)
		require.NoError(t, m.Set(w))
		test, err := Evaluate(t.Context(), c.Device, w, c.Test, m.Preprocess, 7)
		require.NoError(t, err)
		log, err := results.ReadLog(filepath.Join(first, results.LogFile))
		require.NoError(t, err)
		require.InDelta(t, *log[len(log)-1].TestLoss, test.Loss, 1e-5, "in other batches")
		require.NoError(t, w.Close())

		c.Weights, c.Frozen = filepath.Join(first, WeightsFile), []string{"bn1"}
		before, after := weightsOf(t, first), weightsOf(t, trainIn(t, c))
		for name, values := range before {
			if layer, _, _ := strings.Cut(name, "."); layer == "bn1" {
				require.Equal(t, values, after[name], name)
			} else {
				require.NotEqual(t, values, after[name], name)
			}
		}
	}
}
