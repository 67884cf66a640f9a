package report

import (
	"image"
	"image/color"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/plotutil"

	"github.com/hubel-go/hubel/results"
)

func TestRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.png")
	worse := falling(300)
	for i := range worse {
		if worse[i].TestLoss != nil {
			worse[i].TestLoss = new(3 * *worse[i].TestLoss)
			worse[i].Test = results.Metrics{{Name: "accuracy", Value: 0.5}}
		}
	}
	runs := []Run{{"a", falling(300)}, {"none", nil}, {"b", worse}}
	for _, metric := range []results.Metric{{}, accuracy} {
		require.NoError(t, Runs(path, "two runs", metric, runs))
		m := read(t, path)
		require.Equal(t, image.Rect(0, 0, 1000, 500), m.Bounds())
		var mean [2]float64
		panel := image.Rect(100, 40, 800, 440)
		for i, r := range []int{0, 2} {
			c := color.RGBAModel.Convert(plotutil.Color(r)).(color.RGBA)
			n := 0
			for y := panel.Min.Y; y < panel.Max.Y; y++ {
				for x := panel.Min.X; x < panel.Max.X; x++ {
					if rgb(m, x, y) == [3]uint8{c.R, c.G, c.B} {
						mean[i] += float64(y)
						n++
					}
				}
			}
			require.Greater(t, n, 200, "the line of run %d", i)
			mean[i] /= float64(n)
		}
		above := mean[0] < mean[1] // pixels count from above
		require.Equal(t, metric.Name != "", above, "the better run is below in loss, above in accuracy")
	}
	require.EqualError(t, Runs(path, "", results.Metric{}, runs[1:2]), "plot of runs: no run has a test yet")
}
