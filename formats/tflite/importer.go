package tflite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
)

// mostCopies is how many times the elements of a file the parameters of its network may have
// together: operators may share a constant, and each has a copy of it until Shared.Join.
const mostCopies = 16

// importer makes a network of a model, operator by operator.
type importer struct {
	nhwc.Builder

	m      *model
	values []*value // by tensors
	batch  int      // of the file
	left   int      // elements of constants that may still be decoded
	copies int      // elements that parameters may still have
	shared formats.Shared
	named  map[string]string // Model.Values
}

// value is a tensor of the file: a constant, or what is computed.
type value struct {
	*constant
	*nhwc.Value
	blocks *blocks // nil if the pixels lie as in an image
}

// text is the shape for messages, as the file has it.
func (im *importer) text(v *value) string {
	shape := v.shapeIn(im)
	return "[" + strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ",") + "]"
}

// shapeIn is the shape in the file.
func (v *value) shapeIn(im *importer) []int {
	if v.constant != nil {
		return v.shape
	}
	return append([]int{im.batch}, im.Shape(v.Value)...)
}

// call is an operator that is being read.
type call struct {
	*operator
	in   []*value // nil where one is left out
	base string   // of names of layers
}

// reader makes what an operator makes.
type reader func(im *importer, c *call) (*value, error)

// importGraph makes a network of a model.
func importGraph(ctx context.Context, m *model, o formats.Options) (*importer, error) {
	im := &importer{m: m, values: make([]*value, len(m.tensors)), left: 1<<20 + len(m.f.b), copies: 1<<20 + mostCopies*len(m.f.b)/4, shared: formats.Shared{Merged: true}, named: map[string]string{}}
	im.Net, im.Last, im.Weights = &graph.Network{}, true, map[string]*gorgonia.Dense{}
	if name := strings.ToValidUTF8(m.name, ""); len(name) <= 200 {
		im.Net.Name = name
	}
	if err := im.inputs(o); err != nil {
		return nil, err
	}
	for i, op := range m.operators {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := im.operator(op); err != nil {
			return nil, fmt.Errorf("operator %d, %s: %w", i, m.describe(op), err)
		}
	}
	return im, im.outputs()
}

// describe is an operator for messages, with what it makes.
func (m *model) describe(op *operator) string {
	name := op.name()
	if len(op.out) > 0 && op.out[0] >= 0 {
		name += fmt.Sprintf(", which makes %q", fmt.Sprintf("%.100s", m.tensors[op.out[0]].name))
	}
	return name
}

// inputs adds those of the graph.
func (im *importer) inputs(o formats.Options) error {
	if len(im.m.inputs) == 0 {
		return errors.New("it has no inputs")
	}
	for _, i := range im.m.inputs {
		t := im.m.tensors[i]
		if t.kind != float32Type {
			return fmt.Errorf("input %q is of %s; networks of floats are read", fmt.Sprintf("%.100s", t.name), t.kindName())
		}
		shape, err := im.openShape(t, o.Input)
		if err != nil {
			return fmt.Errorf("input %q: %w", fmt.Sprintf("%.100s", t.name), err)
		}
		if im.values[i] != nil {
			return fmt.Errorf("tensor %d is an input twice", i)
		}
		v := &nhwc.Value{Name: im.Names.Make(t.name), Sample: im.ToFirst(shape)}
		if len(v.Sample) == 3 && len(im.m.inputs) == 1 {
			im.Net.Image(v.Name, v.Sample...)
		} else {
			im.Net.Input(v.Name, device.Float32, v.Sample...)
		}
		im.keep(i, &value{Value: v})
	}
	return nil
}

// openShape is the shape of a sample of an input, as the file has it. What the file leaves open
// is that of given, [C,H,W].
func (im *importer) openShape(t *tensor, given []int) ([]int, error) {
	if len(t.shape) < 2 || len(t.shape) > 4 {
		return nil, fmt.Errorf("its shape is %v; the batch, and one to three axes of a sample, are read", t.shape)
	}
	if im.batch != 0 && im.batch != t.shape[0] {
		return nil, fmt.Errorf("it is of %d samples, and another input of %d", t.shape[0], im.batch)
	}
	if t.shape[0] > largestSize {
		return nil, fmt.Errorf("it is of %d samples; at most %d are read", t.shape[0], largestSize)
	}
	im.batch = max(t.shape[0], 1)
	shape, want := slices.Clone(t.shape[1:]), im.ToLast(given)
	for i := range shape {
		open := len(t.signature) == len(t.shape) && t.signature[i+1] < 0
		switch {
		case open && len(want) == len(shape) && len(im.m.inputs) == 1:
			shape[i] = want[i]
		case open:
			return nil, fmt.Errorf("it leaves sizes open, %v: -input CxHxW says what they are", t.signature)
		case len(want) == len(shape) && len(im.m.inputs) == 1 && want[i] != shape[i]:
			return nil, fmt.Errorf("it is %v, and -input has the shape %v", im.ToFirst(t.shape[1:]), given)
		}
	}
	return shape, device.CheckShape(append([]int{1}, shape...))
}

// keep keeps the value of a tensor.
func (im *importer) keep(i int, v *value) {
	im.values[i] = v
	if name := im.m.tensors[i].name; v.Value != nil && name != "" && im.named[name] == "" {
		im.named[name] = v.Name
	}
}

// operator reads one operator.
func (im *importer) operator(op *operator) error {
	if len(op.out) == 0 || op.out[0] < 0 {
		return errors.New("it makes nothing")
	}
	c := &call{operator: op}
	constants := true
	for _, i := range op.in {
		var v *value
		if i >= 0 {
			var err error
			if v, err = im.value(i); err != nil {
				return err
			}
			constants = constants && v.constant != nil
		}
		c.in = append(c.in, v)
	}
	c.base, _, _ = strings.Cut(im.m.tensors[op.out[0]].name, ";")
	read, ok := readers[op.name()]
	folded, folds := folders[op.name()]
	switch {
	case folds && (constants || op.name() == "SHAPE"):
		read = folded
	case !ok:
		return unsupported(op)
	case constants:
		return errors.New("it has constants alone as inputs, and no layer is made of those")
	}
	if len(op.out) > 1 {
		return fmt.Errorf("it makes %d tensors; operators that make one are read", len(op.out))
	}
	v, err := read(im, c)
	if im.m.f.err != nil { // in its options
		err = im.m.f.err
	}
	if err != nil {
		return err
	}
	if im.copies < 0 {
		return errors.New("the layers have far more parameters than the file has bytes: its operators have the same constants many times")
	}
	if im.values[op.out[0]] != nil || im.m.tensors[op.out[0]].data != nil {
		return errors.New("what it makes is defined twice")
	}
	im.keep(op.out[0], v)
	return nil
}

// value is that of a tensor.
func (im *importer) value(i int) (*value, error) {
	t := im.m.tensors[i]
	if im.values[i] == nil {
		if t.data == nil {
			return nil, fmt.Errorf("its input, tensor %d, %q, is not defined before it", i, fmt.Sprintf("%.100s", t.name))
		}
		x, err := t.constant(&im.left)
		if err != nil {
			return nil, fmt.Errorf("its input, tensor %d, %q: %w", i, fmt.Sprintf("%.100s", t.name), err)
		}
		im.values[i] = &value{constant: x}
	}
	return im.values[i], nil
}

// input is input i, which must be computed.
func (c *call) input(i int) (*nhwc.Value, error) {
	switch {
	case i >= len(c.in) || c.in[i] == nil:
		return nil, fmt.Errorf("its input %d is missing", i)
	case c.in[i].blocks != nil:
		return nil, errBlocks
	case c.in[i].Value == nil:
		return nil, fmt.Errorf("its input %d is a constant, where a layer reads what is computed", i)
	}
	return c.in[i].Value, nil
}

// inputs are all inputs, which must be computed.
func (c *call) inputs() ([]*nhwc.Value, error) {
	list := make([]*nhwc.Value, len(c.in))
	for i := range c.in {
		var err error
		if list[i], err = c.input(i); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// image is input i, which must have so many axes of pixels.
func (im *importer) image(c *call, i, axes int) (*nhwc.Value, error) {
	x, err := c.input(i)
	if err == nil && (x.Flat || len(x.Sample) != 1+axes) {
		err = fmt.Errorf("its input is %s, and it takes the batch, %d axes of pixels and one of channels", im.text(c.in[i]), axes)
	}
	return x, err
}

// constant is input i as floats, or nil if it is left out.
func (c *call) constant(i int, what string) (*constant, error) {
	switch {
	case i >= len(c.in) || c.in[i] == nil:
		return nil, nil
	case c.in[i].constant == nil:
		return nil, fmt.Errorf("its %s is computed, and a layer has a constant there", what)
	case c.in[i].floats == nil:
		return nil, fmt.Errorf("its %s has no floats", what)
	}
	return c.in[i].constant, nil
}

// integers is input i as whole numbers.
func (c *call) integers(i int, what string) ([]int, error) {
	if i >= len(c.in) || c.in[i] == nil || c.in[i].constant == nil || c.in[i].floats != nil {
		return nil, fmt.Errorf("its %s is no constant of whole numbers: sizes that depend on what is computed are not read", what)
	}
	return c.in[i].ints, nil
}

// set keeps a parameter, which is made of a constant of the file.
func (im *importer) set(of *nhwc.Value, name string, from *constant, values []float32, shape ...int) {
	im.copies -= len(values)
	im.shared.Add(of.Name, name, from.array)
	im.Set(of, name, values, shape...)
}

// outputs makes the outputs of the graph those of the network.
func (im *importer) outputs() error {
	var outputs []*nhwc.Value
	for _, i := range im.m.outputs {
		v := im.values[i]
		name := fmt.Sprintf("%.100s", im.m.tensors[i].name)
		switch {
		case v == nil:
			return fmt.Errorf("the output %q is not defined", name)
		case v.Value == nil:
			return fmt.Errorf("the output %q is a constant", name)
		case v.blocks != nil:
			return fmt.Errorf("the output %q is in blocks, of SPACE_TO_BATCH_ND", name)
		}
		x, err := im.Solid(v.Value)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(im.Net.Inputs, func(in graph.Input) bool { return in.Name == x.Name }) {
			if x, err = im.Emit("output", "", &layers.Reshape{Shape: x.Sample}, x); err != nil {
				return err
			}
		}
		if x.Name != v.Name {
			im.named[im.m.tensors[i].name] = x.Name
		}
		if !slices.Contains(im.Net.Outputs, x.Name) {
			im.Net.Outputs = append(im.Net.Outputs, x.Name)
		}
		outputs = append(outputs, x)
	}
	if len(outputs) == 0 {
		return errors.New("it has no outputs")
	}
	im.Classifier(outputs)
	return nil
}

// model is the network with its weights.
func (im *importer) model(m *model, o formats.Options) (*formats.Model, error) {
	out := &formats.Model{Format: "TFLite", Values: im.named, ChannelsLast: true}
	out.Network, out.Weights = im.Net, im.Weights
	if m.description != "" {
		out.Facts = append(out.Facts, "description: "+printable.Name(fmt.Sprintf("%.100s", m.description)))
	}
	out.Facts = append(out.Facts, fmt.Sprintf("operators: %d", len(m.operators)), "images: channels last in the file, first here")
	out.Facts = append(out.Facts, im.shared.Join(im.Net, im.Weights)...)
	if im.batch > 1 {
		out.Facts = append(out.Facts, fmt.Sprintf("the file is for %d samples at a time, and the network for any number", im.batch))
	}
	if m.subgraphs > 1 {
		out.Lost = append(out.Lost, fmt.Sprintf("%d more networks: the first one of the file is read", m.subgraphs-1))
	}
	if o.Order == "bgr" {
		if err := nhwc.TurnColours(out); err != nil {
			return nil, err
		}
	}
	return out, im.Net.Check()
}
