package models

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// leNet is Caffe's LeNet (examples/mnist/lenet_train_test.prototxt): 431,080
// parameters for 28x28 digits, whose pixels are to be divided by 256. Biases
// learn at twice the rate.
func leNet(n *graph.Network, data string, o Options) string {
	x := n.Add("conv1", &layers.Conv{Filters: 20, Kernel: layers.Square(5), BiasRate: new(float32(2))}, data)
	x = n.Add("pool1", pool(device.MaxPool, 2, 2, true), x)
	x = n.Add("conv2", &layers.Conv{Filters: 50, Kernel: layers.Square(5), BiasRate: new(float32(2))}, x)
	x = n.Add("pool2", pool(device.MaxPool, 2, 2, true), x)
	x = n.Add("ip1", &layers.Dense{Out: 500, BiasRate: new(float32(2))}, x)
	x = n.Add("relu1", relu(), x)
	return n.Add("ip2", &layers.Dense{Out: o.Classes, BiasRate: new(float32(2))}, x)
}

// leNet5 is LeNet-5 (LeCun et al. 1998) as it is taught: every map of one
// layer sees every map of the one before, pooling averages without weights of
// its own, and the output is a softmax. A smaller image is padded to 32x32;
// then there are 61,706 parameters.
func leNet5(n *graph.Network, data string, o Options) string {
	rows, columns := max(0, 32-o.Shape[1]), max(0, 32-o.Shape[2])
	border := layers.Pad{Top: rows / 2, Bottom: rows - rows/2, Left: columns / 2, Right: columns - columns/2}
	x := n.Add("conv1", &layers.Conv{Filters: 6, Kernel: layers.Square(5), Pad: border}, data)
	x = n.Add("tanh1", tanh(), x)
	x = n.Add("pool1", pool(device.AveragePool, 2, 2, false), x)
	x = n.Add("conv2", &layers.Conv{Filters: 16, Kernel: layers.Square(5)}, x)
	x = n.Add("tanh2", tanh(), x)
	x = n.Add("pool2", pool(device.AveragePool, 2, 2, false), x)
	x = n.Add("conv3", &layers.Conv{Filters: 120, Kernel: layers.Square(5)}, x)
	x = n.Add("tanh3", tanh(), x)
	x = n.Add("fc4", &layers.Dense{Out: 84}, x)
	x = n.Add("tanh4", tanh(), x)
	return n.Add("fc5", &layers.Dense{Out: o.Classes}, x)
}
