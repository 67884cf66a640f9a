package models

import (
	"cmp"
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// denseNet121 has 7,978,856 parameters.
func denseNet121(n *graph.Network, data string, o Options) string {
	return DenseNet{Growth: 32, Initial: 64, Blocks: []int{6, 12, 24, 16}}.build(n, data, o)
}

// DenseNet is a network of Huang et al. 2017, "Densely connected convolutional networks",
// each layer of which reads all before it in its block.
type DenseNet struct {
	Growth     int   // filters that a layer adds
	Initial    int   // filters of the first convolution
	Bottleneck int   // the 1x1 before a layer has so many times Growth filters; 4 if it is 0
	Blocks     []int // layers of each block
}

// Network builds it, for 1000 classes and images of 3x224x224 unless o says otherwise.
func (d DenseNet) Network(name string, o Options) (*graph.Network, error) {
	m := model{classes: 1000, shape: []int{3, 224, 224}, top5: true, build: d.build}
	if err := m.complete(&o); err != nil {
		return nil, fmt.Errorf("network %s: %w", name, err)
	}
	return m.network(name, o), nil
}

func (d DenseNet) build(n *graph.Network, data string, o Options) string {
	bottleneck := cmp.Or(d.Bottleneck, 4) * d.Growth
	before := func(name, x string) string { // normalisation and ReLU come first
		x = n.Add(name+"_bn", &layers.BatchNorm{}, x)
		return n.Add(name+"_relu", relu(), x)
	}
	conv := func(name string, filters, kernel int, x string) string {
		return n.Add(name, &layers.Conv{Filters: filters, Kernel: layers.Square(kernel), Pad: layers.Around(kernel / 2), NoBias: true, WeightFiller: layers.MSRA()}, x)
	}
	x := n.Add("relu0", relu(), convNorm(n, "conv0", normConv{filters: d.Initial, kernel: 7, stride: 2}, data))
	x = n.Add("pool0", &layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, x)
	channels := d.Initial
	for b, count := range d.Blocks {
		for i := range count {
			name := fmt.Sprintf("block%d_%d_", b+1, i+1)
			y := conv(name+"conv1", bottleneck, 1, before(name+"conv1", x))
			y = conv(name+"conv2", d.Growth, 3, before(name+"conv2", y))
			x = n.Add(name+"concat", &layers.Concat{}, x, y)
			channels += d.Growth
		}
		if b < len(d.Blocks)-1 {
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
