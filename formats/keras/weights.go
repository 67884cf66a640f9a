package keras

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats/hdf5"
	"github.com/hubel-go/hubel/internal/printable"
)

// variable is an array of a file of weights.
type variable struct {
	name string // in its layer: "kernel", or its number in files of Keras 3
	path []string
	set  *hdf5.Dataset
	used bool
}

// weights are the arrays of a file of weights, by layers. There are two forms. In the older
// one, which Model.save still writes as .h5, a group has the name of its layer, and an
// attribute lists its arrays by their names: those of a model in the model are in one group.
// In the newer one, .weights.h5, a group has the class of its layer with a number, such as
// layers/conv2d_1, and vars/0, vars/1 and so on in it, in the order in which the layer made
// them.
type weights struct {
	path   string // of the file
	byName bool   // the older form
	layers map[string][]*variable
	order  []string // of layers; in the newer form that of names
	names  map[string]string
	left   int64 // bytes that may still be made of the file

	theano bool            // written on Theano, whose filters are turned round
	twice  map[string]bool // groups that count for two

	training []string // groups of the state of training, which is left out
}

// newWeights lists the arrays of a group of a file of so many bytes.
func newWeights(path string, root *hdf5.Group, size int64) (*weights, error) {
	w := &weights{path: path, layers: map[string][]*variable{}, names: map[string]string{}, left: room(size)}
	layers, err := texts(root, "layer_names")
	if err != nil {
		return nil, err
	}
	if layers != nil {
		w.byName = true
		return w, w.listNamed(root, layers)
	}
	if !has(root, "layers") && !has(root, oldLayers) && !has(root, "vars") && !slices.ContainsFunc(root.Names(), func(n string) bool { return strings.HasPrefix(n, oldLayers+`\`) }) {
		return nil, fmt.Errorf("%s: an HDF5 file that has no model and no weights of Keras: no attribute layer_names, and no group layers; it has %s", path, printable.Names(root.Names()))
	}
	nodes := 0
	if err := w.list(root, nil, &nodes); err != nil {
		return nil, err
	}
	w.order = slices.Sorted(func(yield func(string) bool) {
		for key := range w.layers {
			if !yield(key) {
				return
			}
		}
	})
	return w, nil
}

// oldLayers is what the group "layers" was called until Keras 2.13. There each layer that has
// weights is counted twice: behind conv2d comes conv2d_2. Separators are backslashes in files
// that Windows wrote.
const oldLayers = "_layer_checkpoint_dependencies"

// texts is an attribute of a list of texts, which has a number and a part of the list in each
// of several attributes where it is long. It is nil if there is none.
func texts(n hdf5.Node, name string) (list []string, err error) {
	a, err := n.Attribute(name)
	if err != nil {
		return nil, err
	}
	if a != nil {
		if a.Len() == 0 { // of numbers, as NumPy makes empty lists
			return []string{}, nil
		}
		return a.Strings()
	}
	for i := 0; ; i++ {
		a, err := n.Attribute(fmt.Sprint(name, i))
		if err != nil || a == nil {
			return list, err
		}
		part, err := a.Strings()
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
}

// listNamed lists the arrays of the older form.
func (w *weights) listNamed(root *hdf5.Group, layers []string) error {
	if has(root, "top_level_model_weights") {
		layers = append(slices.Clone(layers), "top_level_model_weights")
	}
	nodes := 0
	for _, name := range layers {
		if _, twice := w.layers[name]; twice {
			return fmt.Errorf("%s: layer_names has %.60q twice: the file is damaged", w.path, name)
		}
		g, err := root.Group(name)
		if err != nil {
			return err
		}
		names, err := texts(g, "weight_names")
		if err != nil {
			return err
		}
		list := []*variable{}
		seen := map[string]bool{}
		for _, full := range names {
			if seen[full] {
				return fmt.Errorf("%s: weight_names of %.60q has %.60q twice: the file is damaged", w.path, name, full)
			}
			seen[full] = true
			if nodes++; nodes > mostLayers {
				return fmt.Errorf("%s: there are more than %d arrays", w.path, mostLayers)
			}
			set, err := g.Dataset(full)
			if err != nil {
				return err
			}
			path := strings.Split(full, "/")
			own, _, _ := strings.Cut(path[len(path)-1], ":")
			list = append(list, &variable{name: own, path: append([]string{name}, path[:len(path)-1]...), set: set})
		}
		w.layers[name] = list
		w.order = append(w.order, name)
	}
	return nil
}

// list lists the arrays of the newer form, below a group.
func (w *weights) list(g *hdf5.Group, path []string, nodes *int) error {
	for _, child := range g.Names() {
		if *nodes++; *nodes > 4*mostLayers || len(path) > 4*deepestModel {
			return fmt.Errorf("%s: groups lie more than %d deep in one another, or there are more than %d", w.path, 4*deepestModel, 4*mostLayers)
		}
		n, err := g.Node(child)
		if err != nil {
			return err
		}
		inner := append(slices.Clone(path), strings.Split(child, `\`)...)
		for i, part := range inner {
			if part == oldLayers {
				inner[i] = "layers"
				if w.twice == nil {
					w.twice = map[string]bool{}
				}
			}
		}
		switch n := n.(type) {
		case *hdf5.Group:
			if inner[0] != "layers" && inner[0] != "vars" { // of an optimizer or of metrics
				w.training = append(w.training, printable.Name(inner[0]))
				continue
			}
			if last := len(inner) - 1; inner[last] == "vars" {
				name, err := text(n, "name")
				if err != nil {
					return err
				}
				w.names[strings.Join(inner[:last], "/")] = name
			}
			if err := w.list(n, inner, nodes); err != nil {
				return err
			}
		case *hdf5.Dataset:
			if len(inner) < 2 || inner[len(inner)-2] != "vars" || slices.Contains(inner, "seed_generator") {
				continue // what preprocessing layers and random numbers keep
			}
			for i := range inner[:len(inner)-1] {
				if w.twice != nil {
					w.twice[strings.Join(inner[:i], "/")] = true
				}
			}
			key := strings.Join(inner[:len(inner)-2], "/")
			w.layers[key] = append(w.layers[key], &variable{name: inner[len(inner)-1], path: inner[:len(inner)-2], set: n})
		}
	}
	return nil
}

// place is where a layer stands: the names of the models that it is in and its own, and the
// groups of the newer form.
type place struct{ names, groups []string }

// String is the name for messages.
func (p place) String() string { return strings.Join(p.names, "/") }

// in is the place of a layer in the model at this place.
func (p place) in(name, group string) place {
	return place{append(slices.Clone(p.names), name), append(slices.Clone(p.groups), "layers", group)}
}

// groupsOf are the groups that the layers of a model at a place have in the newer form, by their
// names. There may be no weights.
func (w *weights) groupsOf(m *model, at place) map[string]string {
	groups, count := map[string]string{}, map[string]int{}
	for _, l := range m.layers {
		if m.sequential && l.class == "InputLayer" {
			continue
		}
		group := snake(l.class)
		if l.class == "Model" {
			group = "functional"
		}
		if n := count[group]; n > 0 {
			groups[l.name] = fmt.Sprintf("%s_%d", group, n)
		} else {
			groups[l.name] = group
		}
		count[group]++
		if w != nil && w.twice[strings.Join(at.in(l.name, groups[l.name]).groups, "/")] {
			count[group]++
		}
	}
	return groups
}

// The expressions of Keras' to_snake_case.
var (
	noWord   = regexp.MustCompile(`\W+`)
	newWord  = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	nextWord = regexp.MustCompile(`([a-z])([A-Z])`)
)

// snake is the name of a class as files have it: leaky_re_lu of LeakyReLU.
func snake(class string) string {
	s := newWord.ReplaceAllString(noWord.ReplaceAllString(class, ""), "${1}_${2}")
	return strings.ToLower(nextWord.ReplaceAllString(s, "${1}_${2}"))
}

// of are the arrays of a layer.
func (w *weights) of(p place) ([]*variable, error) {
	if !w.byName {
		key := strings.Join(p.groups, "/")
		list, ok := w.layers[key]
		if !ok {
			return nil, fmt.Errorf("%s has no arrays in %s, where those of this layer belong: it is of another network, or a model in the model shares the layer", w.path, printable.Name(key))
		}
		return list, nil
	}
	list, ok := w.layers[p.names[0]]
	if !ok {
		return nil, fmt.Errorf("%s has no layer of this name; it has %s", w.path, printable.Names(w.order))
	}
	// Arrays of the layers of a model in the model have the name of their layer before their
	// own, and perhaps those of models before that.
	for i := 1; i < len(p.names) && len(list) > 0; i++ {
		var inside []*variable
		for _, v := range list {
			full, name := "/"+strings.Join(v.path[1:], "/")+"/", "/"+p.names[i]+"/" // which may have a slash
			if strings.HasSuffix(full, name) || i < len(p.names)-1 && strings.Contains(full, name) {
				inside = append(inside, v)
			}
		}
		if inside == nil && i < len(p.names)-1 {
			continue // names of models may be left out
		}
		list = inside
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no arrays of this layer", w.path)
	}
	return list, nil
}

// want is an array that a layer has.
type want struct {
	names []string // what it may be called
	shape []int
}

// wanted is an array of the first of the names, which are in the file's order.
func wanted(shape []int, names ...string) want { return want{names, shape} }

// take reads the arrays of a layer, which must be just these.
func (w *weights) take(p place, wants []want) ([][]float32, error) {
	list, err := w.of(p)
	if err != nil {
		return nil, err
	}
	if len(list) != len(wants) {
		var have, need []string
		for _, v := range list {
			have = append(have, v.name)
		}
		for _, x := range wants {
			need = append(need, x.names[0])
		}
		return nil, fmt.Errorf("%s has %d arrays for it (%s), and it wants %d (%s)", w.path, len(list), printable.Names(have), len(wants), strings.Join(need, ", "))
	}
	out := make([][]float32, len(wants))
	for i, x := range wants {
		at := slices.IndexFunc(list, func(v *variable) bool {
			return !w.byName && v.name == fmt.Sprint(i) || w.byName && slices.Contains(x.names, v.name)
		})
		if at < 0 {
			return nil, fmt.Errorf("%s has no %s for it", w.path, x.names[0])
		}
		v := list[at]
		if !slices.Equal(v.set.Shape, x.shape) {
			return nil, fmt.Errorf("its %s has the shape %v in %s, and the network wants %v", x.names[0], v.set.Shape, w.path, x.shape)
		}
		if out[i], err = w.read(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// correlated are filters of so many pixels as TensorFlow has them. On Theano, Keras 2 convolved
// with what it calls a kernel, and did not correlate: the last pixel is the first one here. Its
// depthwise and separable layers did not.
func (w *weights) correlated(x []float32, pixels int) []float32 {
	if !w.theano {
		return x
	}
	y := make([]float32, 0, len(x))
	for p := range pixels {
		n := len(x) / pixels
		y = append(y, x[(pixels-1-p)*n:(pixels-p)*n]...)
	}
	return y
}

var errTooMany = errors.New("there are more numbers than a file of this size holds")

// read reads an array. What is made of the file is counted, as arrays may be read again.
func (w *weights) read(v *variable) ([]float32, error) {
	size := int64(max(v.set.Type.Size, 4))
	for _, d := range v.set.Shape {
		if d > 0 && size > w.left/int64(d) {
			return nil, fmt.Errorf("%s: %s: %w", w.path, printable.Name(v.set.Path()), errTooMany)
		}
		size *= int64(d)
	}
	w.left -= size
	a, err := v.set.Read()
	if err != nil {
		return nil, err
	}
	v.used = true
	return a.Float32s()
}

// unread lists the arrays that no layer has read.
func (w *weights) unread() (list []string) {
	for _, layer := range w.order {
		for _, v := range w.layers[layer] {
			if !v.used && !strings.HasPrefix(v.name, "seed_generator") {
				list = append(list, fmt.Sprintf("%s %v: no layer of the network has it", printable.Name(v.set.Path()), v.set.Shape))
			}
		}
	}
	return list
}
