package models

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// mobileNetV1 is MobileNet of Howard et al. 2017: depthwise convolutions of 3x3, each with
// pointwise ones behind it. 4,231,976 parameters.
func mobileNetV1(n *graph.Network, data string, o Options) string {
	x := convNorm(n, "conv1", normConv{filters: 32, kernel: 3, stride: 2}, data)
	x = n.Add("relu1", relu(), x)
	channels := 32
	for i, b := range []struct{ filters, stride int }{
		{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
	} {
		name := fmt.Sprintf("conv%d_", i+2)
		x = n.Add(name+"relu_dw", relu(), convNorm(n, name+"dw", normConv{filters: channels, kernel: 3, stride: b.stride, groups: channels}, x))
		x = n.Add(name+"relu_pw", relu(), convNorm(n, name+"pw", normConv{filters: b.filters, kernel: 1}, x))
		channels = b.filters
	}
	x = n.Add("pool", &layers.Pool{Op: device.AveragePool, Global: true}, x)
	return n.Add("fc", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}

// mobileNetV2 is that of Sandler et al. 2018, "MobileNetV2: inverted residuals and linear
// bottlenecks": 3,504,872 parameters.
func mobileNetV2(n *graph.Network, data string, o Options) string {
	relu6 := func(name, x string) string { return n.Add(name, &layers.Activation{Function: "relu6"}, x) }
	x := relu6("relu1", convNorm(n, "conv1", normConv{filters: 32, kernel: 3, stride: 2}, data))
	channels, i := 32, 0
	for _, stage := range []struct{ expand, filters, count, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		for b := range stage.count {
			i++
			stride, hidden := 1, stage.expand*channels
			if b == 0 {
				stride = stage.stride
			}
			name := fmt.Sprintf("block%d_", i)
			y := x
			if stage.expand > 1 {
				y = relu6(name+"relu1", convNorm(n, name+"expand", normConv{filters: hidden, kernel: 1}, y))
			}
			y = relu6(name+"relu2", convNorm(n, name+"depthwise", normConv{filters: hidden, kernel: 3, stride: stride, groups: hidden}, y))
			y = convNorm(n, name+"project", normConv{filters: stage.filters, kernel: 1}, y)
			if stride == 1 && channels == stage.filters {
				y = n.Add(name+"add", &layers.Add{}, x, y)
			}
			x, channels = y, stage.filters
		}
	}
	x = relu6("relu2", convNorm(n, "conv2", normConv{filters: 1280, kernel: 1}, x))
	x = n.Add("pool", &layers.Pool{Op: device.AveragePool, Global: true}, x)
	x = n.Add("drop", &layers.Dropout{P: 0.2}, x)
	return n.Add("fc", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}
