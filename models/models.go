// Package models builds the networks that hubel knows by name, from layers.
//
// Every network has an input of images, "data", and a node "loss". A classifier
// also has an input of labels, "label", the metric "accuracy", the output "prob",
// which are probabilities, and a last layer whose scores these read. A regression has
// an input of targets, "target", and the output "output". What an input or an output
// is for, the network says (graph.Role, graph.Metric): no name is special.
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

// Options change a network. The zero value is the network as published.
type Options struct {
	Classes int   // classes, or numbers to predict
	Shape   []int // of one image: channels, height, width

	// Init chooses between published initialisations: for AlexNet "paper",
	// which is the default, "caffe", or "msra" (He et al. 2015).
	Init string
}

// model is a network before its options are filled in.
type model struct {
	classes    int
	shape      []int
	inits      []string // the first is the default
	regression bool
	top5       bool
	smoothing  float32 // of the labels
	build      func(n *graph.Network, data string, o Options) (out string)
}

var known = map[string]model{
	"lenet":            {classes: 10, shape: []int{1, 28, 28}, build: leNet},
	"lenet5":           {classes: 10, shape: []int{1, 28, 28}, build: leNet5},
	"alexnet":          {classes: 1000, shape: []int{3, 227, 227}, inits: alexNetInits, top5: true, build: twoTowers},
	"alexnet-onetower": {classes: 1000, shape: []int{3, 227, 227}, inits: alexNetInits, top5: true, build: oneTower},
	"caffenet":         {classes: 1000, shape: []int{3, 227, 227}, top5: true, build: caffeNet},
	"zfnet":            {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: zfNet},
	"vgg16":            {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: vgg16},
	"googlenet":        {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: googleNet},
	"squeezenet1.0":    {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: squeezeNet10},
	"squeezenet1.1":    {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: squeezeNet11},
	"resnet18":         {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: resNet18},
	"resnet34":         {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: resNet34},
	"resnet50":         {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: resNet50},
	"xresnet18":        {classes: 1000, shape: []int{3, 224, 224}, top5: true, smoothing: 0.1, build: xResNet18},
	"xresnet18-half":   {classes: 1000, shape: []int{3, 224, 224}, top5: true, smoothing: 0.1, build: xResNet18Half},
	"mobilenet-v1":     {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: mobileNetV1},
	"mobilenet-v2":     {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: mobileNetV2},
	"densenet121":      {classes: 1000, shape: []int{3, 224, 224}, top5: true, build: denseNet121},
	"cifar10-full":     {classes: 10, shape: []int{3, 32, 32}, build: cifar10Full},
	"nin":              {classes: 10, shape: []int{3, 32, 32}, build: nin},
	"cifar10-quick":    {classes: 10, shape: []int{3, 32, 32}, build: cifar10Quick},
	"tiny-vgg":         {classes: 10, shape: []int{3, 32, 32}, build: tinyVGG},
	"net1":             {classes: 30, shape: []int{1, 96, 96}, regression: true, build: net1},
	"net2":             {classes: 30, shape: []int{1, 96, 96}, regression: true, build: net2},
}

// rawPixels are the networks whose published weights begin small enough for pixels from 0
// to 255 less their mean.
var rawPixels = []string{"alexnet", "alexnet-onetower", "caffenet", "googlenet", "cifar10-quick", "cifar10-full"}

// RawPixels reports whether a network, as Options.Init begins it, was published for pixels
// from 0 to 255 less the mean image. Others want pixels of about deviation 1, or less.
func RawPixels(name, init string) bool { return init != msra && slices.Contains(rawPixels, name) }

// Names lists the networks, in order.
func Names() []string { return slices.Sorted(maps.Keys(known)) }

// Build makes a network by name. Whether an image of another shape is large
// enough for its layers shows when it is planned.
func Build(name string, o Options) (*graph.Network, error) {
	m, ok := known[name]
	if !ok {
		return nil, fmt.Errorf("network %q is unknown; there are %s", name, strings.Join(Names(), ", "))
	}
	if err := m.complete(&o); err != nil {
		return nil, fmt.Errorf("network %s: %w", name, err)
	}
	return m.network(name, o), nil
}

// network is the network of complete options.
func (m model) network(name string, o Options) *graph.Network {
	n := &graph.Network{Name: name}
	data := n.Image("data", o.Shape...)
	if m.regression {
		target := n.Target("target", o.Classes)
		out := m.build(n, data, o)
		n.Add("loss", &layers.L2Loss{Mask: true}, out, target)
		n.Outputs = []string{out}
		return n
	}
	label := n.Label("label")
	scores := m.build(n, data, o)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, scores)}
	n.Add("loss", &layers.SoftmaxLoss{Smoothing: m.smoothing}, scores, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, scores, label), graph.Higher)
	if o.Classes > 5 && m.top5 {
		n.Metric(n.Add("top5", &layers.Accuracy{TopK: 5}, scores, label), graph.Higher)
	}
	return n
}

// complete checks the options and fills in what was not given.
func (m model) complete(o *Options) error {
	if o.Classes < 0 {
		return fmt.Errorf("classes %d must not be negative", o.Classes)
	}
	if o.Classes == 0 {
		o.Classes = m.classes
	}
	if o.Shape == nil {
		o.Shape = m.shape
	}
	o.Shape = slices.Clone(o.Shape)
	if len(o.Shape) != 3 || slices.Min(o.Shape) < 1 {
		return fmt.Errorf("shape %v is not channels, height and width of an image", o.Shape)
	}
	switch {
	case o.Init == "" && m.inits != nil:
		o.Init = m.inits[0]
	case o.Init != "" && m.inits == nil:
		return fmt.Errorf("init %q: this network has one initialisation only", o.Init)
	case o.Init != "" && !slices.Contains(m.inits, o.Init):
		return fmt.Errorf("init %q is unknown; there are %s", o.Init, strings.Join(m.inits, ", "))
	}
	return nil
}

// Each node gets a layer of its own, so that changing one changes no other.
func relu() layers.Layer { return &layers.Unary{Op: device.ReLU} }
func tanh() layers.Layer { return &layers.Unary{Op: device.Tanh} }

// pool rounds its output's size up, as Caffe does, or down.
func pool(op device.PoolOp, window, stride int, ceil bool) layers.Layer {
	return &layers.Pool{Op: op, Window: layers.Square(window), Stride: layers.Square(stride), Ceil: ceil}
}
