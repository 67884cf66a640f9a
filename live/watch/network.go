package watch

import (
	"encoding/json"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/live"
)

// network is a network as pages draw it, with the shapes of a plan.
func network(p *graph.Plan) live.Graph {
	var g live.Graph
	for _, in := range p.Network.Inputs {
		g.Inputs = append(g.Inputs, live.Value{Name: in.Name, Shape: in.Shape})
	}
	for i, node := range p.Network.Nodes {
		n := live.Node{
			Name: node.Name, Type: node.Layer.Type(), In: node.In, Options: options(node.Layer),
			Parameters: parameters(p, i), FLOPs: p.Specs[i].FLOPs / int64(p.Options.Batch),
		}
		for k, out := range p.Specs[i].Out {
			n.Out = append(n.Out, live.Value{Name: graph.ValueName(node.Name, k), Shape: out.Shape[1:]})
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

// parameters is how many numbers the parameters have that a layer has itself.
func parameters(p *graph.Plan, node int) (n int64) {
	for _, q := range p.ParamsOf(node) {
		if q.Node == node {
			n += int64(device.Elements(q.Shape))
		}
	}
	return n
}

// options are those of a layer in JSON, empty without any.
func options(l layers.Layer) string {
	text, err := json.Marshal(l)
	if err != nil || string(text) == "{}" {
		return ""
	}
	return string(text)
}

// kinds are the names of graph's kinds of values.
var kinds = map[graph.Kind]string{
	graph.Uploaded: "input", graph.Activation: "activation", graph.Saved: "saved", graph.Gradient: "gradient", graph.Scratch: "scratch",
}

// plan is a memory plan as pages draw it. Values in the place of others are not spans of their
// own.
func plan(p *graph.Plan) live.Plan {
	m := p.Memory()
	l := live.Plan{
		Batch: p.Options.Batch, Arena: p.Arena, Unshared: p.Unshared,
		Weights: m.Weights, Gradients: m.Gradients, Optimiser: m.Optimiser,
	}
	for _, s := range p.Steps {
		l.Steps = append(l.Steps, live.Step{Layer: p.Network.Nodes[s.Node].Name, Backward: s.Backward})
	}
	for _, v := range p.Values {
		if v.Bytes > 0 {
			l.Spans = append(l.Spans, live.Span{Name: v.Name, Kind: kinds[v.Kind], First: v.First, Last: v.Last, Offset: v.Offset, Bytes: v.Bytes})
		}
	}
	return l
}
