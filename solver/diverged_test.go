package solver

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/results"
)

// marked is a data set in which the first pixel of some samples has a value
// that no other has.
type marked struct {
	data.Dataset
	value   float32
	samples []int
}

func (m marked) Read(dst []float32, i int) (int32, error) {
	label, err := m.Dataset.Read(dst, i)
	if slices.Contains(m.samples, i) {
		dst[0] = m.value
	}
	return label, err
}

func (m marked) Name(i int) string { return fmt.Sprintf("picture-%d.jpg", i) }

// brokenLayer copies its input, in place where the plan says so, and makes NaN
// of the last element of a sample whose first element is above 50, forward or
// backward.
type brokenLayer struct {
	Backwards bool `json:"backwards"`
}

func init() { layers.Register(func() layers.Layer { return &brokenLayer{} }) }

func (*brokenLayer) Type() string { return "broken" }

func (*brokenLayer) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return layers.Spec{Out: []layers.Input{in[0]}, InPlace: true, Backward: layers.NeedOutputs}, nil
}

func (l *brokenLayer) Forward(q device.Queue, c *layers.Call) {
	q.Copy(c.Out[0], c.In[0])
	l.spoil(c, c.Out[0], !l.Backwards)
}

func (l *brokenLayer) Backward(q device.Queue, c *layers.Call) {
	q.Copy(c.DIn[0], c.DOut[0])
	l.spoil(c, c.DIn[0], l.Backwards)
}

func (l *brokenLayer) spoil(c *layers.Call, t device.Tensor, here bool) {
	y, _ := cpu.Floats(c.Out[0])
	x, _ := cpu.Floats(t)
	each := len(x) / c.Samples()
	for n := range c.Samples() {
		if here && y[n*each] > 50 {
			x[(n+1)*each-1] = float32(math.NaN())
		}
	}
}

// brokenNet works in place on what the broken layer makes: were the values not
// computed again, the first bad one would not be there any more.
func brokenNet(backwards bool) *graph.Network {
	n := &graph.Network{Name: "broken"}
	in := n.Image("data", 1, 12, 12)
	label := n.Label("label")
	x := n.Add("fc1", &layers.Dense{Out: 20, WeightFiller: layers.Constant(0.01)}, in)
	x = n.Add("relu0", &layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0.5))}, x)
	x = n.Add("seed", &brokenLayer{backwards}, x)
	x = n.Add("tanh1", &layers.Unary{Op: device.Tanh}, x)
	x = n.Add("drop1", &layers.Dropout{P: 0.3}, x)
	x = n.Add("fc2", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	return n
}

// samplesOf lists the samples of each update, from the loader.
func samplesOf(t *testing.T, c Config, updates int) [][]int {
	l, err := data.NewLoader(t.Context(), c.Train, data.LoaderOptions{Batch: c.Batch * c.Accumulate, Shuffle: true, Seed: c.Seed})
	require.NoError(t, err)
	defer l.Close()
	var list [][]int
	for range updates {
		b, err := l.Next()
		require.NoError(t, err)
		list = append(list, slices.Clone(b.Samples))
		b.Release()
	}
	return list
}

func TestDiverged(t *testing.T) {
	const culprit = 52 // a sample
	for name, x := range map[string]struct {
		change func(c *Config)
		want   Diverged // without what follows from where the sample is
	}{
		"a NaN among the pixels": {
			func(c *Config) { c.Train = marked{c.Train, float32(math.NaN()), []int{culprit}} },
			Diverged{Layer: "fc1", Type: "dense", Tensor: "data", Kind: KindInput},
		},
		"a layer that makes NaN": {
			func(c *Config) {
				c.Network = brokenNet(false)
				c.Train = marked{c.Train, 1e6, []int{culprit}}
			},
			Diverged{Layer: "seed", Type: "broken", Tensor: "seed", Kind: KindOutput, Name: "picture-52.jpg"},
		},
		"a layer whose gradient is NaN": {
			func(c *Config) {
				c.Network = brokenNet(true)
				c.Train = marked{c.Train, 1e6, []int{culprit}}
			},
			Diverged{Layer: "seed", Type: "broken", Tensor: "relu0/d", Kind: KindGradient, Name: "picture-52.jpg"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, passes := range []int{1, 2} {
				c := smallConfig(t)
				c.Network = brokenNet(false)
				c.Batch, c.Accumulate = 16/passes, passes
				c.Optimiser = Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 1e-3}, Momentum: 0.9}
				c.LogEvery, c.CheckpointEvery = 1000, 2 // the loss is read at the epoch's end
				x.change(&c)
				updates := samplesOf(t, c, 6)
				k := slices.IndexFunc(updates, func(s []int) bool { return slices.Contains(s, culprit) })
				require.Positive(t, k)
				c.CheckpointEvery = 4 * k // reads at its end, some updates too late
				var notices []string
				c.Observers = []Observer{watch(func(n Notice) { notices = append(notices, n.Text) })}
				c.Dir = filepath.Join(t.TempDir(), "run")
				_, err := Train(t.Context(), c)
				var d *Diverged
				require.ErrorAs(t, err, &d)
				require.NotContains(t, err.Error(), "\n")
				require.Equal(t, k+1, d.Iteration)
				require.Equal(t, slices.Index(updates[k], culprit), d.Sample)
				require.Equal(t, culprit, d.Index)
				require.Equal(t, "picture-52.jpg", d.Name)
				require.Equal(t, x.want.Layer, d.Layer)
				require.Equal(t, x.want.Type, d.Type)
				require.Equal(t, x.want.Tensor, d.Tensor)
				require.Equal(t, x.want.Kind, d.Kind)
				require.Equal(t, 1, d.Bad)
				require.True(t, math.IsNaN(float64(d.Value)))
				require.ErrorContains(t, err, fmt.Sprintf("sample %d of the batch, which is image 52 (picture-52.jpg)", d.Sample))
				require.NotEmpty(t, notices)
				require.Contains(t, notices[0], "repeating from iteration 1 on")
				checkpoint, err := ReadCheckpoint(c.Dir)
				require.NoError(t, err)
				require.LessOrEqual(t, checkpoint.Iteration, k, "no checkpoint is bad")

				// The file repeats it, on one thread or two.
				require.Equal(t, filepath.Join(c.Dir, ReplayFile), d.File)
				for _, threads := range []int{1, 2} {
					again, err := Replay(openCPU(t, threads), d.File)
					require.NoError(t, err)
					want := *d
					require.True(t, math.IsNaN(float64(again.Value)))
					want.Value, want.Loss, again.Value, again.Loss = 0, 0, 0, 0 // NaN is not itself
					require.Equal(t, want, *again)
				}

				// And says so when all is well.
				tensors, metadata, err := modelfile.ReadTensors(d.File)
				require.NoError(t, err)
				require.Equal(t, updates[k], ints(tensors[samplesIndex].Int64s()))
				pixel := d.Sample * 144
				tensors[samplesData].Float32s()[pixel] = 0
				mended := filepath.Join(t.TempDir(), "mended.safetensors")
				writeTensors(t, mended, tensors, metadata)
				again, err := Replay(c.Device, mended)
				require.NoError(t, err)
				require.Nil(t, again)
			}
		})
	}
}

// writeTensors writes what readTensors reads.
func writeTensors(t *testing.T, path string, tensors map[string]*tensor.Dense, metadata map[string]string) {
	t.Helper()
	var list []safetensors.Tensor
	for name, x := range tensors {
		list = append(list, safetensors.Tensor{Name: name, Value: x})
	}
	require.NoError(t, safetensors.Write(path, list, metadata))
}

func ints(list []int64) []int {
	var out []int
	for _, v := range list {
		out = append(out, int(v))
	}
	return out
}

// A rate that is far too high: the first bad value is a product of what the
// update made of the weights, or a weight.
func TestDivergedWeights(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		kind   Kind
		advice string
	}{
		{1e30, KindOutput, "values had grown to "},
		{3e38, KindWeight, "the update before it broke them"},
	} {
		run := smallConfig(t)
		run.Optimiser = Optimiser{Schedule: Schedule{Policy: Fixed, Rate: c.rate}}
		run.Network.Nodes[0].Layer.(*layers.Conv).WeightFiller = layers.Constant(3)
		run.CheckpointEvery = 1
		for _, dir := range []string{"", filepath.Join(t.TempDir(), "run")} {
			run.Dir = dir
			result, err := Train(t.Context(), run)
			var d *Diverged
			require.ErrorAs(t, err, &d)
			require.Equal(t, 2, d.Iteration)
			require.Equal(t, c.kind, d.Kind, err.Error())
			require.Contains(t, d.Advice(), c.advice)
			require.Contains(t, d.Advice(), "a smaller learning rate")
			require.LessOrEqual(t, result.Iteration, 1)
			if dir == "" {
				require.Empty(t, d.File)
				continue
			}
			again, err := Replay(run.Device, d.File)
			require.NoError(t, err)
			require.Equal(t, d.Where(), again.Where(), "also of weights that are no numbers any more")
			checkpoint, err := ReadCheckpoint(dir)
			require.NoError(t, err)
			require.NoError(t, checkpoint.Damaged)
			_, tensors, err := readState(dir)
			require.NoError(t, err)
			for name, x := range tensors {
				for _, v := range x.Float32s() {
					require.True(t, isFinite(float64(v)), name)
				}
			}
		}
	}
}

func TestDivergedInATest(t *testing.T) {
	c := smallConfig(t)
	c.Test = marked{c.Test, float32(math.Inf(1)), []int{21}}
	_, err := Train(t.Context(), c)
	var d *Diverged
	require.ErrorAs(t, err, &d)
	require.True(t, d.Test)
	require.Equal(t, KindInput, d.Kind)
	require.Equal(t, 21, d.Index)
	require.Equal(t, "picture-21.jpg", d.Name)
	require.ErrorContains(t, err, "after iteration 6: the loss on the test set is NaN; the first value to go bad is in the input data")
}

func TestDivergedIsCutShort(t *testing.T) {
	c := smallConfig(t)
	c.Train = marked{c.Train, float32(math.NaN()), []int{5}}
	ctx, cancel := context.WithCancel(t.Context())
	c.Observers = []Observer{watch(func(Notice) { cancel() })}
	c.CheckpointEvery = 1000
	_, err := Train(ctx, c)
	require.ErrorContains(t, err, "the search for where it began was cut short")
}

// The user is told of a search that repeats updates, and not of one that looks at
// the last alone.
func TestASearchIsTold(t *testing.T) {
	for update, want := range [][]string{{}, {"iteration 2: the loss is NaN; repeating from iteration 1 on to find where it began"}} {
		c := smallConfig(t)
		c.LogEvery = 1
		c.Train = marked{c.Train, float32(math.NaN()), samplesOf(t, c, 2)[update][:1]}
		told := []string{}
		c.Observers = []Observer{watch(func(n Notice) { told = append(told, n.Text) })}
		_, err := Train(t.Context(), c)
		require.ErrorAs(t, err, new(*Diverged))
		require.Equal(t, want, told)
	}
}

// What could not be saved is not offered for a replay.
func TestDivergedWhereNothingCanBeWritten(t *testing.T) {
	c := smallConfig(t)
	c.Train = marked{c.Train, float32(math.NaN()), []int{52}}
	c.Dir = filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.MkdirAll(filepath.Join(c.Dir, ReplayFile, "in the way"), 0o777))
	_, err := Train(t.Context(), c)
	var d *Diverged
	require.ErrorAs(t, err, &d)
	require.Equal(t, 52, d.Index)
	require.Empty(t, d.File)
	require.ErrorContains(t, err, filepath.Join(c.Dir, ReplayFile)+" is not a regular file")
}

func TestReplayRefuses(t *testing.T) {
	c := smallConfig(t)
	c.Train = marked{c.Train, float32(math.NaN()), []int{52}}
	c.Dir = filepath.Join(t.TempDir(), "run")
	_, err := Train(t.Context(), c)
	var d *Diverged
	require.ErrorAs(t, err, &d)
	good, metadata, err := modelfile.ReadTensors(d.File)
	require.NoError(t, err)
	for want, change := range map[string]func(tensors map[string]*tensor.Dense, m map[string]string){
		"tensor batch/data is missing": func(x map[string]*tensor.Dense, _ map[string]string) { delete(x, samplesData) },
		"tensor batch/label is missing or is not int32": func(x map[string]*tensor.Dense, _ map[string]string) {
			x[samplesLabel] = x[samplesIndex]
		},
		"are of different numbers of samples": func(x map[string]*tensor.Dense, _ map[string]string) {
			x[samplesIndex] = tensor.New(tensor.WithShape(2), tensor.WithBacking([]int64{1, 2}))
		},
		"weights of network small are missing: fc2.bias": func(x map[string]*tensor.Dense, _ map[string]string) { delete(x, "fc2.bias") },
		"are not the names of":                           func(_ map[string]*tensor.Dense, m map[string]string) { m[namesKey] = `["a"]` },
		"metadata iteration":                             func(_ map[string]*tensor.Dense, m map[string]string) { m[iterationKey] = "" },
	} {
		tensors, with := map[string]*tensor.Dense{}, map[string]string{}
		for name, x := range good {
			tensors[name] = x
		}
		for key, value := range metadata {
			with[key] = value
		}
		change(tensors, with)
		path := filepath.Join(t.TempDir(), "f.safetensors")
		writeTensors(t, path, tensors, with)
		_, err := Replay(c.Device, path)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
	_, err = Replay(c.Device, filepath.Join(c.Dir, WeightsFile))
	require.ErrorContains(t, err, "there is no batch to repeat, as in diverged.safetensors of a run that diverged")
	_, err = Replay(c.Device, "nowhere")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestDebugging(t *testing.T) {
	c := smallConfig(t)
	straight := trainIn(t, c)
	c.Batch, c.Accumulate, c.DebugEvery = 8, 2, 3
	accumulated := trainIn(t, c)
	c.DebugEvery = 0
	requireSameFiles(t, trainIn(t, c), accumulated) // looking changes nothing
	c.Batch, c.Accumulate, c.DebugEvery = 16, 1, 3
	var lines []DebugLine
	c.Observers = []Observer{watch(func(l DebugLine) { lines = append(lines, l) })}
	dir := trainIn(t, c)
	requireSameFiles(t, straight, dir)

	log, err := ReadDebug(filepath.Join(dir, DebugFile))
	require.NoError(t, err)
	require.Len(t, log, 4)
	text, err := json.Marshal(lines)
	require.NoError(t, err)
	same, err := json.Marshal(log)
	require.NoError(t, err)
	require.Equal(t, string(text), string(same))
	for i, line := range log {
		require.Equal(t, 3*i+1, line.Iteration)
		var names []string
		for _, l := range line.Layers {
			names = append(names, l.Layer)
		}
		require.Equal(t, []string{"conv1", "pool1", "relu1", "drop1", "fc2", "loss", "accuracy", "top5"}, names)
	}
	// By hand, of the first batch: the loss, and what is known of the others.
	first := map[string]LayerStats{}
	for _, l := range log[0].Layers {
		first[l.Layer] = l
	}
	train, err := results.ReadLog(filepath.Join(dir, results.LogFile))
	require.NoError(t, err)
	require.InDelta(t, train[0].Loss, first["loss"].Mean, 1e-6)
	require.Greater(t, first["relu1"].Zeros, 0.03)
	require.Zero(t, first["conv1"].Zeros)
	require.InDelta(t, 1-0.7*(1-first["relu1"].Zeros), first["drop1"].Zeros, 0.05, "a third is dropped")
	require.Nil(t, first["relu1"].Gradient)
	require.Greater(t, *first["fc2"].Gradient, 0.0)
	// And the same numbers from two passes.
	halves, err := ReadDebug(filepath.Join(accumulated, DebugFile))
	require.NoError(t, err)
	for i, l := range halves[0].Layers {
		require.InDelta(t, log[0].Layers[i].Mean, l.Mean, 1e-5)
		require.InDelta(t, log[0].Layers[i].Deviation, l.Deviation, 1e-5)
		if l.Gradient != nil {
			require.InDelta(t, *log[0].Layers[i].Gradient, *l.Gradient, 1e-5)
		}
	}
}
