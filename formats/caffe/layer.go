package caffe

import (
	"fmt"
	"strings"

	"github.com/hubel-go/hubel/internal/printable"
)

// network is what a file of any of Caffe's versions says of a network, as the newest has it.
type network struct {
	name    string
	version int // of the layers: 0, 1 or 2
	inputs  []blobShape
	layers  []*layer
	state   *message // of the network: phase, level and stages
	binary  bool     // as Caffe saved it: what does not belong to its phase is left out already
	ignored []string // a line for each field of version 0 that its layer's type does not have
	strange error    // that a binary file of a fork has, if the network is to be that of the weights
}

// blobShape is an input with its shape, batch first; nil if the file does not say.
type blobShape struct {
	name string
	dims []int64
	at   place
}

// layer is a layer of the newest version.
type layer struct {
	name, typ        string
	at               place
	bottom, top      []string
	params           map[string]*message // such as "convolution_param"
	specs            []spec
	blobs            []*message
	include, exclude []*message
	lossWeight       []float32
	down             []bool // whether gradients go on to each bottom, of those that it says
}

// spec is what a layer says of one of its parameters. Numbers that it does not give are nil.
type spec struct {
	name        string // of parameters that are shared
	rate, decay *float32
}

// param is a message of options; all accessors of one that is not there return defaults.
func (l *layer) param(name string) *message { return l.params[name] }

// spec is that of parameter i; of ones it says nothing.
func (l *layer) spec(i int) spec {
	if i >= 0 && i < len(l.specs) {
		return l.specs[i]
	}
	return spec{}
}

// String is the layer as errors have it.
func (l *layer) String() string {
	return fmt.Sprintf("layer %q (%s, %v)", l.name, printable.Name(l.typ), l.at)
}

// fail is an error of the layer.
func (l *layer) fail(format string, args ...any) error {
	return fmt.Errorf("%v: %s", l, fmt.Sprintf(format, args...))
}

// newNetwork upgrades a NetParameter, as Caffe's upgrade_proto.cpp does.
func newNetwork(m *message, binary bool) (*network, error) {
	n := &network{name: m.text("name", ""), version: 2, state: m.sub("state"), binary: binary}
	if err := n.readInputs(m); err != nil {
		return nil, err
	}
	old, layers := m.subs("layers"), m.subs("layer")
	switch {
	case len(old) > 0 && len(layers) > 0:
		return nil, fmt.Errorf("%v: there are layers {} of Caffe's old form beside layer {} of the new one: a network has one form", old[0].at)
	case len(old) == 0 && len(layers) == 0:
		return nil, fmt.Errorf("the network has no layers")
	case len(old) > 0:
		n.version = 1
		for _, l := range old {
			if l.has("layer") {
				n.version = 0
			}
		}
	}
	pads := map[string]*layer{} // by what they make
	for _, m := range old {
		if n.version == 1 {
			n.layers = append(n.layers, upgradeV1(m))
			continue
		}
		l, ignored, err := upgradeV0(m)
		if err != nil {
			return nil, err
		}
		n.ignored = append(n.ignored, ignored...)
		if err := l.takePadding(pads); err != nil {
			return nil, err
		}
		for _, top := range l.top {
			delete(pads, top)
		}
		if l.typ == "padding" {
			if len(l.bottom) != 1 || len(l.top) != 1 {
				return nil, l.fail("padding has one bottom and one top")
			}
			pads[l.top[0]] = l
			continue
		}
		n.layers = append(n.layers, l)
	}
	for _, m := range layers {
		l := connected(m)
		l.name, l.typ = m.text("name", ""), m.text("type", "")
		for _, p := range m.subs("param") {
			l.specs = append(l.specs, spec{p.text("name", ""), p.optional("lr_mult"), p.optional("decay_mult")})
		}
		for _, f := range m.all("propagate_down") {
			l.down = append(l.down, f.integer != 0)
		}
		n.layers = append(n.layers, l)
	}
	return n, nil
}

// optional is a number, nil if it is not given.
func (m *message) optional(name string) *float32 {
	if f := m.get(name); f != nil {
		return new(float32(f.real))
	}
	return nil
}

// readInputs reads the fields of inputs that came before the layer Input.
func (n *network) readInputs(m *message) error {
	names, shapes, dims := m.all("input"), m.subs("input_shape"), m.ints("input_dim")
	if len(shapes) > 0 && len(shapes) != len(names) || len(dims) > 0 && len(dims) != 4*len(names) || len(shapes) > 0 && len(dims) > 0 {
		at := m.at
		if len(names) > 0 {
			at = names[0].at
		}
		return fmt.Errorf("%v: there are %d inputs, %d input_shape and %d input_dim: an input has one input_shape, or four input_dim", at, len(names), len(shapes), len(dims))
	}
	for i, f := range names {
		in := blobShape{name: f.text, at: f.at}
		if len(shapes) > 0 {
			in.dims = shapes[i].ints("dim")
		} else if len(dims) > 0 {
			in.dims = dims[4*i : 4*i+4]
		}
		n.inputs = append(n.inputs, in)
	}
	return nil
}

// connected is what layers of version 1 and 2 have under the same names.
func connected(m *message) *layer {
	l := &layer{
		at: m.at, bottom: m.texts("bottom"), top: m.texts("top"), params: map[string]*message{}, blobs: m.subs("blobs"),
		include: m.subs("include"), exclude: m.subs("exclude"),
	}
	for _, f := range m.all("loss_weight") {
		l.lossWeight = append(l.lossWeight, float32(f.real))
	}
	for _, f := range m.fields {
		if f.message != nil && strings.HasSuffix(f.name, "_param") {
			l.params[f.name] = f.message
		}
	}
	return l
}

// typesV1 are the types of version 1 whose names are not those of version 2 in capitals.
var typesV1 = map[string]string{
	"ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output", "IM2COL": "Im2col",
	"LRN": "LRN", "MVN": "MVN", "RELU": "ReLU", "SOFTMAX_LOSS": "SoftmaxWithLoss", "TANH": "TanH", "NONE": "",
}

// typeV2 is the name of a type of version 1 in version 2.
func typeV2(name string) string {
	if v2, ok := typesV1[name]; ok {
		return v2
	}
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return b.String()
}

// upgradeV1 makes a layer of a V1LayerParameter.
func upgradeV1(m *message) *layer {
	l := connected(m)
	l.name, l.typ = m.text("name", ""), typeV2(m.enum("type", "NONE"))
	at := func(i int) *spec {
		for len(l.specs) <= i {
			l.specs = append(l.specs, spec{})
		}
		return &l.specs[i]
	}
	for i, name := range m.texts("param") {
		at(i).name = name
	}
	for i, f := range m.all("blobs_lr") {
		at(i).rate = new(float32(f.real))
	}
	for i, f := range m.all("weight_decay") {
		at(i).decay = new(float32(f.real))
	}
	l.upgradeData()
	return l
}

// upgradeData moves what data layers once said of pictures to the transformation.
func (l *layer) upgradeData() {
	for _, name := range []string{"data_param", "image_data_param", "window_data_param"} {
		old := l.params[name]
		for _, field := range []string{"scale", "mean_file", "crop_size", "mirror"} {
			if old.has(field) {
				l.setParam("transform_param", field, *old.get(field))
			}
		}
	}
}

// setParam gives the layer an option more.
func (l *layer) setParam(param, name string, value field) {
	if l.params[param] == nil {
		l.params[param] = &message{of: schema()["LayerParameter"].byName[param].of, at: value.at}
	}
	value.fieldDefinition = l.params[param].of.byName[name]
	l.params[param] = l.params[param].with(value)
}

// typesV0 are the types of version 0, in version 2. The table of their options is fieldsV0.
var typesV0 = map[string]string{
	"accuracy": "Accuracy", "bnll": "BNLL", "concat": "Concat", "conv": "Convolution", "data": "Data", "dropout": "Dropout",
	"euclidean_loss": "EuclideanLoss", "flatten": "Flatten", "hdf5_data": "HDF5Data", "hdf5_output": "HDF5Output",
	"im2col": "Im2col", "images": "ImageData", "infogain_loss": "InfogainLoss", "innerproduct": "InnerProduct", "lrn": "LRN",
	"multinomial_logistic_loss": "MultinomialLogisticLoss", "pool": "Pooling", "relu": "ReLU", "sigmoid": "Sigmoid",
	"softmax": "Softmax", "softmax_loss": "SoftmaxWithLoss", "split": "Split", "tanh": "TanH", "window_data": "WindowData",
	"padding": "padding",
}

// paramsV0 are the options that layers of version 0 have, by type.
var paramsV0 = map[string]string{
	"conv": "convolution_param", "innerproduct": "inner_product_param", "pool": "pooling_param", "dropout": "dropout_param",
	"lrn": "lrn_param", "data": "data_param", "hdf5_data": "hdf5_data_param", "images": "image_data_param",
	"window_data": "window_data_param", "infogain_loss": "infogain_loss_param", "concat": "concat_param",
}

// fieldsV0 are the options of version 0 whose names changed. Those of pictures went to the
// transformation.
var fieldsV0 = map[string]string{
	"biasterm": "bias_term", "kernelsize": "kernel_size", "batchsize": "batch_size", "shuffle_images": "shuffle",
	"det_fg_threshold": "fg_threshold", "det_bg_threshold": "bg_threshold", "det_fg_fraction": "fg_fraction",
	"det_context_pad": "context_pad", "det_crop_mode": "crop_mode",
	"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror",
}

// upgradeV0 makes a layer of a V1LayerParameter with a V0LayerParameter in it. Caffe ignores
// options that do not belong to the type; they are returned, a line each.
func upgradeV0(m *message) (l *layer, ignored []string, err error) {
	old := m.sub("layer")
	l = connected(m)
	l.name = old.text("name", "")
	typ := old.text("type", "")
	var ok bool
	if l.typ, ok = typesV0[typ]; !ok {
		l.typ = typ
		return nil, nil, l.fail("the type is none of the first version of Caffe's%s", hint(typ))
	}
	l.blobs = old.subs("blobs")
	rates, decays := old.all("blobs_lr"), old.all("weight_decay")
	for i := range max(len(rates), len(decays)) {
		var s spec
		if i < len(rates) {
			s.rate = new(float32(rates[i].real))
		}
		if i < len(decays) {
			s.decay = new(float32(decays[i].real))
		}
		l.specs = append(l.specs, s)
	}
	l.params = map[string]*message{}
	param := paramsV0[typ]
	for _, f := range old.fields {
		name := f.name
		switch name {
		case "name", "type", "blobs", "blobs_lr", "weight_decay":
			continue
		}
		if renamed, ok := fieldsV0[name]; ok {
			name = renamed
		}
		to := param
		switch name {
		case "scale", "mean_file", "crop_size", "mirror":
			to = "transform_param"
		}
		if typ == "padding" && name == "pad" {
			to = "pooling_param"
		}
		if to == "" || schema()["LayerParameter"].byName[to].of.byName[name] == nil {
			ignored = append(ignored, fmt.Sprintf("%v: %s is no option of its type, and ignored, as in Caffe", l, f.name))
			continue
		}
		l.setParam(to, name, f)
	}
	return l, ignored, nil
}

// takePadding joins a layer of version 0 with the padding before it.
func (l *layer) takePadding(pads map[string]*layer) error {
	for i, bottom := range l.bottom {
		pad := pads[bottom]
		if pad == nil {
			continue
		}
		param := map[string]string{"Convolution": "convolution_param", "Pooling": "pooling_param"}[l.typ]
		if param == "" || len(l.bottom) != 1 {
			return l.fail("it reads the padding %q, which only a convolution or pooling can", pad.name)
		}
		if f := pad.param("pooling_param").get("pad"); f != nil {
			l.setParam(param, "pad", *f)
		}
		l.bottom[i] = pad.bottom[0]
	}
	return nil
}
