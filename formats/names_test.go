package formats

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// TestNamesFitANetwork makes names of what files may hold, and lets a network check them.
func TestNamesFitANetwork(t *testing.T) {
	var names Names
	n := &graph.Network{}
	for source, want := range map[string]string{
		"conv1": "conv1", "inception_3a/1x1": "inception_3a_1x1", "/features/0/Conv_output_0": "features_0_Conv_output_0",
		"a b:0": "a_b_0", "": "value", "/": "value_2", "bell\a": "bell_", "\xff": "_", "é": "é",
	} {
		got := names.Make(source)
		if source != "" && source != "/" { // which of these two is first is left to chance
			require.Equal(t, want, got)
		}
		n.Inputs = append(n.Inputs, graph.Input{Name: got})
	}
	for range 3 {
		n.Inputs = append(n.Inputs, graph.Input{Name: names.Make(strings.Repeat("é", 500))}, graph.Input{Name: names.Make("conv1")})
	}
	n.Add("last", &layers.Flatten{}, n.Inputs[0].Name)
	require.NoError(t, n.Check())
	require.Equal(t, "conv1_5", names.Make("conv1"))
}
