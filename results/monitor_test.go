package results

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBins(t *testing.T) {
	for x, edge := range map[float32]float64{0: 0, 1: 1, 1.99: 1, 2: 2, -1: -1, -0.75: -0.5, 0.5: 0.5, 1e-20: 0, -1e-20: 0, 1e30: 32768, -1e30: -32768, 3e-5: math.Ldexp(1, -16)} {
		require.Equal(t, edge, BinEdge(Bin(x)), "%g", x)
	}
	require.Equal(t, 0, Bin(-math.MaxFloat32))
	require.Equal(t, Bins-1, Bin(math.MaxFloat32))
	require.Equal(t, ZeroBin+1, Bin(float32(math.Ldexp(1, smallest))))
}

func TestDistribution(t *testing.T) {
	var y Tally
	y.Add([]float32{1, 1.5, -3, 0})
	y.Add([]float32{float32(math.NaN()), 0.5, float32(math.Inf(-1))})
	d := y.Distribution()
	require.Zero(t, d.Mean)
	require.InDelta(t, math.Sqrt(12.5/5), d.Deviation, 1e-12)
	require.InDelta(t, math.Sqrt(12.5), d.Norm, 1e-12)
	require.Equal(t, 2, d.Bad)
	require.Equal(t, Bin(-3), d.First)
	require.Len(t, d.Counts, Bin(1)-Bin(-3)+1)
	for x, n := range map[float32]int{-3: 1, 0: 1, 0.5: 1, 1: 2, 0.25: 0} {
		require.Equal(t, n, d.Counts[Bin(x)-d.First], "%g", x)
	}
	text, err := json.Marshal(MonitorLine{Iteration: 3, Layers: []LayerNumbers{{Layer: "a", Outputs: d}}})
	require.NoError(t, err)
	var line MonitorLine
	require.NoError(t, json.Unmarshal(text, &line))
	require.Equal(t, 3, line.At())
	require.Equal(t, d, line.Layers[0].Outputs)
	require.Nil(t, line.Layers[0].Weights)
	require.Empty(t, new(Tally).Distribution().Counts)
}

func TestGradientAdvice(t *testing.T) {
	line := func(first, last, weights float64) MonitorLine {
		d := func(norm float64) *Distribution { return &Distribution{Norm: norm} }
		return MonitorLine{Layers: []LayerNumbers{
			{Layer: "conv1", OutputGradients: d(first), WeightGradients: d(weights)},
			{Layer: "relu1", OutputGradients: d(1e9)},
			{Layer: "fc2", OutputGradients: d(last), WeightGradients: d(0)},
			{Layer: "loss"},
		}}
	}
	for want, log := range map[string][]MonitorLine{
		"gradients vanish: the gradient at conv1 is 0.0005 times that at fc2, in the median of 3 updates, and below 0.001: ": {line(5e-4, 1, 1), line(1, 1, 1), line(2e-4, 1, 1)},
		"gradients explode: the gradient at conv1 is 2e+03 times that at fc2, in the median of 1 updates, and above 1000: ":  {line(4e3, 2, 1)},
		"the gradient at conv1 is 0.5 times that at fc2, in the median of 2 updates: they neither vanish nor explode":        {line(1, 2, 1), line(2, 4, 1)},
	} {
		got := GradientAdvice(log)
		require.Len(t, got, 1)
		require.Contains(t, got[0], want)
	}
	var log []MonitorLine
	for i := range 8 {
		log = append(log, line(1, 1, math.Pow(10, float64(i)/2)))
	}
	got := GradientAdvice(log)
	require.Len(t, got, 2)
	require.Contains(t, got[1], "gradients grow: their norm went from 2.1 to 2.1e+03, more than 100 times, ")
	require.Len(t, GradientAdvice(log[:7]), 1, "too few to tell")
	require.Empty(t, GradientAdvice(nil))
	require.Empty(t, GradientAdvice([]MonitorLine{{Layers: []LayerNumbers{{Layer: "a"}}}, line(1, 0, 1)}), "no gradient to divide by")
}

func TestCurveAdvice(t *testing.T) {
	accuracy := Metric{Name: "accuracy", Share: true}
	// run is 16 lines whose training loss goes through four numbers, with four tests.
	run := func(losses, tests [4]float64, trained, tested float64) (log []LogLine) {
		for i := range 16 {
			l := LogLine{Iteration: 10 * (i + 1), Loss: losses[i/4], Train: Metrics{{Name: "accuracy", Value: trained}}}
			if i%4 == 3 {
				l.TestLoss, l.Test = &tests[i/4], Metrics{{Name: "accuracy", Value: tested}}
			}
			log = append(log, l)
		}
		return log
	}
	flat := [4]float64{2, 1, 1, 1}
	for want, log := range map[string][]LogLine{
		"high variance: the test loss is 1.2, and was 1 at iteration 80: ":                        run(flat, [4]float64{2, 1, 1.1, 1.2}, 0.9, 0.9),
		"high variance: 16.0 % are wrong in the test and 10.0 % in training: ":                    run(flat, flat, 0.9, 0.84),
		"not finished: the training loss still falls, from 1 to 0.8 over the last two quarters: ": run([4]float64{2, 1.5, 1, 0.8}, flat, 0.8, 0.76),
		"high bias: 20.0 % are wrong in training, and the loss hardly falls: ":                    run(flat, flat, 0.8, 0.76),
		"neither high bias nor high variance":                                                     run(flat, flat, 0.95, 0.91),
	} {
		require.Contains(t, CurveAdvice(log, accuracy), want)
	}
	distance := Metric{Name: "distance"}
	require.Contains(t, CurveAdvice(run([4]float64{2, 1, .5, .5}, flat, 0, 0), distance), "high variance: the loss is 1 in the test and 0.5 in training: ")
	require.Equal(t, "neither high bias nor high variance", CurveAdvice(run(flat, flat, 0, 0), distance))
	require.Empty(t, CurveAdvice(run(flat, flat, 0, 0)[9:], accuracy), "too few lines")
	log := run(flat, flat, 0, 0)
	for i := range log {
		log[i].TestLoss = nil
	}
	require.Empty(t, CurveAdvice(log, accuracy), "no test")
}
