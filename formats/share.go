package formats

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/graph"
)

// Shared finds the weights that layers of a file share, and makes them one in the network.
// The zero Shared has none.
type Shared struct {
	// Merged says that programs which write such files may merge arrays that happen to be
	// equal. Before training, many are: biases of 0, factors of 1. So a tensor whose
	// elements are all the same is then shared only beside one that is shared.
	Merged bool

	made map[string]map[string][]string // arrays of the file, by layers and their weights
}

// Add notes the arrays of the file that a parameter or state of a layer is made of.
func (s *Shared) Add(layer, name string, arrays ...string) {
	if s.made == nil {
		s.made = map[string]map[string][]string{}
	}
	if s.made[layer] == nil {
		s.made[layer] = map[string][]string{}
	}
	s.made[layer][name] = slices.Clone(arrays)
}

// mostCompared is how many tensors of an array a tensor is compared with. Their layers are
// the last ones.
const mostCompared = 16

// Join lets layers share weights that have the same name in both, are made of an array that
// both have, and are the same to the bit: what is made of one array in two ways is not shared.
// If all their elements are the same, all arrays must be. Join returns lines that say how many
// there are, and how many that may only be merged are not shared.
func (s *Shared) Join(n *graph.Network, weights map[string]*tensor.Dense) (facts []string) {
	owners := map[string][]string{} // full names, by name and array
	joined, merged := 0, 0
	for i := range n.Nodes {
		node := &n.Nodes[i]
		names := slices.SortedFunc(maps.Keys(s.made[node.Name]), func(a, b string) int { return strings.Compare(b, a) }) // weight is before bias
		with := map[string]bool{}                                                                                        // layers that it shares with
		for _, name := range names {
			own, arrays := weights[node.Name+"."+name], s.made[node.Name][name]
			if own == nil {
				continue
			}
			plain, alike := uniform(own), false
			fits := func(full string) bool {
				layer := graph.LayerOf(full)
				if plain && !slices.Equal(arrays, s.made[layer][name]) || !same(own, weights[full]) {
					return false
				}
				alike = true
				return !plain || !s.Merged || with[layer]
			}
			of := ""
			for _, array := range arrays {
				list := owners[name+" "+array]
				list = list[max(0, len(list)-mostCompared):]
				if i := slices.IndexFunc(list, fits); i >= 0 {
					of = list[i]
					break
				}
			}
			if of == "" && alike {
				merged++
			}
			if of == "" {
				for _, array := range arrays {
					owners[name+" "+array] = append(owners[name+" "+array], node.Name+"."+name)
				}
				continue
			}
			share(node, name, of, weights)
			with[graph.LayerOf(of)] = true
			joined++
		}
	}
	if joined > 0 {
		facts = append(facts, fmt.Sprintf("layers share weights: %d are those of layers before them", joined))
	}
	if merged > 0 {
		facts = append(facts, fmt.Sprintf("not shared: %d weights, each of one number over and over, that the file has once for several layers, as programs merge such arrays; training makes them different", merged))
	}
	return facts
}

// DropShared drops the values that a file has for weights which the network shares. They must be
// those of the weights that these are.
func DropShared(n *graph.Network, weights map[string]*tensor.Dense) error {
	for i := range n.Nodes {
		node := &n.Nodes[i]
		for _, name := range slices.Sorted(maps.Keys(node.Share)) {
			full := node.Name + "." + name
			if x := weights[full]; x != nil && !same(x, weights[node.Share[name]]) {
				return fmt.Errorf("the network has one tensor for %s and %s, and the file two that differ: take the \"share\" of layer %s out of the network", full, node.Share[name], node.Name)
			}
			delete(weights, full)
		}
	}
	return nil
}

// share makes a weight of a node that of a layer before it.
func share(node *graph.Node, name, of string, weights map[string]*tensor.Dense) {
	delete(weights, node.Name+"."+name)
	node.Share = maps.Clone(node.Share) // which a copy of the network may have too
	if node.Share == nil {
		node.Share = map[string]string{}
	}
	node.Share[name] = of
}

// same reports whether two tensors have the same shape and the same bits.
func same(a, b *tensor.Dense) bool {
	if a == nil || b == nil || a.Dtype() != tensor.Float32 || b.Dtype() != tensor.Float32 {
		return false
	}
	return slices.Equal([]int(a.Shape()), []int(b.Shape())) && slices.EqualFunc(a.Float32s(), b.Float32s(), func(x, y float32) bool {
		return math.Float32bits(x) == math.Float32bits(y)
	})
}

// uniform reports whether all elements of a tensor are the same.
func uniform(x *tensor.Dense) bool {
	if x.Dtype() != tensor.Float32 {
		return true
	}
	values := x.Float32s()
	return !slices.ContainsFunc(values, func(v float32) bool { return v != values[0] })
}

// ShareAll lets a layer share all weights with one before it, if both have the same ones with
// the same shapes and, if there are weights, the same bits. It reports whether it does. The
// layers are nodes of the plan's network.
func ShareAll(plan *graph.Plan, layer, before int, weights map[string]*tensor.Dense) bool {
	n := plan.Network
	node, of := &n.Nodes[layer], &n.Nodes[before]
	shapes := func(i int) map[string]string {
		all := map[string]string{}
		for _, p := range plan.Specs[i].Params {
			all[p.Name] = fmt.Sprint(p.Shape)
		}
		for _, s := range plan.Specs[i].State {
			all[s.Name] = fmt.Sprint("state ", s.Shape, s.DType)
		}
		return all
	}
	mine := shapes(layer)
	if !maps.Equal(mine, shapes(before)) {
		return false
	}
	for name := range mine {
		if weights != nil && !same(weights[node.WeightName(name)], weights[of.WeightName(name)]) {
			return false
		}
	}
	for name := range mine {
		share(node, name, of.WeightName(name), weights)
	}
	return true
}
