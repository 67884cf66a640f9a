package program

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/internal/printable"
)

// match opens the archive of -verify, and finds what its arrays are of.
func (o *options) match(m *formats.Model, t device.Traits) (*verification, error) {
	a, err := npy.OpenArchive(o.verify)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	v := &verification{model: m, inputs: map[string]npy.Numbers{}, channelsLast: m.ChannelsLast}
	for name := range o.names {
		if !slices.Contains(a.Names, name) {
			return nil, fmt.Errorf("-map %s: %s has no such array; it has %s", printable.Name(name), o.verify, printable.Names(a.Names))
		}
	}
	arrays := map[string]npy.Numbers{}
	for _, name := range a.Names {
		if arrays[name], err = a.Read(name); err != nil {
			return nil, err
		}
	}
	if err := v.findOutputs(a.Names, arrays, o.names); err != nil {
		return nil, err
	}
	if len(v.outputs) == 0 {
		return nil, fmt.Errorf("%s: no array is named as a value of %v; -map ARRAY=VALUE says which is which: there are %s", o.verify, m.Network, printable.Names(a.Names))
	}
	shapes, needed, err := v.plan(t)
	if err != nil {
		return nil, err
	}
	for _, in := range needed {
		if err := v.findInput(in, a.Names, arrays, o.names); err != nil {
			return nil, fmt.Errorf("%s: %w", o.verify, err)
		}
	}
	for _, r := range v.outputs {
		value := append([]int{v.samples}, shapes[r.value][1:]...)
		if err := r.part.check(value); err != nil {
			return nil, fmt.Errorf("-map %s: %w", printable.Name(r.name), err)
		}
		sample := r.part.shape(value)[1:]
		if len(r.Shape) == 0 || r.Shape[0] > v.samples || r.Shape[0] == 0 || !fits(r.Shape[1:], sample, v.channelsLast) {
			return nil, fmt.Errorf("%s: array %s has the shape %s, and the value %s of the network %s for %d samples", o.verify, printable.Name(r.name), dims(r.Shape), printable.Name(r.value), dims(append([]int{v.samples}, sample...)), v.samples)
		}
	}
	return v, nil
}

// findOutputs finds the arrays that are named as values that layers make.
func (v *verification) findOutputs(names []string, arrays map[string]npy.Numbers, given pairs) error {
	for _, name := range names {
		value, rest := given[name], part(nil)
		if value != "" {
			var err error
			if value, rest, err = parsePart(value); err != nil {
				return fmt.Errorf("-map %s: %w", printable.Name(name), err)
			}
			if v.isInput(v.valueOf(value)) {
				continue
			}
			if v.valueOf(value) == "" {
				return fmt.Errorf("-map %s: %v has no value %q", printable.Name(name), v.model.Network, value)
			}
		} else {
			value = name
		}
		value = v.valueOf(value)
		switch {
		case value == "" && v.mayBeInput(name, arrays[name]):
		case value == "":
			v.ignored = append(v.ignored, fmt.Sprintf("%s: the network has no value of this name", printable.Name(name)))
		case v.isInput(value):
		default:
			v.outputs = append(v.outputs, &recorded{name: name, value: value, part: rest, channelsLast: v.model.ChannelsLast, Numbers: arrays[name]})
		}
	}
	return nil
}

// valueOf is the value of the network that an array's name means, or nothing. It is the name
// that the source of the network has for a value, or the network's own; characters other
// than letters and digits may be underscores. "layer0_NAME" is NAME. "output" is the only
// output, and "out0", "output0" and so on are the outputs in their order.
func (v *verification) valueOf(name string) string {
	if short, ok := strings.CutPrefix(name, "layer0_"); ok {
		if value := v.named(short); value != "" {
			return value
		}
	}
	if value := v.named(name); value != "" {
		return value
	}
	outputs := v.model.Network.Outputs
	for _, word := range []string{"output", "out"} {
		rest, ok := strings.CutPrefix(name, word)
		if !ok {
			continue
		}
		if rest == "" && len(outputs) == 1 {
			return outputs[0]
		}
		if i, err := strconv.Atoi(rest); err == nil && i >= 0 && i < len(outputs) {
			return outputs[i]
		}
	}
	return ""
}

// named is the value with a name.
func (v *verification) named(name string) string {
	if value, ok := v.model.Values[name]; ok {
		return value
	}
	found := map[string]bool{}
	loose := looseName(name)
	for value := range v.values() {
		if value == name {
			return value
		}
		if looseName(value) == loose {
			found[value] = true
		}
	}
	for source, value := range v.model.Values {
		if looseName(source) == loose {
			found[value] = true
		}
	}
	if len(found) == 1 {
		for value := range found {
			return value
		}
	}
	layer, output, ok := strings.Cut(name, ":") // another output of a layer
	if _, err := strconv.ParseUint(output, 10, 16); ok && err == nil && v.isLayer(layer) {
		return name
	}
	return ""
}

// looseName is a name whose characters other than letters and digits are underscores.
func looseName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, name)
}

// values goes over the names of inputs and of what layers make first.
func (v *verification) values() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, in := range v.model.Network.Inputs {
			if !yield(in.Name) {
				return
			}
		}
		for _, node := range v.model.Network.Nodes {
			if !yield(node.Name) {
				return
			}
		}
	}
}

func (v *verification) isLayer(name string) bool {
	return slices.ContainsFunc(v.model.Network.Nodes, func(n graph.Node) bool { return n.Name == name })
}

func (v *verification) isInput(name string) bool {
	return slices.ContainsFunc(v.model.Network.Inputs, func(in graph.Input) bool { return in.Name == name })
}

// plan finds the shapes of the values that are compared, and the inputs that they need.
func (v *verification) plan(t device.Traits) (shapes map[string][]int, needed []graph.Input, err error) {
	var keep []string
	for _, r := range v.outputs {
		keep = append(keep, r.value)
	}
	plan, err := v.model.Network.Plan(t, graph.PlanOptions{Mode: graph.Infer, Batch: 1, Keep: keep})
	if err != nil {
		return nil, nil, err
	}
	shapes = map[string][]int{}
	uploaded := map[string]bool{}
	for _, value := range plan.Values {
		shapes[value.Name] = value.Shape
		uploaded[value.Name] = value.Kind == graph.Uploaded
	}
	for _, in := range v.model.Network.Inputs {
		if uploaded[in.Name] {
			needed = append(needed, in)
		}
	}
	return shapes, needed, nil
}

// usualInputs are what arrays of inputs are called.
var usualInputs = []string{"input", "data", "x", "image", "image_uint8", "labels", "label", "target", "y"}

// mayBeInput reports whether an array is one of the inputs, by its name or because it has
// the bytes of pictures.
func (v *verification) mayBeInput(name string, x npy.Numbers) bool {
	for _, in := range v.model.Network.Inputs {
		if v.asInput(in, x) && (x.Bytes || slices.Contains(usualInputs, name)) {
			return true
		}
	}
	return false
}

// asInput reports whether an array has the shape of an input.
func (v *verification) asInput(in graph.Input, x npy.Numbers) bool {
	return len(x.Shape) > 0 && x.Shape[0] > 0 && device.Elements(x.Shape[1:]) == device.Elements(in.Shape) &&
		fits(x.Shape[1:], in.Shape, v.model.ChannelsLast)
}

// findInput finds the array of an input: the one with its name, or else one with a usual
// name or with the bytes of pictures, and the right shape. Bytes are pixels before
// preprocessing, and other numbers are what the network sees.
func (v *verification) findInput(in graph.Input, names []string, arrays map[string]npy.Numbers, given pairs) error {
	array := ""
	for _, name := range names {
		if value := given[name]; value != "" && v.valueOf(value) == in.Name {
			array = name
		}
	}
	for _, name := range names {
		if array == "" && given[name] == "" && v.valueOf(name) == in.Name {
			array = name
		}
	}
	var candidates []string
	for _, usual := range usualInputs {
		if slices.Contains(names, usual) && given[usual] == "" && v.asInput(in, arrays[usual]) {
			candidates = append(candidates, usual)
		}
	}
	for _, name := range names {
		if in.Role == graph.RoleImage && arrays[name].Bytes && !slices.Contains(candidates, name) && v.asInput(in, arrays[name]) {
			candidates = append(candidates, name)
		}
	}
	if array == "" && len(candidates) > 0 {
		array = candidates[0]
	}
	if array == "" {
		return fmt.Errorf("no array is the input %s, of the shape Nx%s; -map ARRAY=%s names one", in.Name, dims(in.Shape), in.Name)
	}
	x := arrays[array]
	if !v.asInput(in, x) {
		return fmt.Errorf("array %s has the shape %s, and the input %s takes Nx%s: -input changes that for files that leave it open", printable.Name(array), dims(x.Shape), in.Name, dims(in.Shape))
	}
	if v.samples != 0 && v.samples != x.Shape[0] {
		return fmt.Errorf("array %s has %d samples, and another input %d", printable.Name(array), x.Shape[0], v.samples)
	}
	v.samples = x.Shape[0]
	if transposed(x.Shape[1:], in.Shape, v.model.ChannelsLast) {
		v.channelsLast = true
		x.Values = channelsFirst(x.Values, v.samples, in.Shape)
	}
	if x.Bytes && in.Role == graph.RoleImage {
		x.Values = slices.Clone(x.Values)
		size := device.Elements(in.Shape)
		for i := range v.samples {
			v.model.Preprocess.Apply(x.Values[i*size : (i+1)*size])
		}
	}
	v.inputs[in.Name] = x
	v.ignored = slices.DeleteFunc(v.ignored, func(line string) bool { return strings.HasPrefix(line, printable.Name(array)+":") })
	return nil
}
