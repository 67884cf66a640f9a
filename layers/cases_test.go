package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// example is a small layer with inputs it accepts.
type example struct {
	name   string
	layer  layers.Layer
	inputs []graph.Input
}

// examples has every registered type, and the options that change how a
// layer computes.
func examples() []example {
	images := func(shapes ...[]int) (in []graph.Input) {
		for i, s := range shapes {
			in = append(in, graph.Input{Name: string(rune('a' + i)), DType: device.Float32, Shape: s})
		}
		return in
	}
	image := images([]int{4, 6, 5})
	row, pixels := images([]int{7}), images([]int{4, 9})
	switched := append(images([]int{4, 6, 5}), graph.Input{Name: "switches", DType: device.Int32, Shape: []int{4, 6, 5}})
	classes := append(images([]int{5}), graph.Input{Name: "label", DType: device.Int32})
	return []example{
		{"conv", &layers.Conv{Filters: 6, Kernel: layers.Square(3)}, image},
		{"conv grouped", &layers.Conv{Filters: 4, Kernel: layers.Size{H: 3, W: 2}, Groups: 2, Stride: layers.Size{H: 2, W: 1},
			Pad: layers.Pad{Top: 1, Bottom: 2, Left: 0, Right: 1}, Dilation: layers.Size{H: 2, W: 1}}, image},
		{"conv no bias", &layers.Conv{Filters: 3, Kernel: layers.Square(1), NoBias: true}, image},
		{"conv of rows of pixels", &layers.Conv{Filters: 4, Kernel: layers.Square(3), Stride: layers.Square(2), Pad: layers.Pad{Left: 1, Right: 2}, Groups: 2}, pixels},
		{"deconv", &layers.Deconv{Conv: layers.Conv{Filters: 3, Kernel: layers.Square(3), Stride: layers.Square(2)}}, image},
		{"deconv grouped", &layers.Deconv{Conv: layers.Conv{Filters: 6, Kernel: layers.Size{H: 3, W: 2}, Groups: 2, Stride: layers.Size{H: 2, W: 3},
			Pad: layers.Pad{Top: 1, Bottom: 2, Left: 0, Right: 1}, Dilation: layers.Size{H: 2, W: 1}}, OutputPad: layers.Size{H: 1, W: 2}}, image},
		{"deconv no bias", &layers.Deconv{Conv: layers.Conv{Filters: 3, Kernel: layers.Square(2), Pad: layers.Around(1), NoBias: true}}, image},
		{"deconv of rows of pixels", &layers.Deconv{Conv: layers.Conv{Filters: 2, Kernel: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, OutputPad: layers.Square(1)}, pixels},
		{"dense", &layers.Dense{Out: 3}, image},
		{"dense no bias", &layers.Dense{Out: 3, NoBias: true}, row},
		{"max pool", &layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, image},
		{"max pool ceil", &layers.Pool{Window: layers.Square(2), Stride: layers.Square(2), Ceil: true}, image},
		{"max pool global", &layers.Pool{Global: true}, image},
		{"average pool", &layers.Pool{Op: device.AveragePool, Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, image},
		{"average pool count", &layers.Pool{Op: device.AveragePool, Window: layers.Square(2), Stride: layers.Square(2), Pad: layers.Around(1), Ceil: true, CountPad: true}, image},
		{"average pool global", &layers.Pool{Op: device.AveragePool, Global: true}, image},
		{"average pool above the image", &layers.Pool{Op: device.AveragePool, Window: layers.Square(7), Stride: layers.Square(3), Ceil: true}, image},
		{"max pool of rows of pixels", &layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, pixels},
		{"average pool of rows of pixels", &layers.Pool{Op: device.AveragePool, Global: true}, pixels},
		{"max pool with switches", &layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1), Switches: true}, image},
		{"unpool", &layers.Unpool{Window: layers.Square(2), Stride: layers.Square(2)}, switched},
		{"unpool to a size, with overlaps", &layers.Unpool{Window: layers.Size{H: 3, W: 2}, Pad: layers.Around(1), Size: layers.Size{H: 6, W: 4}}, switched},
		{"unpool to the size of an input", &layers.Unpool{Window: layers.Square(2), Stride: layers.Square(2)}, append(switched[:2:2], graph.Input{Name: "size", Shape: []int{1, 13, 10}})},
		{"stochastic pool", &layers.StochasticPool{Pool: layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}}, image},
		{"stochastic pool global", &layers.StochasticPool{Pool: layers.Pool{Global: true}}, image},
		{"l2 pool", &layers.L2Pool{Pool: layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1), Ceil: true}}, image},
		{"l2 pool sum", &layers.L2Pool{Pool: layers.Pool{Window: layers.Size{H: 2, W: 3}, Pad: layers.Around(1)}, Sum: true}, image},
		{"adaptive average pool", &layers.AdaptivePool{Op: device.AveragePool, Size: layers.Size{H: 4, W: 3}}, image},
		{"adaptive average pool as a plain one", &layers.AdaptivePool{Op: device.AveragePool, Size: layers.Size{H: 3, W: 1}}, image},
		{"adaptive average pool to more pixels", &layers.AdaptivePool{Op: device.AveragePool, Size: layers.Square(7)}, image},
		{"adaptive max pool", &layers.AdaptivePool{Op: device.MaxPool, Size: layers.Size{H: 4, W: 3}}, image},
		{"adaptive max pool of rows of pixels", &layers.AdaptivePool{Op: device.MaxPool, Size: layers.Square(4)}, pixels},
		{"lrn", &layers.LRN{Size: 3, Alpha: new(float32(0.5))}, image},
		{"lrn caffe", &layers.LRN{Alpha: new(float32(2)), K: 1, AlphaOverSize: true}, image},
		{"lrn within channels", &layers.LRN{Size: 3, Alpha: new(float32(0.5)), Region: "within"}, image},
		{"lrn within channels by caffe", &layers.LRN{Alpha: new(float32(2)), Beta: new(float32(0.6)), K: 1, AlphaOverSize: true, Region: "within"}, image},
		{"relu", &layers.Unary{Op: device.ReLU}, image},
		{"leaky relu", &layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0.2))}, image},
		{"leaky relu of slope 0", &layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0))}, image},
		{"sigmoid", &layers.Unary{Op: device.Sigmoid}, image},
		{"tanh", &layers.Unary{Op: device.Tanh}, row},
		{"hard sigmoid", &layers.Activation{Function: "hard-sigmoid"}, image},
		{"mish", &layers.Activation{Function: "mish"}, image},
		{"relu6", &layers.Activation{Function: "relu6"}, row},
		{"selu", &layers.Activation{Function: "selu"}, image},
		{"silu", &layers.Activation{Function: "silu"}, image},
		{"softplus", &layers.Activation{Function: "softplus"}, image},
		{"softsign", &layers.Activation{Function: "softsign"}, image},
		{"elu", &layers.ELU{Alpha: 0.7}, image},
		{"gelu", &layers.GELU{}, image},
		{"gelu by tanh", &layers.GELU{Tanh: true}, image},
		{"prelu", &layers.PReLU{}, image},
		{"prelu shared", &layers.PReLU{Shared: true}, row},
		{"hard swish", &layers.HardSwish{}, image},
		{"formula", &layers.Formula{Formula: "select(x < 0.5, 0.1 * exp(x), sqrt(abs(x)) - 0.2)"}, image},
		{"formula of two", &layers.Formula{Formula: "x / (1.5 + x1 * x1)"}, images([]int{3, 2}, []int{3, 2})},
		{"l2 norm", &layers.L2Norm{}, image},
		{"l2 norm of a row", &layers.L2Norm{}, row},
		{"batch norm", &layers.BatchNorm{}, image},
		{"batch norm of a row", &layers.BatchNorm{Eps: new(float32(0.5))}, row},
		{"batch norm caffe", &layers.BatchNorm{Convention: "caffe"}, image},
		{"batch norm matconvnet", &layers.BatchNorm{Convention: "matconvnet", Eps: new(float32(0.1))}, image},
		{"batch norm alone", &layers.BatchNorm{Affine: layers.Affine{On: new(false)}}, image},
		{"group norm", &layers.GroupNorm{Groups: 2}, image},
		{"group norm of a row", &layers.GroupNorm{Groups: 3}, images([]int{6})},
		{"group norm alone", &layers.GroupNorm{Groups: 2, Affine: layers.Affine{On: new(false)}}, image},
		{"instance norm", &layers.InstanceNorm{}, image},
		{"instance norm affine", &layers.InstanceNorm{Affine: layers.Affine{On: new(true)}}, image},
		{"layer norm", &layers.LayerNorm{}, image},
		{"layer norm of a row", &layers.LayerNorm{Eps: new(float32(0.5))}, row},
		{"layer norm alone", &layers.LayerNorm{Affine: layers.Affine{On: new(false)}}, image},
		{"layer norm of channels", &layers.LayerNorm{Channels: true}, image},
		{"layer norm of channels of a row", &layers.LayerNorm{Channels: true}, row},
		{"layer norm of channels alone", &layers.LayerNorm{Channels: true, Affine: layers.Affine{On: new(false)}}, image},
		{"dropout", &layers.Dropout{P: 0.3}, image},
		{"dropout of nothing", &layers.Dropout{}, image},
		{"dropout of channels", &layers.Dropout{P: 0.4, Channels: true}, image},
		{"drop connect", &layers.DropConnect{Dense: layers.Dense{Out: 3}, P: 0.3}, image},
		{"drop connect no bias", &layers.DropConnect{Dense: layers.Dense{Out: 4, NoBias: true}, P: 0.5}, row},
		{"maxout", &layers.Maxout{Pieces: 2}, image},
		{"maxout of a row", &layers.Maxout{Pieces: 7}, row},
		{"gaussian noise", &layers.GaussianNoise{StdDev: 0.3}, image},
		{"softmax", &layers.Softmax{}, row},
		{"softmax of images", &layers.Softmax{}, image},
		{"softmax loss", &layers.SoftmaxLoss{Weight: new(float32(0.7))}, classes},
		{"softmax loss of class weights", &layers.SoftmaxLoss{ClassWeights: []float32{1, 0, 0.5, 2, 3}}, classes},
		{"softmax loss that ignores", &layers.SoftmaxLoss{IgnoreLabel: new(int32(2)), Weight: new(float32(0.7))}, classes},
		{"softmax loss smoothed", &layers.SoftmaxLoss{Smoothing: 0.1, ClassWeights: []float32{1, 0, 0.5, 2, 3}, IgnoreLabel: new(int32(0))}, classes},
		{"softmax loss of shares", &layers.SoftmaxLoss{Weight: new(float32(0.7))}, images([]int{5}, []int{5})},
		{"softmax loss of shares, smoothed", &layers.SoftmaxLoss{Smoothing: 0.1, ClassWeights: []float32{1, 0, 0.5, 2, 3}}, images([]int{5}, []int{5})},
		{"l2 loss", &layers.L2Loss{Weight: new(float32(3))}, images([]int{3, 2}, []int{3, 2})},
		{"l2 loss masked", &layers.L2Loss{Mask: true}, images([]int{7}, []int{7})},
		{"l1 loss", &layers.L1Loss{Weight: new(float32(3))}, images([]int{3, 2}, []int{3, 2})},
		{"smooth l1 loss", &layers.SmoothL1Loss{Beta: 0.3}, images([]int{7}, []int{7})},
		{"huber loss", &layers.HuberLoss{Delta: 0.3, Mask: true}, images([]int{7}, []int{7})},
		{"logistic loss", &layers.LogisticLoss{Weight: new(float32(0.7))}, images([]int{3, 2}, []int{3, 2})},
		{"logistic loss of labels", &layers.LogisticLoss{}, classes},
		{"focal loss", &layers.FocalLoss{Gamma: 1.5, Alpha: 0.3}, images([]int{7}, []int{7})},
		{"focal loss of labels", &layers.FocalLoss{Gamma: 2, Alpha: 0.25, Weight: new(float32(3))}, classes},
		{"hinge loss", &layers.HingeLoss{Margin: 0.7, Norm: 1}, images([]int{7}, []int{7})},
		{"squared hinge loss of labels", &layers.HingeLoss{Margin: 1, Norm: 2}, classes},
		{"contrastive loss", &layers.ContrastiveLoss{Margin: 2}, append(images([]int{3, 2}, []int{3, 2}), graph.Input{Name: "label", DType: device.Int32})},
		{"triplet loss", &layers.TripletLoss{Margin: 0.5, Weight: new(float32(3))}, images([]int{7}, []int{7}, []int{7})},
		{"triplet loss of squares", &layers.TripletLoss{Margin: 1, Squared: true}, images([]int{7}, []int{7}, []int{7})},
		{"accuracy", &layers.Accuracy{TopK: 2}, classes},
		{"add two", &layers.Add{}, images([]int{3, 2}, []int{3, 2})},
		{"add three", &layers.Add{}, images([]int{5}, []int{5}, []int{5})},
		{"add with coefficients", &layers.Add{Coefficients: []float32{0.5, -1, 2}}, images([]int{5}, []int{5}, []int{5})},
		{"add in place with coefficients", &layers.Add{Coefficients: []float32{1, -1}}, images([]int{3, 2}, []int{3, 2})},
		{"multiply", &layers.Product{}, images([]int{3, 2}, []int{3, 2})},
		{"multiply three", &layers.Product{}, images([]int{5}, []int{5}, []int{5})},
		{"maximum", &layers.Maximum{}, images([]int{3, 4, 2}, []int{3, 4, 2}, []int{3, 4, 2})},
		{"scale", &layers.Scale{Factor: -1.5}, image},
		{"concat", &layers.Concat{}, images([]int{3, 2, 2}, []int{1, 2, 2}, []int{2, 2, 2})},
		{"concat one", &layers.Concat{}, row},
		{"split", &layers.Split{Channels: []int{1, 3}}, image},
		{"slice", &layers.Slice{Begin: 1, End: 3}, image},
		{"slice of columns", &layers.Slice{Axis: 3, Begin: 1, Step: 2}, image},
		{"slice of a row", &layers.Slice{End: 6, Step: 3}, row},
		{"pad", &layers.Padding{Pad: layers.Pad{Top: 1, Left: 2, Right: 3}, Value: -1.5}, image},
		{"pad nothing", &layers.Padding{Value: 3}, image},
		{"crop", &layers.Crop{}, images([]int{3, 6, 5}, []int{1, 2, 4})},
		{"crop by offsets", &layers.Crop{Offset: []int{4, 1}}, images([]int{3, 6, 5}, []int{7, 2, 4})},
		{"crop channels", &layers.Crop{Axis: 1, Offset: []int{1}}, images([]int{3, 6, 5}, []int{2, 3, 4})},
		{"permute", &layers.Permute{Order: []int{0, 2, 3, 1}}, image},
		{"permute back", &layers.Permute{Order: []int{0, 3, 2, 1}}, image},
		{"channel shuffle", &layers.ChannelShuffle{Groups: 2}, images([]int{6, 3, 3})},
		{"channel shuffle of a row", &layers.ChannelShuffle{Groups: 4}, images([]int{12})},
		{"upsample", &layers.Upsample{Scale: layers.Size{H: 2, W: 3}}, image},
		{"upsample bilinearly", &layers.Upsample{Scale: layers.Size{H: 2, W: 3}, Mode: "bilinear"}, image},
		{"argmax", &layers.ArgMax{}, image},
		{"argmax of a row", &layers.ArgMax{}, row},
		{"reshape", &layers.Reshape{Shape: []int{-1, 5, 4}}, image},
		{"flatten", &layers.Flatten{}, image},
		{"crelu", &CReLU{}, image},
	}
}

func TestEveryTypeHasAnExample(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range examples() {
		seen[e.layer.Type()] = true
	}
	for _, name := range layers.Types() {
		require.True(t, seen[name], "type %s has no example, so nothing tests it", name)
	}
}
