package caffe

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// Writer writes a network as prototxt, without its weights.
var Writer = formats.Writer{Name: "Caffe's network in text", Suffix: ".prototxt", NetworkAlone: true, Write: func(w io.Writer, m *formats.Model, _ formats.WriteOptions) error {
	return Write(w, m.Network)
}}

// Write writes a network as prototxt of Caffe's newest version: the layers Input, and one for
// each layer that Caffe has, with the multipliers of rates and the fillers. A layer that it does
// not have, or not with these options, is an error that names it. Values have their names; the
// second output of a layer, "pool:1", becomes "pool_1".
func Write(w io.Writer, n *graph.Network) error {
	if err := n.Check(); err != nil {
		return err
	}
	p := &printer{w: bufio.NewWriter(w), shapes: map[string]layers.Input{}, blobs: map[string]string{}, shared: map[string]bool{}}
	for _, node := range n.Nodes {
		for _, of := range node.Share {
			p.shared[of] = true
		}
	}
	if n.Name != "" {
		p.line("name: %q", n.Name)
	}
	for _, in := range n.Inputs {
		p.shapes[in.Name] = layers.Input{Shape: append([]int{1}, in.Shape...), DType: in.DType}
		p.blobs[in.Name] = p.names.Make(in.Name)
		p.open("layer")
		p.line("name: %q type: \"Input\" top: %q", in.Name, p.blobs[in.Name])
		p.line("input_param { shape {%s } }", numbers("dim", p.shapes[in.Name].Shape))
		p.close()
	}
	for _, node := range n.Nodes {
		if err := p.node(node); err != nil {
			return fmt.Errorf("%s: %w", node.Name, err)
		}
	}
	return p.w.Flush()
}

// printer writes layers.
type printer struct {
	w      *bufio.Writer
	depth  int
	shapes map[string]layers.Input
	blobs  map[string]string // by the values of the network
	names  formats.Names
	shared map[string]bool // weights of the network that more than one layer uses
}

func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(p.w, strings.Repeat("  ", p.depth)+format+"\n", args...)
}

func (p *printer) open(name string) { p.line("%s {", name); p.depth++ }
func (p *printer) close()           { p.depth--; p.line("}") }

// numbers is a field for each of the numbers.
func numbers(name string, list []int) string {
	text := ""
	for _, v := range list {
		text += fmt.Sprintf(" %s: %d", name, v)
	}
	return text
}

func decimal(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

// options are the fields of a message, in order.
type options []string

func (o *options) add(format string, args ...any) { *o = append(*o, fmt.Sprintf(format, args...)) }

// unless adds a field whose value is not the default.
func (o *options) unless(name string, v, otherwise float32) {
	if v != otherwise {
		o.add("%s: %s", name, decimal(v))
	}
}

// size adds a field for both sides, or one for each.
func (o *options) size(name, short string, s layers.Size, otherwise int) {
	switch {
	case s == layers.Square(otherwise) || s == layers.Size{}:
	case s.H == s.W:
		o.add("%s: %d", name, s.H)
	default:
		o.add("%s_h: %d %s_w: %d", short, s.H, short, s.W)
	}
}

// written is a layer as Caffe has it.
type written struct {
	typ     string
	param   string // the message of its options
	options options
	specs   []multipliers
	names   []string // of the parameters, empty where no other layer shares one
	weight  *float32 // of a loss
}

// multipliers are those of the rate and the decay of a parameter.
type multipliers struct{ rate, decay *float32 }

// node writes a layer, or the two that a batch norm with weights is in Caffe.
func (p *printer) node(n graph.Node) error {
	var in []layers.Input
	var bottoms []string
	for _, name := range n.In {
		in = append(in, p.shapes[name])
		bottoms = append(bottoms, p.blobs[name])
	}
	s, err := n.Layer.Plan(formats.NoDevice{}, in, layers.Options{})
	if err != nil {
		return err
	}
	var tops []string
	for i, out := range s.Out {
		name := n.Name
		if i > 0 {
			name = fmt.Sprintf("%s:%d", n.Name, i)
		}
		p.shapes[name] = out
		p.blobs[name] = p.names.Make(strings.ReplaceAll(name, ":", "_"))
		tops = append(tops, p.blobs[name])
	}
	list, err := p.layers(n.Layer, in, s)
	if err != nil {
		return err
	}
	p.name(&n, list, s)
	for i, l := range list {
		name := n.Name
		to := tops
		if i < len(list)-1 {
			name += "_" + strings.ToLower(l.typ)
			to = []string{p.names.Make(name)}
		}
		p.layer(l, name, bottoms, to)
		bottoms = to
	}
	return nil
}

// name names the parameters that layers share. The last layer in Caffe has the parameters, and
// the first one the state.
func (p *printer) name(n *graph.Node, list []written, s layers.Spec) {
	add := func(l *written, own string) {
		name := n.WeightName(own)
		if !p.shared[name] {
			name = ""
		}
		l.names = append(l.names, name)
	}
	for _, x := range s.State {
		add(&list[0], x.Name)
	}
	for _, x := range s.Params {
		add(&list[len(list)-1], x.Name)
	}
	for i := range list {
		if !slices.ContainsFunc(list[i].names, func(name string) bool { return name != "" }) {
			list[i].names = nil
		}
	}
}

func (p *printer) layer(l written, name string, bottoms, tops []string) {
	p.open("layer")
	p.line("name: %q type: %q", name, l.typ)
	for _, b := range bottoms {
		p.line("bottom: %q", b)
	}
	for _, t := range tops {
		p.line("top: %q", t)
	}
	if l.weight != nil {
		p.line("loss_weight: %s", decimal(*l.weight))
	}
	for i := range max(len(l.specs), len(l.names)) {
		var o options
		if i < len(l.names) && l.names[i] != "" {
			o.add("name: %q", l.names[i])
		}
		var s multipliers
		if i < len(l.specs) {
			s = l.specs[i]
		}
		if s.rate != nil {
			o.add("lr_mult: %s", decimal(*s.rate))
		}
		if s.decay != nil {
			o.add("decay_mult: %s", decimal(*s.decay))
		}
		p.line("param { %s }", strings.Join(o, " "))
	}
	if len(l.options) > 0 {
		p.open(l.param)
		for _, o := range l.options {
			p.line("%s", o)
		}
		p.close()
	}
	p.close()
}

// fillers are those of a weight and a bias.
func (o *options) filler(name string, f, otherwise layers.Filler) error {
	if f == (layers.Filler{}) {
		f = otherwise
	}
	switch f.Type {
	case "", "constant":
		if f.Value != 0 {
			o.add("%s { type: \"constant\" value: %s }", name, decimal(f.Value))
		}
	case "gaussian":
		o.add("%s { type: \"gaussian\" std: %s }", name, decimal(f.Std))
	case "uniform":
		o.add("%s { type: \"uniform\" min: %s max: %s }", name, decimal(-f.Value), decimal(f.Value))
	case "xavier", "msra", "bilinear":
		o.add("%s { type: %q }", name, f.Type)
	default:
		return fmt.Errorf("%s: Caffe has no filler %q", name, f.Type)
	}
	return nil
}

// layers are Caffe's for a layer.
func (p *printer) layers(l layers.Layer, in []layers.Input, s layers.Spec) ([]written, error) {
	var o options
	one := func(typ, param string, specs ...multipliers) ([]written, error) {
		return []written{{typ: typ, param: param, options: o, specs: specs}}, nil
	}
	loss := func(typ, param string, weight *float32) ([]written, error) {
		return []written{{typ: typ, param: param, options: o, weight: weight}}, nil
	}
	not := func(format string, args ...any) ([]written, error) {
		return nil, fmt.Errorf("%s: "+format, append([]any{l.Type()}, args...)...)
	}
	switch l := l.(type) {
	case *layers.Conv:
		return p.conv("Convolution", l, in)
	case *layers.Deconv:
		if l.OutputPad != (layers.Size{}) {
			return not("Caffe's Deconvolution has no output_pad")
		}
		return p.conv("Deconvolution", &l.Conv, in)
	case *layers.Dense:
		o.add("num_output: %d", l.Out)
		specs := []multipliers{{l.WeightRate, l.WeightDecay}, {l.BiasRate, l.BiasDecay}}
		if err := o.weights(l.NoBias, l.WeightFiller, l.BiasFiller); err != nil {
			return nil, err
		}
		return one("InnerProduct", "inner_product_param", given(specs, l.NoBias)...)
	case *layers.Pool:
		return p.pool(l, in, s)
	case *layers.LRN:
		return lrnWritten(l)
	case *layers.BatchNorm:
		return p.batchNorm(l)
	case *layers.Dropout:
		if l.Channels {
			return not("Caffe's Dropout drops no whole channels")
		}
		o.add("dropout_ratio: %s", decimal(l.P))
		return one("Dropout", "dropout_param")
	case *layers.Unary:
		if l.Op == device.LeakyReLU {
			o.add("negative_slope: %s", decimal(l.Function().Slope))
		}
		return one(map[device.UnaryOp]string{device.ReLU: "ReLU", device.LeakyReLU: "ReLU", device.Sigmoid: "Sigmoid", device.Tanh: "TanH"}[l.Op], "relu_param")
	case *layers.ELU:
		o.add("alpha: %s", decimal(l.Alpha))
		return one("ELU", "elu_param")
	case *layers.Activation:
		switch l.Function {
		case "softplus":
			return one("BNLL", "")
		case "silu":
			return one("Swish", "")
		case "relu6":
			o.add("min: 0 max: 6")
			return one("Clip", "clip_param")
		}
		return not("Caffe has no layer for it")
	case *layers.PReLU:
		if l.Shared {
			o.add("channel_shared: true")
		}
		if err := o.filler("filler", l.WeightFiller, layers.Filler{Type: "constant", Value: 0.25}); err != nil {
			return nil, err
		}
		decay := l.WeightDecay
		if decay == nil {
			decay = new(float32(0))
		}
		return one("PReLU", "prelu_param", multipliers{l.WeightRate, decay})
	case *layers.Scale:
		o.add("scale: %s", decimal(l.Factor))
		return one("Power", "power_param")
	case *layers.Add:
		o.add("operation: SUM")
		for _, k := range l.Coefficients {
			o.add("coeff: %s", decimal(k))
		}
		return one("Eltwise", "eltwise_param")
	case *layers.Product:
		o.add("operation: PROD")
		return one("Eltwise", "eltwise_param")
	case *layers.Maximum:
		o.add("operation: MAX")
		return one("Eltwise", "eltwise_param")
	case *layers.Concat:
		return one("Concat", "")
	case *layers.Split:
		at := 0
		for _, c := range l.Channels[:len(l.Channels)-1] {
			at += c
			o.add("slice_point: %d", at)
		}
		return one("Slice", "slice_param")
	case *layers.Crop:
		o.unless("axis", float32(l.Axis), 0)
		for _, offset := range l.Offset {
			o.add("offset: %d", offset)
		}
		return one("Crop", "crop_param")
	case *layers.Flatten:
		return one("Flatten", "")
	case *layers.Reshape:
		o.add("shape {%s }", numbers("dim", append([]int{0}, l.Shape...)))
		return one("Reshape", "reshape_param")
	case *layers.Softmax:
		return one("Softmax", "")
	case *layers.ArgMax:
		o.add("axis: 1")
		return one("ArgMax", "argmax_param")
	case *layers.SoftmaxLoss:
		if l.Smoothing != 0 || l.ClassWeights != nil || in[1].DType != device.Int32 {
			return not("Caffe's SoftmaxWithLoss has no smoothing, weights of classes or shares of them")
		}
		if l.IgnoreLabel != nil {
			o.add("ignore_label: %d normalization: BATCH_SIZE", *l.IgnoreLabel)
		}
		return loss("SoftmaxWithLoss", "loss_param", l.Weight)
	case *layers.L2Loss:
		if l.Mask {
			return not("Caffe's EuclideanLoss has no mask")
		}
		return loss("EuclideanLoss", "", l.Weight)
	case *layers.LogisticLoss:
		if in[1].DType != device.Float32 {
			return not("Caffe's SigmoidCrossEntropyLoss takes a target for each score, not labels")
		}
		return loss("SigmoidCrossEntropyLoss", "", l.Weight)
	case *layers.HingeLoss:
		if l.Margin != 1 || in[1].DType != device.Int32 {
			return not("Caffe's HingeLoss has the margin 1, and takes labels")
		}
		o.add("norm: L%d", l.Norm)
		return loss("HingeLoss", "hinge_loss_param", l.Weight)
	case *layers.ContrastiveLoss:
		o.add("margin: %s", decimal(l.Margin))
		return loss("ContrastiveLoss", "contrastive_loss_param", l.Weight)
	case *layers.Accuracy:
		o.add("top_k: %d", max(l.TopK, 1))
		return one("Accuracy", "accuracy_param")
	}
	return not("Caffe has no layer for it")
}

// given leaves out multipliers that are not given, and those of a bias that is not there.
func given(specs []multipliers, noBias bool) []multipliers {
	if noBias {
		specs = specs[:1]
	}
	if !slices.ContainsFunc(specs, func(s multipliers) bool { return s != (multipliers{}) }) {
		return nil
	}
	return specs
}

// weights are the options of a weight and a bias.
func (o *options) weights(noBias bool, weight, bias layers.Filler) error {
	if noBias {
		o.add("bias_term: false")
	}
	if err := o.filler("weight_filler", weight, layers.Xavier()); err != nil || noBias {
		return err
	}
	return o.filler("bias_filler", bias, layers.Filler{})
}

func (p *printer) conv(typ string, l *layers.Conv, in []layers.Input) ([]written, error) {
	pad, err := even(l.Pad)
	switch {
	case err != nil:
		return nil, err
	case len(in[0].Shape) != 4:
		return nil, fmt.Errorf("%s of rows of pixels: Caffe's are written for images [N,C,H,W]", l.Type())
	case l.Dilation.H != l.Dilation.W:
		return nil, fmt.Errorf("dilation %v: it is written for both sides alike", l.Dilation)
	}
	var o options
	o.add("num_output: %d", l.Filters)
	o.size("kernel_size", "kernel", l.Kernel, 0)
	o.size("stride", "stride", l.Stride, 1)
	o.size("pad", "pad", pad, 0)
	o.unless("dilation", float32(max(l.Dilation.H, 1)), 1)
	o.unless("group", float32(max(l.Groups, 1)), 1)
	if err := o.weights(l.NoBias, l.WeightFiller, l.BiasFiller); err != nil {
		return nil, err
	}
	specs := []multipliers{{l.WeightRate, l.WeightDecay}, {l.BiasRate, l.BiasDecay}}
	return []written{{typ: typ, param: "convolution_param", options: o, specs: given(specs, l.NoBias)}}, nil
}

// even is a pad that is the same on opposite sides, as Caffe's are.
func even(p layers.Pad) (layers.Size, error) {
	if p.Top != p.Bottom || p.Left != p.Right {
		return layers.Size{}, fmt.Errorf("pad %d,%d,%d,%d: Caffe's is the same on opposite sides", p.Top, p.Bottom, p.Left, p.Right)
	}
	return layers.Size{H: p.Top, W: p.Left}, nil
}

func (p *printer) pool(l *layers.Pool, in []layers.Input, s layers.Spec) ([]written, error) {
	pad, err := even(l.Pad)
	switch {
	case err != nil:
		return nil, err
	case len(in[0].Shape) != 4:
		return nil, fmt.Errorf("%s of rows of pixels: Caffe's are written for images [N,C,H,W]", l.Type())
	case l.Op == device.AveragePool && pad != (layers.Size{}) && !l.CountPad:
		return nil, fmt.Errorf("%s: Caffe's averages count the padding", l.Type())
	}
	var o options
	o.add("pool: %s", map[device.PoolOp]string{device.MaxPool: "MAX", device.AveragePool: "AVE"}[l.Op])
	if l.Global {
		o.add("global_pooling: true")
	} else {
		o.size("kernel_size", "kernel", l.Window, 0)
		o.size("stride", "stride", l.Stride, 1)
		o.size("pad", "pad", pad, 0)
		up := *l
		up.Ceil = true
		rounded, err := up.Plan(formats.NoDevice{}, in, layers.Options{})
		if !l.Ceil && (err != nil || !slices.Equal(rounded.Out[0].Shape, s.Out[0].Shape)) {
			o.add("round_mode: FLOOR")
		}
	}
	return []written{{typ: "Pooling", param: "pooling_param", options: o}}, nil
}

// lrnWritten is an LRN, whose alpha Caffe divides by the number of summands.
func lrnWritten(l *layers.LRN) ([]written, error) {
	size, alpha, beta, k := cmp.Or(l.Size, 5), float32(1e-4), float32(0.75), cmp.Or(l.K, 2)
	if l.Alpha != nil {
		alpha = *l.Alpha
	}
	if l.Beta != nil {
		beta = *l.Beta
	}
	within := l.Region == "within"
	switch {
	case within && k != 1:
		return nil, fmt.Errorf("%s: k %g within channels: Caffe's is 1", l.Type(), k)
	case !l.AlphaOverSize && within:
		alpha *= float32(size * size)
	case !l.AlphaOverSize:
		alpha *= float32(size)
	}
	var o options
	o.add("local_size: %d alpha: %s beta: %s k: %s", size, decimal(alpha), decimal(beta), decimal(k))
	if within {
		o.add("norm_region: WITHIN_CHANNEL")
	}
	return []written{{typ: "LRN", param: "lrn_param", options: o}}, nil
}

// batchNorm is a BatchNorm, and a Scale for its weight and bias.
func (p *printer) batchNorm(l *layers.BatchNorm) ([]written, error) {
	momentum, eps := float32(0.1), float32(1e-5)
	if l.Convention == "caffe" {
		momentum = 0.001
	}
	if l.Momentum != nil {
		momentum = *l.Momentum
	}
	if l.Eps != nil {
		eps = *l.Eps
	}
	var o options
	o.add("eps: %s moving_average_fraction: %s", decimal(eps), decimal(1-momentum))
	list := []written{{typ: "BatchNorm", param: "batch_norm_param", options: o}}
	if l.On != nil && !*l.On {
		return list, nil
	}
	o = options{"bias_term: true"}
	if err := o.filler("filler", l.WeightFiller, layers.Constant(1)); err != nil {
		return nil, err
	}
	if err := o.filler("bias_filler", l.BiasFiller, layers.Filler{}); err != nil {
		return nil, err
	}
	specs := given([]multipliers{{l.WeightRate, l.WeightDecay}, {l.BiasRate, l.BiasDecay}}, false)
	return append(list, written{typ: "Scale", param: "scale_param", options: o, specs: specs}), nil
}
