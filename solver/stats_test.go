package solver

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/graph"
)

// The numbers of layers over the two passes of an update, by hand.
func TestLayerStats(t *testing.T) {
	n := &graph.Network{Nodes: []graph.Node{{Name: "fc1"}, {Name: "relu1"}, {Name: "fc2"}, {Name: "unused"}}}
	s := newStatistics(n)
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	output := func(layer string, values ...float32) {
		s.add(seen{layer: layer, name: layer, kind: KindOutput, values: values})
	}
	of := func(kind Kind, layer, name string, values ...float32) {
		s.add(seen{layer: layer, name: name, kind: kind, values: values})
	}
	of(KindWeight, "fc1", "fc1.weight", 3, 0, nan)
	of(KindWeight, "fc1", "fc1.bias", 4)
	of(KindWeight, "fc2", "fc2.weight", 0, 0)
	of(KindWeight, "fc2", "fc2.bias", 7) // frozen: it has no gradient
	output("fc1", 1, 2, nan, 3)
	output("relu1", 5, 5, 5)
	output("fc2", nan)
	of(KindGradient, "fc1", "fc1/d", 100)
	of(KindWeightGradient, "fc1", "fc1.weight", 50, 50)
	output("fc1", 0, inf, -4)
	output("relu1", 5)
	of(KindWeightGradient, "fc1", "fc1.weight", 6, inf, 0) // of both passes
	of(KindWeightGradient, "fc1", "fc1.bias", 8)
	of(KindWeightGradient, "fc2", "fc2.weight", 1)

	all := s.of()
	require.Len(t, all, 3, "a layer without an output has no numbers")
	fc1 := all[0]
	require.Equal(t, "fc1", fc1.Layer)
	require.InDelta(t, 0.4, fc1.Mean, 1e-12)                           // (1+2+3+0-4)/5
	require.InDelta(t, math.Sqrt(30./5-0.4*0.4), fc1.Deviation, 1e-12) // 1+4+9+0+16 is 30
	require.InDelta(t, 0.2, fc1.Zeros, 1e-12)
	require.Equal(t, 4.0, fc1.Largest)
	require.Equal(t, 2, fc1.Bad)
	require.InDelta(t, 2, *fc1.Gradient, 1e-12) // 10/5

	relu1 := all[1]
	require.Equal(t, LayerStats{Layer: "relu1", Mean: 5, Largest: 5}, relu1, "one value alone does not deviate")

	fc2 := all[2]
	require.Equal(t, LayerStats{Layer: "fc2", Bad: 1}, fc2, "no finite output, and no weights to divide by")
}
