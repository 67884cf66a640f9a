package darknet

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// The largest sizes that are read: their products stay whole numbers of 64 bits.
const (
	largestImage   = 1 << 16
	mostChannels   = 1 << 20
	largestWindow  = 1 << 10
	mostNumbers    = 1 << 31 // of a sample
	mostSections   = 100_000
	batchNormEps   = 1e-5
	batchNormSpeed = 0.01 // share of a batch in the running statistics
)

// size is the shape of what a layer makes for one sample.
type size struct{ c, h, w int }

// String is a size as c x h x w.
func (s size) String() string { return fmt.Sprintf("%dx%dx%d", s.c, s.h, s.w) }

// made is what a layer of the description makes.
type made struct {
	value string // of the network
	size
	isHead bool // a detection layer, whose boxes are not computed
	line   int
}

// wanted is a tensor that the file of weights has.
type wanted struct {
	name  string
	shape []int
	line  int // of the layer's section
}

// builder makes a network of sections.
type builder struct {
	path    string
	input   []int // that the user gives
	model   formats.Model
	net     *graph.Network
	layers  []made
	last    made // what the next layer reads
	heads   int
	weights []wanted

	// scores are what a softmax at the end of the network reads.
	scores string
}

// kinds are the sections of layers that are read.
var kinds = map[string]func(b *builder, p *problems, i int){
	"convolutional": (*builder).convolutional, "conv": (*builder).convolutional,
	"connected": (*builder).connected, "conn": (*builder).connected,
	"maxpool": (*builder).maxpool, "max": (*builder).maxpool,
	"local_avgpool": (*builder).averagePool, "lavg": (*builder).averagePool,
	"avgpool": (*builder).globalPool, "avg": (*builder).globalPool,
	"softmax": (*builder).softmax, "soft": (*builder).softmax,
	"dropout": (*builder).dropout, "route": (*builder).route, "upsample": (*builder).upsample,
	"shortcut": (*builder).shortcut, "activation": (*builder).activation,
	"yolo": (*builder).head, "region": (*builder).head, "detection": (*builder).head,
	"cost": (*builder).cost,
}

// nearest names, for sections that are not read, what hubel has that comes near.
var nearest = map[string]string{
	"local":           "a convolution, whose filters are the same at all places",
	"deconvolutional": "the layer deconv", "deconv": "the layer deconv",
	"normalization": "the layer lrn; Darknet's own sum leaves a channel out near the first one",
	"lrn":           "the layer lrn; Darknet's own sum leaves a channel out near the first one",
	"batchnorm":     "batch_normalize of a [convolutional]: Darknets do not agree on the weights that a section of its own has",
	"reorg":         "the layers reshape and permute", "reorg3d": "the layers reshape and permute",
	"scale_channels": "the layer product", "sam": "the layer product",
	"crop": "the layer slice, and preprocessing",
	"rnn":  "nothing: networks that go back in time are not supported", "crnn": "nothing: networks that go back in time are not supported",
	"gru": "nothing: networks that go back in time are not supported", "lstm": "nothing: networks that go back in time are not supported",
	"conv_lstm": "nothing: networks that go back in time are not supported",
}

// build makes the network.
func (b *builder) build(sections []*section) error {
	if len(sections) > mostSections {
		return fmt.Errorf("%s: %d sections are too many; at most %d are read", b.path, len(sections), mostSections)
	}
	b.net = &graph.Network{Name: "darknet"}
	b.model.Network, b.model.Values = b.net, map[string]string{}
	if err := b.start(sections[0]); err != nil {
		return err
	}
	for i, s := range sections[1:] {
		build := kinds[s.name]
		if build == nil {
			near := nearest[s.name]
			if near == "" {
				near = "none of this name"
			}
			return fmt.Errorf("%s:%d: layer %d, [%s], is not supported; the nearest that there is: %s", b.path, s.line, i, shown(s.name), near)
		}
		p := &problems{path: b.path, s: s}
		b.last.line = s.line
		if s.name != "softmax" && s.name != "soft" && s.name != "cost" {
			b.scores = ""
		}
		if b.last.isHead && s.name != "route" {
			p.fail(s.line, "reads the boxes of the detection layer before it, which are not computed")
			return p.err
		}
		build(b, p, i)
		if p.err != nil {
			return p.err
		}
		if err := b.checkSize(s.line); err != nil {
			return err
		}
		b.layers = append(b.layers, b.last)
		b.model.Values[fmt.Sprint(i)] = b.last.value
		b.model.Lost = append(b.model.Lost, s.unread()...)
		if len(b.net.Nodes) > 4*mostSections {
			return fmt.Errorf("%s:%d: the network has more than %d layers", b.path, s.line, 4*mostSections)
		}
	}
	if len(b.net.Nodes) == 0 {
		return fmt.Errorf("%s: there are no layers after [net]", b.path)
	}
	b.end()
	return nil
}

// checkSize bounds what a layer makes, so that products of sizes stay whole numbers.
func (b *builder) checkSize(line int) error {
	if s := b.last.size; s.c > mostNumbers/s.h/s.w {
		return fmt.Errorf("%s:%d: an image of %v is too large: at most %d numbers are allowed", b.path, line, s, mostNumbers)
	}
	return nil
}

// start reads [net].
func (b *builder) start(s *section) error {
	p := &problems{path: b.path, s: s}
	in := size{
		c: p.integer("channels", 0, 1, mostChannels),
		h: p.integer("height", 0, 1, largestImage),
		w: p.integer("width", 0, 1, largestImage),
	}
	if p.err != nil {
		return p.err
	}
	if in.c == 0 {
		return fmt.Errorf("%s:%d: [net] has no channels: networks of numbers that are no image are not supported", b.path, s.line)
	}
	if b.input != nil {
		if len(b.input) != 3 || b.input[0] != in.c {
			return fmt.Errorf("%s:%d: the network takes %d channels, and -input has the shape %v", b.path, s.line, in.c, b.input)
		}
		in.h, in.w = b.input[1], b.input[2]
	}
	if in.h == 0 || in.w == 0 {
		return fmt.Errorf("%s:%d: [net] has no height and width: -input %dxHxW says what they are", b.path, s.line, in.c)
	}
	b.last.size = in
	if err := b.checkSize(s.line); err != nil {
		return err
	}
	b.last = made{value: b.net.Image("data", in.c, in.h, in.w), size: in}
	b.model.Preprocess = data.Preprocess{Scale: 1.0 / 255}
	b.model.Facts = []string{"pixels: 0 to 1, in the order R G B", "batch normalisation: sqrt(variance + 1e-5), as AlexeyAB's Darknet has it"}
	return nil
}

// end names the outputs: what detection layers read and, if nothing reads it, the last value.
// A classifier gets the loss that Darknet trains it with, and the accuracy.
func (b *builder) end() {
	for _, l := range b.layers {
		if l.isHead && !slices.Contains(b.net.Outputs, l.value) {
			b.net.Outputs = append(b.net.Outputs, l.value)
		}
	}
	if !slices.Contains(b.net.Outputs, b.last.value) {
		b.net.Outputs = append(b.net.Outputs, b.last.value)
	}
	if b.scores == "" {
		return
	}
	label := b.net.Label("label")
	b.net.Add("loss", &layers.SoftmaxLoss{}, b.scores, label)
	b.net.Metric(b.net.Add("accuracy", &layers.Accuracy{}, b.scores, label), graph.Higher)
}

// add adds a layer that reads the last value.
func (b *builder) add(kind string, i int, l layers.Layer, more ...string) {
	b.last.value = b.net.Add(fmt.Sprint(kind, i), l, append([]string{b.last.value}, more...)...)
}

// want asks for a tensor of the file of weights.
func (b *builder) want(kind string, i int, name string, shape ...int) {
	b.weights = append(b.weights, wanted{fmt.Sprint(kind, i, ".", name), shape, b.last.line})
}

// activations are the functions that layers may have.
var activations = map[string]func() layers.Layer{
	"relu":     func() layers.Layer { return &layers.Unary{Op: device.ReLU} },
	"leaky":    func() layers.Layer { return &layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0.1))} },
	"logistic": func() layers.Layer { return &layers.Unary{Op: device.Sigmoid} },
	"tanh":     func() layers.Layer { return &layers.Unary{Op: device.Tanh} },
	"elu":      func() layers.Layer { return &layers.ELU{Alpha: 1} },
	"relu6":    func() layers.Layer { return &layers.Activation{Function: "relu6"} },
	"mish":     func() layers.Layer { return &layers.Activation{Function: "mish"} },
	"swish":    func() layers.Layer { return &layers.Activation{Function: "silu"} },
	"selu":     func() layers.Layer { return &layers.Activation{Function: "selu"} },
	"gelu":     func() layers.Layer { return &layers.GELU{Tanh: true} },
}

// activate adds the activation of a section.
func (b *builder) activate(p *problems, i int, otherwise string) {
	name := p.text("activation", otherwise)
	if name == "linear" {
		return
	}
	l := activations[name]
	if l == nil {
		p.fail(p.s.line, "the activation %.40q is not supported; there are elu, gelu, leaky, linear, logistic, mish, relu, relu6, selu, swish and tanh", name)
		return
	}
	b.add(name, i, l())
}

// normalize adds batch normalisation.
func (b *builder) normalize(i int) {
	b.add("bn", i, &layers.BatchNorm{Eps: new(float32(batchNormEps)), Momentum: new(float32(batchNormSpeed))})
}

// statistics asks for what batch normalisation has beside its bias.
func (b *builder) statistics(i, n int) {
	b.want("bn", i, "weight", n)
	b.want("bn", i, "running_mean", n)
	b.want("bn", i, "running_var", n)
}
