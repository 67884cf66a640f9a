package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// torchvision are the classifiers of torchvision.models, layer for layer as they are there.
// Where that is how Build makes them, they share code, and names of layers.
var torchvision = map[string]func(n *graph.Network, data string, o Options) string{
	"alexnet":       torchAlexNet,
	"vgg11":         torchVGG(11, false),
	"vgg11_bn":      torchVGG(11, true),
	"vgg13":         torchVGG(13, false),
	"vgg13_bn":      torchVGG(13, true),
	"vgg16":         torchVGG(16, false),
	"vgg16_bn":      torchVGG(16, true),
	"vgg19":         torchVGG(19, false),
	"vgg19_bn":      torchVGG(19, true),
	"resnet18":      resNet18,
	"resnet34":      resNet34,
	"resnet50":      resNet50,
	"resnet101":     torchResNet(3, 4, 23, 3),
	"resnet152":     torchResNet(3, 8, 36, 3),
	"squeezenet1_0": squeezeNet10,
	"squeezenet1_1": squeezeNet11,
	"mobilenet_v2":  mobileNetV2,
	"densenet121":   denseNet121,
	"densenet161":   DenseNet{Growth: 48, Initial: 96, Blocks: []int{6, 12, 36, 24}}.build,
	"densenet169":   DenseNet{Growth: 32, Initial: 64, Blocks: []int{6, 12, 32, 32}}.build,
	"densenet201":   DenseNet{Growth: 32, Initial: 64, Blocks: []int{6, 12, 48, 32}}.build,
	"googlenet":     torchGoogLeNet(false),
	"googlenet_aux": torchGoogLeNet(true), // with the classifiers that help to train
}

// TorchvisionNames lists the networks that Torchvision builds, in order.
func TorchvisionNames() []string { return slices.Sorted(maps.Keys(torchvision)) }

// Torchvision builds a network as torchvision.models has it, by its name there. Unless o says
// otherwise it has 1000 classes and takes images of 3x224x224.
func Torchvision(name string, o Options) (*graph.Network, error) {
	build, ok := torchvision[name]
	if !ok {
		return nil, fmt.Errorf("network %q of torchvision is unknown; there are %s", name, strings.Join(TorchvisionNames(), ", "))
	}
	m := model{classes: 1000, shape: []int{3, 224, 224}, top5: true, build: build}
	if err := m.complete(&o); err != nil {
		return nil, fmt.Errorf("network %s: %w", name, err)
	}
	return m.network(name, o), nil
}

// torchAlexNet is the one tower of Krizhevsky 2014, "One weird trick for parallelizing
// convolutional neural networks", without normalisation: 61,100,840 parameters.
func torchAlexNet(n *graph.Network, data string, o Options) string {
	conv := func(i, filters, kernel, stride, pad int, x string) string {
		x = n.Add(fmt.Sprintf("conv%d", i), heConv(filters, kernel, stride, pad), x)
		return n.Add(fmt.Sprintf("relu%d", i), relu(), x)
	}
	x := conv(1, 64, 11, 4, 2, data)
	x = n.Add("pool1", pool(device.MaxPool, 3, 2, false), x)
	x = conv(2, 192, 5, 1, 2, x)
	x = n.Add("pool2", pool(device.MaxPool, 3, 2, false), x)
	x = conv(3, 384, 3, 1, 1, x)
	x = conv(4, 256, 3, 1, 1, x)
	x = conv(5, 256, 3, 1, 1, x)
	x = n.Add("pool5", pool(device.MaxPool, 3, 2, false), x)
	x = n.Add("avgpool", &layers.AdaptivePool{Op: device.AveragePool, Size: layers.Square(6)}, x)
	for _, i := range []int{6, 7} {
		x = n.Add(fmt.Sprintf("drop%d", i), &layers.Dropout{P: 0.5}, x)
		x = n.Add(fmt.Sprintf("fc%d", i), heDense(4096), x)
		x = n.Add(fmt.Sprintf("relu%d", i), relu(), x)
	}
	return n.Add("fc8", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
}

// torchVGG pools to 7x7 before the dense layers, so that it takes images of any size.
func torchVGG(depth int, norm bool) func(n *graph.Network, data string, o Options) string {
	return func(n *graph.Network, data string, o Options) string {
		x := vgg(n, data, vggBlocks[depth], norm)
		x = n.Add("avgpool", &layers.AdaptivePool{Op: device.AveragePool, Size: layers.Square(7)}, x)
		return vggClassifier(n, x, o)
	}
}

// torchResNet has so many bottlenecks in each stage.
func torchResNet(blocks ...int) func(n *graph.Network, data string, o Options) string {
	return func(n *graph.Network, data string, o Options) string { return resNet(n, data, o, blocks, true) }
}

// torchGoogLeNet has batch normalisation, and 3x3 filters where the paper has 5x5.
func torchGoogLeNet(aux bool) func(n *graph.Network, data string, o Options) string {
	return func(n *graph.Network, data string, o Options) string {
		conv := func(name string, filters, kernel, stride int, x string) string {
			x = n.Add(name, &layers.Conv{
				Filters: filters, Kernel: layers.Square(kernel), Stride: layers.Square(stride), Pad: layers.Around(kernel / 2),
				NoBias: true, WeightFiller: layers.MSRA(),
			}, x)
			x = n.Add(name+"_bn", &layers.BatchNorm{Eps: new(float32(0.001))}, x)
			return n.Add(name+"_relu", relu(), x)
		}
		inception := func(name string, one, reduce3, three, reduce5, five, pooled int, x string) string {
			name = "inception" + name
			a := conv(name+"_branch1", one, 1, 1, x)
			b := conv(name+"_branch2_1", three, 3, 1, conv(name+"_branch2_0", reduce3, 1, 1, x))
			c := conv(name+"_branch3_1", five, 3, 1, conv(name+"_branch3_0", reduce5, 1, 1, x))
			d := n.Add(name+"_pool", &layers.Pool{Window: layers.Square(3), Pad: layers.Around(1), Ceil: true}, x)
			d = conv(name+"_branch4_1", pooled, 1, 1, d)
			return n.Add(name+"_concat", &layers.Concat{}, a, b, c, d)
		}
		classifier := func(name, x string) {
			if !aux {
				return
			}
			x = n.Add(name+"_pool", &layers.AdaptivePool{Op: device.AveragePool, Size: layers.Square(4)}, x)
			x = conv(name+"_conv", 128, 1, 1, x)
			x = n.Add(name+"_relu1", relu(), n.Add(name+"_fc1", heDense(1024), x))
			x = n.Add(name+"_drop", &layers.Dropout{P: 0.7}, x)
			x = n.Add(name+"_fc2", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
			n.Add(name+"_loss", &layers.SoftmaxLoss{Weight: new(float32(0.3))}, x, "label")
		}
		x := conv("conv1", 64, 7, 2, data)
		x = n.Add("maxpool1", pool(device.MaxPool, 3, 2, true), x)
		x = conv("conv2", 64, 1, 1, x)
		x = conv("conv3", 192, 3, 1, x)
		x = n.Add("maxpool2", pool(device.MaxPool, 3, 2, true), x)
		x = inception("3a", 64, 96, 128, 16, 32, 32, x)
		x = inception("3b", 128, 128, 192, 32, 96, 64, x)
		x = n.Add("maxpool3", pool(device.MaxPool, 3, 2, true), x)
		x = inception("4a", 192, 96, 208, 16, 48, 64, x)
		classifier("aux1", x)
		x = inception("4b", 160, 112, 224, 24, 64, 64, x)
		x = inception("4c", 128, 128, 256, 24, 64, 64, x)
		x = inception("4d", 112, 144, 288, 32, 64, 64, x)
		classifier("aux2", x)
		x = inception("4e", 256, 160, 320, 32, 128, 128, x)
		x = n.Add("maxpool4", pool(device.MaxPool, 2, 2, true), x)
		x = inception("5a", 256, 160, 320, 32, 128, 128, x)
		x = inception("5b", 384, 192, 384, 48, 128, 128, x)
		x = n.Add("avgpool", &layers.Pool{Op: device.AveragePool, Global: true}, x)
		x = n.Add("drop", &layers.Dropout{P: 0.2}, x)
		return n.Add("fc", &layers.Dense{Out: o.Classes, WeightFiller: layers.Gaussian(0.01)}, x)
	}
}
