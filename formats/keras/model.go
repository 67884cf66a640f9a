package keras

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/printable"
)

// inputs adds the inputs of the outermost model, in their order.
func (im *importer) inputs(m *model) ([]*value, error) {
	var list []*layer
	if m.sequential {
		if len(m.layers) == 0 {
			return nil, errors.New("the model has no layers")
		}
		list = m.layers[:1]
	}
	for _, r := range m.inputs {
		l := m.layer(r.layer)
		if l == nil || l.class != "InputLayer" {
			return nil, fmt.Errorf("input_layers names %.60q, which is no InputLayer", r.layer)
		}
		list = append(list, l)
	}
	var values []*value
	for _, l := range list {
		shape, err := m.inputShape(l)
		if err == nil {
			shape, err = im.openShape(shape, len(list))
		}
		if err != nil {
			return nil, l.error(err)
		}
		name := l.name
		if l.class != "InputLayer" {
			name = "input"
		}
		v := &value{Name: im.Names.Make(name), Sample: im.ToFirst(shape)}
		if len(v.Sample) == 3 && len(list) == 1 {
			im.Net.Image(v.Name, v.Sample...)
		} else {
			im.Net.Input(v.Name, device.Float32, v.Sample...)
		}
		if im.out.Values[name] == "" {
			im.out.Values[name] = v.Name
		}
		im.inModel[v.Name] = true
		values = append(values, v)
	}
	return values, nil
}

// layer finds a layer by its name.
func (m *model) layer(name string) *layer {
	if i := slices.IndexFunc(m.layers, func(l *layer) bool { return l.name == name }); i >= 0 {
		return m.layers[i]
	}
	return nil
}

// inputShape is the shape of what a layer reads first in the model, with the batch: what the
// layer says, or else the model. It is nil if neither does.
func (m *model) inputShape(l *layer) ([]int, error) {
	for _, key := range []string{"batch_shape", "batch_input_shape"} {
		if shape, err := shapeOf(l.given[key]); shape != nil || err != nil {
			return shape, err
		}
	}
	if l.model != nil && l.model.sequential && len(l.model.layers) > 0 {
		if shape, err := l.model.inputShape(l.model.layers[0]); shape != nil || err != nil {
			return shape, err
		}
	}
	if l.model != nil && len(l.model.inputs) == 1 {
		if first := l.model.layer(l.model.inputs[0].layer); first != nil && first.class == "InputLayer" {
			if shape, err := l.model.inputShape(first); shape != nil || err != nil {
				return shape, err
			}
		}
	}
	if l.build != nil {
		return l.build, nil
	}
	return m.build, nil
}

// openShape is the shape of a sample of an input, of which what is open is that of the user.
func (im *importer) openShape(shape []int, inputs int) ([]int, error) {
	given := im.ToLast(im.input)
	if shape == nil {
		if given == nil {
			return nil, errors.New("the model does not say what it takes: -input CxHxW says it")
		}
		return given, nil
	}
	shape = slices.Clone(shape[1:])
	if len(shape) == 0 {
		return nil, errors.New("its input has no shape but the batch")
	}
	if len(shape) > 3 {
		return nil, fmt.Errorf("its input has %d dimensions besides the batch; images, which have three, are read, and sequences of pixels or features", len(shape))
	}
	for i, d := range shape {
		switch {
		case len(given) == len(shape) && inputs == 1 && d < 0:
			shape[i] = given[i]
		case len(given) == len(shape) && inputs == 1 && d != given[i]:
			return nil, fmt.Errorf("its input is %s, and -input has the shape %v", dimensions(im.ToFirst(shape)), im.input)
		case d < 0:
			return nil, fmt.Errorf("its input is %s, which leaves sizes open: -input CxHxW says what they are", dimensions(im.ToFirst(shape)))
		}
	}
	if n := device.CheckShape(append([]int{1}, shape...)); n != nil {
		return nil, n
	}
	return shape, nil
}

// dimensions is a shape for messages, in which sizes may be open.
func dimensions(shape []int) string {
	return "[" + strings.ReplaceAll(strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), "-1", "?"), " ", ",") + "]"
}

// scope is a call of a model.
type scope struct {
	im     *importer
	m      *model
	place  place
	groups map[string]string
	layers map[string]*layer
	values map[reference]*value
	busy   map[reference]bool
}

// model adds the layers of a call of a model.
func (im *importer) model(m *model, at place, inputs []*value) ([]*value, error) {
	s := &scope{im: im, m: m, place: at, groups: im.weights.groupsOf(m, at), values: map[reference]*value{}, busy: map[reference]bool{}, layers: map[string]*layer{}}
	for _, l := range m.layers {
		s.layers[l.name] = l
	}
	if m.sequential {
		return s.chain(inputs)
	}
	if len(inputs) != len(m.inputs) {
		return nil, fmt.Errorf("it is called with %d inputs, and takes %d", len(inputs), len(m.inputs))
	}
	for i, r := range m.inputs {
		s.values[r] = inputs[i]
		if l := s.layers[r.layer]; l == nil || l.class != "InputLayer" {
			return nil, fmt.Errorf("input_layers names %.60q, which is no InputLayer", r.layer)
		}
	}
	var outputs []*value
	for _, l := range m.layers { // in the order of the file, as far as that can be
		for i := range l.calls {
			if _, err := s.value(reference{l.name, i + l.offset, 0}); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range m.outputs {
		v, err := s.value(r)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, v)
	}
	return outputs, nil
}

// chain adds the layers of a sequential model.
func (s *scope) chain(inputs []*value) ([]*value, error) {
	if len(inputs) != 1 {
		return nil, fmt.Errorf("it is called with %d inputs, and takes one", len(inputs))
	}
	v := inputs[0]
	for i, l := range s.m.layers {
		if l.class == "InputLayer" && i == 0 {
			continue
		}
		var err error
		if v, err = s.call(l, false, []*value{v}); err != nil {
			return nil, err
		}
	}
	return []*value{v}, nil
}

// value is what a call makes, after all that it reads.
func (s *scope) value(r reference) (*value, error) {
	if v := s.values[r]; v != nil {
		return v, nil
	}
	l := s.layers[r.layer]
	if l == nil {
		return nil, fmt.Errorf("there is no layer %.60q, which others read", r.layer)
	}
	i := r.call - l.offset
	if i < 0 || i >= len(l.calls) {
		return nil, l.error(fmt.Errorf("call %d of it is read, and it has %d", r.call, len(l.calls)))
	}
	if s.busy[r] {
		return nil, l.error(errors.New("it waits for itself: the layers run in circles"))
	}
	s.busy[r] = true
	in := make([]*value, len(l.calls[i]))
	for k, from := range l.calls[i] {
		var err error
		if in[k], err = s.value(from); err != nil {
			return nil, err
		}
	}
	v, err := s.call(l, l.training[i], in)
	s.values[r] = v
	return v, err
}

// call adds a call of a layer.
func (s *scope) call(l *layer, training bool, in []*value) (*value, error) {
	im := s.im
	if err := im.ctx.Err(); err != nil {
		return nil, err
	}
	if im.made++; im.made > mostLayers {
		return nil, fmt.Errorf("the network has more than %d layers", mostLayers)
	}
	c := &call{layer: l, options: &options{config: l.given, used: map[string]bool{}}, place: s.place.in(l.name, s.groups[l.name])}
	c.base = c.place.String()
	v, err := im.make(c, training, in)
	if err != nil {
		return nil, l.error(err)
	}
	if im.Last || !v.Flat {
		im.out.Values[c.base] = v.Name
		if _, ok := im.out.Values[l.name]; !ok {
			im.out.Values[l.name] = v.Name
		}
	}
	return v, nil
}

// make makes what a layer makes.
func (im *importer) make(c *call, training bool, in []*value) (*value, error) {
	if len(in) == 0 {
		return nil, errors.New("it is called with nothing")
	}
	if c.model != nil {
		if training {
			return nil, errors.New("it is a model that is called with training=True, so that its layers always behave as in training: hubel's do that in training alone")
		}
		out, err := im.model(c.model, c.place, in)
		if err == nil && len(out) != 1 {
			err = fmt.Errorf("it has %d outputs; in another model, a model with one is read", len(out))
		}
		if err != nil {
			return nil, err
		}
		return out[0], nil
	}
	op, ok := operators[c.class]
	if !ok {
		return nil, unsupported(c.class)
	}
	switch {
	case !training:
	case strings.Contains(c.class, "Normalization"):
		return nil, errors.New("it is called with training=True, so that it always takes the mean and variance of the batch: hubel's layers do that in training alone")
	case strings.Contains(c.class, "Dropout"), strings.Contains(c.class, "Noise"), strings.HasPrefix(c.class, "Random"):
		im.lose(c, "it is called with training=True, so that it always draws random numbers: here it does so in training alone")
	}
	if err := im.precision(c); err != nil {
		return nil, err
	}
	if !several[c.class] && len(in) != 1 {
		return nil, fmt.Errorf("it is called with %d inputs, and takes one", len(in))
	}
	before, reads := len(im.Net.Nodes), im.readers[c.base]
	v, err := op(im, c, in)
	if im.readers[c.base] > reads {
		im.called(c.base, span{before, len(im.Net.Nodes), in[0].Sample})
	}
	if c.err != nil { // which the other may follow from
		err = c.err
	}
	if err != nil {
		return nil, err
	}
	ofTraining, unknown := c.lost()
	for _, what := range unknown {
		im.lose(c, what+" is not known")
	}
	for _, what := range ofTraining {
		im.training = append(im.training, printable.Name(c.base)+" "+what)
	}
	if !c.yes("trainable", true) && im.readers[c.base] == 1 {
		im.frozen = append(im.frozen, printable.Name(c.base))
	}
	return v, nil
}

// lose notes what is not carried over of a layer.
func (im *importer) lose(c *call, what string) {
	line := fmt.Sprintf("layer %s (%s): %s", printable.Name(c.base), c.class, what)
	if !slices.Contains(im.out.Lost, line) {
		im.out.Lost = append(im.out.Lost, line)
	}
}

// precision looks at the type that a layer computes in.
func (im *importer) precision(c *call) error {
	raw := c.raw("dtype")
	name := ""
	if json.Unmarshal(raw, &name) != nil {
		var policy struct {
			Class  string `json:"class_name"`
			Config struct {
				Name string `json:"name"`
			} `json:"config"`
		}
		if len(raw) > 0 && json.Unmarshal(raw, &policy) != nil {
			return fmt.Errorf("dtype is %.60s, which is no type", raw)
		}
		name = policy.Config.Name
		if strings.Contains(policy.Class, "Quantized") {
			return fmt.Errorf("it is quantised (%.60s): its weights are no floating-point numbers; save the model as it was before quantize()", name)
		}
	}
	if strings.Contains(name, "int8") || strings.Contains(name, "float8") {
		return fmt.Errorf("it is quantised (%.60s): its weights are no floating-point numbers; save the model as it was before quantize()", name)
	}
	if name != "" && name != "float32" {
		fact := "the network computed in " + printable.Name(fmt.Sprintf("%.60s", name)) + "; here it is float32"
		if !slices.Contains(im.out.Facts, fact) {
			im.out.Facts = append(im.out.Facts, fact)
		}
	}
	return nil
}

// tell says what the network does not.
func (im *importer) tell(s *source, compile json.RawMessage) {
	facts := []string{}
	if s.version != "" {
		facts = append(facts, "Keras "+printable.Name(fmt.Sprintf("%.60s", s.version)))
	}
	if s.backend != "" {
		facts = append(facts, "backend: "+printable.Name(fmt.Sprintf("%.60s", s.backend)))
	}
	if im.Last {
		facts = append(facts, "images: channels last in the file, first here")
	} else {
		facts = append(facts, "images: channels first")
	}
	if line := trainedWith(s.training); line != "" {
		facts = append(facts, line)
	} else if line := trainedWith(compile); line != "" {
		facts = append(facts, line)
	}
	if len(im.frozen) > 0 {
		facts = append(facts, "not trained further in Keras (trainable=False): "+strings.Join(im.frozen, ", "))
	}
	im.out.Facts = append(facts, im.out.Facts...)
	if len(im.training) > 0 {
		im.out.Lost = append(im.out.Lost, "for training alone: "+strings.Join(im.training, ", "))
	}
	if im.weights != nil {
		im.out.Lost = append(im.out.Lost, im.weights.unread()...)
		if len(im.weights.training) > 0 {
			im.out.Facts = append(im.out.Facts, "left out, for training alone: "+strings.Join(im.weights.training, ", "))
		}
	}
}

// trainedWith says what a model was compiled with.
func trainedWith(raw json.RawMessage) string {
	var c struct {
		Optimizer json.RawMessage `json:"optimizer"`
		Old       json.RawMessage `json:"optimizer_config"`
		Loss      json.RawMessage `json:"loss"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &c) != nil {
		return ""
	}
	var parts []string
	for _, p := range []struct {
		what string
		raw  json.RawMessage
	}{{"optimizer", c.Optimizer}, {"optimizer", c.Old}, {"loss", c.Loss}} {
		if len(p.raw) > 0 && string(p.raw) != "null" {
			parts = append(parts, p.what+" "+className(p.raw))
		}
	}
	if parts == nil {
		return ""
	}
	return "trained with: " + strings.Join(parts, ", ") + "; neither is carried over"
}
