package graph

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
)

// share checks what a node shares with nodes before it, and notes what it has itself.
func (g *typed) share(n *Node, spec *layers.Spec) error {
	var mine []string
	all := map[string]ownWeight{}
	for _, p := range spec.Params {
		mine = append(mine, p.Name)
		all[p.Name] = ownWeight{Slot: layers.Slot{Name: p.Name, Shape: p.Shape, DType: device.Float32}}
	}
	for _, s := range spec.State {
		mine = append(mine, s.Name)
		all[s.Name] = ownWeight{Slot: s, state: true}
	}
	used := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(n.Share)) {
		from := n.Share[name]
		is, ok := all[name]
		if !ok {
			return fmt.Errorf("it shares %.40q with %.255q, and a layer of the type %s with these options has %s", name, from, n.Layer.Type(), printable.Names(mine))
		}
		of, ok := g.own[from]
		switch {
		case !ok:
			return fmt.Errorf("its %s is to be %.255q, which no layer before it has itself: name a parameter or state of such a layer, such as \"conv1.weight\"", name, from)
		case of.state != is.state || of.DType != is.DType:
			return fmt.Errorf("its %s is to be %s: one is a parameter and the other state, or their types differ", name, from)
		case !slices.Equal([]int(of.Shape), []int(is.Shape)):
			return fmt.Errorf("its %s has the shape %v, and %s, which it is to be, %v", name, []int(is.Shape), from, []int(of.Shape))
		case used[from] != "":
			return fmt.Errorf("both its %s and its %s are to be %s: a layer has each tensor once", used[from], name, from)
		}
		used[from] = name
	}
	for name, w := range all {
		if _, shared := n.Share[name]; !shared {
			g.own[n.Name+"."+name] = w
		}
	}
	return nil
}

// SharedError is the error of a name of a layer that uses weights of layers before it, or of
// such a weight, "conv2" or "conv2.weight", where the weights are meant that a layer has
// itself. It is nil for every other name.
func (n *Network) SharedError(name string) error {
	for _, node := range n.Nodes {
		for _, own := range slices.Sorted(maps.Keys(node.Share)) {
			if of := node.Share[own]; name == node.Name || name == node.Name+"."+own {
				return fmt.Errorf("%s of layer %s is %s, which layers share: name that, or what %s has itself", own, node.Name, of, node.Name)
			}
		}
	}
	return nil
}

// shared are the names of weights that more than one layer uses.
func (n *Network) shared() map[string]bool {
	names := map[string]bool{}
	for _, node := range n.Nodes {
		for _, of := range node.Share {
			names[of] = true
		}
	}
	return names
}
