package gradcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
)

// wrong is a layer whose gradient is off.
type wrong struct {
	layers.Unary
	factor float32
}

func (w *wrong) Backward(q device.Queue, c *layers.Call) {
	w.Unary.Backward(q, c)
	q.Scale(c.DIn[0], c.DIn[0], w.factor, device.Overwrite)
}

func image(c, h, w int) graph.Input {
	return graph.Input{Name: "x", DType: device.Float32, Shape: []int{c, h, w}}
}

func TestCheckFindsWrongGradients(t *testing.T) {
	l := layers.Unary{Op: device.Tanh}
	require.NoError(t, gradcheck.Check(gradcheck.Layer(&l, image(2, 3, 3)), gradcheck.Options{}))
	for _, factor := range []float32{0.99999, 1.00001, 0, -1} {
		err := gradcheck.Check(gradcheck.Layer(&wrong{l, factor}, image(2, 3, 3)), gradcheck.Options{})
		require.ErrorContains(t, err, "x: gradient of element", "factor %g", factor)
	}
}

func TestCompareFindsWrongGradients(t *testing.T) {
	d, err := cpu.New(2)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	n := gradcheck.Layer(&layers.Conv{Filters: 4, Kernel: layers.Square(3)}, image(3, 8, 8))
	require.NoError(t, gradcheck.Compare(n, d, gradcheck.Options{}))
	require.Error(t, gradcheck.Compare(n, d, gradcheck.Options{Tolerance: 1e-12}), "float32 cannot be that good")
}

func TestNames(t *testing.T) {
	n := gradcheck.Layer(&layers.Conv{Filters: 4, Kernel: layers.Square(3)}, image(3, 8, 8))
	names, err := gradcheck.Names(n, gradcheck.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"layer.bias", "layer.weight", "x"}, names)
}

func TestPlanErrorsComeThrough(t *testing.T) {
	n := gradcheck.Layer(&layers.Conv{Filters: 4, Kernel: layers.Square(9)}, image(3, 8, 8))
	require.ErrorContains(t, gradcheck.Check(n, gradcheck.Options{}), "window of 9x9 does not fit")
}
