package data

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestPreprocessApply(t *testing.T) {
	for _, c := range []struct {
		p    Preprocess
		want []float32
	}{
		{Preprocess{}, []float32{2, 4, 6, 8}},
		{Preprocess{Scale: 0.5}, []float32{1, 2, 3, 4}},
		{Preprocess{Mean: []float32{2, 4}}, []float32{0, 2, 2, 4}},
		{Preprocess{Mean: []float32{2, 4}, Scale: 0.5}, []float32{0, 1, 1, 2}},
		{Preprocess{Mean: []float32{1, 2, 3, 4}}, []float32{1, 2, 3, 4}},
		{Preprocess{Mean: []float32{1, 2, 3, 4}, Deviation: []float32{1, 2}, Scale: 2}, []float32{2, 4, 3, 4}},
		{Preprocess{Deviation: []float32{2, 4}}, []float32{1, 2, 1.5, 2}},
		{Preprocess{Mean: []float32{2, 4}, Whiten: []float32{0, 1, 1, 0}, Scale: 3}, []float32{6, 12, 0, 6}},
	} {
		x := []float32{2, 4, 6, 8}
		c.p.Apply(x)
		require.Equal(t, c.want, x)
	}
}

func TestPreprocessJSON(t *testing.T) {
	p := Preprocess{Mean: []float32{33.318421, 1}, Scale: 1. / 255}
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"mean":[33.31842,1],"scale":0.003921569}`, string(b))
	var q Preprocess
	require.NoError(t, json.Unmarshal(b, &q))
	require.Equal(t, p, q)

	b, err = json.Marshal(Preprocess{})
	require.NoError(t, err)
	require.Equal(t, "{}", string(b))
}

func TestPreprocessCheck(t *testing.T) {
	s := tensor.Shape{3, 2, 2}
	require.NoError(t, Preprocess{}.Check(s))
	require.NoError(t, Preprocess{Mean: []float32{1, 2, 3}, Scale: 2}.Check(s))
	require.EqualError(t, Preprocess{Mean: []float32{1}}.Check(s),
		"preprocessing has a mean for 1 channels, but a sample has 3")
	require.ErrorContains(t, Preprocess{Scale: float32(math.NaN())}.Check(s), "must be finite")
	require.EqualError(t, Preprocess{Whiten: make(Floats, 17*17)}.Check(tensor.Shape{17, 2, 2}),
		"preprocessing whitens at most 16 channels, and a sample has 17")
}
