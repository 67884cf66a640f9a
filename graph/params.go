package graph

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// planParams lays out the slabs. Weights and gradients lie in the order in
// which backward finishes them, so that a prefix of the gradients is ready
// while the rest is still being computed.
func (p *planner) planParams() error {
	g := p.typed
	p.trained = make([]bool, len(g.nodes))
	p.Params, p.uses, p.WeightBytes = g.params(p.traits)
	var err error
	if p.frozen, p.frozenState, err = p.frozenNames(); err != nil {
		return err
	}
	for i := range g.nodes {
		for _, use := range p.uses[i] {
			if p.Options.Mode == Train && p.used[i] && !p.frozen[p.Params[use].Name] {
				p.trained[i] = true
			}
		}
	}
	for _, s := range g.states() {
		p.StateBytes += stateBytes(s.Slot, p.traits)
	}
	for _, node := range g.nodes {
		for _, x := range node.spec.Constants {
			p.ConstantBytes += constantBytes(x, p.traits)
		}
	}
	return nil
}

// LayerOf is the name of the layer that a parameter or state is of: "features.0" for
// "features.0.weight". Names of layers may hold dots; those of what a layer has may not.
func LayerOf(name string) string {
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return name[:dot]
	}
	return name
}

// params lists all parameters in slab order, those that each node uses as indices into
// the list, and the slab's size. A parameter that is shared is in the place of the first
// layer that has it, which backward reaches last.
func (g *typed) params(t device.Traits) (list []Param, uses [][]int, bytes int64) {
	at := map[string]int{}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		node := &g.net.Nodes[i]
		for k, param := range g.nodes[i].spec.Params {
			if _, shared := node.Share[param.Name]; shared {
				continue
			}
			at[node.WeightName(param.Name)] = len(list)
			list = append(list, Param{
				Param:  param,
				Name:   node.WeightName(param.Name),
				Node:   i,
				Index:  k,
				Weight: bytes,
				Grad:   -1,
			})
			bytes += paramBytes(param, t)
		}
	}
	uses = make([][]int, len(g.nodes))
	for i, node := range g.nodes {
		for _, param := range node.spec.Params {
			uses[i] = append(uses[i], at[g.net.Nodes[i].WeightName(param.Name)])
		}
	}
	return list, uses, bytes
}

// states lists the state of all layers, that which is shared once.
func (g *typed) states() (list []stateSlot) {
	for i, node := range g.nodes {
		n := &g.net.Nodes[i]
		for _, s := range node.spec.State {
			if _, shared := n.Share[s.Name]; !shared {
				list = append(list, stateSlot{Slot: s, name: n.WeightName(s.Name)})
			}
		}
	}
	return list
}

// ParamsOf are the parameters that a node uses, in the order of its Spec. Those that it
// shares have the name, the Node and the Index of the layer that has them.
func (p *Plan) ParamsOf(node int) []Param {
	list := make([]Param, len(p.uses[node]))
	for k, i := range p.uses[node] {
		list[k] = p.Params[i]
	}
	return list
}

// Segments are the trained parameters (those with a gradient) as the update
// kernel sees them, in the order of Params.
func (p *Plan) Segments() []device.Segment {
	var segments []device.Segment
	for _, q := range p.Params {
		if q.Grad >= 0 {
			segments = append(segments, device.Segment{
				Weight: int(q.Weight / device.Float32.Size()),
				Grad:   int(q.Grad / device.Float32.Size()),
				Len:    device.Elements(q.Shape),
			})
		}
	}
	return segments
}

func paramBytes(p layers.Param, t device.Traits) int64 {
	return align(int64(device.Elements(p.Shape))*device.Float32.Size(), t)
}

func stateBytes(s layers.Slot, t device.Traits) int64 {
	return align(int64(device.Elements(s.Shape))*s.DType.Size(), t)
}

func constantBytes(x *tensor.Dense, t device.Traits) int64 {
	return align(int64(x.Size())*device.Float32.Size(), t)
}

// align rounds a size up to the device's alignment.
func align(bytes int64, t device.Traits) int64 {
	a := t.Alignment()
	return (bytes + a - 1) / a * a
}

// placeGradients gives a place to the gradients that backward computes. A
// parameter that reaches no loss has none and is not trained.
func (p *planner) placeGradients() {
	written := make([]bool, len(p.Params))
	for i, uses := range p.uses {
		for _, k := range uses {
			written[k] = written[k] || p.backward[i]
		}
	}
	for i := range p.Params {
		param := &p.Params[i]
		if written[i] && !p.frozen[param.Name] {
			param.Grad = p.GradientBytes
			p.GradientBytes += paramBytes(param.Param, p.traits)
		}
	}
}

// frozenNames resolves Options.Frozen to names of parameters, and to the nodes whose
// State is frozen. What a layer shares is frozen with any layer that uses it.
func (p *planner) frozenNames() (map[string]bool, []bool, error) {
	wanted := map[string]bool{} // and found
	for _, want := range p.Options.Frozen {
		wanted[want] = false
	}
	isWanted := func(node *Node, full string) (any bool) {
		for _, name := range []string{full, node.Name} {
			if _, ok := wanted[name]; ok {
				wanted[name], any = true, true
			}
		}
		return any
	}
	names := map[string]bool{} // of parameters and of state
	for i, spec := range p.Specs {
		node := &p.Network.Nodes[i]
		for _, param := range spec.Params {
			if full := node.WeightName(param.Name); isWanted(node, full) {
				names[full] = true
			}
		}
		part := false
		for _, s := range spec.State {
			part = isWanted(node, node.WeightName(s.Name)) || part
		}
		for _, s := range spec.State {
			if part {
				names[node.WeightName(s.Name)] = true
			}
		}
	}
	state := make([]bool, len(p.Specs))
	for i, spec := range p.Specs {
		state[i] = slices.ContainsFunc(spec.State, func(s layers.Slot) bool { return names[p.Network.Nodes[i].WeightName(s.Name)] })
	}
	for _, want := range p.Options.Frozen {
		if !wanted[want] {
			return nil, nil, fmt.Errorf("frozen: %v has no layer or parameter %q with weights", p.Network, want)
		}
	}
	return names, state, nil
}
