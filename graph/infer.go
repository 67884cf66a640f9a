package graph

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
)

// typed is a network whose shapes are known: every check has passed.
type typed struct {
	net    *Network
	values []typedValue
	byName map[string]int
	nodes  []typedNode
}

type typedValue struct {
	name     string
	producer int // node, or -1 for an input
	layers.Input
}

type typedNode struct {
	in, out []int // values
	spec    layers.Spec
}

// NetworkError is the error of a network that cannot be planned, so that whoever has it
// from a file can name the file.
type NetworkError struct{ Err error }

// Error says what is wrong.
func (e *NetworkError) Error() string { return e.Err.Error() }

// Unwrap is for errors.Is.
func (e *NetworkError) Unwrap() error { return e.Err }

// infer runs every layer's Plan, in order.
func (n *Network) infer(t device.Traits, batch int, train bool) (*typed, error) {
	if batch < 1 {
		return nil, fmt.Errorf("batch %d must be at least 1", batch)
	}
	g, err := n.inferLayers(t, batch, train)
	if err != nil {
		return nil, &NetworkError{err}
	}
	return g, nil
}

func (n *Network) inferLayers(t device.Traits, batch int, train bool) (*typed, error) {
	if err := n.Check(); err != nil {
		return nil, err
	}
	g := &typed{net: n, byName: map[string]int{}}
	define := func(name string, producer int, in layers.Input) int {
		g.byName[name] = len(g.values)
		g.values = append(g.values, typedValue{name: name, producer: producer, Input: in})
		return len(g.values) - 1
	}
	for _, in := range n.Inputs {
		shape := append(tensor.Shape{batch}, in.Shape...)
		if err := device.CheckShape(shape); err != nil {
			return nil, fmt.Errorf("input %s: %w", in.Name, err)
		}
		define(in.Name, -1, layers.Input{Shape: shape, DType: in.DType})
	}
	for i, node := range n.Nodes {
		var tn typedNode
		var in []layers.Input
		for _, name := range node.In {
			v, ok := g.byName[name]
			if !ok {
				return nil, fmt.Errorf("%s: its input %q is not defined before it", node.Name, name)
			}
			tn.in = append(tn.in, v)
			in = append(in, g.values[v].Input)
		}
		spec, err := node.Layer.Plan(t, in, layers.Options{Train: train})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", node.Name, err)
		}
		if values := len(g.values) + len(spec.Out); values > maxValues {
			return nil, n.tooManyValues(values)
		}
		for _, s := range slices.Concat(spec.Saved, spec.Temporary) {
			if s.Batched && (s.Shape.Dims() == 0 || s.Shape[0] != batch) {
				return nil, fmt.Errorf("%s: the slot %s is said to be batched, and its shape %v does not begin with the batch, %d", node.Name, s.Name, []int(s.Shape), batch)
			}
		}
		for _, p := range spec.Params {
			if strings.Contains(p.Name, ".") {
				return nil, fmt.Errorf("%s: the parameter %q is said to have a dot in its name: that is for names of layers", node.Name, p.Name)
			}
		}
		for _, s := range spec.State {
			if strings.Contains(s.Name, ".") {
				return nil, fmt.Errorf("%s: the state %q is said to have a dot in its name: that is for names of layers", node.Name, s.Name)
			}
			if s.Batched {
				return nil, fmt.Errorf("%s: the state %s is said to be batched: state has a fixed shape", node.Name, s.Name)
			}
		}
		tn.spec = spec
		for k, out := range spec.Out {
			tn.out = append(tn.out, define(ValueName(node.Name, k), i, out))
		}
		g.nodes = append(g.nodes, tn)
	}
	return g, nil
}

// value finds a value by name.
func (g *typed) value(name string) (int, error) {
	if v, ok := g.byName[name]; ok {
		return v, nil
	}
	names := make([]string, len(g.values))
	for i, v := range g.values {
		names[i] = v.name
	}
	return 0, fmt.Errorf("%v has no value %q; it has %s", g.net, name, printable.Names(names))
}

// needed marks the nodes that the given values depend on.
func (g *typed) needed(targets []int) []bool {
	used := make([]bool, len(g.nodes))
	want := func(values []int) {
		for _, v := range values {
			if p := g.values[v].producer; p >= 0 {
				used[p] = true
			}
		}
	}
	want(targets)
	for i := len(g.nodes) - 1; i >= 0; i-- { // after all that read what it makes
		if used[i] {
			want(g.nodes[i].in)
		}
	}
	return used
}
