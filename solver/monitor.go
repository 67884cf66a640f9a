package solver

import (
	"fmt"
	"strings"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/results"
)

// logMonitor repeats the passes of the next update, with all values kept, and tells of
// the distributions of every layer.
func (d *doctor) logMonitor(s *batchCopy) error {
	m := newMonitor(d.c.Network)
	if err := d.repeat(s, m.add, m.passed); err != nil {
		return fmt.Errorf("monitoring: %w", err)
	}
	return d.tell(Monitored{m.line(d.iteration + 1)})
}

// monitor gathers the distributions of every layer over the passes of an update.
type monitor struct {
	layers []*tallies // in the network's order
	byName map[string]*tallies
}

// tallies are those of a layer.
type tallies struct {
	name                     string
	outputs, outputGradients results.Tally
	made, reached            bool // there are outputs, and gradients of them

	// weights and weightGradients are those of the last pass, by parameter in order: the
	// gradients are added up over the passes. pending are the gradients of outputs in this
	// pass, the last one of each value, to which all that read the value have added.
	weights, weightGradients, pending []seen
}

func newMonitor(n *graph.Network) *monitor {
	m := &monitor{byName: map[string]*tallies{}}
	for _, node := range n.Nodes {
		t := &tallies{name: node.Name}
		m.layers = append(m.layers, t)
		m.byName[node.Name] = t
	}
	return m
}

// add takes a value of a pass into account.
func (m *monitor) add(v seen) {
	t := m.byName[v.layer]
	switch v.kind {
	case KindOutput:
		t.outputs.Add(v.values)
		t.made = true
	case KindWeight:
		t.weights = replaced(t.weights, v)
	case KindWeightGradient:
		t.weightGradients = replaced(t.weightGradients, v)
	case KindGradient: // of what another layer made, or of an input
		name, _, _ := strings.Cut(strings.TrimSuffix(v.name, "/d"), ":")
		if of := m.byName[name]; of != nil {
			of.pending = replaced(of.pending, v)
		}
	}
}

// replaced is a list with a value in the place of the one of its name, or at the end.
func replaced(list []seen, v seen) []seen {
	for i := range list {
		if list[i].name == v.name {
			list[i] = v
			return list
		}
	}
	return append(list, v)
}

// passed is called after each pass.
func (m *monitor) passed() {
	for _, t := range m.layers {
		for _, v := range t.pending {
			t.outputGradients.Add(v.values)
			t.reached = true
		}
		t.pending = t.pending[:0]
	}
}

// line is what was gathered. Weights that are not trained are left out.
func (m *monitor) line(iteration int) results.MonitorLine {
	line := results.MonitorLine{Iteration: iteration}
	for _, t := range m.layers {
		if !t.made {
			continue
		}
		l := results.LayerNumbers{Layer: t.name, Outputs: t.outputs.Distribution()}
		if t.reached {
			l.OutputGradients = t.outputGradients.Distribution()
		}
		if len(t.weightGradients) > 0 {
			var weights, gradients results.Tally
			for _, g := range t.weightGradients {
				gradients.Add(g.values)
				for _, w := range t.weights {
					if w.name == g.name {
						weights.Add(w.values)
					}
				}
			}
			l.Weights, l.WeightGradients = weights.Distribution(), gradients.Distribution()
		}
		line.Layers = append(line.Layers, l)
	}
	return line
}
