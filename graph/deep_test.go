package graph_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// deepNetwork is one of n layers and a loss: some work in place, some have
// weights, and one in a hundred reads a value of long ago too.
func deepNetwork(n int) *graph.Network {
	net := &graph.Network{Name: "deep"}
	x := net.Input("data", device.Float32, 1)
	past := x
	for i := range n {
		var l layers.Layer
		in := []string{x}
		switch {
		case i%100 == 99:
			l, in = &layers.Add{}, append(in, past)
		case i%100 == 50:
			past = x
			l = &layers.Dense{Out: 1}
		case i%10 == 0:
			l = &layers.Dense{Out: 1}
		case i%10 == 5:
			l = &layers.Dropout{P: 0.5}
		default:
			l = &layers.Unary{Op: device.ReLU}
		}
		x = net.Add(fmt.Sprintf("layer%d", i), l, in...)
	}
	net.Outputs = []string{x}
	net.Add("loss", &layers.L2Loss{}, x, net.Input("target", device.Float32, 1))
	return net
}

// A network of very many layers takes a time in proportion. Where one step of
// planning, or of setting up, compares all layers with all others, this test takes much
// longer: with HUBEL_LONG=1, which has more of them, a minute and not seconds.
func TestVeryDeepNetwork(t *testing.T) {
	depth := 30_000
	if os.Getenv("HUBEL_LONG") != "" {
		depth = 100_000
	}
	net := deepNetwork(depth)
	d := reference.New()
	_, err := net.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: 2})
	require.NoError(t, err)
	p, err := net.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 2})
	require.NoError(t, err)
	require.Less(t, p.Arena, p.Unshared/2)
	require.Contains(t, p.String(), fmt.Sprintf("layer%d", depth-1))
	w, err := graph.NewWeights(net, d)
	require.NoError(t, err)
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	for _, param := range p.Params {
		require.False(t, e.Gradient(param.Name).IsNil())
	}
	require.NoError(t, e.Close())
	require.NoError(t, w.Close())
}
