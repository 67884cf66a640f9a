package modelfile

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestNaNsAreCounted(t *testing.T) {
	require.Equal(t, 1, nans(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{1, float32(math.NaN()), float32(math.Inf(1))}))))
	require.Zero(t, nans(tensor.New(tensor.WithShape(3), tensor.WithBacking([]int64{1, 2, 3}))))
}
