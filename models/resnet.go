package models

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// resNet18, resNet34 and resNet50 are the residual networks of He et al. 2016, "Deep
// residual learning for image recognition", with 11,689,512, 21,797,672 and 25,557,032
// parameters. As in torchvision, the stride of a block of three layers is in its 3x3.
func resNet18(n *graph.Network, data string, o Options) string {
	return resNet(n, data, o, []int{2, 2, 2, 2}, false)
}

func resNet34(n *graph.Network, data string, o Options) string {
	return resNet(n, data, o, []int{3, 4, 6, 3}, false)
}

func resNet50(n *graph.Network, data string, o Options) string {
	return resNet(n, data, o, []int{3, 4, 6, 3}, true)
}

// resNet has so many blocks in each of its four stages: of two 3x3 convolutions or, as
// bottlenecks, of 1x1, 3x3 and 1x1 with four times the filters.
func resNet(n *graph.Network, data string, o Options, blocks []int, bottleneck bool) string {
	x := convNorm(n, "conv1", normConv{filters: 64, kernel: 7, stride: 2}, data)
	x = n.Add("relu1", relu(), x)
	x = n.Add("pool1", &layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, x)
	channels := 64
	for stage, count := range blocks {
		filters := 64 << stage
		out := filters
		if bottleneck {
			out = 4 * filters
		}
		for b := range count {
			stride := 1
			if b == 0 && stage > 0 {
				stride = 2
			}
			name := fmt.Sprintf("layer%d_%d_", stage+1, b)
			branch, shortcut := x, x
			if bottleneck {
				branch = n.Add(name+"relu1", relu(), convNorm(n, name+"conv1", normConv{filters: filters, kernel: 1}, branch))
				branch = n.Add(name+"relu2", relu(), convNorm(n, name+"conv2", normConv{filters: filters, kernel: 3, stride: stride}, branch))
				branch = convNorm(n, name+"conv3", normConv{filters: out, kernel: 1}, branch)
			} else {
				branch = n.Add(name+"relu1", relu(), convNorm(n, name+"conv1", normConv{filters: filters, kernel: 3, stride: stride}, branch))
				branch = convNorm(n, name+"conv2", normConv{filters: filters, kernel: 3}, branch)
			}
			if stride > 1 || channels != out {
				shortcut = convNorm(n, name+"downsample", normConv{filters: out, kernel: 1, stride: stride}, x)
			}
			x = n.Add(name+"relu", relu(), n.Add(name+"add", &layers.Add{}, branch, shortcut))
			channels = out
		}
	}
	x = n.Add("avgpool", &layers.Pool{Op: device.AveragePool, Global: true}, x)
	return n.Add("fc", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}

// normConv is a convolution whose padding keeps the image's size at stride 1.
type normConv struct {
	filters, kernel, stride, groups int

	zero bool // the weight of the normalisation begins with 0
}

// convNorm is a convolution without bias, and batch normalisation behind it.
func convNorm(n *graph.Network, name string, c normConv, x string) string {
	x = n.Add(name, &layers.Conv{
		Filters: c.filters, Kernel: layers.Square(c.kernel), Stride: layers.Square(max(1, c.stride)), Pad: layers.Around(c.kernel / 2), Groups: c.groups,
		NoBias: true, WeightFiller: layers.MSRA(),
	}, x)
	norm := &layers.BatchNorm{}
	if c.zero {
		norm.WeightFiller = layers.Constant(0)
	}
	return n.Add(name+"_bn", norm, x)
}
