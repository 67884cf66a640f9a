package solver

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/results"
)

// What a configuration must be, in full, and the bounds just inside.
func TestConfigInWords(t *testing.T) {
	nan := float32(math.NaN())
	for want, change := range map[string]func(c *Config){
		"there is no network to train":                                func(c *Config) { c.Network = nil },
		"there is no device to train on":                              func(c *Config) { c.Device = nil },
		"there is no data set to train on":                            func(c *Config) { c.Train = nil },
		"the training set is empty":                                   func(c *Config) { c.Train = subset{c.Train, 0} },
		"layers start fresh without a file of weights":                func(c *Config) { c.Fresh = []string{"fc"} },
		"debugging every -1 iterations must not be negative":          func(c *Config) { c.DebugEvery = -1 },
		"monitoring every -1 iterations must not be negative":         func(c *Config) { c.MonitorEvery = -1 },
		"patience with a run needs a test set":                        func(c *Config) { c.Test, c.Patience = nil, 1 },
		"a test is repeated of a run that is resumed with a test set": func(c *Config) { c.Retest = true },
		"there is no folder to resume a run from":                     func(c *Config) { c.Resume = true },
		"a run that is resumed has its own weights; w cannot be loaded too": func(c *Config) {
			c.Resume, c.Dir, c.Weights = true, "run", "w"
		},
		"learning-rate policy plateau needs a test set": func(c *Config) { c.Test, c.Optimiser.Schedule.Policy = nil, Plateau },
		"a log every 1, a checkpoint every -2 iterations and one every 3s must not be negative": func(c *Config) {
			c.CheckpointEvery, c.CheckpointTime = -2, 3*time.Second
		},
		"batch 0 must be at least 1":                                                    func(c *Config) { c.Batch = 0 },
		"0 passes to accumulate must be at least 1":                                     func(c *Config) { c.Accumulate = 0 },
		"9223372036854775807 passes of 2 samples are too many for one update":           func(c *Config) { c.Batch, c.Accumulate = 2, math.MaxInt },
		"0 iterations must be at least 1":                                               func(c *Config) { c.Iterations = 0 },
		"2147483648 iterations must be at most 2147483647":                              func(c *Config) { c.Iterations = math.MaxInt32 + 1 },
		"mean of weights: the update 99 that it begins with must be one of the run's 3": func(c *Config) { c.Optimiser.SWA = 99 },
		"a patience of -1 tests must not be negative":                                   func(c *Config) { c.Patience = -1 },
		"momentum NaN must be at least 0 and below 1":                                   func(c *Config) { c.Optimiser.Momentum = nan },
		"weight decay NaN must be finite and not negative":                              func(c *Config) { c.Optimiser.Decay = nan },
		"largest gradient norm -1 must be finite and not negative":                      func(c *Config) { c.Optimiser.ClipNorm = -1 },
		"momentum must be above 0 to be Nesterov's":                                     func(c *Config) { c.Optimiser.Momentum, c.Optimiser.Nesterov = 0, true },
	} {
		c := tinyConfig(t, reference.New())
		change(&c)
		require.EqualError(t, c.check(), want)
	}
	for _, change := range []func(c *Config){
		func(c *Config) {},
		func(c *Config) { c.Train = subset{c.Train, 1} },
		func(c *Config) { c.Fresh, c.Weights = []string{"fc"}, "w" },
		func(c *Config) { c.Retest, c.Resume, c.Dir = true, true, "run" },
		func(c *Config) { c.Test = nil },
		func(c *Config) { c.LogEvery, c.CheckpointEvery, c.CheckpointTime, c.DebugEvery = 0, 0, 0, 0 },
		func(c *Config) { c.Batch, c.Accumulate, c.Iterations = 1, 1, 1 },
		func(c *Config) { c.Batch, c.Accumulate, c.Iterations = 1, math.MaxInt, math.MaxInt32 },
		func(c *Config) {
			c.Optimiser.Decay, c.Optimiser.ClipNorm, c.Optimiser.Momentum = math.MaxFloat32, math.MaxFloat32, 0
		},
	} {
		c := tinyConfig(t, reference.New())
		change(&c)
		require.NoError(t, c.check())
	}
	require.Equal(t, 9, Iterations(3, 5, 2))
	require.Equal(t, 6, Iterations(3, 4, 2))
}

// The first difference of two configurations, plain values before lists.
func TestCompare(t *testing.T) {
	type m = map[string]any
	long := strings.Repeat("x", 79)
	for _, c := range []struct {
		a, b             any
		path, one, other string
	}{
		{m{"a": 1, "b": []int{2}}, m{"a": 1, "b": []int{2}}, "", "", ""},
		{m{"a": []int{1}, "b": 2}, m{"a": []int{3}, "b": 4}, "b", "2", "4"},
		{m{"a": []int{1, 5}}, m{"a": []int{1, 6}}, "a.1", "5", "6"},
		{m{"a": []int{1, 5}}, m{"a": []int{1}}, "a", "[1,5]", "[1]"},
		{m{"a": []int{1}}, m{"a": 1}, "a", "[1]", "1"},
		{m{"a": m{"b": 1}}, m{"a": 1}, "a", `{"b":1}`, "1"},
		{m{"a": m{"b": 1}}, m{"a": m{"b": 2}}, "a.b", "1", "2"},
		{m{"a": 1}, m{}, "a", "1", "nothing"},
		{m{}, m{"a": 1}, "a", "nothing", "1"},
		{m{"b": 1, "a": 1}, m{"b": 2, "a": 2}, "a", "1", "2"},
		{m{"a": long[:78]}, m{"a": long}, "a", `"` + long[:78] + `"`, `"` + long[:76] + "..."},
	} {
		path, one, other, err := compare(c.a, c.b)
		require.NoError(t, err)
		require.Equal(t, []string{c.path, c.one, c.other}, []string{path, one, other})
	}
	for _, sides := range [][2]any{{math.NaN(), 1}, {1, math.NaN()}} {
		_, _, _, err := compare(sides[0], sides[1])
		require.ErrorContains(t, err, "unsupported value: NaN")
	}
	require.Equal(t, 0, depth(1, "a", nil))
	require.Equal(t, 1, depth(1, []any{}))
	require.Equal(t, 1, depth(m{}, 2))
}

// What is said of a value that is not finite, for each kind.
func TestDivergedInWords(t *testing.T) {
	d := Diverged{Iteration: 7, Loss: math.NaN(), Layer: "one", Type: "conv", Tensor: "t", Value: float32(math.Inf(1)), Bad: 2, Of: 9, Sample: -1, Input: 12}
	for kind, want := range map[Kind]string{
		KindWeight:         "the weights t: +Inf, 2 of 9 values",
		KindInput:          "the input t: +Inf, 2 of 9 values",
		KindOutput:         "the output of layer one (conv): +Inf, 2 of 9 values",
		KindSaved:          "t, which layer one (conv) keeps for its gradient: +Inf, 2 of 9 values",
		KindGradient:       "the gradient t, which layer one (conv) computes: +Inf, 2 of 9 values",
		KindWeightGradient: "the gradient of the weights t: +Inf, 2 of 9 values",
	} {
		d.Kind = kind
		require.Equal(t, want, d.Where())
	}
	d.Kind, d.Type, d.Sample, d.Index = KindOutput, "one", 3, 44
	require.Equal(t, "the output of layer one, sample 3 of the batch, which is image 44: +Inf, 2 of 9 values", d.Where())
	d.Kind = KindSaved
	require.Equal(t, "t, which layer one keeps for its gradient, sample 3 of the batch, which is image 44: +Inf, 2 of 9 values", d.Where())
	d.Kind = KindOutput
	d.Name, d.Sample = "a\n.jpg", 0
	require.Contains(t, d.Where(), "the output of layer one, sample 0 of the batch, which is image 44 (")
	require.NotContains(t, d.Where(), "\n")

	const smaller = "a smaller learning rate, or a bound on the norm of the gradients, may help"
	d = Diverged{Iteration: 2, Loss: math.NaN(), Layer: "one", Type: "one", Tensor: "t", Kind: KindWeight, Sample: -1}
	require.Equal(t, "iteration 2: the loss is NaN; the first value to go bad is in the weights t: 0, 0 of 0 values; the update before it broke them: "+smaller, d.Error())
	d.Test = true
	require.True(t, strings.HasPrefix(d.Error(), "after iteration 2: the loss on the test set is NaN; the first"))
	d.Iteration = 1
	require.Equal(t, "the weights to start from are damaged, or their filler is", d.Advice())
	d.Kind = KindInput
	require.Equal(t, "look at that sample and at the preprocessing: the value came with the data", d.Advice())
	d.Kind, d.Input = KindOutput, 1e9
	require.Equal(t, "values had grown to 1e+09 before: "+smaller, d.Advice())
	d.Input = 0.99e9
	require.Equal(t, "it was made from values of at most 9.9e+08, so look at the layer: does gradcheck pass, and is the label a class", d.Advice())
}

// Samples in a file are of one number, and of the right type.
func TestTakeSamples(t *testing.T) {
	f := func(shape ...int) *tensor.Dense {
		return tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
	}
	i32 := func(n int) *tensor.Dense { return tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(n)) }
	i64 := func(n int) *tensor.Dense { return tensor.New(tensor.Of(tensor.Int64), tensor.WithShape(n)) }
	type m = map[string]*tensor.Dense
	good := func() m {
		return m{samplesData: f(2, 1, 3, 4), samplesLabel: i32(2), samplesIndex: i64(2), samplesTarget: f(2, 5), "fc.weight": f(1)}
	}
	x := good()
	s, err := takeSamples(x)
	require.NoError(t, err)
	require.Len(t, x, 1, "the weights are left")
	require.Equal(t, 2, s.len())
	require.Equal(t, []int{1, 3, 4}, s.shape)
	require.Equal(t, 5, s.numbers)
	require.Len(t, s.targets, 10)
	b := s.batch(1, 2)
	require.Equal(t, tensor.Shape{1, 1, 3, 4}, b.X.Shape())
	require.Equal(t, tensor.Shape{1, 5}, b.Targets.Shape())
	require.Equal(t, tensor.Shape{1}, b.Labels.Shape())
	names := []string{}
	for _, x := range s.tensors() {
		names = append(names, x.Name)
	}
	require.Equal(t, []string{samplesData, samplesLabel, samplesIndex, samplesTarget}, names)

	x = good()
	delete(x, samplesTarget)
	s, err = takeSamples(x)
	require.NoError(t, err)
	require.Nil(t, s.batch(0, 2).Targets)
	require.Len(t, s.tensors(), 3)

	const none = ": there is no batch to repeat, as in diverged.safetensors of a run that diverged"
	const numbers = "tensors batch/data, batch/label and batch/index are of different numbers of samples"
	for _, c := range []struct {
		want   string
		change func(x m)
	}{
		{"tensor batch/data is missing or is not float32 of 4 dimensions" + none, func(x m) { x[samplesData] = f(2, 3, 4) }},
		{"tensor batch/data is missing or is not float32 of 4 dimensions" + none, func(x m) { delete(x, samplesData) }},
		{"tensor batch/label is missing or is not int32 of 1 dimensions" + none, func(x m) { x[samplesLabel] = i64(2) }},
		{"tensor batch/index is missing or is not int64 of 1 dimensions" + none, func(x m) { x[samplesIndex] = i32(2) }},
		{"tensor batch/target is missing or is not float32 of 2 dimensions" + none, func(x m) { x[samplesTarget] = f(2) }},
		{"tensor batch/target is of 3 samples, batch/data of 2", func(x m) { x[samplesTarget] = f(3, 5) }},
		{numbers, func(x m) { x[samplesLabel] = i32(3) }},
		{numbers, func(x m) { x[samplesIndex] = i64(1) }},
	} {
		x := good()
		c.change(x)
		_, err := takeSamples(x)
		require.EqualError(t, err, c.want)
	}
}

func TestDecodeSets(t *testing.T) {
	s, err := decodeSets(map[string]string{})
	require.NoError(t, err)
	require.Equal(t, sets{}, s)
	s, err = decodeSets(map[string]string{setsKey: `{"train":"a","test":"b"}`})
	require.NoError(t, err)
	require.Equal(t, sets{"a", "b"}, s)
	_, err = decodeSets(map[string]string{setsKey: `{`})
	require.EqualError(t, err, "metadata sets: unexpected end of JSON input")
	require.True(t, (&Checkpoint{sets: sets{Train: "a"}}).Named())
	require.False(t, (&Checkpoint{sets: sets{Test: "a"}}).Named())
}

// A line that JSON cannot say is an error that names the log.
func TestLogOfNonsense(t *testing.T) {
	path := filepath.Join(t.TempDir(), results.LogFile)
	w, err := newLog(path)
	require.NoError(t, err)
	require.EqualError(t, w.write(results.LogLine{Loss: math.NaN()}), path+": json: error calling MarshalJSON for type results.LogLine: json: unsupported value: NaN")
	require.NoError(t, w.write(results.LogLine{Iteration: 1}))
	require.NoError(t, w.write(results.LogLine{Iteration: 2}))
	require.NoError(t, w.Close())
	_, err = newLog(path)
	require.ErrorIs(t, err, os.ErrExist)
	w, err = resumeLog[results.LogLine](path, 1)
	require.NoError(t, err)
	require.NoError(t, w.write(results.LogLine{Iteration: 3}))
	require.NoError(t, w.Close())
	log, err := results.ReadLog(path)
	require.NoError(t, err)
	require.Equal(t, []int{1, 3}, []int{log[0].Iteration, log[1].Iteration})
	require.Len(t, log, 2)
	debug := filepath.Join(t.TempDir(), DebugFile)
	d, err := resumeLog[DebugLine](debug, 5)
	require.NoError(t, err)
	require.NoError(t, d.write(DebugLine{Iteration: 5}))
	require.NoError(t, d.write(DebugLine{Iteration: 6}))
	require.NoError(t, d.Close())
	d, err = resumeLog[DebugLine](debug, 5)
	require.NoError(t, err)
	require.NoError(t, d.Close())
	lines, err := ReadDebug(debug)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	require.NoError(t, os.WriteFile(path, []byte("{}\nno\n{}\n"), 0o666))
	_, err = results.ReadLog(path)
	require.EqualError(t, err, path+": line 2: invalid character 'o' in literal null (expecting 'u')")
	_, err = resumeLog[results.LogLine](path, 1)
	require.EqualError(t, err, path+": line 2: invalid character 'o' in literal null (expecting 'u'); the run goes on without that file, so move it away")
	_, err = resumeLog[results.LogLine](filepath.Join(path, "log"), 1)
	require.Error(t, err)
}

// A writer that breaks.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("the disk is full")
	}
	return len(p), nil
}

func TestConfusionTable(t *testing.T) {
	c := results.NewConfusion([]string{"cat", "dog"}, 3)
	c.Add([]float32{1, 2, 0, 5, 5, 1, 0, 0, 3}, []int32{0, 1, 1})
	c.Count(2, -1)
	require.Equal(t, [][]int{{0, 1, 0}, {1, 0, 1}, {0, 0, 0}}, c.Counts)
	var b bytes.Buffer
	require.NoError(t, c.WriteCSV(&b))
	require.Equal(t, "class \\ answer,cat,dog,#2\ncat,0,1,0\ndog,1,0,1\n#2,0,0,0\n", b.String())
	require.EqualError(t, c.WriteCSV(&broken{}), "the disk is full")
	c = results.NewConfusion([]string{strings.Repeat("x", 5000)}, 1)
	for _, left := range []int{0, 4999, 6000, 10_000} {
		require.EqualError(t, c.WriteCSV(&broken{left}), "the disk is full", left)
	}
	require.Equal(t, -1, results.Highest([]float64{math.NaN(), math.NaN()}))
	require.Equal(t, 1, results.Highest([]float64{math.NaN(), math.Inf(-1), math.NaN()}))
}

// A probe takes fewer samples at once where there is not the memory for all.
func TestProbeOfFewerSamples(t *testing.T) {
	d := reference.New()
	c := tinyConfig(t, d)
	w, err := graph.NewWeights(c.Network, d)
	require.NoError(t, err)
	defer w.Close()
	o := graph.PlanOptions{Mode: graph.Train, Batch: 1000}
	need := func(batch int) int64 {
		o := o
		o.Batch, o.Unshared = batch, true
		p, err := c.Network.Plan(d.Traits(), o)
		require.NoError(t, err)
		return p.Arena + p.GradientBytes
	}
	for _, s := range []struct {
		free int64
		want int
	}{{need(1000), 1000}, {need(1000) - 1, 500}, {need(500) - 1, 250}, {need(125), 125}, {need(125) - 1, 63}, {0, 1}} {
		p, err := newProbe(tight{d, s.free}, w, o)
		require.NoError(t, err)
		require.Equal(t, s.want, p.exec.Plan().Options.Batch)
		require.NoError(t, p.Close())
	}
	o.Keep = []string{"nothing"}
	_, err = newProbe(d, w, o)
	require.ErrorContains(t, err, `network tiny has no value "nothing"`)
}

// The largest batch that fits, exactly.
func TestCheckMemoryIsExact(t *testing.T) {
	need := func(batch int) (int64, error) { return int64(batch) << 20, nil }
	d := reference.New()
	require.NoError(t, checkMemory(tight{d, 8 << 20}, "training x", 8, need))
	require.EqualError(t, checkMemory(tight{d, 8<<20 - 1}, "training x", 8, need),
		"training x with a batch of 8 needs 8.0 MiB, but reference has 8.0 MiB free; the largest batch that fits is 7")
	require.EqualError(t, checkMemory(tight{d, 3 << 20}, "training x", 8, need),
		"training x with a batch of 8 needs 8.0 MiB, but reference has 3.0 MiB free; the largest batch that fits is 3")
	require.EqualError(t, checkMemory(tight{d, 1 << 20}, "training x", 2, need),
		"training x with a batch of 2 needs 2.0 MiB, but reference has 1.0 MiB free; the largest batch that fits is 1")
	require.EqualError(t, checkMemory(tight{d, 1<<20 - 1}, "training x", 2, need),
		"training x with a batch of 2 needs 2.0 MiB, but reference has 1.0 MiB free; not even a batch of 1 fits")
	bad := errors.New("no plan")
	require.Equal(t, bad, checkMemory(d, "training x", 2, func(int) (int64, error) { return 0, bad }))
}

func TestPartsOfARegression(t *testing.T) {
	set, _, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 2, 2}, Targets: 2, Train: 12, Test: 1})
	require.NoError(t, err)
	s := subsetOf(set, 3).(data.Regression)
	require.Equal(t, 2, s.Targets())
	a, b := make([]float32, 2), make([]float32, 2)
	for i := range 3 {
		require.NoError(t, s.ReadTarget(a, i))
		require.NoError(t, set.(data.Regression).ReadTarget(b, 4*i))
		require.Equal(t, b, a)
	}
}

func TestWithoutDropout(t *testing.T) {
	n := smallNet()
	c := withoutDropout(n)
	require.Equal(t, &layers.Dropout{}, c.Nodes[3].Layer)
	require.Equal(t, &layers.Dropout{P: 0.3}, n.Nodes[3].Layer)
	require.Same(t, n.Nodes[4].Layer, c.Nodes[4].Layer)
}

// The mean over views needs a softmax loss, and a batch of whole pictures.
func TestViews(t *testing.T) {
	set := twice{subset{}}
	require.Equal(t, 2, views(set))
	require.Equal(t, 1, views(subset{}))
	require.EqualError(t, checkViews(set, autoencoder()), "the mean of 2 views needs a network with a softmax loss")
	require.NoError(t, checkViews(set, smallNet()))
	require.NoError(t, checkViews(subset{}, autoencoder()))
	n := smallNet()
	n.Metric("loss", graph.Lower)
	require.EqualError(t, checkViews(set, n), "the mean of 2 views does not say what the metric loss of network small is: only an accuracy of fc2, which the loss reads, can be told")
	n = smallNet()
	n.Metric(n.Add("other", &layers.Accuracy{}, n.Add("fc3", &layers.Dense{Out: 10}, "drop1"), "label"), graph.Higher)
	require.EqualError(t, checkViews(set, n), "the mean of 2 views does not say what the metric other of network small is: only an accuracy of fc2, which the loss reads, can be told")
	for _, c := range [][3]int{{7, 1, 7}, {1, 10, 10}, {10, 10, 10}, {19, 10, 10}, {20, 10, 20}} {
		require.Equal(t, c[2], wholeViews(c[0], c[1]))
	}
}

// Sums of the finite alone.
func TestSquaresOfTheFinite(t *testing.T) {
	require.Equal(t, 25., sumSquares([]float32{3, float32(math.NaN()), -4, float32(math.Inf(1)), float32(math.Inf(-1))}))
}

// What the sanity checks say, in full, of networks whose numbers are known.
func TestSanityInWords(t *testing.T) {
	said := func(c Config) map[string]string {
		texts := map[string]string{}
		c.Observers = []Observer{watch(func(s Sanity) { texts[s.Name] = s.Text })}
		require.NoError(t, CheckSanity(t.Context(), c))
		return texts
	}
	c := tinyConfig(t, reference.New())
	c.Train = subsetOf(c.Train, 2)
	c.Optimiser = Optimiser{Schedule: Schedule{Policy: Plateau, Rate: 20, Gamma: 0.1, Step: 1}}
	c.Dir, c.Resume, c.Patience, c.DebugEvery = filepath.Join(t.TempDir(), "run"), true, 3, 1
	texts := said(c)
	require.Equal(t, "1.098612 with fc at zero; ln 3 is 1.098612", texts["initial loss"])
	require.Regexp(t, `^[\d.]+ without, [\d.]+ with 0\.0005, [\d.]+ with 0\.005$`, texts["weight decay"])
	require.Regexp(t, `^directional derivatives of 2 tensors agree with finite differences of the loss: at most [\d.e-]+ % off, of fc\.(weight|bias)$`, texts["gradients"])
	require.Regexp(t, `^the loss on 2 samples fell from [\d.]+ to [\d.e-]+ in \d+0 updates at the rate 20, 100 % right$`, texts["overfitting"])
	require.NoDirExists(t, c.Dir)

	// Two losses, one with a weight, and no accuracy.
	c.Network = &graph.Network{Name: "two"}
	x := c.Network.Add("fc", &layers.Dense{Out: 3}, c.Network.Image("data", 1, 2, 2))
	label := c.Network.Label("label")
	c.Network.Add("first", &layers.SoftmaxLoss{}, x, label)
	c.Network.Add("second", &layers.SoftmaxLoss{Weight: new(float32(0.5))}, x, label)
	texts = said(c)
	require.Equal(t, "1.647918 with fc at zero; the sum for all losses is 1.647918", texts["initial loss"])
	require.NotContains(t, texts["overfitting"], "right")
	c.Optimiser.Decay = 0.25
	require.Contains(t, said(c)["weight decay"], " with 0.25, ")

	set, _, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 2, 2}, Targets: 2, Train: 4, Test: 1})
	require.NoError(t, err)
	c.Train, c.Network = set, &graph.Network{Name: "numbers"}
	c.Optimiser.Schedule.Rate = 0.05
	x = c.Network.Add("fc", &layers.Dense{Out: 2}, c.Network.Image("data", 1, 2, 2))
	c.Network.Add("loss", &layers.L2Loss{}, x, c.Network.Target("target", 2))
	require.Regexp(t, `^([\d.]+) with fc at zero; half the square of the targets is [\d.]+$`, said(c)["initial loss"])
}
