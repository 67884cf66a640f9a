package caffe

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// mostLayers bounds the layers of a network. The deepest that were published have about
// ten thousand.
const mostLayers = 50_000

// value is what a blob of Caffe's holds at some point of the network: a blob that a layer
// works on in place holds another value behind it.
type value struct {
	name  string // of the network's value
	shape tensor.Shape
	dtype device.DType

	readers int  // layers that read it, by this blob
	alias   bool // other blobs hold it too

	// data is the data layer that makes it, if it is not an input of the network yet: what
	// it is used for decides which one it becomes.
	data *dataTop

	node int // that makes it, -1 for an input
}

// builder makes a network of layers.
type builder struct {
	o     formats.Options
	net   *graph.Network
	names formats.Names
	blobs map[string]*value // by the names in the file, as they are at this point

	batch int64 // as in the file; 0 if it does not say
	run   bool  // the network is that of a run to go on with

	sources  []source         // of the weights
	shared   map[string]int   // by the names of shared parameters, the source of the first layer that has it
	readers  map[string][]int // of the values of each blob, in their order
	versions map[string]int   // how many values each blob had so far
	nodes    map[int]*layer   // which layers the nodes come from

	trained struct { // as trainedBefore knows it
		sources, nodes int             // how many it has seen
		own, before    map[string]bool // nodes that have such parameters, and that depend on some
	}

	facts, lost []string
	fixed       []string // batch norms that never use the statistics of a batch
	unfilled    []string // parameters whose initial values hubel does not have
	losses      []lossHead
	flats       map[string]*value // scores [N,C] by the names of those with pixels
	accuracies  []metric
	preprocess  preprocess
}

// source says where a tensor of the network's weights comes from.
type source struct {
	name  string       // of the network's tensor
	shape tensor.Shape // as hubel has it
	layer *layer
	blob  int
	dims  tensor.Shape // as Caffe has it, where that differs from shape
	turn  bool         // the rows of Caffe's are the columns of hubel's

	state bool // it is not trained

	// first is set if it has the name of a parameter of a layer before it, whose source is
	// at firstAt. one says that the network shares it; otherwise it has a copy.
	first, one bool
	firstAt    int
}

// build makes a network. mean is the mean image that was given, nil if there is none. In a run
// the statistics of fixed batch norms are frozen, and nothing else.
func build(n *network, mean *meanImage, o formats.Options, run bool) (*builder, error) {
	list, facts, err := n.merged()
	if err != nil {
		return nil, err
	}
	if len(list) > mostLayers {
		return nil, fmt.Errorf("the network has %d layers; at most %d are read", len(list), mostLayers)
	}
	b := &builder{
		o: o, run: run, net: &graph.Network{Name: networkName(n.name)}, blobs: map[string]*value{}, shared: map[string]int{},
		versions: map[string]int{}, nodes: map[int]*layer{}, flats: map[string]*value{}, facts: append(facts, n.ignored...),
		preprocess: preprocess{mean: mean},
	}
	b.trained.own, b.trained.before = map[string]bool{}, map[string]bool{}
	b.countReaders(n, list)
	if err := b.inputs(n, list); err != nil {
		return nil, err
	}
	for _, l := range list {
		if err := b.layer(l); err != nil {
			return nil, err
		}
	}
	return b, b.finish()
}

// networkName is a name that fits into a network.
func networkName(name string) string {
	if name == "" {
		return ""
	}
	var names formats.Names
	return names.Make(name)
}

// countReaders counts the layers that read each value of each blob.
func (b *builder) countReaders(n *network, list []*layer) {
	b.readers = map[string][]int{}
	for _, in := range n.inputs {
		b.readers[in.name] = append(b.readers[in.name], 0)
	}
	for _, l := range list {
		for _, bottom := range l.bottom {
			if values := b.readers[bottom]; len(values) > 0 && l.typ != "Silence" {
				values[len(values)-1]++
			}
		}
		for _, top := range l.top {
			b.readers[top] = append(b.readers[top], 0)
		}
	}
}

// define makes a blob hold a value from here on.
func (b *builder) define(blob string, v value) {
	if i := b.versions[blob]; i < len(b.readers[blob]) {
		v.readers = b.readers[blob][i]
	}
	b.versions[blob]++
	b.blobs[blob] = &v
}

// layer adds a layer.
func (b *builder) layer(l *layer) error {
	convert, ok := converters[l.typ]
	switch {
	case isInput(l): // made by inputs
		return nil
	case l.typ == "":
		return l.fail("it has no type")
	case !ok:
		return l.fail("hubel does not read layers of this type%s", hint(l.typ))
	case l.name == "":
		return l.fail("it has no name")
	}
	if len(l.lossWeight) > 0 && !convert.loss && slices.ContainsFunc(l.lossWeight, func(w float32) bool { return w != 0 }) {
		return l.fail("loss_weight: hubel trains for losses, and %s is none", l.typ)
	}
	var in []*value
	for i, bottom := range l.bottom {
		v := b.blobs[bottom]
		if v == nil {
			return l.fail("its bottom %q is made by no layer before it", bottom)
		}
		if v.data != nil && !convert.raw {
			var err error
			if v, err = b.image(l, i, v); err != nil {
				return err
			}
		}
		in = append(in, v)
	}
	if err := convert.check(l); err != nil {
		return err
	}
	if !convert.raw {
		for i, v := range in {
			if v.dtype != device.Float32 {
				return l.fail("its bottom %q holds labels or places, not numbers: only losses and accuracies read these", l.bottom[i])
			}
		}
	}
	b.stopped(l, in)
	out, err := convert.make(b, l, in)
	if err != nil {
		return err
	}
	for i, top := range l.top {
		if i < len(out) {
			b.define(top, out[i])
		}
	}
	return nil
}

// stopped says where propagate_down ends gradients that hubel lets through: where something that
// is trained is before a bottom.
func (b *builder) stopped(l *layer, in []*value) {
	for i, v := range in {
		if i < len(l.down) && !l.down[i] && v.node >= 0 && l.typ != "Accuracy" && l.typ != "ArgMax" && l.typ != "Silence" && b.trainedBefore(v.node) {
			b.lost = append(b.lost, fmt.Sprintf("%v: propagate_down: false for its bottom %q: hubel's gradients go on to the layers before it; -frozen, or a rate of 0, keeps these as they are", l, l.bottom[i]))
		}
	}
}

// trainedBefore reports whether a node, or one that it depends on, has parameters that are trained.
// What it finds it keeps, as far as it has come.
func (b *builder) trainedBefore(node int) bool {
	t := &b.trained
	for ; t.sources < len(b.sources); t.sources++ {
		s := b.sources[t.sources]
		if rate := s.layer.spec(s.blob).rate; s.blob != ones && !s.state && (rate == nil || *rate != 0) {
			t.own[graph.LayerOf(s.name)] = true
		}
	}
	for i := t.nodes; i <= node; i++ {
		n := b.net.Nodes[i]
		before := t.own[n.Name]
		for _, in := range n.In {
			name, _, _ := strings.Cut(in, ":") // of an output of several
			before = before || t.before[name]
		}
		t.before[n.Name] = before
	}
	t.nodes = max(t.nodes, node+1)
	return t.before[b.net.Nodes[node].Name]
}

// node adds a layer of the network. suffix tells apart those of one layer in the file; the
// one with the parameters has none.
func (b *builder) node(l *layer, suffix string, what layers.Layer, in ...*value) ([]value, error) {
	inputs := make([]layers.Input, len(in))
	names := make([]string, len(in))
	for i, v := range in {
		inputs[i] = layers.Input{Shape: v.shape, DType: v.dtype}
		names[i] = v.name
	}
	s, err := what.Plan(formats.NoDevice{}, inputs, layers.Options{Train: true})
	if err != nil {
		return nil, l.fail("%v", err)
	}
	name := b.names.Make(l.name + suffix)
	b.nodes[len(b.net.Nodes)] = l
	b.net.Add(name, what, names...)
	var out []value
	for i, o := range s.Out {
		v := value{name: name, shape: o.Shape, dtype: o.DType, node: len(b.net.Nodes) - 1}
		if i > 0 {
			v.name = fmt.Sprintf("%s:%d", name, i)
		}
		out = append(out, v)
	}
	return out, nil
}

// one is node of a layer with one output.
func (b *builder) one(l *layer, suffix string, what layers.Layer, in ...*value) (*value, error) {
	out, err := b.node(l, suffix, what, in...)
	if err != nil {
		return nil, err
	}
	return &out[0], nil
}

// weights says which blobs of a layer the parameters and the state of the node that was added
// last are, in the network's order.
func (b *builder) weights(l *layer, in *value, blobs ...int) error {
	node := b.net.Nodes[len(b.net.Nodes)-1]
	s, err := node.Layer.Plan(formats.NoDevice{}, []layers.Input{{Shape: in.shape, DType: in.dtype}}, layers.Options{})
	if err != nil {
		return l.fail("%v", err)
	}
	var slots []source
	for _, p := range s.Params {
		slots = append(slots, source{name: node.Name + "." + p.Name, shape: p.Shape})
	}
	for _, p := range s.State {
		slots = append(slots, source{name: node.Name + "." + p.Name, shape: p.Shape, state: true})
	}
	for i, blob := range blobs {
		s := slots[i]
		s.layer, s.blob = l, blob
		b.source(s)
	}
	return nil
}

// source adds a source.
func (b *builder) source(s source) {
	if name := s.layer.spec(s.blob).name; s.blob != ones && name != "" {
		s.firstAt, s.first = b.shared[name]
		if !s.first {
			b.shared[name] = len(b.sources)
		}
	}
	b.sources = append(b.sources, s)
}

// share lets layers share what has one name in the file.
func (b *builder) share() {
	nodes := map[string]*graph.Node{}
	for i := range b.net.Nodes {
		nodes[b.net.Nodes[i].Name] = &b.net.Nodes[i]
	}
	differ := func(mine, first *float32) bool {
		return mine != nil && (first == nil && *mine != 1 || first != nil && *mine != *first)
	}
	for i := range b.sources {
		s := &b.sources[i]
		if !s.first {
			continue
		}
		first, spec := &b.sources[s.firstAt], s.layer.spec(s.blob)
		node, own := nodes[graph.LayerOf(s.name)], s.name[len(graph.LayerOf(s.name))+1:]
		s.one = graph.LayerOf(s.name) != graph.LayerOf(first.name) && s.state == first.state && s.turn == first.turn && slices.Equal(s.shape, first.shape) && slices.Equal(s.dims, first.dims)
		if !s.one {
			b.lost = append(b.lost, fmt.Sprintf("%v shares the parameter %q with %v, in another shape or order: hubel keeps two, which are the same until training changes them", s.layer, spec.name, first.layer))
			continue
		}
		if node.Share == nil {
			node.Share = map[string]string{}
		}
		node.Share[own] = first.name
		if has := first.layer.spec(first.blob); differ(spec.rate, has.rate) || differ(spec.decay, has.decay) {
			b.lost = append(b.lost, fmt.Sprintf("%v: lr_mult and decay_mult of the parameter %q: it has those of %v, whose parameter it is", s.layer, spec.name, first.layer))
		}
	}
}

// finish names the outputs and the metrics, and says what remains to be said.
func (b *builder) finish() error {
	b.share()
	b.outputs()
	b.metrics()
	if b.fixed != nil && !b.run {
		b.facts = append(b.facts, "batch norms that use their running statistics in training too: train with -frozen="+strings.Join(b.fixed, ",")+", which keeps their factors and biases too")
	}
	return b.net.Check()
}

// outputs are the values that no layer reads, in the order of the file. Of a network that is
// trained, what its main loss is of comes first, of a classifier the probabilities; what other
// losses are of is there for training alone.
func (b *builder) outputs() {
	read := map[string]bool{}
	softmaxes := map[string]string{} // by their scores
	for _, n := range b.net.Nodes {
		if isEnd(n.Layer) {
			read[n.Name] = true // a loss or accuracy is no output
			continue
		}
		for _, in := range n.In {
			read[in] = true
		}
		if _, ok := n.Layer.(*layers.Softmax); ok {
			softmaxes[n.In[0]] = n.Name
		}
	}
	var first *layer
	heads := slices.Clone(b.losses)
	slices.SortStableFunc(heads, func(x, y lossHead) int { return y.rank() - x.rank() })
	for i, h := range heads {
		if i == 0 {
			first = h.layer
		}
		out := h.scores.name
		if h.softmax {
			out = softmaxes[h.scores.name]
		}
		if h.layer == first && !read[out] && !slices.Contains(b.net.Outputs, out) {
			if out == "" {
				out = b.net.Add(b.names.Make("prob"), &layers.Softmax{}, h.scores.name)
			}
			b.net.Outputs = append(b.net.Outputs, out)
		}
		read[h.scores.name] = true
	}
	for _, n := range b.net.Nodes {
		if !read[n.Name] && !slices.Contains(b.net.Outputs, n.Name) {
			b.net.Outputs = append(b.net.Outputs, n.Name)
		}
	}
}

// values are the blobs whose values have other names in the network.
func (b *builder) values() map[string]string {
	m := map[string]string{}
	for blob, v := range b.blobs {
		if v.data == nil && v.name != "" && v.name != blob {
			m[blob] = v.name
		}
	}
	return m
}
