package graph

import (
	"cmp"
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
	p.Params, p.WeightBytes = g.params(p.traits)
	var err error
	if p.frozen, p.frozenState, err = p.frozenNames(); err != nil {
		return err
	}
	for i := range p.Params {
		param := &p.Params[i]
		if p.Options.Mode == Train && p.used[param.Node] && !p.frozen[param.Name] {
			p.trained[param.Node] = true
		}
	}
	for _, node := range g.nodes {
		for _, s := range node.spec.State {
			p.StateBytes += stateBytes(s, p.traits)
		}
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

// params lists all parameters in slab order, and the slab's size.
func (g *typed) params(t device.Traits) ([]Param, int64) {
	var list []Param
	var bytes int64
	for i := len(g.nodes) - 1; i >= 0; i-- {
		for k, param := range g.nodes[i].spec.Params {
			list = append(list, Param{
				Param:  param,
				Name:   g.net.Nodes[i].Name + "." + param.Name,
				Node:   i,
				Index:  k,
				Weight: bytes,
				Grad:   -1,
			})
			bytes += paramBytes(param, t)
		}
	}
	return list, bytes
}

// ParamsOf are the parameters of a node, in their order. They are a part of
// Params, which are ordered from the last node to the first.
func (p *Plan) ParamsOf(node int) []Param {
	first, _ := slices.BinarySearchFunc(p.Params, node, func(q Param, node int) int { return cmp.Compare(node, q.Node) })
	end := first
	for end < len(p.Params) && p.Params[end].Node == node {
		end++
	}
	return p.Params[first:end]
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
	for i := range p.Params {
		param := &p.Params[i]
		if p.backward[param.Node] && !p.frozen[param.Name] {
			param.Grad = p.GradientBytes
			p.GradientBytes += paramBytes(param.Param, p.traits)
		}
	}
}

// frozenNames resolves Options.Frozen to names of parameters, and to the nodes whose
// State is frozen.
func (p *planner) frozenNames() (map[string]bool, []bool, error) {
	wanted := map[string]bool{} // and found
	for _, want := range p.Options.Frozen {
		wanted[want] = false
	}
	names := map[string]bool{}
	for _, param := range p.Params {
		for _, name := range []string{param.Name, p.Network.Nodes[param.Node].Name} {
			if _, ok := wanted[name]; ok {
				wanted[name], names[param.Name] = true, true
			}
		}
	}
	state := make([]bool, len(p.Specs))
	for i, spec := range p.Specs {
		layer := p.Network.Nodes[i].Name
		for _, s := range spec.State {
			for _, name := range []string{layer, layer + "." + s.Name} {
				if _, ok := wanted[name]; ok {
					wanted[name], state[i] = true, true
				}
			}
		}
	}
	for _, want := range p.Options.Frozen {
		if !wanted[want] {
			return nil, nil, fmt.Errorf("frozen: %v has no layer or parameter %q with weights", p.Network, want)
		}
	}
	return names, state, nil
}
