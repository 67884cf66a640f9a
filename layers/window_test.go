package layers

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// Package inspect compares windows with what gradients reach.
func TestWindows(t *testing.T) {
	x := tensor.Shape{1, 2, 9, 12}
	for _, c := range []struct {
		layer         Windowed
		rows, columns Window
	}{
		{&Conv{Kernel: Size{3, 5}, Stride: Size{2, 1}, Dilation: Size{2, 1}, Pad: Pad{Top: 1, Left: 4}}, Window{5, 2, -1}, Window{5, 1, -4}},
		{&Conv{Kernel: Square(11)}, Window{11, 1, 0}, Window{11, 1, 0}},
		{&Pool{Window: Size{3, 2}, Stride: Size{2, 3}, Pad: Pad{Top: 1}}, Window{3, 2, -1}, Window{2, 3, 0}},
		{&Pool{Op: device.AveragePool, Global: true}, Window{9, 1, 0}, Window{12, 1, 0}},
		{&Pool{Window: Square(3), Pad: Around(2)}, Window{3, 1, -2}, Window{3, 1, -2}},
		{&L2Pool{Pool: Pool{Window: Square(2), Stride: Square(2)}}, Window{2, 2, 0}, Window{2, 2, 0}},
		{&Deconv{Conv: Conv{Kernel: Size{4, 3}, Stride: Size{2, 1}, Pad: Around(1), Dilation: Size{1, 2}}}, Window{2.5, 0.5, -1}, Window{5, 1, -3}},
		{&Unpool{Window: Square(2), Stride: Square(2)}, Window{1.5, 0.5, -0.5}, Window{1.5, 0.5, -0.5}},
		{&AdaptivePool{Size: Size{3, 8}}, Window{3, 3, 0}, Window{1.5 + 1.75, 1.5, -0.875}},
		{&LRN{Region: "within"}, Window{5, 1, -2}, Window{5, 1, -2}},
		{&LRN{Size: 7}, Window{1, 1, 0}, Window{1, 1, 0}},
		{&Padding{Pad: Pad{Top: 2, Bottom: 1, Left: 3}}, Window{1, 1, -2}, Window{1, 1, -3}},
		{&Crop{Offset: []int{4}}, Window{1, 1, 4}, Window{1, 1, 4}},
		{&Crop{Axis: 3, Offset: []int{4}}, Window{1, 1, 0}, Window{1, 1, 4}},
		{&Crop{Axis: 1, Offset: []int{0, 5, 6}}, Window{1, 1, 5}, Window{1, 1, 6}},
		{&Slice{Axis: 2, Begin: 3, Step: 2}, Window{1, 2, 3}, Window{1, 1, 0}},
		{&Slice{Axis: 3, Begin: 1}, Window{1, 1, 0}, Window{1, 1, 1}},
		{&Slice{Begin: 1}, Window{1, 1, 0}, Window{1, 1, 0}},
		{&Upsample{Scale: Size{2, 4}}, Window{1.5, 0.5, -0.5}, Window{1.75, 0.25, -0.75}},
	} {
		rows, columns := c.layer.Windows(x)
		require.Equal(t, c.rows, rows, "%s", c.layer.Type())
		require.Equal(t, c.columns, columns, "%s", c.layer.Type())
	}
	line := tensor.Shape{1, 2, 9} // an image of height 1
	for _, c := range []struct {
		layer   Windowed
		columns Window
	}{
		{&Conv{Kernel: Square(5), Stride: Square(2), Pad: Around(1)}, Window{5, 2, -1}},
		{&Pool{Window: Square(3), Stride: Square(2)}, Window{3, 2, 0}},
		{&Slice{Axis: 2, Begin: 2}, Window{1, 1, 2}},
		{&Crop{Offset: []int{3}}, Window{1, 1, 3}},
	} {
		rows, columns := c.layer.Windows(line)
		require.Equal(t, Window{1, 1, 0}, Window{rows.Size, 1, rows.Start}, "%s", c.layer.Type())
		require.Equal(t, c.columns, columns, "%s", c.layer.Type())
	}
}
