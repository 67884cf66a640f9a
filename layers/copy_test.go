package layers_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/layers"
)

// What the layers that copy make of images of consecutive numbers.
func TestCopiesByHand(t *testing.T) {
	for _, c := range []struct {
		layer  layers.Layer
		in     [][]int // shapes
		out    []int
		values []float32
	}{
		{&layers.Slice{Begin: 1}, [][]int{{2, 3, 2}}, []int{2, 2, 2}, []float32{2, 3, 4, 5, 8, 9, 10, 11}},
		{&layers.Slice{Axis: 2, End: 1}, [][]int{{2, 3, 2}}, []int{2, 3, 1}, []float32{0, 2, 4, 6, 8, 10}},
		{&layers.Slice{Axis: 1, Step: 2}, [][]int{{2, 3}}, []int{2, 2}, []float32{0, 2, 3, 5}},
		{&layers.Padding{Pad: layers.Pad{Top: 1, Left: 1, Right: 2}, Value: 9}, [][]int{{1, 2, 1, 2}}, []int{1, 2, 2, 5},
			[]float32{9, 9, 9, 9, 9, 9, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 2, 3, 9, 9}},
		{&layers.Crop{}, [][]int{{1, 2, 2, 3}, {1, 5, 1, 2}}, []int{1, 2, 1, 2}, []float32{0, 1, 6, 7}},
		{&layers.Crop{Offset: []int{1}}, [][]int{{1, 2, 2, 3}, {1, 5, 1, 2}}, []int{1, 2, 1, 2}, []float32{4, 5, 10, 11}},
		{&layers.Crop{Offset: []int{1, 0}}, [][]int{{1, 2, 2, 3}, {1, 5, 1, 2}}, []int{1, 2, 1, 2}, []float32{3, 4, 9, 10}},
		{&layers.Crop{Axis: 1, Offset: []int{1, 0, 2}}, [][]int{{1, 2, 2, 3}, {1, 1, 2, 1}}, []int{1, 1, 2, 1}, []float32{8, 11}},
		{&layers.Permute{Order: []int{0, 2, 3, 1}}, [][]int{{1, 2, 2, 2}}, []int{1, 2, 2, 2}, []float32{0, 4, 1, 5, 2, 6, 3, 7}},
		{&layers.Permute{Order: []int{0, 3, 1, 2}}, [][]int{{1, 2, 2, 2}}, []int{1, 2, 2, 2}, []float32{0, 2, 4, 6, 1, 3, 5, 7}},
		{&layers.ChannelShuffle{Groups: 2}, [][]int{{1, 6}}, []int{1, 6}, []float32{0, 3, 1, 4, 2, 5}},
		{&layers.ChannelShuffle{Groups: 3}, [][]int{{2, 6}}, []int{2, 6}, []float32{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11}},
		{&layers.Upsample{Scale: layers.Size{H: 2, W: 3}}, [][]int{{1, 1, 2, 1}}, []int{1, 1, 4, 3}, []float32{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1}},
		{&layers.Upsample{Scale: layers.Square(2)}, [][]int{{1, 2, 1, 2}}, []int{1, 2, 2, 4}, []float32{0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3}},
		{&layers.Reshape{Shape: []int{3, -1}}, [][]int{{2, 6}}, []int{2, 3, 2}, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	} {
		d, err := device.Open("cpu", device.Options{})
		require.NoError(t, err)
		q, err := d.NewQueue()
		require.NoError(t, err)
		put := func(shape []int) device.Tensor {
			x := device.Tensor{Shape: shape}
			x.Buffer, err = d.Alloc(x.Bytes())
			require.NoError(t, err)
			values := make([]float32, x.Len())
			for i := range values {
				values[i] = float32(i)
			}
			q.Upload(x, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values)))
			return x
		}
		var in []layers.Input
		var call layers.Call
		for _, shape := range c.in {
			in = append(in, f32(shape...))
			call.In = append(call.In, put(shape))
		}
		s, err := c.layer.Plan(d.Traits(), in, layers.Options{})
		require.NoError(t, err)
		require.Equal(t, []layers.Input{f32(c.out...)}, s.Out, "%s %+v", c.layer.Type(), c.layer)
		call.Out = []device.Tensor{put(c.out)}
		c.layer.Forward(q, &call)
		got := make([]float32, len(c.values))
		q.Download(tensor.New(tensor.WithShape(len(got)), tensor.WithBacking(got)), call.Out[0])
		require.NoError(t, q.Sync())
		require.Equal(t, c.values, got, "%s %+v", c.layer.Type(), c.layer)
		require.NoError(t, d.Close())
	}
}

// A network cuts what it has up-sampled to the size of what it joins that with, as
// U-Nets do.
func TestCropToTheSizeOfAValue(t *testing.T) {
	n := &graph.Network{Name: "u"}
	x := n.Input("x", device.Float32, 2, 5, 3)
	small := n.Add("small", &layers.Pool{Op: device.AveragePool, Window: layers.Square(2), Stride: layers.Square(2), Ceil: true}, x)
	large := n.Add("large", &layers.Upsample{Scale: layers.Square(2)}, small)
	cut := n.Add("cut", &layers.Crop{}, large, x)
	y := n.Add("y", &layers.Concat{}, cut, x)
	n.Add("loss", &layers.L2Loss{}, y, n.Input("target", device.Float32, 4, 5, 3))
	require.NoError(t, gradcheck.Check(n, gradcheck.Options{}))
}

// Between the middles of pixels values change evenly; beyond, they stay: PyTorch's formula
// for scales that are even, odd, and 1.
func TestUpsampleBilinear(t *testing.T) {
	const h, w = 3, 4
	x := normal(4, 2, 3, h, w)
	at := func(o, scale, size int) (first, second int, share float64) { // of the second
		source := math.Max((float64(o)+0.5)/float64(scale)-0.5, 0)
		first = int(source)
		return first, min(first+1, size-1), source - float64(first)
	}
	for _, scale := range []layers.Size{{H: 2, W: 2}, {H: 3, W: 3}, {H: 4, W: 3}, {H: 1, W: 2}, {H: 5, W: 1}, {H: 1, W: 1}, {H: 8, W: 7}} {
		var want []float64
		for image := range 6 {
			value := func(i, j int) float64 { return float64(x.Float32s()[(image*h+i)*w+j]) }
			for o := range h * scale.H {
				top, bottom, down := at(o, scale.H, h)
				for p := range w * scale.W {
					left, right, across := at(p, scale.W, w)
					want = append(want, (1-down)*((1-across)*value(top, left)+across*value(top, right))+
						down*((1-across)*value(bottom, left)+across*value(bottom, right)))
				}
			}
		}
		for _, name := range everyDevice {
			near(t, want, newPass(t, name, &layers.Upsample{Scale: scale, Mode: "bilinear"}, graph.Infer, nil, x).out(), 1e-6, name, scale)
		}
	}
}
