package keras

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
)

// weightsAlone reads weights without a network: into the one that the user gives, or as they
// are.
func (s *source) weightsAlone(o formats.Options) (*formats.Model, error) {
	m := &formats.Model{Format: s.kind}
	for what, text := range map[string]string{"Keras ": s.version, "backend: ": s.backend} {
		if text != "" {
			m.Facts = append(m.Facts, what+printable.Name(fmt.Sprintf("%.60s", text)))
		}
	}
	slices.Sort(m.Facts)
	m.Weights = map[string]*tensor.Dense{}
	if o.Network != nil {
		g := &given{weights: s.weights, m: m, net: o.Network}
		if err := g.read(); err != nil {
			return nil, fmt.Errorf("the weights do not fit %v: %w", o.Network, err)
		}
		m.Network, m.ChannelsLast = o.Network, true
		return m, formats.DropShared(o.Network, m.Weights)
	}
	for _, layer := range s.weights.order {
		for _, v := range s.weights.layers[layer] {
			x, err := s.weights.read(v)
			if err != nil {
				return nil, err
			}
			shape := v.set.Shape
			if len(shape) == 0 {
				shape = []int{1}
			}
			if len(x) > 0 {
				m.Weights[layer+"/"+v.name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
			}
		}
	}
	return m, nil
}

// given reads weights into a network. The channels of what Keras had are taken to be last.
type given struct {
	weights *weights
	m       *formats.Model
	net     *graph.Network
	shapes  map[string][]int // of samples of the network's values
}

// node is a layer of the network with parameters.
type node struct {
	name  string
	forms []form // that its arrays may have in the file
}

// form is the shapes that the arrays of a layer have in the file, in their order, and what
// makes parameters of them.
type form struct {
	shapes [][]int
	slots  []slot
}

// slot is a parameter or state of the network.
type slot struct {
	name  string
	shape []int
	turn  func([]float32) []float32
}

func (f form) String() string { return fmt.Sprint(f.shapes) }

func (g *given) read() error {
	nodes, err := g.nodes()
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return fmt.Errorf("the network has no layer with weights")
	}
	byName := map[string]string{} // groups by the names of layers
	twice := map[string]bool{}    // names that layers of several models have
	counted := false              // names are those of classes, with numbers
	var modules []string
	for _, key := range g.weights.order {
		if len(g.weights.layers[key]) == 0 {
			continue
		}
		modules = append(modules, key)
		name := g.weights.names[key]
		if name == "" {
			name, counted = path.Base(key), counted || !g.weights.byName
		}
		twice[name] = byName[name] != ""
		byName[name] = key
	}
	slices.SortStableFunc(modules, func(a, b string) int {
		if g.weights.byName {
			return 0
		}
		return compareNumbered(a, b)
	})
	var others []node
	found := 0
	for _, n := range nodes {
		if byName[n.name] == "" {
			others = append(others, n)
		}
		if twice[n.name] {
			return fmt.Errorf("layer %s: layers of several models in the file have this name, and which one is meant is not clear: give the description of the model, of Model.to_json, in place of the network", n.name)
		}
	}
	if counted && len(others) > 0 && len(others) < len(nodes) {
		return fmt.Errorf("the file has no names of layers but numbers of each class, such as %s, and some layers of the network are called so, but not %s: which one is meant is not clear; call all or none of them so, or give the description of the model, of Model.to_json, in place of the network", printable.Name(path.Base(modules[0])), others[0].name)
	}
	for _, n := range nodes {
		key, ok := byName[n.name]
		if !ok {
			continue
		}
		if err := g.take(n, key); err != nil {
			return err
		}
		modules = slices.DeleteFunc(modules, func(m string) bool { return m == key })
		found++
	}
	g.m.Facts = append(g.m.Facts, "the weights are taken to be of a network with the channels last",
		fmt.Sprintf("%d of %d layers were found by name", found, len(nodes)))
	if err := g.byShape(others, modules); err != nil {
		return err
	}
	g.m.Lost = append(g.m.Lost, g.weights.unread()...)
	return nil
}

// compareNumbered compares names whose ends are numbers: conv2d_9 is before conv2d_10.
func compareNumbered(a, b string) int {
	split := func(s string) (string, int) {
		i := strings.LastIndexByte(s, '_')
		if n, err := strconv.Atoi(s[i+1:]); i >= 0 && err == nil {
			return s[:i], n
		}
		return s, 0
	}
	x, i := split(a)
	y, k := split(b)
	if c := strings.Compare(x, y); c != 0 {
		return c
	}
	return i - k
}

// byShape finds layers by the shapes of their arrays, in the order of the file.
func (g *given) byShape(nodes []node, modules []string) error {
	before, last := "", -1
	for i, n := range nodes {
		var fit []string
		for _, key := range modules {
			if g.formOf(n, key) != nil {
				fit = append(fit, key)
			}
		}
		alike := 0 // layers from this one on
		for _, other := range nodes[i:] {
			if len(fit) > 0 && g.formOf(other, fit[0]) != nil {
				alike++
			}
		}
		switch {
		case len(fit) == 0:
			return fmt.Errorf("layer %s (%v) has no layer of its name or of its shapes in the file, which has: %s", n.name, n.forms[0], printable.Names(modules))
		case len(fit) != alike:
			return fmt.Errorf("layer %s (%v): the network has %d such layers that are not found by name, and the file %d, so their order does not tell which is which: name the layers as in the file: %s", n.name, n.forms[0], alike, len(fit), printable.Names(fit))
		case !g.weights.byName && slices.ContainsFunc(fit, func(key string) bool { return compareClass(key, fit[0]) }):
			return fmt.Errorf("layer %s (%v): layers of several classes or models have these shapes, and the file does not keep their order: name the layers as in the file: %s", n.name, n.forms[0], printable.Names(fit))
		}
		key := fit[0]
		if at := slices.Index(g.weights.order, key); g.weights.byName {
			if at < last {
				return fmt.Errorf("layer %s is not found by name, and the layers of the file have another order: by shape it is %s, which stands before %s there: name the layers as in the file", n.name, printable.Name(key), printable.Name(before))
			}
			before, last = key, at
		}
		if err := g.take(n, key); err != nil {
			return err
		}
		modules = slices.DeleteFunc(slices.Clone(modules), func(m string) bool { return m == key })
		g.m.Facts = append(g.m.Facts, fmt.Sprintf("%s = %s, by its shapes", n.name, printable.Name(key)))
	}
	return nil
}

// compareClass reports whether two groups are of different classes or models.
func compareClass(a, b string) bool {
	trim := func(s string) string { return strings.TrimRight(strings.TrimRight(s, "0123456789"), "_") }
	return trim(a) != trim(b)
}

// formOf is the form of a layer that a group has, or nil.
func (g *given) formOf(n node, key string) *form {
	list := g.inOrder(key)
	for i, f := range n.forms {
		if slices.EqualFunc(f.shapes, list, func(s []int, v *variable) bool { return slices.Equal(s, v.set.Shape) }) {
			return &n.forms[i]
		}
	}
	return nil
}

// inOrder are the arrays of a group in the order in which its layer made them.
func (g *given) inOrder(key string) []*variable {
	list := slices.Clone(g.weights.layers[key])
	if !g.weights.byName {
		slices.SortFunc(list, func(a, b *variable) int {
			x, _ := strconv.Atoi(a.name)
			y, _ := strconv.Atoi(b.name)
			return x - y
		})
	}
	return list
}

// take reads the arrays of a group into a layer.
func (g *given) take(n node, key string) error {
	list := g.inOrder(key)
	f := g.formOf(n, key)
	if f == nil {
		have := form{}
		for _, v := range list {
			have.shapes = append(have.shapes, v.set.Shape)
		}
		return fmt.Errorf("layer %s wants arrays of the shapes %v, and %s of the file has %v", n.name, n.forms[0], printable.Name(key), have)
	}
	for i, s := range f.slots {
		x, err := g.weights.read(list[i])
		if err != nil {
			return err
		}
		g.m.Weights[n.name+"."+s.name] = tensor.New(tensor.WithShape(s.shape...), tensor.WithBacking(s.turn(x)))
	}
	return nil
}

// nodes lists the layers with parameters.
func (g *given) nodes() ([]node, error) {
	plan, err := g.net.Plan(formats.NoDevice{}, graph.PlanOptions{Batch: 1})
	if err != nil {
		return nil, err
	}
	g.shapes = map[string][]int{}
	for _, v := range plan.Values {
		g.shapes[v.Name] = v.Shape[1:]
	}
	var list []node
	for i, spec := range plan.Specs {
		if len(spec.Params)+len(spec.State) == 0 {
			continue
		}
		shapes := map[string][]int{}
		for _, p := range spec.Params {
			shapes[p.Name] = p.Shape
		}
		for _, s := range spec.State {
			shapes[s.Name] = s.Shape
		}
		n := node{name: g.net.Nodes[i].Name}
		if n.forms = g.forms(g.net.Nodes[i], shapes); n.forms == nil {
			return nil, fmt.Errorf("layer %s of the type %s: weights of Keras are not read into it", n.name, g.net.Nodes[i].Layer.Type())
		}
		list = append(list, n)
	}
	return list, nil
}

// add adds an array and the slot that it fills.
func (f form) add(inFile []int, name string, shape []int, turn func([]float32) []float32) form {
	f.shapes, f.slots = append(slices.Clone(f.shapes), inFile), append(slices.Clone(f.slots), slot{name, shape, turn})
	return f
}

// forms are those of a layer, whose parameters and states have these shapes.
func (g *given) forms(n graph.Node, shapes map[string][]int) []form {
	weight := shapes["weight"]
	withBias := func(list ...form) []form {
		if bias := shapes["bias"]; bias != nil {
			for i := range list {
				list[i] = list[i].add(bias, "bias", bias, unturned)
			}
		}
		return list
	}
	switch l := n.Layer.(type) {
	case *layers.Conv:
		k, c, window := weight[0], weight[1], weight[2:]
		pixels := product(window)
		list := []form{form{}.add(with(window, c, k), "weight", weight, func(x []float32) []float32 { return nhwc.Filters(g.weights.correlated(x, pixels), pixels, c, k) })}
		if c == 1 && l.Groups > 1 && k%l.Groups == 0 {
			list = append(list, form{}.add(with(window, l.Groups, k/l.Groups), "weight", weight, func(x []float32) []float32 { return nhwc.Depthwise(x, pixels, l.Groups, k/l.Groups) }))
		}
		return withBias(list...)
	case *layers.Deconv:
		if l.Groups > 1 {
			return nil
		}
		c, k, window := weight[0], weight[1], weight[2:]
		pixels := product(window)
		return withBias(form{}.add(with(window, k, c), "weight", weight, func(x []float32) []float32 { return nhwc.Filters(g.weights.correlated(x, pixels), pixels, k, c) }))
	case *layers.Dense:
		pixels := 1
		if image := g.image(n.In[0]); len(image) > 1 {
			pixels = product(image[1:])
		}
		return withBias(form{}.add([]int{weight[1], weight[0]}, "weight", weight, func(x []float32) []float32 { return nhwc.Filters(x, pixels, weight[1]/pixels, weight[0]) }))
	case *layers.BatchNorm:
		mean, variance := shapes["running_mean"], shapes["running_var"]
		if l.Convention == "caffe" || variance == nil {
			return nil
		}
		f := form{}
		if weight != nil {
			f = withBias(f.add(weight, "weight", weight, unturned))[0]
		}
		return []form{f.add(mean, "running_mean", mean, unturned).add(variance, "running_var", variance, unturned)}
	case *layers.GroupNorm, *layers.LayerNorm:
		if len(weight) == 1 {
			return withBias(form{}.add(weight, "weight", weight, unturned))
		}
	case *layers.PReLU:
		list := []form{form{}.add(weight, "weight", weight, unturned)}
		for range len(g.shapes[n.In[0]]) - 1 {
			list = append(list, form{}.add(append(slices.Repeat([]int{1}, len(list)), weight...), "weight", weight, unturned))
		}
		return list
	}
	return nil
}

// image is the shape of the samples that a value has been flattened from.
func (g *given) image(value string) []int {
	for {
		at := slices.IndexFunc(g.net.Nodes, func(n graph.Node) bool { return n.Name == value })
		if shape := g.shapes[value]; len(shape) > 1 || at < 0 {
			return shape
		}
		n := g.net.Nodes[at]
		if _, ok := n.Layer.(*layers.Flatten); !ok && (len(n.In) != 1 || !slices.Equal(g.shapes[n.In[0]], g.shapes[value]) || !elementwise(n.Layer)) {
			return g.shapes[value]
		}
		value = n.In[0]
	}
}

// elementwise reports whether a layer leaves elements where they are.
func elementwise(l layers.Layer) bool {
	switch l.(type) {
	case *layers.Dropout, *layers.Unary, *layers.Activation, *layers.ELU, *layers.GELU, *layers.HardSwish, *layers.GaussianNoise, *layers.Scale, *layers.Formula:
		return true
	}
	return false
}
