package report

import (
	"image"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/plotter"

	"github.com/hubel-go/hubel/results"
)

// falling is a log of n lines, ten iterations apart, tested every hundredth.
func falling(n int) []results.LogLine {
	var log []results.LogLine
	for i := range n {
		l := results.LogLine{Iteration: 10 * (i + 1), Epoch: float64(i+1) / 100, Loss: 2 * math.Exp(-float64(i)/50)}
		l.Train = results.Metrics{{Name: "accuracy", Value: 1 - math.Exp(-float64(i)/50)}}
		if (i+1)%100 == 0 {
			l.TestLoss = new(1.5 * l.Loss)
			l.Test = results.Metrics{{Name: "accuracy", Value: 1 - 0.1/float64(i)}}
		}
		log = append(log, l)
	}
	return log
}

// accuracy is the metric of falling.
var accuracy = results.Metric{Name: "accuracy", Share: true}

// count counts the pixels of a colour within a part of the picture.
func count(m image.Image, within image.Rectangle, r, g, b uint8) int {
	n := 0
	for y := within.Min.Y; y < within.Max.Y; y++ {
		for x := within.Min.X; x < within.Max.X; x++ {
			if rgb(m, x, y) == [3]uint8{r, g, b} {
				n++
			}
		}
	}
	return n
}

func TestCurve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curve.png")
	require.NoError(t, Curve(path, "lenet on mnist", falling(300), accuracy))
	m := read(t, path)
	require.Equal(t, image.Rect(0, 0, 1000, 700), m.Bounds())
	require.Equal(t, white, rgb(m, 2, 2))

	// Left of the legend: the loss falls through the whole upper panel, the
	// accuracy lies in the lower one.
	upper, lower := image.Rect(100, 40, 780, 320), image.Rect(100, 360, 780, 640)
	require.Greater(t, count(m, upper, lossColour.R, lossColour.G, lossColour.B), 500)
	require.Zero(t, count(m, lower, lossColour.R, lossColour.G, lossColour.B))
	require.Greater(t, count(m, upper, testColour.R, testColour.G, testColour.B), 50)
	require.Greater(t, count(m, lower, metricColour.R, metricColour.G, metricColour.B), 300)
	require.Zero(t, count(m, upper, metricColour.R, metricColour.G, metricColour.B))
	require.Greater(t, count(m, lower, trainingColour.R, trainingColour.G, trainingColour.B), 300)
}

// The tests of averaged weights stand in both panels, where there are some.
func TestCurveOfAverages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curve.png")
	log := falling(300)
	for _, averaged := range []bool{false, true} {
		for i := range log {
			if l := &log[i]; averaged && l.TestLoss != nil {
				l.AverageLoss, l.Average = new(2**l.TestLoss), results.Metrics{{Name: "accuracy", Value: 0.9}}
			}
		}
		require.NoError(t, Curve(path, "lenet on mnist", log, accuracy))
		for _, panel := range []image.Rectangle{image.Rect(100, 40, 780, 320), image.Rect(100, 360, 780, 640)} {
			require.Equal(t, averaged, count(read(t, path), panel, averageColour.R, averageColour.G, averageColour.B) > 100)
		}
	}
}

func TestCurveOfAwkwardLogs(t *testing.T) {
	zero := falling(40)
	zero[7].Loss = 0
	blown := falling(40)
	blown[39].Loss = math.NaN()
	blown[38].Loss = math.Inf(1)
	flat := falling(100)
	for i := range flat {
		flat[i].Loss = 0
	}
	perfect := falling(100)
	perfect[99].Test[0].Value = 1
	for name, log := range map[string][]results.LogLine{
		"one line":   falling(1),
		"a zero":     zero,
		"not finite": blown,
		"all zeros":  flat,
		"all right":  perfect,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "curve.png")
			require.NoError(t, Curve(path, name, log, accuracy))
			m := read(t, path)
			require.Equal(t, image.Rect(0, 0, 1000, 700), m.Bounds())
			require.Positive(t, count(m, m.Bounds(), lossColour.R, lossColour.G, lossColour.B))
		})
	}
}

func TestCurveWithoutLoss(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curve.png")
	require.ErrorContains(t, Curve(path, "nothing", nil, accuracy), "no loss")
	require.ErrorContains(t, Curve(path, "nothing", []results.LogLine{{Iteration: 1, Loss: math.NaN()}}, accuracy), "no loss")
	require.NoFileExists(t, path)
}

func TestSmoothed(t *testing.T) {
	line := make(plotter.XYs, 120)
	for i := range line {
		line[i] = plotter.XY{X: float64(i), Y: float64(i % 2)}
	}
	s := smoothed(line)
	require.Equal(t, 0.0, s[0].Y, "the first value stands alone")
	require.InDelta(t, 5.0/9, s[51].Y, 1e-12, "1 0 1 0 1 0 1 0 1")
	require.Equal(t, 51.0, s[51].X)
	require.InDelta(t, 3.0/5, s[119].Y, 1e-12, "1 0 1 0 1 at the end")

	short := line[:29]
	require.Equal(t, short, smoothed(short))
}

func TestTicks(t *testing.T) {
	labels := func(low, high float64, log bool) []string {
		ticks := linearTicks{}.Ticks(low, high)
		if log {
			ticks = logTicks{}.Ticks(low, high)
		}
		var s []string
		for _, tick := range ticks {
			s = append(s, tick.Label)
		}
		return s
	}
	require.Equal(t, []string{"0", "1000", "2000", "3000", "4000"}, labels(0, 4690, false))
	require.Equal(t, []string{"98.4", "98.6", "98.8", "99.0", "99.2"}, labels(98.3, 99.3, false))
	require.Equal(t, []string{"0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"}, labels(0.011, 3, true))
	require.Equal(t, []string{"2", "3", "4"}, labels(1.5, 4.5, true))
}

// A metric that is no share of the samples has its own axis, also below 0 and
// beyond 100.
func TestCurveOfADistance(t *testing.T) {
	log := falling(40)
	for i := range log {
		log[i].Test = results.Metrics{{Name: "distance", Value: 2000 * (1 - float64(i)/20)}}
		log[i].Train = results.Metrics{{Name: "distance", Value: 1500}}
	}
	distance := results.Metric{Name: "distance"}
	p, err := metricPanel(seriesOf(log, distance))
	require.NoError(t, err)
	require.Equal(t, "distance", p.Y.Label.Text)
	require.Less(t, p.Y.Min, -1900.)
	require.Greater(t, p.Y.Max, 2000.)
	p, err = metricPanel(seriesOf(log[:1], distance))
	require.NoError(t, err)
	require.Equal(t, []float64{1999, 2002}, []float64{p.Y.Min, p.Y.Max})

	p, err = metricPanel(seriesOf(falling(200), accuracy))
	require.NoError(t, err)
	require.Equal(t, "accuracy, %", p.Y.Label.Text)
	require.Equal(t, 100., p.Y.Max)
	path := filepath.Join(t.TempDir(), "curve.png")
	require.NoError(t, Curve(path, "points", log, distance))
	require.FileExists(t, path)
}
