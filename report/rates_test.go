package report

import (
	"image"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
)

func TestRates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rates.png")
	r := &results.RateTest{}
	require.ErrorContains(t, Rates(path, "lenet on mnist", r), "the test has no loss yet")
	require.NoFileExists(t, path)
	for i, updates := range []int{1, 2, 100} {
		*r = results.RateTest{}
		for k := range updates {
			rate := 1e-6 * math.Pow(1.2, float64(k))
			if !r.Add(rate, 2.3*math.Exp(-10*rate)+1000*rate*rate) {
				break
			}
		}
		require.NoError(t, Rates(path, "lenet on mnist", r))
		m := read(t, path)
		require.Equal(t, image.Rect(0, 0, 1000, 450), m.Bounds())
		// Above the legend: the line of the rate that is suggested, where there is one.
		above := image.Rect(60, 50, 1000, 300)
		require.Equal(t, i > 0, count(m, above, testColour.R, testColour.G, testColour.B) > 50)
		if updates == 100 {
			require.Greater(t, count(m, above, lossColour.R, lossColour.G, lossColour.B), 500)
		}
	}
	require.True(t, r.Stopped)

	zero := &results.RateTest{}
	for _, rate := range []float64{1, 2} {
		zero.Add(rate, 0)
	}
	require.NoError(t, Rates(path, "nothing to learn", zero))
}
