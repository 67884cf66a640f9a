package models

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// googleNet is GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions") as Caffe's
// models/bvlc_googlenet has it: 13,378,280 parameters, of which 6,379,728 are in the two
// classifiers that only help to train. Their losses count 0.3.
func googleNet(n *graph.Network, data string, o Options) string {
	conv := func(name string, filters, kernel, stride int, x string) string {
		x = n.Add(name, &layers.Conv{
			Filters: filters, Kernel: layers.Square(kernel), Stride: layers.Square(stride), Pad: layers.Around(kernel / 2),
			BiasFiller: layers.Constant(0.2), BiasRate: new(float32(2)), BiasDecay: new(float32(0)),
		}, x)
		return n.Add(name+"_relu", relu(), x)
	}
	dense := func(name string, out int, bias float32, x string) string {
		return n.Add(name, &layers.Dense{Out: out, BiasFiller: layers.Constant(bias), BiasRate: new(float32(2)), BiasDecay: new(float32(0))}, x)
	}
	norm := func() layers.Layer {
		return &layers.LRN{Size: 5, Alpha: new(float32(1e-4)), Beta: new(float32(0.75)), K: 1, AlphaOverSize: true}
	}
	shrink := func() layers.Layer { return pool(device.MaxPool, 3, 2, true) }
	// inception joins 1x1, 3x3 and 5x5 filters and a pool; the filters are those of
	// figure 2(b), the reductions before 3x3 and 5x5 included.
	inception := func(name string, one, reduce3, three, reduce5, five, pooled int, x string) string {
		name = "inception_" + name
		a := conv(name+"_1x1", one, 1, 1, x)
		b := conv(name+"_3x3", three, 3, 1, conv(name+"_3x3_reduce", reduce3, 1, 1, x))
		c := conv(name+"_5x5", five, 5, 1, conv(name+"_5x5_reduce", reduce5, 1, 1, x))
		d := n.Add(name+"_pool", &layers.Pool{Window: layers.Square(3), Pad: layers.Around(1)}, x)
		d = conv(name+"_pool_proj", pooled, 1, 1, d)
		return n.Add(name+"_output", &layers.Concat{}, a, b, c, d)
	}
	classifier := func(name, x string) {
		x = n.Add(name+"_ave_pool", pool(device.AveragePool, 5, 3, true), x)
		x = conv(name+"_conv", 128, 1, 1, x)
		x = dense(name+"_fc", 1024, 0.2, x)
		x = n.Add(name+"_relu_fc", relu(), x)
		x = n.Add(name+"_drop_fc", &layers.Dropout{P: 0.7}, x)
		x = dense(name+"_classifier", o.Classes, 0, x)
		n.Add(name, &layers.SoftmaxLoss{Weight: new(float32(0.3))}, x, "label")
	}

	x := conv("conv1", 64, 7, 2, data)
	x = n.Add("pool1", shrink(), x)
	x = n.Add("pool1_norm1", norm(), x)
	x = conv("conv2_3x3_reduce", 64, 1, 1, x)
	x = conv("conv2_3x3", 192, 3, 1, x)
	x = n.Add("conv2_norm2", norm(), x)
	x = n.Add("pool2", shrink(), x)
	x = inception("3a", 64, 96, 128, 16, 32, 32, x)
	x = inception("3b", 128, 128, 192, 32, 96, 64, x)
	x = n.Add("pool3", shrink(), x)
	x = inception("4a", 192, 96, 208, 16, 48, 64, x)
	classifier("loss1", x)
	x = inception("4b", 160, 112, 224, 24, 64, 64, x)
	x = inception("4c", 128, 128, 256, 24, 64, 64, x)
	x = inception("4d", 112, 144, 288, 32, 64, 64, x)
	classifier("loss2", x)
	x = inception("4e", 256, 160, 320, 32, 128, 128, x)
	x = n.Add("pool4", shrink(), x)
	x = inception("5a", 256, 160, 320, 32, 128, 128, x)
	x = inception("5b", 384, 192, 384, 48, 128, 128, x)
	x = n.Add("pool5", &layers.Pool{Op: device.AveragePool, Global: true}, x)
	x = n.Add("drop5", &layers.Dropout{P: 0.4}, x)
	return dense("loss3_classifier", o.Classes, 0, x)
}
