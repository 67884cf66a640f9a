package graph

import (
	"maps"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Fold returns a network for inference and its weights. Each batch-norm of the plan's
// network is folded into the convolution or the dense layer before it, if no other layer
// reads that one. The new layer makes the value of the batch-norm and has its name. Values
// that the plan keeps, outputs and metrics are the same as before. Layers that share weights
// are left alone. If a weight is missing or
// has another shape than in the plan, Fold returns network and weights unchanged; uploading
// the weights then fails with an error that names it.
func (p *Plan) Fold(weights map[string]*tensor.Dense) (*Network, map[string]*tensor.Dense) {
	n := p.Network
	if !p.complete(weights) {
		return n, weights
	}
	readers, shared := map[string]int{}, n.shared()
	alone := func(node *Node, names []string) bool { // its weights are its own
		return !slices.ContainsFunc(names, func(name string) bool {
			_, ok := node.Share[name]
			return ok || shared[node.WeightName(name)]
		})
	}
	for _, node := range n.Nodes {
		for _, in := range node.In {
			readers[in]++
		}
	}
	for _, name := range slices.Concat(p.Options.Keep, n.Outputs) {
		readers[name]++
	}
	for _, m := range n.Metrics {
		readers[m.Value]++
	}
	folded := *n
	folded.Nodes = nil
	weights = maps.Clone(weights)
	at := map[string]int{}         // of folded.Nodes, by their first output
	names := map[string][]string{} // of weights and state, by node
	values := func(node string) map[string][]float32 {
		all := map[string][]float32{}
		for _, name := range names[node] {
			if x := weights[node+"."+name]; x != nil && x.Dtype() == tensor.Float32 {
				all[name] = x.Float32s()
			}
		}
		return all
	}
	for i, node := range n.Nodes {
		names[node.Name] = p.weightNames(i)
		before, ok := at[node.In[0]]
		if ok && readers[node.In[0]] == 1 && alone(&node, names[node.Name]) && alone(&folded.Nodes[before], names[node.In[0]]) {
			first := folded.Nodes[before]
			l, weight, bias, ok := layers.Fold(first.Layer, node.Layer, values(first.Name), values(node.Name))
			if ok {
				shape := weights[first.Name+".weight"].Shape().Clone()
				for _, old := range []string{first.Name, node.Name} {
					for _, name := range names[old] {
						delete(weights, old+"."+name)
					}
				}
				names[node.Name] = []string{"weight", "bias"}
				weights[node.Name+".weight"] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(weight))
				weights[node.Name+".bias"] = tensor.New(tensor.WithShape(len(bias)), tensor.WithBacking(bias))
				folded.Nodes[before] = Node{Name: node.Name, Layer: l, In: first.In}
				at[node.Name] = before
				continue
			}
		}
		at[node.Name] = len(folded.Nodes)
		folded.Nodes = append(folded.Nodes, node)
	}
	return &folded, weights
}

// weightNames are a node's parameters and state by the layer's own names.
func (p *Plan) weightNames(node int) (names []string) {
	for _, param := range p.Specs[node].Params {
		names = append(names, param.Name)
	}
	for _, s := range p.Specs[node].State {
		names = append(names, s.Name)
	}
	return names
}

// complete reports whether the weights are those of the plan.
func (p *Plan) complete(weights map[string]*tensor.Dense) bool {
	has := func(node int, name string, shape tensor.Shape, dtype device.DType) bool {
		x := weights[p.Network.Nodes[node].WeightName(name)]
		return x != nil && slices.Equal([]int(x.Shape()), []int(shape)) && x.Dtype() == dtype.Host()
	}
	for i, spec := range p.Specs {
		for _, param := range spec.Params {
			if !has(i, param.Name, param.Shape, device.Float32) {
				return false
			}
		}
		for _, s := range spec.State {
			if !has(i, s.Name, s.Shape, s.DType) {
				return false
			}
		}
	}
	return true
}
