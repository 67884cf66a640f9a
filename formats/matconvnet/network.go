package matconvnet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/matfile"
)

// builder makes a network.
type builder struct {
	formats.Model
	names    formats.Names
	channels map[string]int // of each value, by its name in the network
	trained  bool           // there is a loss
	losses   int            // so far
	moving   int            // arrays of momentum that are not 0
	shared   formats.Shared // parameters of DagNNs
}

// image adds the input.
func (b *builder) image(name string, shape []int) string {
	in := b.Network.Image(b.names.Make(name), shape...)
	b.channels[in] = shape[0]
	b.Values[name] = in
	return in
}

// simple makes a network of a cell of layers, one behind the other.
func (b *builder) simple(list *matfile.Value, input []int) error {
	x := b.image("input", input)
	for i, v := range list.Cells {
		kind, err := text(v.Field("type"))
		if err != nil {
			return fmt.Errorf("layer %d has no type: %w", i+1, err)
		}
		name, err := text(v.Field("name"))
		if err != nil {
			name = fmt.Sprintf("layer%d", i+1)
		}
		l := &block{kind: kind, name: name, options: v, in: []string{x}}
		if w := v.Field("weights"); w != nil {
			l.weights = w.Cells
		} else if f := v.Field("filters"); f != nil {
			l.weights = []*matfile.Value{f, v.Field("biases")}
		}
		b.momenta(v)
		err = l.multipliers()
		y := ""
		if err == nil {
			y, err = b.add(l)
		}
		if err != nil {
			return fmt.Errorf("layer %d, %q: %w", i+1, name, err)
		}
		if y != "" {
			x = y
			b.Values[name] = x
		}
	}
	return nil
}

// mostLayers bounds the layers of a DagNN. The deepest published networks have about ten
// thousand.
const mostLayers = 1 << 14

// dag makes a network of a DagNN: its layers name the variables that they read and write.
func (b *builder) dag(net, list *matfile.Value, input []int) error {
	parameters := map[string]*matfile.Value{}
	factors := map[string][2]float64{} // of the rate and the decay
	if p := net.Field("params"); p != nil {
		for i, v := range p.Fields["name"] {
			name, err := text(v)
			if err != nil || i >= len(p.Fields["value"]) {
				return errors.New("net.params lacks names or values")
			}
			parameters[name] = p.Fields["value"][i]
			pair := [2]float64{1, 1}
			for k, field := range []string{"learningRate", "weightDecay"} {
				if v := at(p, field, i); v != nil && v.Len() > 0 {
					x, err := v.Float64s()
					if err != nil {
						return fmt.Errorf("net.params: %s of %q: %w", field, name, err)
					}
					pair[k] = x[0]
				}
			}
			factors[name] = pair
		}
	}
	count := len(list.Fields["type"])
	if count == 0 || count > mostLayers {
		return fmt.Errorf("net.layers has %d layers with a type; 1 to %d are read", count, mostLayers)
	}
	todo := make([]*block, count)
	written := map[string]bool{}
	for i := range todo {
		l := &block{weights: []*matfile.Value{}}
		var err error
		var parts [3][]string
		for k, field := range []string{"inputs", "outputs", "params"} {
			if parts[k], err = texts(at(list, field, i)); err != nil {
				return fmt.Errorf("layer %d: %s: %w", i+1, field, err)
			}
		}
		if l.kind, err = text(at(list, "type", i)); err != nil {
			return fmt.Errorf("layer %d has no type: %w", i+1, err)
		}
		l.kind = strings.TrimPrefix(l.kind, "dagnn.")
		if l.name, err = text(at(list, "name", i)); err != nil || len(parts[0]) == 0 || len(parts[1]) != 1 {
			return fmt.Errorf("layer %d, of type %q, has no name, no inputs, or not one output", i+1, l.kind)
		}
		l.in, l.out, l.options = parts[0], parts[1][0], at(list, "block", i)
		for _, name := range parts[2] {
			w, ok := parameters[name]
			if !ok {
				return fmt.Errorf("layer %q: there is no parameter %q", l.name, name)
			}
			l.weights = append(l.weights, w)
			l.arrays = append(l.arrays, name)
			l.rates, l.decays = append(l.rates, factors[name][0]), append(l.decays, factors[name][1])
		}
		if written[l.out] {
			return fmt.Errorf("layer %q: two layers write the variable %q", l.name, l.out)
		}
		written[l.out] = true
		todo[i] = l
	}
	for _, l := range todo {
		for _, name := range l.in {
			if !written[name] && l.isLoss() {
				continue // a label
			}
			if _, ok := b.Values[name]; !ok && !written[name] {
				if len(b.Network.Inputs) > 0 {
					return fmt.Errorf("layer %q reads the variable %q, and the network has the input %q: networks of one input are read", l.name, name, b.Network.Inputs[0].Name)
				}
				b.image(name, input)
			}
		}
	}
	return b.inOrder(todo)
}

// inOrder adds each layer once all that it reads is there.
func (b *builder) inOrder(todo []*block) error {
	for len(todo) > 0 {
		var later []*block
		for _, l := range todo {
			in := make([]string, 0, len(l.in))
			for _, name := range l.in {
				if value, ok := b.Values[name]; ok {
					in = append(in, value)
				}
			}
			if len(in) < len(l.in) && !(l.isLoss() && len(in) > 0) {
				later = append(later, l)
				continue
			}
			l.in = in
			y, err := b.add(l)
			if err != nil {
				return fmt.Errorf("layer %q: %w", l.name, err)
			}
			if y != "" {
				b.Values[l.out] = y
			}
		}
		if len(later) == len(todo) {
			return fmt.Errorf("layer %q waits for itself, or for a loss: the layers run in circles", todo[0].name)
		}
		todo = later
	}
	return nil
}

// at is a field of element i of an array of structures, or nil.
func at(list *matfile.Value, field string, i int) *matfile.Value {
	if values := list.Fields[field]; i < len(values) {
		return values[i]
	}
	return nil
}

func text(v *matfile.Value) (string, error) {
	if v == nil {
		return "", errors.New("it is missing")
	}
	return v.Text()
}

// texts are the texts of a cell, or one text.
func texts(v *matfile.Value) ([]string, error) {
	if v == nil || v.Len() == 0 {
		return nil, nil
	}
	if v.Class == "char" {
		s, err := v.Text()
		return []string{s}, err
	}
	var list []string
	for _, c := range v.Cells {
		s, err := text(c)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}
