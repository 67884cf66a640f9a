package models

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// zfNet is the network of Zeiler and Fergus 2014, "Visualizing and understanding
// convolutional networks", figure 3: AlexNet in one tower, whose first layer has smaller
// filters, 7x7 with stride 2. 62,357,608 parameters. Their contrast normalisation is
// AlexNet's here.
func zfNet(n *graph.Network, data string, o Options) string {
	norm := func() layers.Layer {
		return &layers.LRN{Size: 5, Alpha: new(float32(1e-4)), Beta: new(float32(0.75)), K: 2}
	}
	x := n.Add("conv1", heConv(96, 7, 2, 1), data)
	x = n.Add("relu1", relu(), x)
	x = n.Add("pool1", pool(device.MaxPool, 3, 2, true), x)
	x = n.Add("norm1", norm(), x)
	x = n.Add("conv2", heConv(256, 5, 2, 0), x)
	x = n.Add("relu2", relu(), x)
	x = n.Add("pool2", pool(device.MaxPool, 3, 2, true), x)
	x = n.Add("norm2", norm(), x)
	x = n.Add("conv3", heConv(384, 3, 1, 1), x)
	x = n.Add("relu3", relu(), x)
	x = n.Add("conv4", heConv(384, 3, 1, 1), x)
	x = n.Add("relu4", relu(), x)
	x = n.Add("conv5", heConv(256, 3, 1, 1), x)
	x = n.Add("relu5", relu(), x)
	x = n.Add("pool5", pool(device.MaxPool, 3, 2, true), x)
	x = n.Add("fc6", heDense(4096), x)
	x = n.Add("relu6", relu(), x)
	x = n.Add("drop6", &layers.Dropout{P: 0.5}, x)
	x = n.Add("fc7", heDense(4096), x)
	x = n.Add("relu7", relu(), x)
	x = n.Add("drop7", &layers.Dropout{P: 0.5}, x)
	return n.Add("fc8", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}
