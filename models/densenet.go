package models

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// denseNet121 is that of Huang et al. 2017, "Densely connected convolutional networks",
// each layer of which reads all before it in its block: 7,978,856 parameters.
func denseNet121(n *graph.Network, data string, o Options) string {
	const growth = 32
	before := func(name, x string) string { // normalisation and ReLU come first
		x = n.Add(name+"_bn", &layers.BatchNorm{}, x)
		return n.Add(name+"_relu", relu(), x)
	}
	conv := func(name string, filters, kernel int, x string) string {
		return n.Add(name, &layers.Conv{Filters: filters, Kernel: layers.Square(kernel), Pad: layers.Around(kernel / 2), NoBias: true, WeightFiller: layers.MSRA()}, x)
	}
	x := n.Add("relu0", relu(), convNorm(n, "conv0", normConv{filters: 64, kernel: 7, stride: 2}, data))
	x = n.Add("pool0", &layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, x)
	channels := 64
	for b, count := range []int{6, 12, 24, 16} {
		for i := range count {
			name := fmt.Sprintf("block%d_%d_", b+1, i+1)
			y := conv(name+"conv1", 4*growth, 1, before(name+"conv1", x))
			y = conv(name+"conv2", growth, 3, before(name+"conv2", y))
			x = n.Add(name+"concat", &layers.Concat{}, x, y)
			channels += growth
		}
		if b < 3 {
			name := fmt.Sprintf("transition%d", b+1)
			channels /= 2
			x = conv(name, channels, 1, before(name, x))
			x = n.Add(name+"_pool", pool(device.AveragePool, 2, 2, false), x)
		}
	}
	x = before("norm5", x)
	x = n.Add("pool5", &layers.Pool{Op: device.AveragePool, Global: true}, x)
	return n.Add("fc", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}
