package models

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// heConv and heDense are layers that keep the deviation of what they are given through a
// ReLU (He et al. 2015).
func heConv(filters, kernel, stride, pad int) layers.Layer {
	return &layers.Conv{Filters: filters, Kernel: layers.Square(kernel), Stride: layers.Square(stride), Pad: layers.Around(pad), WeightFiller: layers.MSRA()}
}

func heDense(out int) layers.Layer { return &layers.Dense{Out: out, WeightFiller: layers.MSRA()} }

// vgg16 is network D of Simonyan and Zisserman 2015, "Very deep convolutional networks for
// large-scale image recognition": 138,357,544 parameters. The authors began with weights of
// a smaller network; here it starts as He et al. 2015 say.
func vgg16(n *graph.Network, data string, o Options) string {
	return vggClassifier(n, vgg(n, data, vggBlocks[16], false), o)
}

// vggBlocks are the filters of networks A, B, D and E, by their number of layers.
var vggBlocks = map[int][][]int{
	11: {{64}, {128}, {256, 256}, {512, 512}, {512, 512}},
	13: {{64, 64}, {128, 128}, {256, 256}, {512, 512}, {512, 512}},
	16: {{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}},
	19: {{64, 64}, {128, 128}, {256, 256, 256, 256}, {512, 512, 512, 512}, {512, 512, 512, 512}},
}

// vggClassifier is the three dense layers.
func vggClassifier(n *graph.Network, x string, o Options) string {
	for _, i := range []int{6, 7} {
		x = n.Add(fmt.Sprintf("fc%d", i), heDense(4096), x)
		x = n.Add(fmt.Sprintf("relu%d", i), relu(), x)
		x = n.Add(fmt.Sprintf("drop%d", i), &layers.Dropout{P: 0.5}, x)
	}
	return n.Add("fc8", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}

// tinyVGG is a small network of the same kind for pictures of 32x32: two blocks of two
// convolutions and a hidden layer, 2,168,362 parameters.
func tinyVGG(n *graph.Network, data string, o Options) string {
	x := vgg(n, data, [][]int{{32, 32}, {64, 64}}, false)
	x = n.Add("fc3", heDense(512), x)
	x = n.Add("relu3", relu(), x)
	x = n.Add("drop3", &layers.Dropout{P: 0.5}, x)
	return n.Add("fc4", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}

// vgg is blocks of 3x3 convolutions of so many filters, each with max pooling behind it.
// With norm each convolution has batch normalisation behind it too.
func vgg(n *graph.Network, x string, blocks [][]int, norm bool) string {
	for b, block := range blocks {
		for i, filters := range block {
			name := fmt.Sprintf("conv%d_%d", b+1, i+1)
			x = n.Add(name, heConv(filters, 3, 1, 1), x)
			if norm {
				x = n.Add(name+"_bn", &layers.BatchNorm{}, x)
			}
			x = n.Add(fmt.Sprintf("relu%d_%d", b+1, i+1), relu(), x)
		}
		x = n.Add(fmt.Sprintf("pool%d", b+1), pool(device.MaxPool, 2, 2, false), x)
	}
	return x
}
