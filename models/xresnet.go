package models

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// xResNet18 is a residual network with the changes that He et al. 2019, "Bag of tricks for
// image classification with convolutional neural networks", collect: xresnet18 of fastai,
// which timm calls resnet18d. 11,708,744 parameters.
func xResNet18(n *graph.Network, data string, o Options) string { return xResNet(n, data, o, 64) }

// xResNet18Half has half as many filters in each convolution: 3,058,584 parameters.
func xResNet18Half(n *graph.Network, data string, o Options) string {
	return xResNet(n, data, o, 32)
}

// xResNet has two blocks of two 3x3 convolutions in each of its four stages, with so many
// filters in the first. It differs from resNet in that
//
//   - the stem is three 3x3 convolutions instead of one of 7x7;
//   - a shortcut of stride 2 averages 2x2 pixels before its 1x1 convolution, which would
//     otherwise leave out three of four;
//   - the last batch normalisation of a block begins with the weight 0, so that each block
//     begins as its shortcut (Goyal et al. 2017).
func xResNet(n *graph.Network, data string, o Options, width int) string {
	x := data
	for i, filters := range []int{width / 2, width / 2, width} {
		name := fmt.Sprintf("conv1_%d", i+1)
		c := normConv{filters: filters, kernel: 3}
		if i == 0 {
			c.stride = 2
		}
		x = n.Add(name+"_relu", relu(), convNorm(n, name, c, x))
	}
	x = n.Add("pool1", &layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, x)
	for stage := range 4 {
		filters := width << stage
		for b := range 2 {
			name := fmt.Sprintf("layer%d_%d_", stage+1, b)
			shortcut, stride := x, 1
			if stage > 0 && b == 0 {
				stride = 2
				shortcut = n.Add(name+"pool", pool(device.AveragePool, 2, 2, true), shortcut)
				shortcut = convNorm(n, name+"downsample", normConv{filters: filters, kernel: 1}, shortcut)
			}
			branch := n.Add(name+"relu1", relu(), convNorm(n, name+"conv1", normConv{filters: filters, kernel: 3, stride: stride}, x))
			branch = convNorm(n, name+"conv2", normConv{filters: filters, kernel: 3, zero: true}, branch)
			x = n.Add(name+"relu", relu(), n.Add(name+"add", &layers.Add{}, branch, shortcut))
		}
	}
	x = n.Add("avgpool", &layers.Pool{Op: device.AveragePool, Global: true}, x)
	return n.Add("fc", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}
