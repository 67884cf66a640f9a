package solver

import (
	"context"
	"fmt"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/results"
)

// FirstFilters names the layer of a network whose filters are shown: the first convolution
// that has its filters itself, if there is one.
func FirstFilters(n *graph.Network) (layer string, ok bool) {
	for _, node := range n.Nodes {
		_, ok := node.Layer.(*layers.Conv)
		if _, shared := node.Share["weight"]; ok && !shared {
			return node.Name, true
		}
	}
	return "", false
}

// logFilters tells of the filters of the first convolution.
func (t *trainer) logFilters(context.Context) error {
	if err := t.exec.Sync(); err != nil { // the update may still be writing them
		return err
	}
	layer, _ := FirstFilters(t.c.Network)
	w, err := t.weights.Get(layer + ".weight")
	if err != nil {
		return fmt.Errorf("filters: %w", err)
	}
	line, err := results.NewFilters(t.iteration, layer, w.Float32s(), w.Shape())
	if err != nil {
		return fmt.Errorf("filters: %w", err)
	}
	return t.tell(Filtered{line})
}
