package program

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// Gradients are checked of networks with few multiplications, and few parameters
// times steps.
func TestCheap(t *testing.T) {
	d := reference.New()
	for model, want := range map[string]bool{"lenet": true, "net1": true, "alexnet": false} {
		n, err := models.Build(model, models.Options{})
		require.NoError(t, err)
		small, err := cheap(n, d)
		require.NoError(t, err)
		require.Equal(t, want, small, model)
	}
	for count, want := range map[int]bool{50: true, 500: false} {
		n := &graph.Network{Name: "deep"}
		x := n.Image("data", 1)
		for i := range count {
			x = n.Add(fmt.Sprintf("fc%d", i), &layers.Dense{Out: 1}, x)
		}
		n.Add("loss", &layers.L2Loss{}, x, n.Target("target", 1))
		small, err := cheap(n, d)
		require.NoError(t, err)
		require.Equal(t, want, small, "%d layers", count)
	}
}
