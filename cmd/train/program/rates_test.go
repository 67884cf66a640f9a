package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/results"
)

// -lr-find leaves a picture and nothing else, and says what it suggests and why.
func TestFindRate(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := call(t, "-model", "lenet", "-data", "synthetic:320,10", "-batch", "16", "-lr-find", "rates.png", "-iters", "60")
	require.Equal(t, command.Done, code, stderr)
	require.Regexp(t, `^lenet on synthetic: rates from 1e-06 to 10 in 60 updates of 16 images with sgd
stopped after update \d+, at the rate [\d.]+: the smoothed loss was more than 4 times its lowest, or not finite
the smoothed loss was lowest, [\d.]+, at the rate [\d.]+
suggested: -lr 0\.\d+, a tenth of that
the curve is in rates.png
$`, stdout)
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, files, 1)

	code, stdout, stderr = call(t, "-model", "lenet", "-data", "synthetic:64,10", "-lr-find", "rates.png", "-iters", "3", "-lr-range", "1,2", "-optimiser", "adam")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, stdout, "rates from 1 to 2 in 3 updates of 64 images with adam\n")
	code, _, stderr = call(t, "-model", "lenet", "-data", "synthetic:64,10", "-lr-find", filepath.Join("none", "rates.png"), "-iters", "3")
	require.Equal(t, command.Broken, code)
	require.Contains(t, stderr, "train: -lr-find: ")
}

// What a test of rates amounts to, in words.
func TestPrintRates(t *testing.T) {
	for want, r := range map[string]results.RateTest{
		"the loss never fell: begin with a lower rate than 0.1 in -lr-range\n": {Rates: []float64{0.1, 0.2}, Losses: []float64{1, 2}, Smoothed: []float64{1, 1.5}},
		"the smoothed loss was lowest, 1, at the rate 0.2\nsuggested: -lr 0.02, a tenth of that\nthe loss was still falling at the highest rate: a higher one in -lr-range may suggest more\n": {
			Rates: []float64{0.1, 0.2}, Losses: []float64{2, 1}, Smoothed: []float64{2, 1},
		},
	} {
		var b strings.Builder
		printRates(&b, &r)
		require.Equal(t, want, b.String())
	}
}
