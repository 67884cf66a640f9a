package results

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFiltersOfColours(t *testing.T) {
	w := make([]float32, 2*3*1*2)
	copy(w, []float32{0, 0.5, -1, 0.25, 1, 0})
	l, err := NewFilters(7, "conv1", w, []int{2, 3, 1, 2})
	require.NoError(t, err)
	require.Equal(t, FiltersLine{Iteration: 7, Layer: "conv1", Filters: 2, Of: 2, Channels: 3, Height: 1, Width: 2,
		Largest: []float32{1, 0}, Levels: []byte{128, 192, 1, 160, 255, 128, 128, 128, 128, 128, 128, 128}}, l, "a filter of zeros is grey")
	text, err := json.Marshal(l)
	require.NoError(t, err)
	var back FiltersLine
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, l, back)
	require.Equal(t, 7, back.At())
}

// Other channels are shown by their mean, a layer of many filters by the first ones, and
// what is no number or infinite spoils no other.
func TestFiltersThatAreOdd(t *testing.T) {
	l, err := NewFilters(0, "c", []float32{1, 0, 0, 1}, []int{1, 2, 1, 2})
	require.NoError(t, err)
	require.Equal(t, []byte{255, 255}, l.Levels)
	require.Equal(t, []float32{0.5}, l.Largest)

	l, err = NewFilters(0, "c", make([]float32, 300), []int{300, 1, 1, 1})
	require.NoError(t, err)
	require.Equal(t, []int{256, 300, 256, 256}, []int{l.Filters, l.Of, len(l.Levels), len(l.Largest)})

	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	l, err = NewFilters(0, "c", []float32{nan, inf, -2, 1}, []int{1, 1, 2, 2})
	require.NoError(t, err)
	require.Equal(t, []byte{128, 255, 1, 192}, l.Levels)
	_, err = json.Marshal(l)
	require.NoError(t, err)

	_, err = NewFilters(0, "fc", []float32{1}, []int{1, 1})
	require.ErrorContains(t, err, "fc: weights of the shape [1 1] are no filters")
}
