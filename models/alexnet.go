package models

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// AlexNet's initialisations differ in the biases of conv2, conv4, conv5, fc6
// and fc7 (1 in the paper, 0.1 in Caffe) and in the deviation of the weights
// of fc6 and fc7 (0.01 and 0.005). Both let the loss stand still for some
// thousand updates first. He et al. 2015 let every layer keep the deviation of
// its input: no bias, and deviation sqrt(2/fan-in) in all layers but the last. It
// takes images of about deviation 1 (-preprocess mean,std).
const (
	paper = "paper"
	caffe = "caffe"
	msra  = "msra"
)

var alexNetInits = []string{paper, caffe, msra}

// twoTowers is AlexNet (Krizhevsky et al. 2012): conv2, conv4 and conv5 in
// two groups, 60,965,224 parameters.
func twoTowers(n *graph.Network, data string, o Options) string { return alexNet(n, data, o, 2) }

// oneTower is AlexNet with the same maps and no groups: 62,378,344
// parameters.
func oneTower(n *graph.Network, data string, o Options) string { return alexNet(n, data, o, 1) }

// alexNet is in the paper's order: convolution, ReLU, normalisation, pooling.
//
// With Init "caffe" it is models/bvlc_alexnet of Caffe: besides the
// initialisation, normalisation has k 1 and divides alpha by its size, and
// biases learn at twice the rate and do not decay. Caffe's pooling rounds up,
// which makes no difference at 227x227 and is done for both. (Caffe's other
// AlexNet, CaffeNet, pools before it normalises.)
func alexNet(n *graph.Network, data string, o Options, groups int) string {
	isCaffe := o.Init == caffe
	weights, hidden, hiddenBias := layers.Gaussian(0.01), layers.Gaussian(0.01), layers.Constant(1)
	k, rate, decay := float32(2), float32(1), float32(1)
	switch o.Init {
	case caffe:
		hidden, hiddenBias = layers.Gaussian(0.005), layers.Constant(0.1)
		k, rate, decay = 1, 2, 0
	case msra:
		weights, hidden, hiddenBias = layers.MSRA(), layers.MSRA(), layers.Constant(0)
	}
	conv := func(filters, kernel, stride, pad, groups int, bias layers.Filler) layers.Layer {
		return &layers.Conv{
			Filters: filters, Kernel: layers.Square(kernel), Stride: layers.Square(stride), Pad: layers.Around(pad), Groups: groups,
			WeightFiller: weights, BiasFiller: bias, BiasRate: new(rate), BiasDecay: new(decay),
		}
	}
	dense := func(out int, weights, bias layers.Filler) layers.Layer {
		return &layers.Dense{Out: out, WeightFiller: weights, BiasFiller: bias, BiasRate: new(rate), BiasDecay: new(decay)}
	}
	norm := func() layers.Layer {
		return &layers.LRN{Size: 5, Alpha: new(float32(1e-4)), Beta: new(float32(0.75)), K: k, AlphaOverSize: isCaffe}
	}
	drop := func() layers.Layer { return &layers.Dropout{P: 0.5} }
	shrink := func() layers.Layer { return pool(device.MaxPool, 3, 2, true) }
	zero := layers.Constant(0)

	x := n.Add("conv1", conv(96, 11, 4, 0, 1, zero), data)
	x = n.Add("relu1", relu(), x)
	x = n.Add("norm1", norm(), x)
	x = n.Add("pool1", shrink(), x)
	x = n.Add("conv2", conv(256, 5, 1, 2, groups, hiddenBias), x)
	x = n.Add("relu2", relu(), x)
	x = n.Add("norm2", norm(), x)
	x = n.Add("pool2", shrink(), x)
	x = n.Add("conv3", conv(384, 3, 1, 1, 1, zero), x)
	x = n.Add("relu3", relu(), x)
	x = n.Add("conv4", conv(384, 3, 1, 1, groups, hiddenBias), x)
	x = n.Add("relu4", relu(), x)
	x = n.Add("conv5", conv(256, 3, 1, 1, groups, hiddenBias), x)
	x = n.Add("relu5", relu(), x)
	x = n.Add("pool5", shrink(), x)
	x = n.Add("fc6", dense(4096, hidden, hiddenBias), x)
	x = n.Add("relu6", relu(), x)
	x = n.Add("drop6", drop(), x)
	x = n.Add("fc7", dense(4096, hidden, hiddenBias), x)
	x = n.Add("relu7", relu(), x)
	x = n.Add("drop7", drop(), x)
	return n.Add("fc8", dense(o.Classes, layers.Gaussian(0.01), zero), x)
}
