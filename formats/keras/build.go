package keras

import (
	"context"
	"encoding/json"
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
)

// importer makes a network of a model.
type importer struct {
	ctx     context.Context
	out     *formats.Model
	net     *graph.Network
	names   formats.Names
	weights *weights // nil if there are none
	old     bool     // the file is of Keras 2 or older
	last    bool     // channels are the last axis of the file's images
	input   []int    // that the user gives, [C,H,W]

	made     int               // layers, of the file
	solids   map[string]*value // of flat values, by their names
	readers  map[string]int    // how many calls of layers read the arrays of a layer
	shared   []again           // calls of layers that were called before
	firsts   map[string]span   // what the first call of a layer made
	training []string          // what layers say of training alone
	frozen   []string          // layers that are not trained
	inModel  map[string]bool   // inputs by their names in the network
}

// value is what a call of a layer makes.
type value struct {
	name   string
	sample []int // shape of a sample of the network's value: channels first
	flat   bool  // Keras has flattened it, in the order of its own axes
}

// String is the shape for messages, as the network has it.
func (v *value) String() string {
	return "[" + strings.ReplaceAll(strings.Trim(fmt.Sprint(v.sample), "[]"), " ", ",") + "]"
}

// call is a call of a layer that is being read.
type call struct {
	*options
	*layer
	place place
	base  string // of names of layers
}

// operator makes what a layer makes.
type operator func(im *importer, c *call, in []*value) (*value, error)

// build makes a network of a description, and its weights if there are any.
func build(ctx context.Context, s *source, o formats.Options) (*formats.Model, error) {
	var top object
	if err := json.Unmarshal(s.config, &top); err != nil {
		return nil, fmt.Errorf("%s: the description of the network is no JSON: %w", s.configPath, err)
	}
	if !slices.Contains(modelClasses, top.Class) {
		return nil, fmt.Errorf("%s: the network is of the class %.60q, whose layers are not in the file; %s are read: make one of those of it in Keras, and save that", s.configPath, top.Class, strings.Join(modelClasses[:2], " and "))
	}
	m, err := parseModel(&top, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.configPath, err)
	}
	if top.Version != "" || s.kind == descriptionKind { // weights beside it may be of another one
		s.version, s.backend = top.Version, top.Backend
	}
	im := &importer{
		ctx: ctx, out: &formats.Model{Format: s.kind, Values: map[string]string{}}, net: &graph.Network{},
		weights: s.weights, input: o.Input, solids: map[string]*value{}, readers: map[string]int{}, inModel: map[string]bool{}, firsts: map[string]span{},
	}
	im.old = strings.HasPrefix(s.version, "1.") || strings.HasPrefix(s.version, "2.")
	im.out.Network = im.net
	if len(m.name) <= 200 {
		im.net.Name = strings.ToValidUTF8(m.name, "")
	}
	if im.weights != nil {
		im.out.Weights = map[string]*tensor.Dense{}
	}
	if err := im.whole(m); err != nil {
		return nil, fmt.Errorf("%s: %w", s.configPath, err)
	}
	if err := im.share(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.configPath, err)
	}
	im.tell(s, top.Compile)
	return im.out, im.net.Check()
}

// whole makes the network of the outermost model.
func (im *importer) whole(m *model) error {
	if err := im.findFormat(m, ""); err != nil {
		return err
	}
	inputs, err := im.inputs(m)
	if err != nil {
		return err
	}
	outputs, err := im.model(m, place{}, inputs)
	if err != nil {
		return err
	}
	if len(im.net.Nodes) == 0 {
		return errors.New("there are no layers that compute anything")
	}
	for _, v := range outputs {
		if v, err = im.solid(v); err != nil {
			return err
		}
		if im.inModel[v.name] {
			if v, err = im.emit("output", "", &layers.Reshape{Shape: v.sample}, v); err != nil {
				return err
			}
		}
		if !slices.Contains(im.net.Outputs, v.name) {
			im.net.Outputs = append(im.net.Outputs, v.name)
		}
	}
	im.classifier(outputs)
	return nil
}

// findFormat finds whether channels are the first axis or the last one. A model has one of the
// two. Flatten has an option of the same name, which only says in which order it flattens.
func (im *importer) findFormat(m *model, found string) error {
	var walk func(m *model) error
	walk = func(m *model) error {
		for _, l := range m.layers {
			if l.model != nil {
				if err := walk(l.model); err != nil {
					return err
				}
				continue
			}
			o := &options{config: l.given, used: map[string]bool{}}
			format := o.text("data_format", "")
			switch {
			case o.err != nil:
				return l.error(o.err)
			case l.class == "Flatten" || format == "":
			case format != "channels_last" && format != "channels_first":
				return l.error(fmt.Errorf("data_format %.40q is neither channels_last nor channels_first", format))
			case found != "" && found != format:
				return l.error(fmt.Errorf("it has %s, and layers before it %s: a network has one of the two", format, found))
			default:
				found = format
			}
		}
		return nil
	}
	err := walk(m)
	im.last = found != "channels_first"
	im.out.ChannelsLast = im.last
	return err
}

// error is an error of a layer, with its place in the file.
func (l *layer) error(err error) error {
	return fmt.Errorf("layer %d, %q (%s): %w", l.at, printable.Name(l.name), printable.Name(fmt.Sprintf("%.60s", l.class)), err)
}

// toFirst is a shape of Keras' as the network has it, and toLast the reverse.
func (im *importer) toFirst(shape []int) []int {
	if n := len(shape); im.last && n > 1 {
		return append([]int{shape[n-1]}, shape[:n-1]...)
	}
	return slices.Clone(shape)
}

func (im *importer) toLast(sample []int) []int {
	if im.last && len(sample) > 1 {
		return append(slices.Clone(sample[1:]), sample[0])
	}
	return slices.Clone(sample)
}

// shape is that of a sample as Keras has it.
func (im *importer) shape(v *value) []int {
	if v.flat {
		return []int{device.Elements(v.sample)}
	}
	return im.toLast(v.sample)
}

// axis is the axis of a sample that axis a of Keras is, which counts the batch.
func (im *importer) axis(v *value, a int) (int, error) {
	rank := len(v.sample)
	if v.flat {
		rank = 1
	}
	at := a
	if a < 0 {
		at += rank + 1
	}
	if at < 1 || at > rank {
		return 0, fmt.Errorf("axis %d is none of the samples, which have %d", a, rank)
	}
	if im.last && rank > 1 {
		return at % rank, nil
	}
	return at - 1, nil
}

// emit adds a layer. Its name is base, with a suffix unless it is the layer that base is about.
func (im *importer) emit(base, suffix string, l layers.Layer, in ...*value) (*value, error) {
	if len(im.net.Nodes) >= mostLayers {
		return nil, fmt.Errorf("the network has more than %d layers", mostLayers)
	}
	names, samples := make([]string, len(in)), make([][]int, len(in))
	for i, v := range in {
		names[i], samples[i] = v.name, v.sample
	}
	shape, err := formats.Shape(l, samples...)
	if err != nil {
		return nil, err
	}
	if suffix != "" {
		base += "_" + suffix
	}
	return &value{name: im.net.Add(im.names.Make(base), l, names...), sample: shape}, nil
}

// solid is a value whose elements lie as in Keras' flat one, if it is flat.
func (im *importer) solid(v *value) (*value, error) {
	if !v.flat {
		return v, nil
	}
	if y := im.solids[v.name]; y != nil {
		return y, nil
	}
	y, err := im.inOrder(v, v.name)
	if err == nil {
		y, err = im.emit(v.name, "flat", &layers.Flatten{}, y)
	}
	im.solids[v.name] = y
	return y, err
}

// inOrder moves the channels of a value behind its pixels, if that moves anything.
func (im *importer) inOrder(v *value, base string) (*value, error) {
	rank := len(v.sample)
	if rank < 2 || v.sample[0] == 1 || device.Elements(v.sample[1:]) == 1 {
		return v, nil
	}
	order := []int{0}
	for i := 2; i <= rank; i++ {
		order = append(order, i)
	}
	return im.emit(base, "channels_last", &layers.Permute{Order: append(order, 1)}, v)
}

// set keeps a parameter of a layer.
func (im *importer) set(of *value, name string, values []float32, shape ...int) {
	im.out.Weights[of.name+"."+name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

// take reads the arrays of a layer, or none if there are no weights.
func (im *importer) take(c *call, wants ...want) ([][]float32, error) {
	if len(wants) == 0 {
		return nil, nil
	}
	im.readers[c.place.String()]++
	if im.weights == nil {
		return nil, nil
	}
	return im.weights.take(c.place, wants)
}
