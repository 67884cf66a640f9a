package models

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// squeezeNet10 and squeezeNet11 are versions 1.0 and 1.1 of Iandola et al. 2016,
// "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters": 1,248,424 and 1,235,496
// parameters. Version 1.1 has smaller filters in the first layer and pools earlier.
func squeezeNet10(n *graph.Network, data string, o Options) string {
	return squeezeNet(n, data, o, 96, 7, []int{4, 8})
}

func squeezeNet11(n *graph.Network, data string, o Options) string {
	return squeezeNet(n, data, o, 64, 3, []int{3, 5})
}

// squeezeNet pools behind the first layer and behind the given fire modules.
func squeezeNet(n *graph.Network, data string, o Options, filters, kernel int, pools []int) string {
	x := n.Add("conv1", heConv(filters, kernel, 2, 0), data)
	x = n.Add("relu1", relu(), x)
	x = n.Add("pool1", pool(device.MaxPool, 3, 2, true), x)
	for i, squeeze := range []int{16, 16, 32, 32, 48, 48, 64, 64} {
		name := fmt.Sprintf("fire%d_", i+2)
		s := n.Add(name+"squeeze", heConv(squeeze, 1, 1, 0), x)
		s = n.Add(name+"relu", relu(), s)
		one := n.Add(name+"relu1x1", relu(), n.Add(name+"expand1x1", heConv(4*squeeze, 1, 1, 0), s))
		three := n.Add(name+"relu3x3", relu(), n.Add(name+"expand3x3", heConv(4*squeeze, 3, 1, 1), s))
		x = n.Add(name+"concat", &layers.Concat{}, one, three)
		for _, p := range pools {
			if p == i+2 {
				x = n.Add(fmt.Sprintf("pool%d", p), pool(device.MaxPool, 3, 2, true), x)
			}
		}
	}
	x = n.Add("drop9", &layers.Dropout{P: 0.5}, x)
	x = n.Add("conv10", &layers.Conv{Filters: o.Classes, Kernel: layers.Square(1), WeightFiller: layers.Gaussian(0.01)}, x)
	x = n.Add("relu10", relu(), x)
	return globalAverage(n, "pool10", x)
}
