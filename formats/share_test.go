package formats_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// twins is two dense layers, and values of their weights.
func twins(values map[string][]float32) (*graph.Network, map[string]*tensor.Dense) {
	n := &graph.Network{Name: "twins", Outputs: []string{"b"}}
	n.Add("a", &layers.Dense{Out: 2}, n.Image("data", 2, 1, 1))
	n.Add("b", &layers.Dense{Out: 2}, "a")
	weights := map[string]*tensor.Dense{}
	for name, x := range values {
		shape := []int{len(x)}
		if len(x) == 4 {
			shape = []int{2, 2}
		}
		weights[name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slices.Clone(x)))
	}
	return n, weights
}

// Weights become one where the file has one array for them, and a program that merges equal
// arrays has not just found two that are alike.
func TestJoin(t *testing.T) {
	w, v, zeros := []float32{1, 2, 3, 4}, []float32{1, 3, 2, 4}, []float32{0, 0}
	both := map[string]string{"weight": "a.weight", "bias": "a.bias"}
	weight, bias := map[string]string{"weight": "a.weight"}, map[string]string{"bias": "a.bias"}
	for name, c := range map[string]struct {
		aw, bw, ab, bb []float32 // values
		of             [4]string // arrays
		exact, merged  map[string]string
	}{
		"one array each":               {w, w, []float32{5, 6}, []float32{5, 6}, [4]string{"w", "w", "b", "b"}, both, both},
		"equal, and two arrays":        {w, w, []float32{5, 6}, []float32{5, 6}, [4]string{"w", "x", "b", "c"}, nil, nil},
		"one array, turned once":       {w, v, []float32{5, 6}, []float32{5, 6}, [4]string{"w", "w", "b", "b"}, bias, bias},
		"zeros beside what is shared":  {w, w, zeros, zeros, [4]string{"w", "w", "b", "b"}, both, both},
		"zeros alone":                  {w, v, zeros, zeros, [4]string{"w", "x", "b", "b"}, bias, nil},
		"zeros of two arrays":          {w, w, zeros, zeros, [4]string{"w", "w", "b", "c"}, weight, weight},
		"all of one array, as of Gemm": {w, w, zeros, zeros, [4]string{"w", "w", "w", "w"}, both, both},
	} {
		for _, merged := range []bool{false, true} {
			n, weights := twins(map[string][]float32{"a.weight": c.aw, "b.weight": c.bw, "a.bias": c.ab, "b.bias": c.bb})
			s := formats.Shared{Merged: merged}
			for i, at := range [][2]string{{"a", "weight"}, {"b", "weight"}, {"a", "bias"}, {"b", "bias"}} {
				s.Add(at[0], at[1], c.of[i])
			}
			facts := s.Join(n, weights)
			want := c.exact
			if merged {
				want = c.merged
			}
			require.Equal(t, want, n.Nodes[1].Share, "%s, merged %t", name, merged)
			require.Nil(t, n.Nodes[0].Share)
			require.Len(t, weights, 4-len(want))
			apart := merged && name == "zeros alone" // which may only be merged
			require.Equal(t, len(want) > 0 || apart, len(facts) == 1)
			if apart {
				require.Contains(t, facts[0], "not shared: 1 weights")
			}
			for _, own := range slices.Collect(maps.Keys(want)) {
				require.NotContains(t, weights, "b."+own)
			}
			_, err := n.Plan(formats.NoDevice{}, graph.PlanOptions{Batch: 1})
			require.NoError(t, err)
		}
	}
}

func TestDropShared(t *testing.T) {
	n, weights := twins(map[string][]float32{"a.weight": {1, 2, 3, 4}, "b.weight": {1, 2, 3, 4}})
	n.Nodes[1].Share = map[string]string{"weight": "a.weight"}
	require.NoError(t, formats.DropShared(n, weights))
	require.Len(t, weights, 1)
	require.NoError(t, formats.DropShared(n, weights), "a file may have it once")
	_, weights = twins(map[string][]float32{"a.weight": {1, 2, 3, 4}, "b.weight": {1, 2, 3, 5}})
	require.EqualError(t, formats.DropShared(n, weights), `the network has one tensor for b.weight and a.weight, and the file two that differ: take the "share" of layer b out of the network`)
}
