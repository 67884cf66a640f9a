package layers_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// traits wants packed weights and scratch of sizes that tell the passes
// apart.
type traits struct{ packed [device.Passes]int64 }

func (traits) String() string                              { return "a test" }
func (traits) Alignment() int64                            { return 64 }
func (traits) Staged() bool                                { return false }
func (traits) Epilogue(device.Unary) bool                  { return true }
func (traits) Precision(device.Operation) device.Precision { return device.Precision{} }
func (t traits) Needs(op device.Operation) device.Needs {
	switch op := op.(type) {
	case device.ConvPass:
		return device.Needs{Scratch: []int64{10, 30, 20}[op.Pass], Packed: t.packed[op.Pass]}
	case device.DensePass:
		return device.Needs{Scratch: []int64{10, 20, 30}[op.Pass]}
	}
	return device.Needs{}
}

func f32(shape ...int) layers.Input { return layers.Input{Shape: shape, DType: device.Float32} }
func i32(shape ...int) layers.Input { return layers.Input{Shape: shape, DType: device.Int32} }

// plan is an example's Spec at batch 2.
func plan(t *testing.T, e example, train bool) layers.Spec {
	var in []layers.Input
	for _, i := range e.inputs {
		in = append(in, layers.Input{Shape: append(tensor.Shape{2}, i.Shape...), DType: i.DType})
	}
	s, err := e.layer.Plan(traits{packed: [device.Passes]int64{100, 200}}, in, layers.Options{Train: train})
	require.NoError(t, err)
	return s
}

// deconv is one of 4 filters of 3x3, changed.
func deconv(change func(*layers.Deconv)) *layers.Deconv {
	l := &layers.Deconv{Conv: layers.Conv{Filters: 4, Kernel: layers.Square(3)}}
	change(l)
	return l
}

func TestPlanErrors(t *testing.T) {
	const huge = math.MaxInt64
	nan := float32(math.NaN())
	three := layers.Square(3)
	image := []layers.Input{f32(32, 96, 13, 13)}
	for _, c := range []struct {
		layer layers.Layer
		in    []layers.Input
		want  string
	}{
		{&layers.Conv{Filters: 4, Kernel: three}, nil, "takes 1 input, not 0"},
		{&layers.Conv{Filters: 4, Kernel: three}, []layers.Input{i32(32, 1, 9, 9)}, "input is int32 [32,1,9,9], want float32"},
		{&layers.Conv{Filters: 4, Kernel: three}, []layers.Input{f32(32, 96)}, "input is [32,96], want [N,C,H,W]"},
		{&layers.Conv{Filters: 4, Kernel: three}, []layers.Input{f32(32, 1, 0, 9)}, "input: shape [32 1 0 9] has a dimension below 1"},
		{&layers.Conv{Kernel: three}, image, "0 filters of 3x3: each number must be at least 1"},
		{&layers.Conv{Filters: 4}, image, "4 filters of 0x0: each number must be at least 1"},
		{&layers.Conv{Filters: 4, Kernel: three, Groups: 2}, []layers.Input{f32(32, 95, 13, 13)}, "groups 2 does not divide 95 channels"},
		{&layers.Conv{Filters: 5, Kernel: three, Groups: 2}, image, "groups 2 does not divide 5 filters"},
		{&layers.Conv{Filters: 4, Kernel: three, Groups: -1}, image, "groups -1 must be at least 1"},
		{&layers.Conv{Filters: 4, Kernel: three, Stride: layers.Size{H: 2}}, image, "stride 2x0 must be at least 1"},
		{&layers.Conv{Filters: 4, Kernel: three, Pad: layers.Around(-1)}, image, "pad -1,-1,-1,-1 must not be negative"},
		{&layers.Conv{Filters: 4, Kernel: layers.Square(14)}, image, "a window of 14x14 does not fit in an image of 13x13 with its padding"},
		{&layers.Conv{Filters: 4, Kernel: three, Dilation: layers.Square(huge)}, image, "dilation 9223372036854775807 is more than 2147483647"},
		{&layers.Conv{Filters: 4, Kernel: three, Pad: layers.Around(huge)}, image, "pad 9223372036854775807 is more than 2147483647"},
		{&layers.Conv{Filters: 1e9, Kernel: layers.Square(1e6), Pad: layers.Around(1e6)}, image,
			"output: shape [32 1000000000 1000014 1000014] has more than 2^40 elements"},
		{&layers.Conv{Filters: 1e9, Kernel: layers.Square(1e6), Stride: layers.Square(1e9), Pad: layers.Around(5e5)}, image,
			"weight: shape [1000000000 96 1000000 1000000] has more than 2^40 elements"},
		{&layers.Conv{Filters: 1000, Kernel: layers.Size{H: 1, W: 1 << 22}, Pad: layers.Pad{Left: 1 << 22, Bottom: 1 << 10, Right: 1 << 12}}, image, "are too much work to count"},
		{&layers.Conv{Filters: 4, Kernel: three, WeightFiller: layers.Filler{Type: "he"}}, image, `weight: filler "he" is not constant, gaussian, uniform, xavier, msra, orthogonal or bilinear`},
		{&layers.Conv{Filters: 4, Kernel: three, BiasFiller: layers.Gaussian(-1)}, image, "bias: filler gaussian: std -1 must be finite and not negative"},
		{&layers.Conv{Filters: 4, Kernel: three, BiasRate: new(float32(-2))}, image, "bias: the multipliers of rate -2 and decay 1 must be finite and not negative"},
		{&layers.Conv{Filters: 4, Kernel: three, WeightDecay: &nan}, image, "weight: the multipliers of rate 1 and decay NaN must be finite and not negative"},

		{&layers.Conv{Filters: 4, Kernel: layers.Size{H: 3, W: 5}}, []layers.Input{f32(32, 8, 99)}, "kernel 3x5 is for images; of input [32,8,99], [N,C,L], it is one number, the length"},
		{&layers.Conv{Filters: 4, Kernel: three, Stride: layers.Size{H: 2, W: 3}}, []layers.Input{f32(32, 8, 99)}, "stride 2x3 is for images"},
		{&layers.Conv{Filters: 4, Kernel: three, Pad: layers.Pad{Top: 1, Bottom: 1, Left: 2, Right: 2}}, []layers.Input{f32(32, 8, 99)},
			"pad 1,1,2,2 is for images; of input [32,8,99], [N,C,L], it is one number, or [0,0,before,behind]"},
		{&layers.Conv{Filters: 4, Kernel: layers.Square(14)}, []layers.Input{f32(32, 8, 13)}, "a window of 1x14 does not fit in an image of 1x13 with its padding"},
		{&layers.Dense{Out: 4, WeightFiller: layers.Bilinear()}, image, "weight: filler bilinear is for the weights of conv and deconv, which have a kernel"},
		{&layers.Conv{Filters: 4, Kernel: three, BiasFiller: layers.Bilinear()}, image, "bias: filler bilinear is for the weights of conv and deconv, which have a kernel"},

		{deconv(func(l *layers.Deconv) {}), []layers.Input{f32(32, 96)}, "input is [32,96], want [N,C,H,W] or [N,C,L]"},
		{deconv(func(l *layers.Deconv) { l.Filters = 0 }), image, "0 filters of 3x3: each number must be at least 1"},
		{deconv(func(l *layers.Deconv) { l.Kernel.W = 0 }), image, "4 filters of 3x0: each number must be at least 1"},
		{deconv(func(l *layers.Deconv) { l.Stride.H = 2 }), image, "stride 2x0 must be at least 1"},
		{deconv(func(l *layers.Deconv) { l.Dilation = layers.Square(-1) }), image, "dilation -1x-1 must be at least 1"},
		{deconv(func(l *layers.Deconv) { l.Pad = layers.Around(-1) }), image, "pad -1,-1,-1,-1 must not be negative"},
		{deconv(func(l *layers.Deconv) { l.Pad = layers.Around(9) }), image, "output is -3x-3: pad 9,9,9,9 takes all of it away"},
		{deconv(func(l *layers.Deconv) { l.OutputPad = layers.Square(1) }), image, "output_pad 1x1 must be in 0 to 0x0, below the stride"},
		{deconv(func(l *layers.Deconv) { l.Stride, l.OutputPad = layers.Square(2), layers.Size{H: -1} }), image, "output_pad -1x0 must be in 0 to 1x1, below the stride"},
		{deconv(func(l *layers.Deconv) { l.Stride, l.OutputPad = layers.Square(4), layers.Size{H: 2, W: 1} }), []layers.Input{f32(32, 96, 13)}, "output_pad 2x1 is for images; of input [32,96,13], [N,C,L], it is one number"},
		{deconv(func(l *layers.Deconv) { l.Groups = 5 }), image, "groups 5 does not divide 96 channels"},
		{deconv(func(l *layers.Deconv) { l.Groups = 3 }), image, "groups 3 does not divide 4 filters"},
		{deconv(func(l *layers.Deconv) { l.Stride = layers.Square(1 << 30) }), image, "output: shape [32 4 12 1073741824 12 1073741824] has more than 2^40 elements"},
		{deconv(func(l *layers.Deconv) {
			l.Kernel, l.Dilation = layers.Square(math.MaxInt32), layers.Square(math.MaxInt32)
		}), image, "has more than 2^40 elements"},
		{deconv(func(l *layers.Deconv) { l.Kernel = layers.Size{H: 1, W: huge} }), image, "kernel 9223372036854775807 is more than 2147483647"},
		{deconv(func(l *layers.Deconv) { l.WeightRate = &nan }), image, "weight: the multipliers of rate NaN and decay 1 must be finite and not negative"},
		{deconv(func(l *layers.Deconv) { l.Filters, l.Kernel, l.Pad = 4, layers.Square(1<<20), layers.Around(1<<19) }), image, "weight: shape [96 4 1048576 1048576] has more than 2^40 elements"},

		{&layers.Dense{}, image, "out 0 must be at least 1"},
		{&layers.Dense{Out: huge}, image, "output: shape [32 9223372036854775807] has more than 2^40 elements"},
		{&layers.Dense{Out: 1 << 30}, image, "weight: shape [1073741824 16224] has more than 2^40 elements"},
		{&layers.Dense{Out: 10}, []layers.Input{f32()}, "input is a scalar, want a batch dimension"},
		{&layers.Dense{Out: 10, WeightFiller: layers.Constant(nan)}, image, "weight: filler constant: value NaN must be finite, and as a bound or a gain not negative"},

		{&layers.Pool{}, image, "window 0x0 must be at least 1"},
		{&layers.Pool{Window: three, Pad: layers.Around(3)}, image, "pad 3,3,3,3 must be smaller than the window 3x3"},
		{&layers.Pool{Window: three, Stride: layers.Square(huge)}, image, "stride 9223372036854775807 is more than 2147483647"},
		{&layers.Pool{Window: three, Global: true}, image, "global pooling takes no window, stride or pad"},
		{&layers.Pool{Stride: three, Global: true}, image, "global pooling takes no window, stride or pad"},
		{&layers.Pool{Pad: layers.Pad{Left: 1}, Global: true}, image, "global pooling takes no window, stride or pad"},
		{&layers.Pool{Global: true}, []layers.Input{f32(1, 1, 1<<20, 1<<12)}, "images of 1048576x4096 have more pixels than an int32 can index"},
		{&layers.Pool{Window: three, CountPad: true}, image, "count_pad is for average pooling"},
		{&layers.Pool{Window: three, Stride: layers.Square(2), Ceil: true}, []layers.Input{f32(1, 1, 1, 2)}, "a window of 3x3 does not fit in an image of 1x2 with its padding"},
		{&layers.Pool{Global: true}, []layers.Input{f32(1, 1, 1<<20, 1<<20)}, "images of 1048576x1048576 have more pixels than an int32 can index"},

		{&layers.Pool{Op: device.AveragePool, Window: three, Switches: true}, image, "switches are for max pooling"},
		{&layers.Pool{Window: layers.Size{H: 2, W: 3}}, []layers.Input{f32(32, 96, 13)}, "window 2x3 is for images; of input [32,96,13], [N,C,L], it is one number, the length"},
		{&layers.Pool{Window: three}, []layers.Input{f32(32, 96)}, "input is [32,96], want [N,C,H,W] or [N,C,L]"},
		{&layers.Unpool{Window: three}, image, "takes 2 inputs (input, switches), not 1"},
		{&layers.Unpool{Window: three}, []layers.Input{image[0], image[0]}, "switches is float32 [32,96,13,13], want int32"},
		{&layers.Unpool{Window: three}, []layers.Input{image[0], i32(32, 96, 13, 12)}, "switches are [32,96,13,12], want the input's [32,96,13,13]"},
		{&layers.Unpool{Window: three}, []layers.Input{image[0], i32(image[0].Shape...), i32(image[0].Shape...)}, "size is int32"},
		{&layers.Unpool{Window: three}, []layers.Input{image[0], i32(image[0].Shape...), f32(32, 96)}, "size is [32,96], want as many axes and samples as input [32,96,13,13]"},
		{&layers.Unpool{Window: three, Size: three}, []layers.Input{image[0], i32(image[0].Shape...), image[0]}, "size 3x3 is given, and so is the input that says it"},
		{&layers.Unpool{Window: three, Size: layers.Square(14)}, []layers.Input{image[0], i32(image[0].Shape...)}, "size 14x14: its pooling by window 3x3 and stride 1x1 is 12x12, but the input is 13x13"},
		{&layers.Unpool{Window: three, Stride: layers.Square(2)}, []layers.Input{f32(1, 1, 1<<20, 1<<12), i32(1, 1, 1<<20, 1<<12)}, "images of 1048576x4096 have more pixels than an int32 can index"},
		{&layers.Unpool{Window: three, Stride: layers.Square(1 << 20)}, []layers.Input{image[0], i32(image[0].Shape...)}, "output: shape [32 96 12582915 12582915] has more than 2^40 elements"},
		{&layers.Unpool{Window: three, Stride: layers.Square(1 << 13)}, []layers.Input{f32(1, 1, 13, 13), i32(1, 1, 13, 13)}, "images of 98307x98307 have more pixels than an int32 can index"},
		{&layers.Unpool{}, []layers.Input{image[0], i32(image[0].Shape...)}, "window 0x0 must be at least 1"},
		{&layers.Unpool{Window: three, Stride: layers.Square(-1)}, []layers.Input{image[0], i32(image[0].Shape...)}, "output: shape [32 96 -9 -9] has a dimension below 1"},
		{&layers.Unpool{Window: three, Size: layers.Square(huge)}, []layers.Input{image[0], i32(image[0].Shape...)}, "size 9223372036854775807 is more than 2147483647"},
		{&layers.StochasticPool{Pool: layers.Pool{Window: three, Switches: true}}, image, "switches are for max-pool"},
		{&layers.StochasticPool{Pool: layers.Pool{Window: three, CountPad: true}}, image, "count_pad is for average pooling"},
		{&layers.StochasticPool{}, image, "window 0x0 must be at least 1"},
		{&layers.L2Pool{Pool: layers.Pool{Window: three, Switches: true}}, image, "switches are for max-pool"},
		{&layers.L2Pool{Pool: layers.Pool{Window: three, CountPad: true}, Sum: true}, image, "count_pad is for a mean, not for a sum"},
		{&layers.L2Pool{Pool: layers.Pool{Window: three, Stride: layers.Square(3), Ceil: true}, Sum: true}, image, "sum wants whole windows: ceil makes some of 3x3 that leave the image of 13x13 with its padding"},
		{&layers.L2Pool{}, image, "window 0x0 must be at least 1"},
		{&layers.AdaptivePool{}, image, "size 0x0 must be in 1 to 65536"},
		{&layers.AdaptivePool{Size: layers.Size{H: 3, W: 1<<16 + 1}}, image, "size 3x65537 must be in 1 to 65536"},
		{&layers.AdaptivePool{Size: layers.Size{H: 3, W: 2}}, []layers.Input{f32(32, 96, 13)}, "size 3x2 is for images"},
		{&layers.AdaptivePool{Size: three}, []layers.Input{f32(1, 1, 1<<20, 1<<12)}, "images of 1048576x4096 have more pixels than an int32 can index"},
		{&layers.AdaptivePool{Size: layers.Square(1 << 16)}, []layers.Input{f32(257, 1, 1<<15, 1<<15)}, "output: shape [257 1 65536 65536] has more than 2^40 elements"},
		{&layers.AdaptivePool{Size: layers.Square(211)}, []layers.Input{f32(1, 1, 1000, 1000)}, "size 211x211 of images of 1000x1000 makes more than 4096 blocks of equal windows; a size that divides the image's makes one"},

		{&layers.LRN{Size: huge}, image, "size 9223372036854775807 is more than 2147483647"},
		{&layers.LRN{Size: 4}, image, "size 4 must be odd"},
		{&layers.LRN{Region: "inside"}, image, `region "inside" is neither across nor within`},
		{&layers.LRN{Size: 4, Region: "within"}, image, "size 4 must be odd"},
		{&layers.LRN{K: -1}, image, "k -1 must be positive, alpha 0.0001 and beta 0.75 not negative"},
		{&layers.LRN{}, []layers.Input{f32(32, 10)}, "input is [32,10], want [N,C,H,W]"},

		{&layers.Unary{Slope: new(float32(0.1))}, image, "slope 0.1 is for leaky-relu, not for relu"},
		{&layers.Unary{Op: device.LeakyReLU, Slope: new(float32(1))}, image, "slope 1 must be in [0,1)"},
		{&layers.Unary{Op: device.LeakyReLU, Slope: &nan}, image, "slope NaN must be in [0,1)"},
		{&layers.ELU{Alpha: -1}, image, "alpha -1 must be finite and not negative"},
		{&layers.ELU{Alpha: nan}, image, "alpha NaN must be finite and not negative"},
		{&layers.GELU{}, nil, "takes 1 input, not 0"},
		{&layers.PReLU{}, []layers.Input{f32(32)}, "input is [32], which has no channels"},
		{&layers.PReLU{WeightFiller: layers.Bilinear()}, image, "weight: filler bilinear is for the weights of conv and deconv"},
		{&layers.PReLU{WeightFiller: layers.Orthogonal(1)}, image, "weight: filler orthogonal is for the weights of conv, deconv and dense"},
		{&layers.Dense{Out: 3, BiasFiller: layers.Orthogonal(1)}, image, "bias: filler orthogonal is for the weights of conv, deconv and dense"},
		{&layers.Dense{Out: 3, WeightFiller: layers.Orthogonal(-1)}, image, "weight: filler orthogonal: value -1 must be finite, and as a bound or a gain not negative"},
		{&layers.PReLU{WeightRate: &nan}, image, "weight: the multipliers of rate NaN and decay 0 must be finite and not negative"},
		{&layers.Dropout{Channels: true}, []layers.Input{f32(32)}, "input is [32], which has no channels"},
		{&layers.DropConnect{Dense: layers.Dense{Out: 3}, P: 1}, image, "p 1 must be in [0,1)"},
		{&layers.DropConnect{}, image, "out 0 must be at least 1"},
		{&layers.Maxout{}, image, "pieces 0 does not divide 96 channels"},
		{&layers.Maxout{Pieces: 5}, image, "pieces 5 does not divide 96 channels"},
		{&layers.Maxout{Pieces: 2}, []layers.Input{f32(32)}, "input is [32], which has no channels"},
		{&layers.Maxout{Pieces: 2}, []layers.Input{f32(1, 2, 1<<20, 1<<10)}, "pieces 2 of 1073741824 pixels are more than an int32 can index"},
		{&layers.BatchNorm{Convention: "torch"}, image, `convention "torch" is not pytorch, caffe or matconvnet`},
		{&layers.BatchNorm{Eps: new(float32(0))}, image, "eps 0 must be positive and finite"},
		{&layers.BatchNorm{Eps: &nan}, image, "eps NaN must be positive and finite"},
		{&layers.BatchNorm{Momentum: new(float32(1.5))}, image, "momentum 1.5 must be in [0,1]"},
		{&layers.BatchNorm{Momentum: &nan}, image, "momentum NaN must be in [0,1]"},
		{&layers.BatchNorm{}, []layers.Input{f32(32)}, "input is [32], which has no channels"},
		{&layers.BatchNorm{}, []layers.Input{i32(32, 3)}, "input is int32 [32,3], want float32"},
		{&layers.BatchNorm{Affine: layers.Affine{WeightRate: &nan}}, image, "weight: the multipliers of rate NaN and decay 1 must be finite and not negative"},
		{&layers.BatchNorm{Affine: layers.Affine{BiasFiller: layers.Gaussian(-1)}}, image, "bias: filler gaussian: std -1 must be finite and not negative"},
		{&layers.GroupNorm{}, image, "groups 0 does not divide 96 channels"},
		{&layers.GroupNorm{Groups: 7}, image, "groups 7 does not divide 96 channels"},
		{&layers.GroupNorm{Groups: -1}, image, "groups -1 does not divide 96 channels"},
		{&layers.GroupNorm{Groups: 1}, []layers.Input{f32(32)}, "input is [32], which has no channels"},
		{&layers.GroupNorm{Groups: 10}, []layers.Input{f32(32, 10)}, "input is [32,10], which has one element in each group that is normalised: nothing would be left of it"},
		{&layers.GroupNorm{Groups: 2, Eps: new(float32(-1))}, image, "eps -1 must be positive and finite"},
		{&layers.GroupNorm{Groups: 2, Affine: layers.Affine{WeightFiller: layers.Filler{Type: "he"}}}, image, `weight: filler "he" is not constant`},
		{&layers.InstanceNorm{}, []layers.Input{f32(32, 96)}, "input is [32,96], which has one element in each group"},
		{&layers.InstanceNorm{}, []layers.Input{f32(32, 96, 1, 1)}, "input is [32,96,1,1], which has one element in each group"},
		{&layers.InstanceNorm{Eps: &nan}, image, "eps NaN must be positive"},
		{&layers.LayerNorm{}, []layers.Input{f32(32)}, "input is [32], which has no channels"},
		{&layers.LayerNorm{}, []layers.Input{f32(32, 1)}, "input is [32,1], which has one element in each group"},
		{&layers.LayerNorm{Channels: true}, []layers.Input{f32(32, 1, 9, 9)}, "input is [32,1,9,9], which has one element in each group"},
		{&layers.LayerNorm{Eps: new(float32(math.Inf(1)))}, image, "eps +Inf must be positive and finite"},
		{&layers.Dropout{P: 1}, image, "p 1 must be in [0,1)"},
		{&layers.Dropout{P: nan}, image, "p NaN must be in [0,1)"},
		{&layers.Softmax{}, []layers.Input{f32(32)}, "input is [32], want [N,C] or [N,C,H,W]"},

		{&layers.SoftmaxLoss{}, []layers.Input{f32(32, 10)}, "takes 2 inputs (scores, label), not 1"},
		{&layers.SoftmaxLoss{}, []layers.Input{f32(32, 10), f32(32)}, "label is float32 [32], want int32"},
		{&layers.SoftmaxLoss{}, []layers.Input{f32(32, 10), i32(31)}, "label is [31], want [32] to match scores [32,10]"},
		{&layers.SoftmaxLoss{}, []layers.Input{f32(32, 10), f32(32, 9)}, "target is [32,9], want the scores' [32,10]"},
		{&layers.SoftmaxLoss{}, []layers.Input{f32(32, 10, 1), f32(32, 10, 1)}, "scores are [32,10,1], want [N,C]; a flatten layer makes them so"},
		{&layers.SoftmaxLoss{IgnoreLabel: new(int32(1))}, []layers.Input{f32(32, 10), f32(32, 10)}, "ignore_label needs labels, and the target has shares of classes"},
		{&layers.SoftmaxLoss{}, []layers.Input{f32(32, 10, 1, 1), i32(32)}, "scores are [32,10,1,1], want [N,C]; a flatten layer makes them so"},
		{&layers.SoftmaxLoss{ClassWeights: []float32{1, 2}}, []layers.Input{f32(32, 10), i32(32)}, "2 class_weights for scores of 10 classes"},
		{&layers.SoftmaxLoss{ClassWeights: []float32{1, -2}}, []layers.Input{f32(32, 2), i32(32)}, "class_weights[1] -2 must be finite and not negative"},
		{&layers.SoftmaxLoss{Smoothing: 1.5}, []layers.Input{f32(32, 10), i32(32)}, "label_smoothing 1.5 must be from 0 to 1"},
		{&layers.SoftmaxLoss{Smoothing: float32(math.NaN())}, []layers.Input{f32(32, 10), i32(32)}, "label_smoothing NaN must be from 0 to 1"},
		{&layers.L1Loss{}, []layers.Input{f32(32, 10), f32(32, 9)}, "target is [32,9], want the prediction's [32,10]"},
		{&layers.SmoothL1Loss{}, []layers.Input{f32(32, 10), f32(32, 10)}, "beta 0 must be finite and above 0"},
		{&layers.HuberLoss{Delta: float32(math.Inf(1))}, []layers.Input{f32(32, 10), f32(32, 10)}, "delta +Inf must be finite and above 0"},
		{&layers.LogisticLoss{}, []layers.Input{f32(32, 10), i32(31)}, "label is [31], want [32] to match scores [32,10]"},
		{&layers.LogisticLoss{}, []layers.Input{f32(32, 10), f32(31)}, "target is [31], want the prediction's [32,10]"},
		{&layers.LogisticLoss{Weight: new(float32(-1))}, []layers.Input{f32(32, 10), f32(32, 10)}, "weight -1 must be finite and not negative"},
		{&layers.FocalLoss{Gamma: -1}, []layers.Input{f32(32, 10), f32(32, 10)}, "gamma -1 must be from 0 to 100"},
		{&layers.FocalLoss{Alpha: 2}, []layers.Input{f32(32, 10), f32(32, 10)}, "alpha 2 must be from 0 to 1"},
		{&layers.HingeLoss{Norm: 1}, []layers.Input{f32(32, 10), i32(32)}, "margin 0 must be finite and above 0"},
		{&layers.HingeLoss{Margin: 1, Norm: 3}, []layers.Input{f32(32, 10), i32(32)}, "norm 3 must be 1 or 2"},
		{&layers.ContrastiveLoss{Margin: 1}, []layers.Input{f32(32, 10), f32(32, 10)}, "takes 3 inputs (input, input 1, label), not 2"},
		{&layers.ContrastiveLoss{Margin: 1}, []layers.Input{f32(32, 10), f32(32, 9), i32(32)}, "input 1 is [32,9], want [32,10] to match input 0"},
		{&layers.ContrastiveLoss{Margin: 1}, []layers.Input{f32(32, 10), f32(32, 10), i32(32, 1)}, "label is [32,1], want [32]"},
		{&layers.ContrastiveLoss{}, []layers.Input{f32(32, 10), f32(32, 10), i32(32)}, "margin 0 must be finite and above 0"},
		{&layers.TripletLoss{Margin: 1}, []layers.Input{f32(32, 10), f32(32, 10), i32(32)}, "negative is int32 [32], want float32"},
		{&layers.TripletLoss{Margin: 1}, []layers.Input{f32(32, 10), f32(32, 10), f32(32)}, "input 2 is [32], want [32,10] to match input 0"},
		{&layers.SoftmaxLoss{Weight: new(float32(-1))}, []layers.Input{f32(32, 10), i32(32)}, "weight -1 must be finite and not negative"},
		{&layers.L2Loss{}, []layers.Input{f32(32, 30), f32(32, 10)}, "target is [32,10], want the prediction's [32,30]"},
		{&layers.SoftmaxLoss{}, []layers.Input{f32(2, 1<<24+1), i32(2)}, "scores are [2,16777217], want at most 16777216 classes, which a label can tell apart"},
		{&layers.Accuracy{}, []layers.Input{f32(32, 10)}, "takes 2 inputs (scores, label), not 1"},
		{&layers.Accuracy{}, []layers.Input{f32(32, 10), i32(31)}, "label is [31], want [32] to match scores [32,10]"},
		{&layers.Accuracy{TopK: 11}, []layers.Input{f32(32, 10), i32(32)}, "top_k 11 must be in 1 to 10, the classes of scores [32,10]"},
		{&layers.Accuracy{TopK: -1}, []layers.Input{f32(32, 10), i32(32)}, "top_k -1 must be in 1 to 10, the classes of scores [32,10]"},

		{&layers.Add{}, []layers.Input{f32(32, 12)}, "takes at least 2 inputs, not 1"},
		{&layers.Add{}, []layers.Input{f32(32, 12), f32(32, 10)}, "input 1 is [32,10], want [32,12] to match input 0"},
		{&layers.Add{}, []layers.Input{f32(32, 12), f32(32, 12), i32(32, 12)}, "input 2 is int32 [32,12], want float32"},
		{&layers.Add{Coefficients: []float32{1}}, []layers.Input{f32(32, 12), f32(32, 12)}, "coefficients [1]: there are 1 for 2 inputs"},
		{&layers.Add{Coefficients: []float32{}}, []layers.Input{f32(32, 12), f32(32, 12)}, "coefficients []: there are 0 for 2 inputs"},
		{&layers.Add{Coefficients: []float32{1, nan}}, []layers.Input{f32(32, 12), f32(32, 12)}, "coefficients [1 NaN] must be finite"},
		{&layers.Add{Coefficients: []float32{1, float32(math.Inf(-1))}}, []layers.Input{f32(32, 12), f32(32, 12)}, "coefficients [1 -Inf] must be finite"},
		{&layers.Product{}, image, "takes at least 2 inputs, not 1"},
		{&layers.Product{}, []layers.Input{f32(32, 12), f32(32, 10)}, "input 1 is [32,10], want [32,12] to match input 0"},
		{&layers.Maximum{}, slices.Repeat(image, 16), "takes at most 15 inputs, not 16: take the others in another layer"},
		{&layers.Scale{Factor: nan}, image, "factor NaN must be finite"},
		{&layers.Scale{Factor: float32(math.Inf(-1))}, image, "factor -Inf must be finite"},
		{&layers.Concat{}, nil, "takes at least 1 input, not 0"},
		{&layers.Concat{}, []layers.Input{f32(32)}, "input 0 is [32], which has no channels"},
		{&layers.Concat{}, []layers.Input{f32(32, 8, 6, 6), f32(32, 4, 5, 6)}, "input 1 is [32,4,5,6], want [32,8,6,6] to match input 0 in all but the channels"},
		{&layers.Concat{}, []layers.Input{f32(32, 8), f32(31, 8)}, "input 1 is [31,8], want [32,8] to match input 0 in all but the channels"},
		{&layers.Concat{}, []layers.Input{f32(32, 8), f32(32, 8, 1)}, "input 1 is [32,8,1], want [32,8] to match input 0 in all but the channels"},
		{&layers.Concat{}, []layers.Input{f32(1, 1<<39), f32(1, 1<<39), f32(1, 1)}, "output: shape [1 1099511627777] has more than 2^40 elements"},
		{&layers.Split{Channels: []int{1}}, []layers.Input{f32(32)}, "input is [32], which has no channels"},
		{&layers.Split{}, image, "channels [] leave out 96 of the 96 of input [32,96,13,13]"},
		{&layers.Split{Channels: []int{48, 7}}, image, "channels [48 7] leave out 41 of the 96 of input [32,96,13,13]"},
		{&layers.Split{Channels: []int{48, 49}}, image, "channels [48 49]: each must be at least 1 and all add up to the 96 of input [32,96,13,13]"},
		{&layers.Split{Channels: []int{97, -1}}, image, "channels [97 -1]: each must be at least 1 and all add up to the 96 of input [32,96,13,13]"},

		{&layers.Slice{}, []layers.Input{f32(32)}, "axis 0 must be in 1 to 0, the axes of input [32] behind the batch"},
		{&layers.Slice{Axis: 4}, image, "axis 4 must be in 1 to 3, the axes of input [32,96,13,13] behind the batch"},
		{&layers.Slice{Axis: -1}, image, "axis -1 must be in 1 to 3"},
		{&layers.Slice{Begin: 96}, image, "begin 96, end 0 and step 0 take nothing of axis 1 of input [32,96,13,13], or what it does not have"},
		{&layers.Slice{Begin: 5, End: 5}, image, "begin 5, end 5 and step 0 take nothing of axis 1"},
		{&layers.Slice{Begin: -1}, image, "begin -1, end 0 and step 0"},
		{&layers.Slice{End: 97}, image, "begin 0, end 97 and step 0"},
		{&layers.Slice{Step: -1}, image, "begin 0, end 0 and step -1"},
		{&layers.Padding{Pad: layers.Pad{Left: -1}}, image, "pad 0,0,-1,0 must not be negative"},
		{&layers.Padding{Pad: layers.Around(huge)}, image, "pad 9223372036854775807 is more than 2147483647"},
		{&layers.Padding{Pad: layers.Around(1 << 30)}, image, "output: shape [32 96 2147483661 2147483661] has more than 2^40 elements"},
		{&layers.Padding{Value: nan}, image, "value NaN must be finite"},
		{&layers.Padding{Value: float32(math.Inf(1))}, image, "value +Inf must be finite"},
		{&layers.Padding{}, []layers.Input{f32(32, 96)}, "input is [32,96], want [N,C,H,W]"},
		{&layers.Crop{}, image, "takes 2 inputs (input, size), not 1"},
		{&layers.Crop{}, []layers.Input{f32(32, 8, 6, 6), f32(32, 8, 6)}, "input is [32,8,6,6] and size [32,8,6]: they must have the same batch and the same number of axes, at most 6"},
		{&layers.Crop{}, []layers.Input{f32(32, 8, 6, 6), f32(31, 8, 6, 6)}, "input is [32,8,6,6] and size [31,8,6,6]: they must have the same batch"},
		{&layers.Crop{}, []layers.Input{f32(1, 1, 1, 1, 1, 1, 1), f32(1, 1, 1, 1, 1, 1, 1)}, "at most 6"},
		{&layers.Crop{}, []layers.Input{f32(32, 8), f32(32, 8)}, "axis 2 must be in 1 to 1, the axes of input [32,8] behind the batch"},
		{&layers.Crop{Axis: -1}, []layers.Input{f32(32, 8), f32(32, 8)}, "axis -1 must be in 1 to 1"},
		{&layers.Crop{Offset: []int{1, 2, 3}}, []layers.Input{f32(32, 8, 6, 6), f32(32, 8, 2, 2)}, "offset [1 2 3] has 3 numbers, want 1 or 2, for the axes of input [32,8,6,6] from 2 on"},
		{&layers.Crop{Offset: []int{3, 4}}, []layers.Input{f32(32, 8, 6, 6), f32(32, 8, 2, 3)}, "axis 3: 3 from 4 on is not within the 6 of input [32,8,6,6]"},
		{&layers.Crop{Offset: []int{-1}}, []layers.Input{f32(32, 8, 6, 6), f32(32, 8, 2, 3)}, "axis 2: 2 from -1 on is not within the 6"},
		{&layers.Crop{}, []layers.Input{f32(32, 8, 6, 6), f32(32, 8, 7, 3)}, "axis 2: 7 from 0 on is not within the 6"},
		{&layers.Permute{}, image, "order [] must have each of the axes 0 to 3 of input [32,96,13,13] once, and 0, the batch, first"},
		{&layers.Permute{Order: []int{1, 0, 2, 3}}, image, "order [1 0 2 3] must have each"},
		{&layers.Permute{Order: []int{0, 1, 1, 3}}, image, "order [0 1 1 3] must have each"},
		{&layers.Permute{Order: []int{0, 1, 2, 4}}, image, "order [0 1 2 4] must have each"},
		{&layers.Permute{Order: []int{0, 1, 2, 3, 4}}, image, "order [0 1 2 3 4] must have each"},
		{&layers.Permute{Order: []int{0, 2, 1, 3, 4, 5, 6}}, []layers.Input{f32(1, 1, 1, 1, 1, 1, 1)}, "input [1,1,1,1,1,1,1] has 7 axes, at most 6 can be permuted"},
		{&layers.ChannelShuffle{}, image, "groups 0 does not divide 96 channels"},
		{&layers.ChannelShuffle{Groups: 5}, image, "groups 5 does not divide 96 channels"},
		{&layers.ChannelShuffle{Groups: -2}, image, "groups -2 does not divide 96 channels"},
		{&layers.ChannelShuffle{Groups: 1}, []layers.Input{f32(32)}, "input is [32], which has no channels"},
		{&layers.Upsample{}, image, "scale 0x0 must be at least 1"},
		{&layers.Upsample{Scale: layers.Size{H: 2}}, image, "scale 2x0 must be at least 1"},
		{&layers.Upsample{Scale: layers.Square(huge)}, image, "output: shape [32 96 13 9223372036854775807 13 9223372036854775807] has more than 2^40 elements"},
		{&layers.Upsample{Scale: three, Mode: "cubic"}, image, `mode "cubic" is neither nearest nor bilinear`},
		{&layers.Reshape{Shape: []int{96, 13}}, image, "shape [96 13] does not hold the 16224 elements of a sample of input [32,96,13,13]; one number may be -1, for what is left"},
		{&layers.Reshape{Shape: []int{-1, 5}}, image, "shape [-1 5] does not hold"},
		{&layers.Reshape{Shape: []int{-1, -1}}, image, "shape [-1 -1] does not hold"},
		{&layers.Reshape{Shape: []int{0}}, image, "shape [0] does not hold"},
		{&layers.Reshape{Shape: []int{huge, huge}}, image, "does not hold"},
		{&layers.Reshape{}, image, "shape [] does not hold"},
	} {
		_, err := c.layer.Plan(traits{}, c.in, layers.Options{Train: true})
		require.ErrorContains(t, err, c.want, "%s %+v", c.layer.Type(), c.layer)
	}
}

// What lies just inside a bound is accepted, and makes the outputs it should.
func TestPlanAccepts(t *testing.T) {
	image := []layers.Input{f32(2, 6, 5, 9)}
	for _, c := range []struct {
		layer layers.Layer
		in    []layers.Input
		out   []layers.Input
	}{
		{&layers.Pool{Global: true}, image, []layers.Input{f32(2, 6, 1, 1)}},
		{&layers.Pool{Op: device.AveragePool, Global: true}, image, []layers.Input{f32(2, 6, 1, 1)}},
		{&layers.Pool{Global: true}, []layers.Input{f32(1, 1, 1, math.MaxInt32)}, []layers.Input{f32(1, 1, 1, 1)}},
		{&layers.Pool{Window: layers.Square(2)}, image, []layers.Input{f32(2, 6, 4, 8)}},
		{&layers.Pool{Window: layers.Square(2), Stride: layers.Square(math.MaxInt32)}, image, []layers.Input{f32(2, 6, 1, 1)}},
		{&layers.Pool{Window: layers.Square(2), Switches: true}, image, []layers.Input{f32(2, 6, 4, 8), i32(2, 6, 4, 8)}},
		{&layers.Pool{Window: layers.Square(2), Pad: layers.Around(1)}, []layers.Input{f32(2, 6, 9)}, []layers.Input{f32(2, 6, 10)}},
		{&layers.Pool{Op: device.AveragePool, Global: true}, []layers.Input{f32(2, 6, 9)}, []layers.Input{f32(2, 6, 1)}},
		{&layers.Unpool{Window: layers.Square(2), Stride: layers.Square(2)}, []layers.Input{image[0], i32(2, 6, 5, 9)}, []layers.Input{f32(2, 6, 10, 18)}},
		{&layers.Unpool{Window: layers.Square(2), Stride: layers.Square(2), Size: layers.Size{H: 11, W: 19}}, []layers.Input{image[0], i32(2, 6, 5, 9)}, []layers.Input{f32(2, 6, 11, 19)}},
		{&layers.Unpool{Window: layers.Square(2), Stride: layers.Square(2), Ceil: true}, []layers.Input{image[0], i32(2, 6, 5, 9), f32(2, 1, 9, 17)}, []layers.Input{f32(2, 6, 9, 17)}},
		{&layers.Unpool{Window: layers.Square(3), Pad: layers.Around(1)}, []layers.Input{f32(2, 6, 9), i32(2, 6, 9)}, []layers.Input{f32(2, 6, 9)}},
		{&layers.L2Pool{Pool: layers.Pool{Window: layers.Square(3), Stride: layers.Square(2)}, Sum: true}, image, []layers.Input{f32(2, 6, 2, 4)}},
		{&layers.L2Pool{Pool: layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Ceil: true}, Sum: true}, image, []layers.Input{f32(2, 6, 2, 4)}},
		{&layers.L2Pool{Pool: layers.Pool{Window: layers.Square(3), CountPad: true}}, image, []layers.Input{f32(2, 6, 3, 7)}},
		{&layers.StochasticPool{Pool: layers.Pool{Global: true}}, []layers.Input{f32(2, 6, 9)}, []layers.Input{f32(2, 6, 1)}},
		{&layers.AdaptivePool{Size: layers.Size{H: 1, W: 1 << 16}}, []layers.Input{f32(2, 6, 1, 1<<16)}, []layers.Input{f32(2, 6, 1, 1<<16)}},
		{&layers.AdaptivePool{Size: layers.Square(7)}, []layers.Input{f32(2, 6, 9)}, []layers.Input{f32(2, 6, 7)}},
		{&layers.Conv{Filters: 3, Kernel: layers.Size{H: 2, W: 3}}, image, []layers.Input{f32(2, 3, 4, 7)}},
		{&layers.Conv{Filters: 1, Kernel: layers.Square(2), WeightRate: new(float32(math.MaxFloat32))}, image, []layers.Input{f32(2, 1, 4, 8)}},
		{&layers.Conv{Filters: 3, Kernel: layers.Square(2)}, []layers.Input{f32(2, 6, 9)}, []layers.Input{f32(2, 3, 8)}},
		{&layers.Conv{Filters: 3, Kernel: layers.Size{H: 1, W: 2}, Pad: layers.Pad{Right: 1}}, []layers.Input{f32(2, 6, 9)}, []layers.Input{f32(2, 3, 9)}},
		{&layers.Conv{Filters: 3, Kernel: layers.Square(3), Pad: layers.Around(1)}, []layers.Input{f32(2, 6, 9)}, []layers.Input{f32(2, 3, 9)}},
		{deconv(func(l *layers.Deconv) {}), image, []layers.Input{f32(2, 4, 7, 11)}},
		{deconv(func(l *layers.Deconv) { l.Stride, l.OutputPad = layers.Square(2), layers.Square(1) }), image, []layers.Input{f32(2, 4, 12, 20)}},
		{deconv(func(l *layers.Deconv) { l.Stride = layers.Square(math.MaxInt32) }), []layers.Input{f32(2, 6, 1, 1)}, []layers.Input{f32(2, 4, 3, 3)}},
		{deconv(func(l *layers.Deconv) { l.Stride, l.Pad = layers.Square(2), layers.Around(1) }), []layers.Input{f32(2, 6, 9)}, []layers.Input{f32(2, 4, 17)}},
		{&layers.Dense{Out: 1}, image, []layers.Input{f32(2, 1)}},
		{&layers.Accuracy{}, []layers.Input{f32(2, 1), i32(2)}, []layers.Input{f32(2)}},
		{&layers.Accuracy{TopK: 3}, []layers.Input{f32(2, 3), i32(2)}, []layers.Input{f32(2)}},
		{&layers.Split{Channels: []int{1, 2}}, []layers.Input{f32(2, 3)}, []layers.Input{f32(2, 1), f32(2, 2)}},
		{&layers.Concat{}, []layers.Input{f32(2, 3), f32(2, 4)}, []layers.Input{f32(2, 7)}},
		{&layers.Slice{}, image, image},
		{&layers.Slice{Axis: 3, Begin: 8}, image, []layers.Input{f32(2, 6, 5, 1)}},
		{&layers.Slice{Axis: 3, End: 9, Step: 4}, image, []layers.Input{f32(2, 6, 5, 3)}},
		{&layers.Slice{Axis: 3, End: 8, Step: 4}, image, []layers.Input{f32(2, 6, 5, 2)}},
		{&layers.Slice{End: 1, Step: math.MaxInt}, image, []layers.Input{f32(2, 1, 5, 9)}},
		{&layers.Padding{Pad: layers.Pad{Top: 1, Bottom: 2, Left: 3, Right: 4}}, image, []layers.Input{f32(2, 6, 8, 16)}},
		{&layers.Crop{Offset: []int{4, 8}}, []layers.Input{image[0], f32(2, 1, 1, 1)}, []layers.Input{f32(2, 6, 1, 1)}},
		{&layers.Crop{Axis: 1}, []layers.Input{f32(2, 3), f32(2, 2)}, []layers.Input{f32(2, 2)}},
		{&layers.Permute{Order: []int{0, 2, 3, 1}}, image, []layers.Input{f32(2, 5, 9, 6)}},
		{&layers.Permute{Order: []int{0}}, []layers.Input{f32(2)}, []layers.Input{f32(2)}},
		{&layers.Permute{Order: []int{0, 5, 4, 3, 2, 1}}, []layers.Input{f32(1, 2, 3, 4, 5, 6)}, []layers.Input{f32(1, 6, 5, 4, 3, 2)}},
		{&layers.ChannelShuffle{Groups: 6}, image, image},
		{&layers.Upsample{Scale: layers.Size{H: 2, W: 1}}, image, []layers.Input{f32(2, 6, 10, 9)}},
		{&layers.Reshape{Shape: []int{9, -1}}, image, []layers.Input{f32(2, 9, 30)}},
		{&layers.Reshape{Shape: []int{270}}, image, []layers.Input{f32(2, 270)}},
		{&layers.Reshape{}, []layers.Input{f32(2, 1, 1)}, []layers.Input{f32(2)}},
		{&layers.LRN{Size: 1}, image, image},
		{&layers.Dropout{}, image, image},
		{&layers.Product{}, slices.Repeat(image, 15), image},
		{&layers.Maximum{}, slices.Repeat(image, 15), image},
		{&layers.Maxout{Pieces: 3}, image, []layers.Input{f32(2, 2, 5, 9)}},
		{&layers.Maxout{Pieces: 6}, []layers.Input{f32(2, 6)}, []layers.Input{f32(2, 1)}},
		{&layers.DropConnect{Dense: layers.Dense{Out: 7}}, image, []layers.Input{f32(2, 7)}},
	} {
		s, err := c.layer.Plan(traits{}, c.in, layers.Options{Train: true})
		require.NoError(t, err, "%s %+v", c.layer.Type(), c.layer)
		require.Equal(t, c.out, s.Out, "%s %+v", c.layer.Type(), c.layer)
	}
	s, err := (&layers.Conv{Filters: 1, Kernel: layers.Square(2)}).Plan(traits{packed: [device.Passes]int64{1, 0}}, image, layers.Options{Train: true})
	require.NoError(t, err)
	require.Equal(t, [device.Passes]int64{1}, s.Packed)
}

func TestConvSpec(t *testing.T) {
	// AlexNet's conv2, in two groups, at batch 128.
	l := &layers.Conv{Filters: 256, Kernel: layers.Square(5), Pad: layers.Around(2), Groups: 2,
		WeightFiller: layers.Gaussian(0.01), BiasFiller: layers.Constant(1), BiasRate: new(float32(2)), BiasDecay: new(float32(0))}
	before := *l
	in := []layers.Input{f32(128, 96, 27, 27)}
	fan := layers.Fan{In: 48 * 25, Out: 128 * 25}
	kernel := fan
	kernel.Kernel = layers.Square(5)
	want := layers.Spec{
		Out: []layers.Input{f32(128, 256, 27, 27)},
		Params: []layers.Param{
			{Name: "weight", Shape: tensor.Shape{256, 48, 5, 5}, Fan: kernel, Filler: layers.Gaussian(0.01), Rate: 1, Decay: 1},
			{Name: "bias", Shape: tensor.Shape{256}, Fan: fan, Filler: layers.Constant(1), Rate: 2, Decay: 0},
		},
		Packed:   [device.Passes]int64{100, 200},
		Scratch:  30,
		Backward: layers.NeedInputs,
		Epilogue: true,
		FLOPs:    2 * 128 * 223_948_800,
	}
	both := traits{packed: [device.Passes]int64{100, 200}}
	s, err := l.Plan(both, in, layers.Options{Train: true})
	require.NoError(t, err)
	require.Equal(t, want, s)
	require.Equal(t, before, *l)

	s, err = l.Plan(both, in, layers.Options{})
	require.NoError(t, err)
	require.Equal(t, int64(10), s.Scratch)
	require.Equal(t, [device.Passes]int64{100}, s.Packed)

	s, err = l.Plan(traits{packed: [device.Passes]int64{0, 200}}, in, layers.Options{Train: true})
	require.NoError(t, err)
	require.Equal(t, [device.Passes]int64{0, 200}, s.Packed)

	s, err = l.Plan(traits{}, in, layers.Options{Train: true})
	require.NoError(t, err)
	require.Zero(t, s.Packed)
}

func TestDenseSpec(t *testing.T) {
	// AlexNet's fc6, with nothing but its size given.
	s, err := (&layers.Dense{Out: 4096}).Plan(traits{}, []layers.Input{f32(128, 256, 6, 6)}, layers.Options{Train: true})
	require.NoError(t, err)
	fan := layers.Fan{In: 9216, Out: 4096}
	require.Equal(t, layers.Spec{
		Out: []layers.Input{f32(128, 4096)},
		Params: []layers.Param{
			{Name: "weight", Shape: tensor.Shape{4096, 9216}, Fan: fan, Filler: layers.Xavier(), Rate: 1, Decay: 1},
			{Name: "bias", Shape: tensor.Shape{4096}, Fan: fan, Rate: 1, Decay: 1},
		},
		Scratch:  30,
		Backward: layers.NeedInputs,
		Epilogue: true,
		FLOPs:    2 * 128 * 37_748_736,
	}, s)
}

// TestSpecs is what the other layers of AlexNet and of losses keep and need.
func TestSpecs(t *testing.T) {
	image, small := f32(128, 96, 55, 55), f32(128, 96, 27, 27)
	scores := f32(128, 1000)
	for _, c := range []struct {
		layer        layers.Layer
		in           []layers.Input
		train, infer layers.Spec
	}{
		{
			&layers.Pool{Window: layers.Square(3), Stride: layers.Square(2)}, []layers.Input{image},
			layers.Spec{Out: []layers.Input{small}, Saved: []layers.Slot{{Name: "index", Shape: small.Shape, DType: device.Int32, Batched: true}}},
			layers.Spec{Out: []layers.Input{small}},
		},
		{
			&layers.Pool{Op: device.AveragePool, Global: true}, []layers.Input{f32(128, 96, 5, 7)},
			layers.Spec{Out: []layers.Input{f32(128, 96, 1, 1)}},
			layers.Spec{Out: []layers.Input{f32(128, 96, 1, 1)}},
		},
		{
			&layers.Pool{Op: device.AveragePool, Global: true, Ceil: true}, []layers.Input{f32(128, 96, 7, 5)},
			layers.Spec{Out: []layers.Input{f32(128, 96, 1, 1)}},
			layers.Spec{Out: []layers.Input{f32(128, 96, 1, 1)}},
		},
		{ // a window larger than the image, as Caffe and PyTorch have it
			&layers.Pool{Op: device.AveragePool, Window: layers.Square(3), Stride: layers.Square(2), Ceil: true}, []layers.Input{f32(128, 96, 2, 2)},
			layers.Spec{Out: []layers.Input{f32(128, 96, 1, 1)}},
			layers.Spec{Out: []layers.Input{f32(128, 96, 1, 1)}},
		},
		{
			&layers.LRN{}, []layers.Input{image},
			layers.Spec{Out: []layers.Input{image}, Saved: []layers.Slot{{Name: "scale", Shape: image.Shape, DType: device.Float32, Batched: true}}, Backward: layers.NeedInputs},
			layers.Spec{Out: []layers.Input{image}, Backward: layers.NeedInputs},
		},
		{
			&layers.Unary{}, []layers.Input{image},
			layers.Spec{Out: []layers.Input{image}, Backward: layers.NeedOutputs, InPlace: true, Elementwise: true},
			layers.Spec{Out: []layers.Input{image}, Backward: layers.NeedOutputs, InPlace: true, Elementwise: true},
		},
		{
			&layers.Dropout{P: 0.5}, []layers.Input{image},
			layers.Spec{Out: []layers.Input{image}, InPlace: true, Streams: 1},
			layers.Spec{Out: []layers.Input{image}, InPlace: true, Streams: 1, Elementwise: true},
		},
		{
			&layers.Softmax{}, []layers.Input{scores},
			layers.Spec{Out: []layers.Input{scores}, Backward: layers.NeedOutputs},
			layers.Spec{Out: []layers.Input{scores}, Backward: layers.NeedOutputs},
		},
		{
			&layers.SoftmaxLoss{}, []layers.Input{scores, i32(128)},
			layers.Spec{Out: []layers.Input{f32(128)}, Saved: []layers.Slot{{Name: "largest", Shape: tensor.Shape{128}, Batched: true}, {Name: "sum", Shape: tensor.Shape{128}, Batched: true}},
				Temporary: []layers.Slot{{Name: "scale", Shape: tensor.Shape{1}}}, Backward: layers.NeedInputs, NoGradient: []int{1}, LossWeight: 1},
			layers.Spec{Out: []layers.Input{f32(128)}, Temporary: []layers.Slot{{Name: "largest", Shape: tensor.Shape{128}, Batched: true}, {Name: "sum", Shape: tensor.Shape{128}, Batched: true}},
				Backward: layers.NeedInputs, NoGradient: []int{1}, LossWeight: 1},
		},
		{
			&layers.L2Loss{Weight: new(float32(0.5))}, []layers.Input{scores, scores},
			layers.Spec{Out: []layers.Input{f32(128)}, Temporary: []layers.Slot{{Name: "scale", Shape: tensor.Shape{1}}}, Backward: layers.NeedInputs, NoGradient: []int{1}, LossWeight: 0.5},
			layers.Spec{Out: []layers.Input{f32(128)}, Backward: layers.NeedInputs, NoGradient: []int{1}, LossWeight: 0.5},
		},
		{
			&layers.Accuracy{}, []layers.Input{scores, i32(128)},
			layers.Spec{Out: []layers.Input{f32(128)}, Temporary: []layers.Slot{{Name: "score", Shape: tensor.Shape{128}, Batched: true}}, NoGradient: []int{0, 1}},
			layers.Spec{Out: []layers.Input{f32(128)}, Temporary: []layers.Slot{{Name: "score", Shape: tensor.Shape{128}, Batched: true}}, NoGradient: []int{0, 1}},
		},
		{
			&layers.Concat{}, []layers.Input{small, f32(128, 4, 27, 27)},
			layers.Spec{Out: []layers.Input{f32(128, 100, 27, 27)}},
			layers.Spec{Out: []layers.Input{f32(128, 100, 27, 27)}},
		},
		{
			&layers.Split{Channels: []int{1, 95}}, []layers.Input{small},
			layers.Spec{Out: []layers.Input{f32(128, 1, 27, 27), f32(128, 95, 27, 27)}},
			layers.Spec{Out: []layers.Input{f32(128, 1, 27, 27), f32(128, 95, 27, 27)}},
		},
		{
			&layers.Flatten{}, []layers.Input{small},
			layers.Spec{Out: []layers.Input{f32(128, 69984)}, InPlace: true},
			layers.Spec{Out: []layers.Input{f32(128, 69984)}, InPlace: true},
		},
	} {
		for _, train := range []bool{true, false} {
			want := c.infer
			if train {
				want = c.train
			}
			got, err := c.layer.Plan(traits{}, c.in, layers.Options{Train: train})
			require.NoError(t, err)
			got.Programs = nil // their results are held against differences
			require.Equal(t, want, got, "%s, train %v", c.layer.Type(), train)
		}
	}
}
