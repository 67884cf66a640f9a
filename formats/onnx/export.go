package onnx

import (
	"errors"
	"fmt"
	"io"

	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// What files are written as.
const (
	writtenOpset = 17
	writtenIR    = 8
)

// Writer writes models in opset 17.
var Writer = formats.Writer{Name: "ONNX", Suffix: ".onnx", Preprocessing: true, Write: func(w io.Writer, m *formats.Model, o formats.WriteOptions) error {
	return Write(w, &m.Model, ExportOptions{Preprocess: o.Preprocessing})
}}

// ExportOptions are the options of Write.
type ExportOptions struct {
	// Preprocess puts the preprocessing of the pictures into the graph: its input are
	// then bytes [N,C,H,W], of the size that the network takes.
	Preprocess bool
}

// Write writes a network with its weights, as inference has it, in opset 17. The batch is
// open. Weights have the names that they have in the model. What only training needs is left
// out. A layer that ONNX has no operators for is an error that names it.
func Write(w io.Writer, m *modelfile.Model, o ExportOptions) error {
	if m == nil || m.Network == nil {
		return errors.New("there is no network to write")
	}
	e := &exporter{model: m, g: &graphProto{name: m.Network.Name}, shapes: map[string]tensor.Shape{}, names: map[string]string{}, used: map[string]bool{}, kept: map[string]string{}}
	if err := e.network(o); err != nil {
		return fmt.Errorf("%v as ONNX: %w", m.Network, err)
	}
	file := encodeModel(&modelProto{
		irVersion: writtenIR, producer: "hubel", graph: e.g, opsets: []opsetProto{{version: writtenOpset}},
	})
	if len(file) > mostBytes-1 {
		return fmt.Errorf("%v as ONNX: it has %d bytes, and a file of ONNX at most 2 GiB", m.Network, len(file))
	}
	_, err := w.Write(file)
	return err
}

// exporter makes a graph of a network, layer by layer.
type exporter struct {
	model *modelfile.Model
	g     *graphProto

	shapes map[string]tensor.Shape // of the network's values, for a batch of 1
	names  map[string]string       // of the graph's values by the network's
	used   map[string]bool         // names of the graph
	kept   map[string]string       // initialisers that are there already, by weight and shape
	layer  string                  // that is being written
	node   *graph.Node             // it too; nil for the preprocessing
}

// network writes the layers that the outputs depend on.
func (e *exporter) network(o ExportOptions) error {
	n := e.model.Network
	if err := n.Check(); err != nil {
		return err
	}
	if len(n.Outputs) == 0 {
		return errors.New("it names no outputs")
	}
	needed := map[string]bool{}
	for _, name := range n.Outputs {
		needed[name] = true
	}
	for i := len(n.Nodes) - 1; i >= 0; i-- {
		node := &n.Nodes[i]
		for name := range needed {
			if base, _, _ := strings.Cut(name, ":"); base == node.Name {
				needed[node.Name] = true
			}
		}
		if needed[node.Name] {
			for _, in := range node.In {
				needed[in] = true
			}
		}
	}
	for _, in := range n.Inputs {
		if needed[in.Name] {
			if err := e.input(in, o); err != nil {
				return err
			}
		}
	}
	for i := range n.Nodes {
		if node := &n.Nodes[i]; needed[node.Name] {
			if err := e.write(node); err != nil {
				return fmt.Errorf("%s: %w", printable.Name(node.Name), err)
			}
		}
	}
	for _, name := range n.Outputs {
		if e.names[name] == "" {
			return fmt.Errorf("the output %q is no value of it", name)
		}
		e.g.outputs = append(e.g.outputs, valueProto{name: e.names[name], kind: typeFloat, shape: true, dims: dimsOf(e.shapes[name])})
	}
	return nil
}

// dimsOf is a shape whose dimension 0 is open.
func dimsOf(shape tensor.Shape) []dimProto {
	dims := []dimProto{{name: "N"}}
	for _, d := range shape[1:] {
		dims = append(dims, dimProto{value: int64(d)})
	}
	return dims
}

// input writes an input, with the preprocessing of pictures if it is asked for.
func (e *exporter) input(in graph.Input, o ExportOptions) error {
	if in.DType != device.Float32 {
		return fmt.Errorf("input %s is of %v; those of inference are of float32", in.Name, in.DType)
	}
	e.shapes[in.Name] = append(tensor.Shape{1}, in.Shape...)
	v := valueProto{name: in.Name, kind: typeFloat, shape: true, dims: dimsOf(e.shapes[in.Name])}
	e.names[in.Name] = in.Name
	e.used[in.Name] = true
	if o.Preprocess && in.Role == graph.RoleImage {
		v.kind = typeUint8
		if err := e.preprocess(in, e.model.Preprocess); err != nil {
			return err
		}
	}
	e.g.inputs = append(e.g.inputs, v)
	return nil
}

// preprocess writes y = (x - mean) scale / deviation.
func (e *exporter) preprocess(in graph.Input, p data.Preprocess) error {
	if len(in.Shape) != 3 {
		return fmt.Errorf("input %s is %v; pictures are [C,H,W]", in.Name, in.Shape)
	}
	if err := p.Check(in.Shape); err != nil {
		return err
	}
	if len(p.Whiten) > 0 {
		return errors.New("the preprocessing whitens, which is not written: write the network without it")
	}
	e.layer = in.Name + "_preprocess"
	y := e.op("Cast", []string{in.Name}, attributeProto{name: "to", kind: kindInt, i: int64(typeFloat)})
	if len(p.Mean) > 0 {
		shape := []int{len(p.Mean), 1, 1}
		if len(p.Mean) != in.Shape[0] {
			shape = in.Shape
		}
		y = e.op("Sub", []string{y, e.constant("mean", shape, p.Mean)})
	}
	scale := p.Scale
	if scale == 0 {
		scale = 1
	}
	factors := []float32{scale}
	if len(p.Deviation) > 0 {
		factors = nil
		for _, d := range p.Deviation {
			factors = append(factors, scale/d)
		}
	}
	if len(p.Deviation) > 0 || scale != 1 {
		y = e.op("Mul", []string{y, e.constant("scale", []int{len(factors), 1, 1}, factors)})
	}
	e.names[in.Name] = y
	return nil
}

// unique is a name that the graph does not have yet.
func (e *exporter) unique(name string) string {
	unique := name
	for i := 2; e.used[unique]; i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
	}
	e.used[unique] = true
	return unique
}

// op adds a node of one output, which it names.
func (e *exporter) op(op string, in []string, attributes ...attributeProto) string {
	out := e.unique(e.layer + "_" + strings.ToLower(op))
	e.g.nodes = append(e.g.nodes, nodeProto{name: out, op: op, in: slices.Clone(in), out: []string{out}, attributes: attributes})
	return out
}

// constant adds an initialiser of floats.
func (e *exporter) constant(name string, shape []int, values []float32) string {
	name = e.unique(e.layer + "." + name)
	e.g.initializers = append(e.g.initializers, floatTensor(name, shape, values))
	return name
}

// integers adds an initialiser that is a list of integers.
func (e *exporter) integers(name string, values ...int) string {
	name = e.unique(e.layer + "." + name)
	list := make([]int64, len(values))
	for i, v := range values {
		list[i] = int64(v)
	}
	e.g.initializers = append(e.g.initializers, intTensor(name, list...))
	return name
}

// weight is a parameter of the layer as an initialiser, in a shape of as many elements.
func (e *exporter) weight(name string, shape ...int) (string, error) {
	values, err := e.values(name)
	if err != nil {
		return "", err
	}
	if len(values) != product(shape) {
		return "", fmt.Errorf("the weights %s.%s have %d elements, want the shape %v", e.layer, name, len(values), shape)
	}
	full := e.node.WeightName(name)
	key := fmt.Sprint(full, shape) // layers that share it may want other shapes
	if e.kept[key] == "" {
		e.kept[key] = e.unique(full)
		e.g.initializers = append(e.g.initializers, floatTensor(e.kept[key], shape, values))
	}
	return e.kept[key], nil
}

// values are the elements of a parameter or a state.
func (e *exporter) values(name string) ([]float32, error) {
	x := e.model.Weights[e.node.WeightName(name)]
	if x == nil || x.Dtype() != tensor.Float32 {
		return nil, fmt.Errorf("there are no weights %s.%s of float32", e.layer, name)
	}
	return x.Float32s(), nil
}

// write writes a layer.
func (e *exporter) write(n *graph.Node) error {
	in := make([]layers.Input, len(n.In))
	names := make([]string, len(n.In))
	for i, name := range n.In {
		if e.shapes[name] == nil {
			return fmt.Errorf("its input %q is not written", name)
		}
		in[i], names[i] = layers.Input{Shape: e.shapes[name], DType: device.Float32}, e.names[name]
	}
	spec, err := n.Layer.Plan(formats.NoDevice{}, in, layers.Options{})
	if err != nil {
		return err
	}
	e.layer, e.node = n.Name, n
	first := len(e.g.nodes)
	x := exported{e: e, in: names, x: in[0].Shape, spec: spec}
	if len(spec.Out) > 0 {
		x.y = spec.Out[0].Shape
	}
	outs, err := x.layer(n.Layer)
	if err != nil {
		return err
	}
	for i, out := range outs {
		name := n.Name
		if i > 0 {
			name = fmt.Sprintf("%s:%d", n.Name, i)
		}
		e.names[name], e.shapes[name] = out, spec.Out[i].Shape
		if i == 0 && len(e.g.nodes) > first && e.g.nodes[len(e.g.nodes)-1].out[0] == out && !e.used[n.Name] {
			e.g.nodes[len(e.g.nodes)-1].out[0] = n.Name // the output has the layer's name
			e.used[n.Name], e.names[name] = true, n.Name
		}
	}
	return nil
}

// The attributes of nodes.
func whole(name string, v int) attributeProto {
	return attributeProto{name: name, kind: kindInt, i: int64(v)}
}

func real(name string, v float32) attributeProto {
	return attributeProto{name: name, kind: kindFloat, f: v}
}

func list(name string, v ...int) attributeProto {
	a := attributeProto{name: name, kind: kindInts}
	for _, x := range v {
		a.ints = append(a.ints, int64(x))
	}
	return a
}

func word(name, v string) attributeProto {
	return attributeProto{name: name, kind: kindString, s: []byte(v)}
}

// sameShape is a shape whose batch is open, for Reshape.
func sameShape(shape tensor.Shape) []int { return append([]int{0}, shape[1:]...) }

// overChannels is the shape [C,1,...] that broadcasts to x.
func overChannels(x tensor.Shape) []int {
	return append([]int{x[1]}, slices.Repeat([]int{1}, len(x)-2)...)
}

// or is an option, or what it is unless it is given.
func or(v *float32, otherwise float32) float32 {
	if v == nil {
		return otherwise
	}
	return *v
}
