package predict

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device/reference"
)

// Files that were written before networks had a version are read, and say what
// they said.
func TestFilesOfBefore(t *testing.T) {
	for _, want := range []struct {
		file    string
		shape   []int
		classes []string
		output  []float32 // of a sample that rises by 4 from pixel to pixel
	}{
		{"classes.safetensors", []int{1, 8, 8}, []string{"cat", "snow\nleopard", "\xff\xfe"}, []float32{0.40285584, 0.22947161, 0.36767256}},
		{"points.safetensors", []int{1, 6, 6}, []string{}, []float32{-0.55157936, -0.21802722}},
	} {
		p := open(t, reference.New(), filepath.Join("testdata", want.file), Options{Batch: 1, Parallel: 1})
		require.Equal(t, want.shape, p.Shape())
		require.ElementsMatch(t, want.classes, p.Classes())
		require.Equal(t, data.Preprocess{Mean: data.Floats{128}, Scale: 1.0 / 64}, p.Preprocess())
		x := make([]float32, p.sampleLen())
		for i := range x {
			x[i] = float32(4 * i)
		}
		all, err := p.Predict(t.Context(), x)
		require.NoError(t, err)
		require.InDeltaSlice(t, want.output, all[0].Output, 1e-6)
	}
}
