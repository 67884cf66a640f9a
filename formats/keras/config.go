package keras

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats/nhwc"
)

// modelClasses are the classes of models, whose layers are in the file.
var modelClasses = []string{"Functional", "Sequential", "Model"}

// object is a layer or a model as JSON has it.
type object struct {
	Class      string          `json:"class_name"`
	Module     string          `json:"module"`
	Registered string          `json:"registered_name"`
	Name       string          `json:"name"`
	Config     json.RawMessage `json:"config"`
	Inbound    json.RawMessage `json:"inbound_nodes"`
	Build      json.RawMessage `json:"build_config"`
	Compile    json.RawMessage `json:"compile_config"`
	Version    string          `json:"keras_version"`
	Backend    string          `json:"backend"`
}

// layer is a layer of a model, which may be a model too.
type layer struct {
	class, name string
	at          int // among the layers of its model
	given       map[string]json.RawMessage
	calls       [][]reference // of each call, what it reads
	offset      int           // number of the first call in references
	training    []bool        // of each call, whether it always behaves as in training
	model       *model        // nil if it is none
	build       []int         // shape of what it reads, with the batch, as far as it is known
}

// reference is an output of a call of a layer.
type reference struct {
	layer        string
	call, output int
}

// model is layers and how they are connected.
type model struct {
	name       string
	layers     []*layer
	sequential bool
	inputs     []reference // of a model that is not sequential
	outputs    []reference
	build      []int // shape of the input, with the batch, of a sequential model without one
}

// The bounds of descriptions, which may come from anywhere.
const (
	deepestModel = 20
	mostLayers   = nhwc.MostLayers // that are made, those of a model once for each call
	mostDims     = 6
	largestSize  = 1 << 20 // of a dimension, a stride or the like
)

// errShape is that of numbers that are no shape.
var errShape = errors.New("is no shape")

// parseModel reads a model.
func parseModel(o *object, depth int) (*model, error) {
	if depth > deepestModel {
		return nil, fmt.Errorf("models lie in one another more than %d deep", deepestModel)
	}
	m := &model{sequential: o.Class == "Sequential"}
	var c struct {
		Name    string          `json:"name"`
		Layers  []object        `json:"layers"`
		Inputs  json.RawMessage `json:"input_layers"`
		Outputs json.RawMessage `json:"output_layers"`
		Build   json.RawMessage `json:"build_input_shape"`
	}
	var err error
	if m.sequential && bytes.HasPrefix(bytes.TrimSpace(o.Config), []byte("[")) { // before Keras 2.2.3
		err = json.Unmarshal(o.Config, &c.Layers)
	} else {
		err = json.Unmarshal(o.Config, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("the model's layers: %w", err)
	}
	m.name = c.Name
	if m.build, err = shapeOf(c.Build); err != nil {
		return nil, fmt.Errorf("build_input_shape: %w", err)
	}
	names := map[string]bool{}
	for i := range c.Layers {
		l, err := parseLayer(&c.Layers[i], i, m.sequential, depth)
		if err != nil {
			return nil, fmt.Errorf("layer %d, %.60q (%.60s): %w", i, layerName(&c.Layers[i]), c.Layers[i].Class, err)
		}
		if names[l.name] {
			return nil, fmt.Errorf("layer %d, %.60q: there are two layers of this name", i, l.name)
		}
		names[l.name] = true
		m.layers = append(m.layers, l)
	}
	if m.sequential {
		return m, nil
	}
	for key, part := range map[string]struct {
		raw json.RawMessage
		to  *[]reference
	}{"input_layers": {c.Inputs, &m.inputs}, "output_layers": {c.Outputs, &m.outputs}} {
		if *part.to, err = references(part.raw); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if len(*part.to) == 0 {
			return nil, fmt.Errorf("%s: there are none: the model has no layers that are connected", key)
		}
	}
	m.countFromCalls()
	return m, nil
}

// countFromCalls finds from which number on references count the calls of a model within the
// model: its first call may be that which made it.
func (m *model) countFromCalls() {
	most := map[string]int{}
	see := func(list []reference) {
		for _, r := range list {
			most[r.layer] = max(most[r.layer], r.call)
		}
	}
	see(m.outputs)
	for _, l := range m.layers {
		for _, c := range l.calls {
			see(c)
		}
	}
	for _, l := range m.layers {
		if l.model != nil && len(l.calls) > 0 && most[l.name] == len(l.calls) {
			l.offset = 1
		}
	}
}

// layerName is the name of a layer: that of the object or, in Sequential models, of its options.
func layerName(o *object) string {
	if o.Name != "" {
		return o.Name
	}
	var c struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(o.Config, &c) != nil {
		return ""
	}
	return c.Name
}

// parseLayer reads a layer.
func parseLayer(o *object, at int, sequential bool, depth int) (*layer, error) {
	l := &layer{class: o.Class, name: layerName(o), at: at}
	switch {
	case strings.Contains(o.Registered, ">"), strings.Contains(o.Class, ">"):
		return nil, errors.New("it is a layer of somebody's own, whose code is not in the file: take it out of the model, or put layers of Keras in its place")
	case strings.Contains(o.Module, ".ops"):
		return nil, errors.New("it is an operation and no layer: put a layer of Keras in its place, such as Add, Multiply or Rescaling")
	case o.Module != "" && !strings.Contains(o.Module, "keras"):
		return nil, fmt.Errorf("it is of the module %.60q, whose code is not in the file: put layers of Keras in its place", o.Module)
	}
	var err error
	if slices.Contains(modelClasses, o.Class) {
		if l.model, err = parseModel(o, depth+1); err != nil {
			return nil, err
		}
	} else if err := json.Unmarshal(o.Config, &l.given); err != nil {
		return nil, fmt.Errorf("its options: %w", err)
	}
	if len(o.Build) > 0 {
		var b struct {
			Shape json.RawMessage `json:"input_shape"`
		}
		if json.Unmarshal(o.Build, &b) == nil {
			l.build, _ = shapeOf(b.Shape) // of layers with several inputs it is a list of shapes
		}
	}
	if sequential {
		return l, nil
	}
	return l, l.parseCalls(o.Inbound)
}

// parseCalls reads what each call of the layer reads, in the form of either version.
func (l *layer) parseCalls(raw json.RawMessage) error {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	var calls []json.RawMessage
	if err := json.Unmarshal(raw, &calls); err != nil {
		return fmt.Errorf("inbound_nodes: %w", err)
	}
	for i, c := range calls {
		var in []reference
		var err error
		arguments := map[string]json.RawMessage{}
		if bytes.HasPrefix(bytes.TrimSpace(c), []byte("{")) {
			var call struct {
				Args   []json.RawMessage          `json:"args"`
				Kwargs map[string]json.RawMessage `json:"kwargs"`
			}
			if err = json.Unmarshal(c, &call); err == nil {
				arguments = call.Kwargs
				delete(arguments, "training") // which Keras 3 replaces by what the model is called with
				in, err = tensors(call.Args, 0)
			}
		} else {
			in, err = referencesAndArguments(c, arguments)
		}
		training := false
		for _, name := range sortedKeys(arguments) {
			switch value := string(bytes.TrimSpace(arguments[name])); {
			case err != nil:
			case value == "null", value == "false", value == "{}":
			case name == "training" && (value == "true" || value == "1"):
				training = true
			default:
				err = fmt.Errorf("it is called with the argument %.40s=%.60s, which is not read", name, value)
			}
		}
		if err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
		l.calls, l.training = append(l.calls, in), append(l.training, training)
	}
	return nil
}

// tensors reads the arguments of a call as Keras 3 has them: tensors, or lists of tensors.
func tensors(args []json.RawMessage, depth int) (list []reference, err error) {
	for _, a := range args {
		a = bytes.TrimSpace(a)
		if bytes.HasPrefix(a, []byte("[")) && depth < 3 {
			var inner []json.RawMessage
			if err := json.Unmarshal(a, &inner); err != nil {
				return nil, err
			}
			more, err := tensors(inner, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
			continue
		}
		var t struct {
			Class  string `json:"class_name"`
			Config struct {
				History json.RawMessage `json:"keras_history"`
			} `json:"config"`
		}
		if err := json.Unmarshal(a, &t); err != nil || t.Class != "__keras_tensor__" {
			return nil, fmt.Errorf("it is called with %.60s, which is no output of a layer", a)
		}
		r, err := oneReference(t.Config.History, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// references reads a list of references, or one by itself.
func references(raw json.RawMessage) ([]reference, error) {
	return referencesAndArguments(raw, nil)
}

// referencesAndArguments reads references as Keras 2 has them: each may have arguments of the
// call behind it.
func referencesAndArguments(raw json.RawMessage, arguments map[string]json.RawMessage) ([]reference, error) {
	var list []json.RawMessage
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return nil, errors.New("inputs and outputs with names of their own (a dict) are not read: make them a list")
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	if len(list) > 0 && bytes.HasPrefix(bytes.TrimSpace(list[0]), []byte(`"`)) {
		r, err := oneReference(raw, arguments)
		return []reference{r}, err
	}
	var out []reference
	for _, raw := range list {
		r, err := oneReference(raw, arguments)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// oneReference reads [layer, call, output], and arguments that may stand behind.
func oneReference(raw json.RawMessage, arguments map[string]json.RawMessage) (r reference, err error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil || len(parts) < 3 || len(parts) > 4 {
		return r, fmt.Errorf("%.60s is not the name of a layer, a call and an output", raw)
	}
	for i, to := range []any{&r.layer, &r.call, &r.output} {
		if err := json.Unmarshal(parts[i], to); err != nil {
			return r, fmt.Errorf("%.60s is not the name of a layer, a call and an output", raw)
		}
	}
	if r.call < 0 || r.output != 0 {
		return r, fmt.Errorf("%.60s: output %d of call %d: layers that are read have one output", raw, r.output, r.call)
	}
	if len(parts) == 4 {
		var more map[string]json.RawMessage
		if err := json.Unmarshal(parts[3], &more); err != nil {
			return r, fmt.Errorf("%.60s: its arguments: %w", raw, err)
		}
		for key, value := range more {
			if arguments == nil {
				return r, fmt.Errorf("%.60s has arguments", raw)
			}
			arguments[key] = value
		}
	}
	return r, nil
}

// shapeOf reads a shape, in which null is -1. Nothing, or null, is no shape.
func shapeOf(raw json.RawMessage) ([]int, error) {
	if len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil, nil
	}
	var dims []*int
	if err := json.Unmarshal(raw, &dims); err != nil || len(dims) == 0 || len(dims) > mostDims {
		return nil, fmt.Errorf("%.60s %w", raw, errShape)
	}
	shape := make([]int, len(dims))
	for i, d := range dims {
		switch {
		case d == nil:
			shape[i] = -1
		case *d < 1 || *d > largestSize:
			return nil, fmt.Errorf("%.60s %w of 1 to %d", raw, errShape, largestSize)
		default:
			shape[i] = *d
		}
	}
	return shape, nil
}

// sortedKeys are the keys of an object, in order.
func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
