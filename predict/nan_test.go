package predict

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTopLeavesOutNaN(t *testing.T) {
	d := openCPU(t)
	path, _ := trained(t, d)
	p, err := Open(d, path, Options{})
	require.NoError(t, err)
	defer p.Close()
	nan := float32(math.NaN())
	top := p.Top(Prediction{Output: []float32{nan, 0.2, nan, 0.8}}, 3)
	require.Len(t, top, 2)
	require.Equal(t, 3, top[0].Label)
	require.Equal(t, 1, top[1].Label)
	require.Empty(t, p.Top(Prediction{Output: []float32{nan}}, 3))
}
