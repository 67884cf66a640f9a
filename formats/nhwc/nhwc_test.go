package nhwc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// image is a builder of a network with an image of two rows, three columns and five channels.
func image(last bool) (*Builder, *Value) {
	b := &Builder{Net: &graph.Network{}, Last: last}
	return b, &Value{Name: b.Net.Image(b.Names.Make("x"), 5, 2, 3), Sample: []int{5, 2, 3}}
}

func TestAxesAndShapes(t *testing.T) {
	b, x := image(true)
	require.Equal(t, []int{2, 3, 5}, b.Shape(x))
	require.Equal(t, []int{5, 2, 3}, b.ToFirst([]int{2, 3, 5}))
	for axis, want := range map[int]int{1: 1, 2: 2, 3: 0, -1: 0, -2: 2, -3: 1} {
		at, err := b.Axis(x, axis)
		require.NoError(t, err)
		require.Equal(t, want, at, axis)
	}
	for _, axis := range []int{0, 4, -4} {
		_, err := b.Axis(x, axis)
		require.ErrorContains(t, err, "is none of the samples, which have 3")
	}
	x.Flat = true
	require.Equal(t, []int{30}, b.Shape(x))
	b, x = image(false)
	require.Equal(t, []int{5, 2, 3}, b.Shape(x))
}

// What a layer needs to put elements into the file's order is one layer for all that read them.
func TestSolid(t *testing.T) {
	b, x := image(true)
	x.Flat = true
	y, err := b.Solid(x)
	require.NoError(t, err)
	require.Equal(t, []int{30}, y.Sample)
	again, err := b.Solid(x)
	require.NoError(t, err)
	require.Same(t, y, again)
	require.Len(t, b.Net.Nodes, 2)
	require.Equal(t, []int{0, 2, 3, 1}, b.Net.Nodes[0].Layer.(*layers.Permute).Order)

	// Channels that stay need no order.
	b, x = image(true)
	y, err = b.Reshaped("r", x, []int{3, 2, 5})
	require.NoError(t, err)
	require.Equal(t, []int{5, 3, 2}, y.Sample)
	require.Len(t, b.Net.Nodes, 1)
	same, err := b.Reshaped("r", x, []int{2, 3, 5})
	require.NoError(t, err)
	require.Same(t, x, same)
}

func TestWindows(t *testing.T) {
	_, x := image(true)
	w := Windows{Kernel: []int{3, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1}, Before: make([]int, 2), After: make([]int, 2)}
	w.Same(x)
	require.Equal(t, layers.Pad{Bottom: 1, Right: 1}, w.Conv(4, 1, true).Pad, "the pixel more is at the end")
	require.Equal(t, 1, w.Transposed(1, 3, 7), "windows of 2 with a stride of 2 reach over 6 pixels")
	require.Equal(t, device.MaxPool, w.Pool().Op)
	require.Equal(t, []float32{0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11}, Filters([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3, 2, 2))
	require.Equal(t, []float32{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, Depthwise([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3, 2, 2))
}
