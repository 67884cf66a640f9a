package models

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// caffeConv and caffeDense are layers whose biases learn at twice the rate and do not
// decay, as in most networks of Caffe.
func caffeConv(filters, kernel, stride, pad, groups int, deviation, bias float32) layers.Layer {
	return &layers.Conv{
		Filters: filters, Kernel: layers.Square(kernel), Stride: layers.Square(stride), Pad: layers.Around(pad), Groups: groups,
		WeightFiller: layers.Gaussian(deviation), BiasFiller: layers.Constant(bias), BiasRate: new(float32(2)), BiasDecay: new(float32(0)),
	}
}

func caffeDense(out int, deviation, bias float32) layers.Layer {
	return &layers.Dense{
		Out: out, WeightFiller: layers.Gaussian(deviation), BiasFiller: layers.Constant(bias), BiasRate: new(float32(2)), BiasDecay: new(float32(0)),
	}
}

// caffeNet is Caffe's models/bvlc_reference_caffenet: AlexNet with pooling before
// normalisation, 60,965,224 parameters.
func caffeNet(n *graph.Network, data string, o Options) string {
	norm := func() layers.Layer {
		return &layers.LRN{Size: 5, Alpha: new(float32(1e-4)), Beta: new(float32(0.75)), K: 1, AlphaOverSize: true}
	}
	x := n.Add("conv1", caffeConv(96, 11, 4, 0, 1, 0.01, 0), data)
	x = n.Add("relu1", relu(), x)
	x = n.Add("pool1", pool(device.MaxPool, 3, 2, true), x)
	x = n.Add("norm1", norm(), x)
	x = n.Add("conv2", caffeConv(256, 5, 1, 2, 2, 0.01, 1), x)
	x = n.Add("relu2", relu(), x)
	x = n.Add("pool2", pool(device.MaxPool, 3, 2, true), x)
	x = n.Add("norm2", norm(), x)
	x = n.Add("conv3", caffeConv(384, 3, 1, 1, 1, 0.01, 0), x)
	x = n.Add("relu3", relu(), x)
	x = n.Add("conv4", caffeConv(384, 3, 1, 1, 2, 0.01, 1), x)
	x = n.Add("relu4", relu(), x)
	x = n.Add("conv5", caffeConv(256, 3, 1, 1, 2, 0.01, 1), x)
	x = n.Add("relu5", relu(), x)
	x = n.Add("pool5", pool(device.MaxPool, 3, 2, true), x)
	x = n.Add("fc6", caffeDense(4096, 0.005, 1), x)
	x = n.Add("relu6", relu(), x)
	x = n.Add("drop6", &layers.Dropout{P: 0.5}, x)
	x = n.Add("fc7", caffeDense(4096, 0.005, 1), x)
	x = n.Add("relu7", relu(), x)
	x = n.Add("drop7", &layers.Dropout{P: 0.5}, x)
	return n.Add("fc8", caffeDense(o.Classes, 0.01, 0), x)
}

// cifar10Quick is Caffe's examples/cifar10/cifar10_quick for pictures of 32x32: 145,578
// parameters.
func cifar10Quick(n *graph.Network, data string, o Options) string {
	x := n.Add("conv1", caffeConv(32, 5, 1, 2, 1, 0.0001, 0), data)
	x = n.Add("pool1", pool(device.MaxPool, 3, 2, true), x)
	x = n.Add("relu1", relu(), x)
	x = n.Add("conv2", caffeConv(32, 5, 1, 2, 1, 0.01, 0), x)
	x = n.Add("relu2", relu(), x)
	x = n.Add("pool2", pool(device.AveragePool, 3, 2, true), x)
	x = n.Add("conv3", caffeConv(64, 5, 1, 2, 1, 0.01, 0), x)
	x = n.Add("relu3", relu(), x)
	x = n.Add("pool3", pool(device.AveragePool, 3, 2, true), x)
	x = n.Add("ip1", caffeDense(64, 0.1, 0), x)
	return n.Add("ip2", caffeDense(o.Classes, 0.1, 0), x)
}

// cifar10Full is Caffe's examples/cifar10/cifar10_full: 89,578 parameters. It normalises
// within channels, and decays the weights of its last layer 250 times as much as others.
func cifar10Full(n *graph.Network, data string, o Options) string {
	norm := func() layers.Layer {
		return &layers.LRN{Size: 3, Alpha: new(float32(5e-5)), Beta: new(float32(0.75)), K: 1, AlphaOverSize: true, Region: "within"}
	}
	x := n.Add("conv1", caffeConv(32, 5, 1, 2, 1, 0.0001, 0), data)
	x = n.Add("pool1", pool(device.MaxPool, 3, 2, true), x)
	x = n.Add("relu1", relu(), x)
	x = n.Add("norm1", norm(), x)
	x = n.Add("conv2", caffeConv(32, 5, 1, 2, 1, 0.01, 0), x)
	x = n.Add("relu2", relu(), x)
	x = n.Add("pool2", pool(device.AveragePool, 3, 2, true), x)
	x = n.Add("norm2", norm(), x)
	x = n.Add("conv3", caffeConv(64, 5, 1, 2, 1, 0.01, 0), x)
	x = n.Add("relu3", relu(), x)
	x = n.Add("pool3", pool(device.AveragePool, 3, 2, true), x)
	ip := caffeDense(o.Classes, 0.01, 0).(*layers.Dense)
	ip.WeightDecay = new(float32(250))
	return n.Add("ip1", ip, x)
}
