package keras

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
)

// importer makes a network of a model.
type importer struct {
	nhwc.Builder

	ctx     context.Context
	out     *formats.Model
	weights *weights // nil if there are none
	old     bool     // the file is of Keras 2 or older
	input   []int    // that the user gives, [C,H,W]

	made     int             // layers, of the file
	readers  map[string]int  // how many calls of layers read the arrays of a layer
	shared   []again         // calls of layers that were called before
	firsts   map[string]span // what the first call of a layer made
	training []string        // what layers say of training alone
	frozen   []string        // layers that are not trained
	inModel  map[string]bool // inputs by their names in the network
}

// value is what a call of a layer makes.
type value = nhwc.Value

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
		ctx: ctx, out: &formats.Model{Format: s.kind, Values: map[string]string{}},
		weights: s.weights, input: o.Input, readers: map[string]int{}, inModel: map[string]bool{}, firsts: map[string]span{},
	}
	im.old = strings.HasPrefix(s.version, "1.") || strings.HasPrefix(s.version, "2.")
	im.Net = &graph.Network{}
	im.out.Network = im.Net
	if len(m.name) <= 200 {
		im.Net.Name = strings.ToValidUTF8(m.name, "")
	}
	if im.weights != nil {
		im.Weights = map[string]*tensor.Dense{}
		im.out.Weights = im.Weights
	}
	if err := im.whole(m); err != nil {
		return nil, fmt.Errorf("%s: %w", s.configPath, err)
	}
	if err := im.share(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.configPath, err)
	}
	im.tell(s, top.Compile)
	return im.out, im.Net.Check()
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
	if len(im.Net.Nodes) == 0 {
		return errors.New("there are no layers that compute anything")
	}
	for _, v := range outputs {
		if v, err = im.Solid(v); err != nil {
			return err
		}
		if im.inModel[v.Name] {
			if v, err = im.Emit("output", "", &layers.Reshape{Shape: v.Sample}, v); err != nil {
				return err
			}
		}
		if !slices.Contains(im.Net.Outputs, v.Name) {
			im.Net.Outputs = append(im.Net.Outputs, v.Name)
		}
	}
	im.Classifier(outputs)
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
	im.Last = found != "channels_first"
	im.out.ChannelsLast = im.Last
	return err
}

// error is an error of a layer, with its place in the file.
func (l *layer) error(err error) error {
	return fmt.Errorf("layer %d, %q (%s): %w", l.at, printable.Name(l.name), printable.Name(fmt.Sprintf("%.60s", l.class)), err)
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
