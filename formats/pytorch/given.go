package pytorch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
)

// intoGiven reads weights into a network: layers whose name a module has by name, and the
// others by order and shape.
func intoGiven(m *formats.Model, w *weights, n *graph.Network) error {
	nodes, err := nodesOf(n)
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return fmt.Errorf("%v has no layer with weights", n)
	}
	best, most := w, -1
	for _, v := range w.withoutPrefix() {
		if known := v.known(nodes); known > most {
			best, most = v, known
		}
	}
	left, into := best.clone(), map[string]*dense{}
	mapping, err := left.assign(into, nodes)
	if err != nil {
		return fmt.Errorf("the weights do not fit %v: %w", n, err)
	}
	if err := formats.DropShared(n, into); err != nil {
		return err
	}
	shared := left.shared(nodes, into)
	joined := *n
	joined.Nodes = slices.Clone(n.Nodes)
	m.Facts = append(m.Facts, shared.Join(&joined, into)...)
	m.Network, m.Weights = &joined, into
	m.Facts = append(m.Facts, left.facts...)
	m.Facts = append(m.Facts, mapping...)
	m.Lost = append(m.Lost, left.leftOver()...)
	return nil
}

// shared are the values of layers that are one tensor in the file.
func (w *weights) shared(nodes []node, into map[string]*dense) (s formats.Shared) {
	for _, n := range nodes {
		for _, slot := range n.slots {
			if place := w.places[into[n.name+"."+slot.name]]; place != "" {
				s.Add(n.name, slot.name, place)
			}
		}
	}
	return s
}

// known counts the layers whose name a module has.
func (w *weights) known(nodes []node) (count int) {
	for _, n := range nodes {
		if w.knows(n) {
			count++
		}
	}
	return count
}

// assign takes the values of all layers. It returns lines that tell how.
func (w *weights) assign(into map[string]*dense, nodes []node) (lines []string, err error) {
	var others []node
	for _, n := range nodes {
		if !w.knows(n) {
			others = append(others, n)
			continue
		}
		if err := w.take(into, n, n.name); err != nil {
			return nil, err
		}
	}
	if len(others) < len(nodes) {
		lines = append(lines, fmt.Sprintf("%d of %d layers were found by name", len(nodes)-len(others), len(nodes)))
	}
	if len(others) == 0 {
		return lines, nil
	}
	modules := w.modules()
	ofKind := map[string][]string{} // modules by the kind and the shapes of their tensors
	for _, module := range modules {
		if key := w.kindOf(module); key != "" {
			ofKind[key] = append(ofKind[key], module)
		}
	}
	wanted := map[string]int{}
	for _, n := range others {
		wanted[n.kind()]++
	}
	for _, n := range others {
		key := n.kind()
		switch have, want := len(ofKind[key]), wanted[key]; {
		case have == 0:
			return nil, fmt.Errorf("layer %s (%s) has no module of its name or of its shapes in the file, which has: %s", n.name, key, printable.Names(modules))
		case have < want:
			return nil, fmt.Errorf("layer %s (%s): the network has %d such layers that are not found by name, and the file %d", n.name, key, want, have)
		case have > want:
			return nil, fmt.Errorf("layer %s (%s): the network has %d such layers that are not found by name, and the file %d, so their order does not tell which is which: name the layers as in the file: %s",
				n.name, key, want, have, printable.Names(ofKind[key]))
		case have > 1 && w.unordered:
			return nil, fmt.Errorf("layer %s (%s): the network has %d such layers that are not found by name, and a safetensors file does not keep the order of tensors: name the layers as in the file: %s",
				n.name, key, want, printable.Names(ofKind[key]))
		}
	}
	if err := w.inOrder(others, ofKind, modules); err != nil {
		return nil, err
	}
	next := map[string]int{}
	lines = append(lines, fmt.Sprintf("%d layers were found by the order of modules of their shapes:", len(others)))
	for _, n := range others {
		module := ofKind[n.kind()][next[n.kind()]]
		next[n.kind()]++
		if err := w.take(into, n, module); err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("  %s = %s", n.name, printable.Name(module)))
	}
	return lines, nil
}

// inOrder checks that layers found by order come in the order of their modules, whatever
// their kind: where a file has another order than the network, one kind may be exchanged too.
func (w *weights) inOrder(nodes []node, ofKind map[string][]string, modules []string) error {
	place := map[string]int{}
	for i, module := range modules {
		place[module] = i
	}
	next, before, last := map[string]int{}, "", -1
	for _, n := range nodes {
		module := ofKind[n.kind()][next[n.kind()]]
		next[n.kind()]++
		if place[module] < last && !w.unordered {
			return fmt.Errorf("layer %s is not found by name, and the modules of the file have another order than the layers: by shape it is %s, which stands before %s there: name the layers as in the file",
				n.name, printable.Name(module), printable.Name(before))
		}
		before, last = module, place[module]
	}
	return nil
}

// knows reports whether a module has the name of the layer.
func (w *weights) knows(n node) bool {
	for _, s := range n.slots {
		if source := s.sourceOf(); source != "" && w.values[join(n.name, source)] != nil {
			return true
		}
	}
	return false
}

// modules lists the modules, in the order of the file.
func (w *weights) modules() (list []string) {
	seen := map[string]bool{}
	for _, name := range w.names {
		if module, _ := split(name); !seen[module] {
			seen[module] = true
			list = append(list, module)
		}
	}
	return list
}

// kind is the names and shapes of a layer's slots, as kindOf has those of a module.
func (n node) kind() string {
	shapes := map[string][]int{}
	for _, s := range n.slots {
		shapes[s.sourceOf()] = s.shape
	}
	return shapesText(shapes)
}

// kindOf is the names and shapes of a module's tensors.
func (w *weights) kindOf(module string) string {
	shapes := map[string][]int{}
	for _, own := range ownNames {
		if x := w.values[join(module, own)]; x != nil {
			shapes[own] = x.Shape()
		}
	}
	return shapesText(shapes)
}

// ownNames are the names of tensors that layers have, in the order of messages.
var ownNames = []string{"weight", "bias", runningMean, runningVar}

func shapesText(shapes map[string][]int) string {
	var parts []string
	for _, own := range ownNames {
		if shape, ok := shapes[own]; ok {
			parts = append(parts, fmt.Sprintf("%s %v", own, shape))
		}
	}
	return strings.Join(parts, ", ")
}
