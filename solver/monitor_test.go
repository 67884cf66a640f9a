package solver

import (
	"encoding/json"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/results"
)

// Two passes of an update, by hand.
func TestMonitorGathers(t *testing.T) {
	n := &graph.Network{Nodes: []graph.Node{{Name: "fc1"}, {Name: "relu1"}, {Name: "fc2"}, {Name: "unused"}}}
	m := newMonitor(n)
	of := func(kind Kind, layer, name string, values ...float32) {
		m.add(seen{layer: layer, name: name, kind: kind, values: values})
	}
	for _, pass := range []float32{0, 1} {
		of(KindWeight, "fc1", "fc1.weight", 3, 0)
		of(KindWeight, "fc1", "fc1.bias", 4)
		of(KindWeight, "fc2", "fc2.weight", 9) // frozen: it has no gradient
		of(KindInput, "fc1", "data", 100)
		of(KindOutput, "fc1", "fc1", 1, pass)
		of(KindSaved, "fc1", "fc1/kept", 100)
		of(KindOutput, "relu1", "relu1", 5)
		of(KindOutput, "fc2", "fc2", 0)
		of(KindOutput, "fc2", "fc2:1", 7)
		of(KindGradient, "other", "fc1/d", 100) // the first of two layers that read it
		of(KindGradient, "relu1", "fc1/d", 3, 4*pass)
		of(KindGradient, "fc1", "data/d", 100)
		of(KindWeightGradient, "fc1", "fc1.weight", 1, 1+pass)
		of(KindWeightGradient, "fc1", "fc1.bias", 2*pass)
		m.passed()
	}
	line := m.line(8)
	require.Equal(t, 8, line.At())
	require.Len(t, line.Layers, 3, "a layer without an output has no numbers")
	fc1 := line.Layers[0]
	require.Equal(t, "fc1", fc1.Layer)
	require.InDelta(t, 0.75, fc1.Outputs.Mean, 1e-12)
	require.InDelta(t, math.Sqrt(9+0+9+16), fc1.OutputGradients.Norm, 1e-12)
	require.InDelta(t, 5, fc1.Weights.Norm, 1e-12)
	require.InDelta(t, 3, fc1.WeightGradients.Norm, 1e-12, "of the last pass, which has them of all")
	require.Nil(t, line.Layers[1].WeightGradients)
	require.Nil(t, line.Layers[1].OutputGradients)
	require.InDelta(t, 3.5, line.Layers[2].Outputs.Mean, 1e-12)
	require.Nil(t, line.Layers[2].Weights)
}

func readMonitor(t *testing.T, dir string) []results.MonitorLine {
	t.Helper()
	log, err := results.ReadLines[results.MonitorLine](filepath.Join(dir, results.MonitorFile))
	require.NoError(t, err)
	return log
}

// Looking changes nothing, is told, goes on with a run that is resumed, and sees the
// same in two passes.
func TestMonitor(t *testing.T) {
	c := smallConfig(t)
	straight := trainIn(t, c)
	c.MonitorEvery = 3
	var lines []results.MonitorLine
	c.Observers = []Observer{watch(func(l Monitored) { lines = append(lines, l.MonitorLine) })}
	dir := trainIn(t, c)
	requireSameFiles(t, straight, dir)
	log := readMonitor(t, dir)
	require.Len(t, log, 4)
	text, err := json.Marshal(lines)
	require.NoError(t, err)
	same, err := json.Marshal(log)
	require.NoError(t, err)
	require.Equal(t, string(text), string(same))
	c.Observers = nil
	c.DebugEvery = 3
	debugged := trainIn(t, c)
	numbers, err := ReadDebug(filepath.Join(debugged, DebugFile))
	require.NoError(t, err)
	for i, line := range log {
		require.Equal(t, 3*i+1, line.Iteration)
		for k, l := range line.Layers {
			was := numbers[i].Layers[k]
			require.Equal(t, was.Layer, l.Layer)
			require.InDelta(t, was.Mean, l.Outputs.Mean, 1e-12)
			require.InDelta(t, was.Deviation, l.Outputs.Deviation, 1e-12)
			require.Equal(t, was.Gradient == nil, l.Weights == nil)
			if l.Weights != nil {
				require.InDelta(t, *was.Gradient, l.WeightGradients.Norm/l.Weights.Norm, 1e-12)
			}
			loss := l.Layer == "loss" || l.Layer == "accuracy" || l.Layer == "top5"
			require.Equal(t, loss, l.OutputGradients == nil, l.Layer)
		}
	}
	c.DebugEvery = 0
	stopped := stopAfter(t, c, 6)
	checkpoint, err := ReadCheckpoint(stopped)
	require.NoError(t, err)
	r := checkpoint.Config
	r.Device, r.Train, r.Test, r.MonitorEvery = c.Device, c.Train, c.Test, 3
	_, err = Train(t.Context(), r)
	require.NoError(t, err)
	requireSameFiles(t, straight, stopped)
	require.Equal(t, log, readMonitor(t, stopped))

	c.Batch, c.Accumulate = 8, 2
	halves := readMonitor(t, trainIn(t, c))
	for k, l := range log[0].Layers {
		require.InDelta(t, l.Outputs.Deviation, halves[0].Layers[k].Outputs.Deviation, 1e-5)
		if l.OutputGradients != nil {
			require.InDelta(t, l.OutputGradients.Norm, halves[0].Layers[k].OutputGradients.Norm, 1e-5)
		}
	}
}

// Ten layers of sigmoids lose the gradient; ReLUs with weights for them keep it.
func TestVanishingGradientsAreNamed(t *testing.T) {
	for op, want := range map[device.UnaryOp]string{
		device.Sigmoid: "gradients vanish: the gradient at fc0 is ",
		device.ReLU:    "they neither vanish nor explode",
	} {
		c := smallConfig(t)
		n := &graph.Network{Name: "deep"}
		x := n.Image("data", c.Train.Shape()...)
		label := n.Label("label")
		for i := range 10 {
			x = n.Add("fc"+itoa(i), &layers.Dense{Out: 32, WeightFiller: layers.MSRA()}, x)
			x = n.Add("act"+itoa(i), &layers.Unary{Op: op}, x)
		}
		x = n.Add("scores", &layers.Dense{Out: 10}, x)
		n.Add("loss", &layers.SoftmaxLoss{}, x, label)
		c.Network, c.Test, c.MonitorEvery, c.Iterations = n, nil, 1, 4
		advice := results.GradientAdvice(readMonitor(t, trainIn(t, c)))
		require.Len(t, advice, 1)
		require.Contains(t, advice[0], want)
	}
}
