package layers_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// The place of the largest channel, the first of equals; of what is NaN or infinite too.
func TestArgMaxByHand(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x := tensor.New(tensor.WithShape(2, 3, 1, 4), tensor.WithBacking([]float32{
		1, 5, -2, 0,
		3, 5, -1, 0,
		2, 4, -3, 0,

		-inf, inf, 1, -5,
		-inf, 7, nan, -6,
		-inf, inf, 2, -4,
	}))
	for _, name := range everyDevice {
		t.Run(name, func(t *testing.T) {
			p := newPass(t, name, &layers.ArgMax{}, graph.Infer, nil, x)
			got := p.float32s("layer")
			require.True(t, got[6] != got[6], "NaN")
			got[6] = -1
			require.Equal(t, []float32{1, 0, 1, 0, 0, 0, -1, 2}, got)
		})
	}
	_, err := (&layers.ArgMax{}).Plan(nil, []layers.Input{{Shape: []int{2}}}, layers.Options{})
	require.EqualError(t, err, "input is [2], want channels, at most 16777216")
}
