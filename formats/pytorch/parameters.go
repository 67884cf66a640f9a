package pytorch

import (
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// node is a layer of a network that has parameters or state.
type node struct {
	name  string
	layer layers.Layer
	slots []slot

	weightName func(own string) string // of the network's weights, which layers may share
}

// slot is a parameter or a state of a layer.
type slot struct {
	name  string // "weight"
	shape []int
	init  float32 // of a state
}

// nodesOf lists the layers with parameters, in the network's order.
func nodesOf(n *graph.Network) ([]node, error) {
	plan, err := n.Plan(formats.NoDevice{}, graph.PlanOptions{Batch: 1})
	if err != nil {
		return nil, err
	}
	var nodes []node
	for i, spec := range plan.Specs {
		x := node{name: n.Nodes[i].Name, layer: n.Nodes[i].Layer, weightName: n.Nodes[i].WeightName}
		for _, p := range spec.Params {
			x.slots = append(x.slots, slot{name: p.Name, shape: p.Shape})
		}
		for _, s := range spec.State {
			x.slots = append(x.slots, slot{name: s.Name, shape: s.Shape, init: s.Init})
		}
		if x.slots != nil {
			nodes = append(nodes, x)
		}
	}
	return nodes, nil
}

// The names that a BatchNorm of PyTorch has.
const (
	runningMean = "running_mean"
	runningVar  = "running_var"
	batches     = "num_batches_tracked"
)

// sourceOf is the name of the tensor of PyTorch that a slot is made from; it is empty for
// one that PyTorch does not have.
func (s slot) sourceOf() string {
	switch s.name {
	case "running_std":
		return runningVar
	case "scale_factor":
		return ""
	}
	return s.name
}

// split divides the name of a tensor into its module's and its own.
func split(name string) (module, own string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", name
	}
	return name[:i], name[i+1:]
}

// join is the reverse of split.
func join(module, own string) string {
	if module == "" {
		return own
	}
	return module + "." + own
}
