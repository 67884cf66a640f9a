package onnx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// importer makes a network of a graph, node by node.
type importer struct {
	net     *graph.Network
	names   formats.Names
	weights map[string]*tensor.Dense
	lost    []string
	opset   int

	// batch is how many samples the file is for: 0 if that is open. single is set if
	// it is for one: then dimension 0 of a tensor may become another dimension. whole is
	// set if all samples of the file are read as one sample of the network.
	batch         int
	single, whole bool

	values   map[string]*value // by their names in the file
	shapes   map[string][]int  // of a sample of the network's values
	reshaped map[string]string // names of values by name and shape
	readers  map[string]int    // of values of the file
	hidden   map[string]bool   // values of the file that no value of the network is
	outputs  []string          // of the file

	shared  formats.Shared
	origins map[string][]string // initialisers that the constants of nodes are made of, by their names
	reading *node               // the node that is being read

	room int // elements that may still be made of constants
}

// value is a tensor of the file: a constant, or what is computed.
type value struct {
	*constant

	name   string // of the network's value
	sample []int  // shape of a sample; the network's value may have another, of as many elements
	batch  bool   // dimension 0 is the batch, in front of sample; otherwise there is no batch
	kind   dataType
}

// rank is the number of dimensions.
func (v *value) rank() int {
	switch {
	case v.constant != nil:
		return len(v.shape)
	case v.batch:
		return 1 + len(v.sample)
	}
	return len(v.sample)
}

// axis is the axis of a sample that axis a of the tensor is, -1 for the batch.
func (v *value) axis(a int) int {
	if v.batch {
		return a - 1
	}
	return a
}

// text is the shape for messages: "[N,3,224,224]".
func (v *value) text() string {
	shape := v.sample
	if v.constant != nil {
		shape = v.shape
	}
	text := strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ",")
	if v.constant == nil && v.batch {
		text = strings.TrimSuffix("N,"+text, ",")
	}
	return "[" + text + "]"
}

// batchError is the error of a node that does something else with the batch than with each
// of its samples.
type batchError struct{ what string }

func (e *batchError) Error() string { return e.what }

// node is the node that is being read.
type node struct {
	*nodeProto
	in    []*value // nil where one is left out
	used  map[string]bool
	base  string
	opset int
}

// operator makes the outputs of a node.
type operator func(im *importer, n *node) ([]*value, error)

// importGraph makes a network of a graph. A negative batch asks for all samples of the file
// as one.
func importGraph(ctx context.Context, g *graphProto, constants map[string]*constant, opset, batch, size int, o formats.Options) (*importer, error) {
	im := &importer{
		net: &graph.Network{}, weights: map[string]*tensor.Dense{}, opset: opset,
		batch: max(batch, -batch), single: batch == 1 || batch == -1, whole: batch < -1,
		values: map[string]*value{}, shapes: map[string][]int{}, reshaped: map[string]string{}, readers: map[string]int{}, hidden: map[string]bool{},
		shared: formats.Shared{Merged: true}, origins: map[string][]string{},
		room: 1<<22 + 16*size,
	}
	if name := strings.ToValidUTF8(g.name, ""); len(name) <= 200 {
		im.net.Name = name
	}
	for name, c := range constants {
		im.values[name] = &value{constant: c, kind: c.kind}
	}
	if err := im.inputs(g, constants, o); err != nil {
		return nil, err
	}
	for _, n := range g.nodes {
		for _, name := range n.in {
			im.readers[name]++
		}
	}
	for _, out := range g.outputs {
		im.readers[out.name]++
		im.outputs = append(im.outputs, out.name)
	}
	for i := range g.nodes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := im.node(&g.nodes[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", g.nodes[i].describe(i), err)
		}
	}
	if err := im.finish(); err != nil {
		return nil, err
	}
	return im, nil
}

// inputs adds those of the graph that are no initialisers.
func (im *importer) inputs(g *graphProto, constants map[string]*constant, o formats.Options) error {
	open := g.open(constants)
	if len(open) == 0 {
		return errors.New("its nodes read no input but initialisers")
	}
	for _, in := range open {
		switch {
		case in.other || !in.shape:
			return fmt.Errorf("input %q is no tensor, or has no shape", in.name)
		case len(in.dims) < 1:
			return fmt.Errorf("input %q has no dimensions; dimension 0 is the batch", in.name)
		case sizes[in.kind] == 0:
			return fmt.Errorf("input %q is of %v; numbers of up to 64 bits are read", in.name, in.kind)
		}
		sample, err := openShape(in, o.Input)
		if err != nil {
			return err
		}
		v := &value{name: im.names.Make(in.name), sample: sample, batch: !im.whole, kind: in.kind}
		if im.whole {
			v.sample = append([]int{im.batch}, sample...)
		}
		if err := device.CheckShape(append(tensor.Shape{1}, v.sample...)); err != nil {
			return fmt.Errorf("input %q: %w", in.name, err)
		}
		if len(v.sample) == 3 && len(open) == 1 {
			im.net.Image(v.name, v.sample...)
		} else {
			im.net.Input(v.name, device.Float32, v.sample...)
		}
		im.shapes[v.name] = v.sample
		im.values[in.name] = v
	}
	return nil
}

// openShape is the shape of a sample of an input. What the file leaves open is that of
// want.
func openShape(in valueProto, want []int) ([]int, error) {
	sample := make([]int, len(in.dims)-1)
	for i, d := range in.dims[1:] {
		switch {
		case d.value > 0 && d.value < mostElements:
			sample[i] = int(d.value)
		case d.value == 0 && len(want) == len(sample):
			sample[i] = want[i]
		default:
			return nil, fmt.Errorf("input %q leaves dimension %d open (%q): give the shape of a sample, such as -input 3,224,224", in.name, i+1, d.name)
		}
	}
	return sample, nil
}

// node reads one node.
func (im *importer) node(p *nodeProto) error {
	if p.domain != "" && p.domain != "ai.onnx" {
		return fmt.Errorf("the operator is of the domain %q; those of ai.onnx are read", p.domain)
	}
	n := &node{nodeProto: p, used: map[string]bool{}, opset: im.opset}
	constants := true
	for _, name := range p.in {
		v := im.values[name]
		if name == "" {
			v = nil
		} else if v == nil {
			return fmt.Errorf("its input %q is not defined before it", name)
		}
		constants = constants && (v == nil || v.constant != nil)
		n.in = append(n.in, v)
	}
	im.reading = n
	op, ok := operators[p.op]
	folded, folds := folders[p.op]
	switch {
	case constants && folds:
		op = folded
	case !ok && folds:
		return errors.New("it is computed of constants and shapes alone, and an input is neither")
	case !ok:
		return unsupported(p.op)
	case constants:
		return errors.New("it has constants alone as inputs, and no layer is made of those: simplify the model (onnxsim)")
	}
	n.base = cmp.Or(p.name, firstOf(p.out), p.op)
	out, err := op(im, n)
	if err != nil {
		return err
	}
	for _, a := range p.attributes {
		if !n.used[a.name] {
			return fmt.Errorf("the attribute %q is not known of opset %d", a.name, im.opset)
		}
	}
	for i, name := range p.out {
		switch {
		case name == "":
		case i >= len(out) || out[i] == nil:
			if im.readers[name] > 0 {
				return fmt.Errorf("its output %d, %q, is read, and no layer makes that", i, name)
			}
		case im.values[name] != nil:
			return fmt.Errorf("its output %q is defined twice", name)
		default:
			im.values[name] = out[i]
			if out[i].constant != nil {
				im.origins[name] = im.initialisers(nil)
			}
		}
	}
	return nil
}

// mostOrigins is how many initialisers a constant is known to be made of.
const mostOrigins = 8

// initialisers are those of floats that the node which is being read has, or that its constants
// are made of: those that values are, or have as many elements as, and all if there are none.
func (im *importer) initialisers(values []float32) []string {
	var is, fit, all []string
	for i, v := range im.reading.in {
		if v == nil || v.constant == nil || v.integral() {
			continue
		}
		name := im.reading.nodeProto.in[i]
		of, made := im.origins[name]
		if !made {
			of = []string{name}
		}
		all = append(all, of...)
		if len(values) == len(v.floats) {
			fit = append(fit, of...)
		}
		if len(values) > 0 && len(v.floats) > 0 && &values[0] == &v.floats[0] {
			is = append(is, of...)
		}
	}
	for _, list := range [][]string{is, fit} {
		if len(list) > 0 {
			return list[:min(len(list), mostOrigins)]
		}
	}
	return all[:min(len(all), mostOrigins)]
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// nearest is what hubel has in place of operators that are not read.
var nearest = map[string]string{
	"LSTM": "there are no recurrent layers", "GRU": "there are no recurrent layers", "RNN": "there are no recurrent layers",
	"If": "export the branch that is taken", "Loop": "export without loops", "Scan": "export without loops",
	"TopK":              "cut the model before it",
	"NonMaxSuppression": "cut the model before it: boxes and scores are its outputs then", "RoiAlign": "nearest is adaptive-max-pool",
	"MaxRoiPool": "nearest is adaptive-max-pool", "MaxUnpool": "nearest is unpool, with max-pool's switches",
	"QLinearConv": "export the model in float", "ConvInteger": "export the model in float", "QuantizeLinear": "export the model in float",
	"DequantizeLinear": "export the model in float", "Einsum": "nearest are conv of 1x1 and dense", "GridSample": "nearest is upsample",
	"Floor": "no program rounds", "Ceil": "no program rounds", "Round": "no program rounds", "DeformConv": "nearest is conv",
}

// unsupported is the error of an operator that is not read.
func unsupported(op string) error {
	if hint := nearest[op]; hint != "" {
		return fmt.Errorf("the operator is not read: %s", hint)
	}
	return errors.New("the operator is not read; docs/interop.md lists those that are")
}

// finish makes the outputs of the graph those of the network.
func (im *importer) finish() error {
	for _, name := range im.outputs {
		v := im.values[name]
		switch {
		case v == nil:
			return fmt.Errorf("the output %q is not defined", name)
		case v.constant != nil:
			im.lost = append(im.lost, fmt.Sprintf("the output %s: it is a constant", printable.Name(name)))
			continue
		}
		hubel, err := im.need(v)
		if err != nil {
			return fmt.Errorf("output %q: %w", name, err)
		}
		if im.shapes[hubel] != nil && slices.ContainsFunc(im.net.Inputs, func(in graph.Input) bool { return in.Name == hubel }) {
			out, err := im.emit(&node{base: name}, "", &layers.Reshape{Shape: im.shapes[hubel]}, v)
			if err != nil {
				return err
			}
			hubel = out.name
		}
		im.values[name] = &value{name: hubel, sample: v.sample, batch: v.batch, kind: v.kind}
		if !slices.Contains(im.net.Outputs, hubel) {
			im.net.Outputs = append(im.net.Outputs, hubel)
		}
	}
	if len(im.net.Outputs) == 0 {
		return errors.New("nothing that the graph gives out depends on its inputs")
	}
	return im.net.Check()
}

// model is the network with its weights.
func (im *importer) model() (*formats.Model, error) {
	m := &formats.Model{Lost: im.lost, Values: map[string]string{}}
	m.Facts = im.shared.Join(im.net, im.weights)
	m.Model = modelfile.Model{Network: im.net, Weights: im.weights}
	for name, v := range im.values {
		if v.constant == nil && !im.hidden[name] && slices.Equal(im.shapes[v.name], v.sample) && v.name != name {
			m.Values[name] = v.name
		}
	}
	return m, nil
}

// emit adds a layer that reads values as they stand. Its name is the node's, with a
// suffix unless it is the layer that the node is about.
func (im *importer) emit(n *node, suffix string, l layers.Layer, in ...*value) (*value, error) {
	out, err := im.emitAll(n, suffix, l, in...)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// emitAll is emit for layers of several outputs.
func (im *importer) emitAll(n *node, suffix string, l layers.Layer, in ...*value) ([]*value, error) {
	names := make([]string, len(in))
	inputs := make([]layers.Input, len(in))
	for i, v := range in {
		var err error
		if names[i], err = im.need(v); err != nil {
			return nil, err
		}
		inputs[i] = layers.Input{Shape: append(tensor.Shape{1}, im.shapes[names[i]]...), DType: device.Float32}
	}
	spec, err := l.Plan(formats.NoDevice{}, inputs, layers.Options{})
	if err != nil {
		return nil, fmt.Errorf("as a layer of the type %s: %w", l.Type(), err)
	}
	base := n.base
	if suffix != "" {
		base += "_" + suffix
	}
	name := im.net.Add(im.names.Make(base), l, names...)
	out := make([]*value, len(spec.Out))
	for i, o := range spec.Out {
		v := &value{name: name, sample: o.Shape[1:], batch: in[0].batch, kind: typeFloat}
		if i > 0 {
			v.name = fmt.Sprintf("%s:%d", name, i)
		}
		im.shapes[v.name] = v.sample
		out[i] = v
	}
	return out, nil
}

// need is the network's value that holds v in its own shape.
func (im *importer) need(v *value) (string, error) {
	if v.constant != nil {
		return "", errors.New("an input is a constant, where a layer reads what is computed")
	}
	if slices.Equal(im.shapes[v.name], v.sample) {
		return v.name, nil
	}
	key := fmt.Sprint(v.name, v.sample)
	if name, ok := im.reshaped[key]; ok {
		return name, nil
	}
	var l layers.Layer = &layers.Reshape{Shape: v.sample}
	if len(v.sample) == 1 {
		l = &layers.Flatten{}
	}
	base, _, _ := strings.Cut(v.name, ":")
	name := im.net.Add(im.names.Make(base+"_reshape"), l, v.name)
	im.shapes[name] = v.sample
	im.reshaped[key] = name
	return name, nil
}

// as is v with another shape of a sample, of as many elements.
func (v *value) as(sample ...int) *value {
	return &value{name: v.name, sample: sample, batch: v.batch, kind: v.kind}
}

// like gives v the batch of another value.
func (v *value) like(of *value) *value {
	c := *v
	c.batch, c.kind = of.batch, of.kind
	return &c
}

// unbatched is v without a batch: dimension 0 is one of a sample. That is so where the
// file is for one sample.
func (im *importer) unbatched(v *value, why string) (*value, error) {
	if !v.batch {
		return v, nil
	}
	if !im.single {
		return nil, &batchError{why + ", which mixes the samples of a batch"}
	}
	return &value{name: v.name, sample: append([]int{1}, v.sample...), kind: v.kind}, nil
}

// batched is v with a batch, which a dimension 0 of 1 stands for.
func (im *importer) batched(v *value) (*value, error) {
	switch {
	case v.batch:
		return v, nil
	case len(v.sample) > 0 && v.sample[0] == 1:
		return &value{name: v.name, sample: v.sample[1:], batch: true, kind: v.kind}, nil
	}
	return nil, fmt.Errorf("its input %s has no batch where one is wanted: %d samples of one are none", v.text(), max(im.batch, 1))
}

// take counts elements that are made of constants. Their number is bounded by the size of
// the file, so that a small one cannot ask for all memory.
func (im *importer) take(elements int) error {
	if elements < 0 || elements > im.room {
		return fmt.Errorf("the constants of the graph grow to more than %d elements", im.room)
	}
	im.room -= elements
	return nil
}

// takeMatrix is take of so many rows and columns.
func (im *importer) takeMatrix(rows, columns int) error {
	if rows > im.room/max(columns, 1) {
		return fmt.Errorf("it takes a fixed matrix of %d x %d, and the constants of a file of this size may grow by %d elements more; an upsampling by whole scales needs none", rows, columns, im.room)
	}
	return im.take(rows * columns)
}

// setWeight keeps a parameter of a layer.
func (im *importer) setWeight(layer, name string, values []float32, shape ...int) {
	im.shared.Add(layer, name, im.initialisers(values)...)
	im.weights[layer+"."+name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}
