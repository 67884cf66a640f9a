package solver

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/results"
)

// renamed is smallNet without a name that ever meant something. Its first metric is
// a distance, of which lower is better.
func renamed() *graph.Network {
	n := &graph.Network{Name: "renamed"}
	class, in := n.Label("kind"), n.Image("picture", 1, 12, 12)
	x := n.Add("scores", &layers.Dense{Out: 10}, in)
	n.Outputs = []string{n.Add("odds", &layers.Softmax{}, x)}
	n.Add("cost", &layers.SoftmaxLoss{}, x, class)
	zero := n.Add("nothing", &layers.Scale{Factor: 1e-9}, x)
	n.Metric(n.Add("length", &layers.L2Loss{Weight: new(float32(0))}, x, zero), graph.Lower)
	n.Metric(n.Add("hits", &layers.Accuracy{}, x, class), graph.Higher)
	return n
}

// A network is trained, tested and judged by what it says of itself, whatever its
// inputs and layers are called.
func TestNoNameIsMagic(t *testing.T) {
	c := smallConfig(t)
	c.Network, c.Iterations = renamed(), 18
	c.Dir = filepath.Join(t.TempDir(), "run")
	var tests []Test
	c.Observers = []Observer{watch(func(x Test) { tests = append(tests, x) })}
	result, err := Train(t.Context(), c)
	require.NoError(t, err)
	best := tests[0]
	for _, x := range tests {
		require.Equal(t, []string{"length", "hits"}, []string{x.Metrics[0].Name, x.Metrics[1].Name})
		require.Equal(t, []bool{false, true}, []bool{x.Metrics[0].Share, x.Metrics[1].Share})
		if x.Metrics[0].Value < best.Metrics[0].Value {
			best = x
		}
	}
	require.Positive(t, best.Metrics[0].Value)
	require.Equal(t, best.Iteration, result.Best, "that of the shortest scores")
	require.Equal(t, tests[0].Iteration, result.Best, "which grow in training, or nothing is tested here")
	log, err := results.ReadLog(filepath.Join(c.Dir, results.LogFile))
	require.NoError(t, err)
	require.Equal(t, numbers(tests[len(tests)-1].Metrics), log[len(log)-1].Test)
	requireSameFiles(t, c.Dir, resumed(t, c, 9))

	// Names of before say nothing where the network does not.
	n := renamed()
	n.Inputs = []graph.Input{{Name: "kind", DType: device.Int32, Role: graph.RoleLabel}, {Name: "picture", DType: device.Float32, Shape: []int{1, 12, 12}}}
	require.EqualError(t, checkInputs(n, c.Train, "training set"), `network renamed has the input picture without a role, so that no data set fills it: give it the role "image" (float32 images), "label" (an int32 each) or "target" (float32 numbers)`)
	n = renamed()
	n.Label("again")
	require.EqualError(t, checkInputs(n, c.Train, "training set"), `network renamed has two inputs of the role "label", kind and again: keep one, which any number of layers can read`)
}

// resumed is the folder of the run that is stopped after an iteration and resumed.
func resumed(t *testing.T, c Config, iteration int) string {
	c.Observers = nil
	dir := stopAfter(t, c, iteration)
	resume(t, dir, c)
	return dir
}

func TestMetricsThatAreNone(t *testing.T) {
	for want, change := range map[string]func(n *graph.Network){
		"network small: the metric fc2 is float32 of the shape [16 10]; it must be one float32 a sample, as a layer of the type accuracy makes": func(n *graph.Network) {
			n.Metric("fc2", graph.Higher)
		},
		"network small: the metric loss is called as something else in the log, which has iteration, epoch, loss, test_loss, rate, images_per_second, input_per_second and what begins with train_ or averaged_: call its layer otherwise": func(n *graph.Network) {
			n.Metric("loss", graph.Lower)
		},
		"keep: network small has no value \"fc2:7\"": func(n *graph.Network) { n.Metric("fc2:7", graph.Higher) },
	} {
		c := smallConfig(t)
		c.Device = sealed{c.Device}
		change(c.Network)
		_, err := Train(t.Context(), c)
		require.Error(t, err)
		require.True(t, strings.HasPrefix(err.Error(), want), "%v", err)
	}
}

func TestBetter(t *testing.T) {
	higher, lower := []graph.Metric{{Value: "m", Better: graph.Higher}}, []graph.Metric{{Value: "m", Better: graph.Lower}}
	of := func(m float64) results.Metrics {
		return results.Metrics{{Name: "other", Value: 7}, {Name: "m", Value: m}}
	}
	nan := math.NaN()
	for _, c := range []struct {
		metrics  []graph.Metric
		was, is  float64
		loss     float64 // it was 1
		isBetter bool
	}{
		{higher, 1, 2, 9, true}, {higher, 2, 1, 0, false}, {higher, 1, 1, 0.5, true}, {higher, 1, 1, 1, false},
		{lower, 1, 2, 0, false}, {lower, 2, 1, 9, true}, {lower, -1, -1, 0.5, true},
		{higher, nan, 1, 9, true}, {lower, nan, 1, 9, true}, {higher, 1, nan, 0, false}, {lower, 1, nan, 0, false}, {lower, nan, nan, 0.5, true},
		{nil, 2, 1, 0.5, true}, {nil, 1, 2, 1.5, false},
	} {
		s := &score{Loss: 1, Metrics: of(c.was)}
		require.Equal(t, c.isBetter, s.better(&Test{Loss: c.loss, Metrics: of(c.is)}, c.metrics), "%+v", c)
	}
	require.True(t, (*score)(nil).better(&Test{}, higher))
	require.True(t, (&score{}).better(&Test{Loss: 9, Metrics: of(0)}, higher), "a number is better than none")
}
