package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// scattered is y of Deconv's equation: every pixel of x adds its filters.
func scattered(l *layers.Deconv, x, w, bias *tensor.Dense) []float64 {
	s, k := x.Shape(), w.Shape()
	groups := max(l.Groups, 1)
	stride, dilation := l.Stride, l.Dilation
	if stride == (layers.Size{}) {
		stride = layers.Square(1)
	}
	if dilation == (layers.Size{}) {
		dilation = layers.Square(1)
	}
	outH := stride.H*(s[2]-1) + dilation.H*(k[2]-1) + 1 - l.Pad.Top - l.Pad.Bottom + l.OutputPad.H
	outW := stride.W*(s[3]-1) + dilation.W*(k[3]-1) + 1 - l.Pad.Left - l.Pad.Right + l.OutputPad.W
	y := make([]float64, s[0]*l.Filters*outH*outW)
	at := func(n, f, i, j int) int { return ((n*l.Filters+f)*outH+i)*outW + j }
	for n := range s[0] {
		for c := range s[1] {
			for i := range s[2] * s[3] {
				for f := range k[1] {
					for r := range k[2] * k[3] {
						row := stride.H*(i/s[3]) + dilation.H*(r/k[3]) - l.Pad.Top
						column := stride.W*(i%s[3]) + dilation.W*(r%k[3]) - l.Pad.Left
						if row < 0 || row >= outH || column < 0 || column >= outW {
							continue
						}
						filter := c/(s[1]/groups)*k[1] + f
						y[at(n, filter, row, column)] += float64(w.Float32s()[(c*k[1]+f)*k[2]*k[3]+r]) * float64(x.Float32s()[(n*s[1]+c)*s[2]*s[3]+i])
					}
				}
			}
		}
	}
	for i := range y {
		if !l.NoBias {
			y[i] += float64(bias.Float32s()[i/(outH*outW)%l.Filters])
		}
	}
	return y
}

// A deconvolution adds the filters of all pixels, with every option, on every device.
func TestDeconvAddsFilters(t *testing.T) {
	for _, l := range []*layers.Deconv{
		{Conv: layers.Conv{Filters: 4, Kernel: layers.Square(3)}},
		{Conv: layers.Conv{Filters: 4, Kernel: layers.Square(4), Stride: layers.Square(2), Pad: layers.Around(1)}},
		{Conv: layers.Conv{Filters: 4, Kernel: layers.Square(2), Stride: layers.Square(3), NoBias: true}, OutputPad: layers.Size{H: 2, W: 1}},
		{Conv: layers.Conv{Filters: 6, Kernel: layers.Size{H: 3, W: 2}, Groups: 2, Stride: layers.Size{H: 2, W: 3},
			Pad: layers.Pad{Top: 1, Bottom: 2, Left: 0, Right: 1}, Dilation: layers.Size{H: 2, W: 1}}, OutputPad: layers.Size{H: 1, W: 2}},
		{Conv: layers.Conv{Filters: 4, Kernel: layers.Square(3), Groups: 4, Dilation: layers.Square(3), Pad: layers.Around(2)}},
		{Conv: layers.Conv{Filters: 4, Kernel: layers.Square(1), Stride: layers.Square(2)}}, // pixels that no filter meets
	} {
		x := normal(1, 2, 4, 5, 3)
		w := normal(2, 4, l.Filters/max(l.Groups, 1), l.Kernel.H, l.Kernel.W)
		params := map[string]*tensor.Dense{"weight": w, "bias": normal(3, l.Filters)}
		want := scattered(l, x, w, params["bias"])
		if l.NoBias {
			delete(params, "bias")
		}
		for _, name := range everyDevice {
			near(t, want, newPass(t, name, l, graph.Infer, params, x).out(), 1e-6, name, l)
		}
	}
}

// Rows of pixels are images of height 1.
func TestRowsOfPixels(t *testing.T) {
	x := normal(1, 2, 4, 9)
	image := tensor.New(tensor.WithShape(2, 4, 1, 9), tensor.WithBacking(x.Float32s()))
	flat := func(n int) layers.Size { return layers.Size{H: 1, W: n} }
	for _, c := range []struct{ row, image layers.Layer }{
		{&layers.Conv{Filters: 3, Kernel: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1), Dilation: layers.Square(2)},
			&layers.Conv{Filters: 3, Kernel: flat(3), Stride: flat(2), Pad: layers.Pad{Left: 1, Right: 1}, Dilation: flat(2)}},
		{&layers.Deconv{Conv: layers.Conv{Filters: 3, Kernel: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1), Dilation: layers.Square(2)}, OutputPad: layers.Square(1)},
			&layers.Deconv{Conv: layers.Conv{Filters: 3, Kernel: flat(3), Stride: flat(2), Pad: layers.Pad{Left: 1, Right: 1}, Dilation: flat(2)}, OutputPad: layers.Size{W: 1}}},
		{&layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, &layers.Pool{Window: flat(3), Stride: flat(2), Pad: layers.Pad{Left: 1, Right: 1}}},
		{&layers.Pool{Op: device.AveragePool, Window: layers.Square(2), Stride: layers.Square(3), Pad: layers.Around(1), CountPad: true, Ceil: true},
			&layers.Pool{Op: device.AveragePool, Window: flat(2), Stride: flat(3), Pad: layers.Pad{Left: 1, Right: 1}, CountPad: true, Ceil: true}},
		{&layers.StochasticPool{Pool: layers.Pool{Window: layers.Square(3)}}, &layers.StochasticPool{Pool: layers.Pool{Window: flat(3)}}},
		{&layers.L2Pool{Pool: layers.Pool{Window: layers.Square(3)}, Sum: true}, &layers.L2Pool{Pool: layers.Pool{Window: flat(3)}, Sum: true}},
		{&layers.AdaptivePool{Size: layers.Square(4)}, &layers.AdaptivePool{Size: flat(4)}},
	} {
		row, err := c.row.Plan(traits{}, []layers.Input{f32(2, 4, 9)}, layers.Options{})
		require.NoError(t, err)
		square, err := c.image.Plan(traits{}, []layers.Input{f32(2, 4, 1, 9)}, layers.Options{})
		require.NoError(t, err)
		for i, p := range square.Params[:min(1, len(square.Params))] { // PyTorch's shape
			require.Equal(t, tensor.Shape{p.Shape[0], p.Shape[1], p.Shape[3]}, row.Params[i].Shape)
			require.Equal(t, p.Fan, row.Params[i].Fan)
		}
		require.Equal(t, newPass(t, "cpu", c.image, graph.Infer, nil, image).out(), newPass(t, "cpu", c.row, graph.Infer, nil, x).out(), "%s", c.row.Type())
	}
}

// A deconvolution by Caffe's recipe interpolates: in the middle of a ramp it is a ramp.
func TestBilinearFillerEnlarges(t *testing.T) {
	const n = 6
	ramp := make([]float32, n*n)
	for i := range ramp {
		ramp[i] = float32(i%n) + 10*float32(i/n)
	}
	for scale := 2; scale <= 5; scale++ {
		l := &layers.Deconv{Conv: layers.Conv{Filters: 1, Kernel: layers.Square(2*scale - scale%2), Stride: layers.Square(scale),
			Pad: layers.Around(scale / 2), NoBias: true, WeightFiller: layers.Bilinear()}}
		y := newPass(t, "cpu", l, graph.Infer, nil, tensor.New(tensor.WithShape(1, 1, n, n), tensor.WithBacking(ramp))).out()
		require.Len(t, y, scale*n*scale*n)
		for i := scale; i < scale*(n-1); i++ {
			for j := scale; j < scale*(n-1); j++ {
				at := func(k int) float64 { return (float64(k)+0.5)/float64(scale) - 0.5 }
				require.InDelta(t, at(j)+10*at(i), y[i*scale*n+j], 1e-4, "scale %d, %d,%d", scale, i, j)
			}
		}
	}
	x := make([]float32, 2*3*4)
	layers.Bilinear().Fill(x, layers.Fan{Kernel: layers.Size{H: 3, W: 4}}, device.Random{})
	quarter := []float32{.125, .375, .375, .125, .25, .75, .75, .25, .125, .375, .375, .125}
	require.Equal(t, append(quarter, quarter...), x)
}

// Each pass reads the packed weights of the convolution's pass that it is.
func TestDeconvReadsThePackedWeightsOfThePass(t *testing.T) {
	e := example{"", &layers.Deconv{Conv: layers.Conv{Filters: 3, Kernel: layers.Square(2)}}, examples()[0].inputs}
	l := e.layer.(layers.Packer)
	s := plan(t, e, true)
	require.Equal(t, [device.Passes]int64{200, 100}, s.Packed)
	require.EqualValues(t, 30, s.Scratch)
	require.Equal(t, [device.Passes]int64{200}, plan(t, e, false).Packed)
	c, q := call(t, e, true), newRecorder()
	l.Pack(q, c)
	require.Equal(t, []string{"ConvPack backward-data", "ConvPack forward"}, q.calls)
	kept := &catcher{recorder: *newRecorder()}
	l.Forward(kept, c)
	l.Backward(kept, c)
	require.Equal(t, []device.Filter{{Tensor: c.Params[0], Packed: block(200)}, {Tensor: c.Params[0], Packed: block(100)}}, kept.filters)
}
