package predict

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
)

// What Prepare makes and Run takes is what Files sees: one view or ten, preprocessed once.
func TestPrepareAndRun(t *testing.T) {
	m := corners(1, 2, 3)
	m.Preprocess = data.Preprocess{Mean: data.Floats{3}, Scale: 0.5,
		Augment: data.Augment{{Op: data.Resize, H: 4, W: 5, P: 1}, {Op: data.Crop, H: 2, W: 3, P: 1}}}
	names := pictures(t, 4, 5, 10, 20, 30)
	for _, o := range []Options{{Batch: 2}, {Batch: 32, TenCrops: true}, {Batch: 3, TenCrops: true, Features: []string{"twice"}}} {
		p := newPredictor(t, m, o)
		var want []Prediction
		require.NoError(t, p.Files(t.Context(), names, func(_ int, y Prediction, err error) {
			require.NoError(t, err)
			want = append(want, y)
		}))
		var samples [][]float32
		views := 0
		for i, name := range names {
			encoded, err := os.ReadFile(name)
			require.NoError(t, err)
			y, err := p.Picture(t.Context(), encoded)
			require.NoError(t, err)
			require.Equal(t, want[i], y)
			of, err := p.Prepare(t.Context(), encoded)
			require.NoError(t, err)
			samples, views = append(samples, of...), p.Views()
			require.Len(t, of, views)
		}
		all, err := p.Run(t.Context(), samples)
		require.NoError(t, err)
		require.Len(t, all, len(names)*views)
		for i := range names {
			require.Equal(t, want[i], Mean(all[i*views:(i+1)*views]))
		}
		_, err = p.Run(t.Context(), [][]float32{samples[0], samples[0][:5]})
		require.EqualError(t, err, "5 values are not a sample of the shape [1 2 3]")
	}
}

// A picture of too many pixels is refused by its head.
func TestPixels(t *testing.T) {
	p := newPredictor(t, corners(1, 2, 3), Options{Pixels: 20})
	for _, c := range []struct {
		h, w  int
		wrong string
	}{
		{4, 5, ""}, {20, 1, ""}, {1, 20, ""}, {3, 7, "the picture has too many pixels: 7x3, more than 20"},
		{1, 21, "the picture has too many pixels: 21x1, more than 20"},
	} {
		_, err := p.Prepare(t.Context(), picture(t, c.h, c.w, 0))
		if c.wrong == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, c.wrong)
		require.ErrorIs(t, err, ErrPixels)
	}
	_, err := p.Prepare(t.Context(), []byte("no picture"))
	require.NotErrorIs(t, err, ErrPixels)
	require.Error(t, err)
}

// A Predictor says what its network is called.
func TestNames(t *testing.T) {
	m := corners(1, 2, 3)
	m.Network.Inputs[0].Name, m.Network.Nodes[0].In = "photo", []string{"photo"}
	p := newPredictor(t, m, Options{Batch: 7, Features: []string{"twice"}})
	require.Equal(t, "corners", p.Network())
	require.Equal(t, "photo", p.Input())
	require.Equal(t, "corner", p.Output())
	require.Equal(t, []string{"twice"}, p.Features())
	require.Equal(t, 7, p.Batch())
	require.True(t, p.Regression())
	m.Classes = []string{"a", "b"}
	require.False(t, newPredictor(t, m, Options{}).Regression())
	require.False(t, newPredictor(t, normed(), Options{}).Regression())
}

// A class that is not UTF-8 has its bytes beside it.
func TestClassesOfAnyBytes(t *testing.T) {
	m := corners(1, 2, 3)
	m.Classes = []string{"caf\xe9", "dog"}
	p := newPredictor(t, m, Options{})
	top := p.Top(Prediction{Output: []float32{0.9, 0.1}}, 2)
	require.Equal(t, []byte("caf\xe9"), top[0].ClassBytes)
	require.Nil(t, top[1].ClassBytes)
}
