package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

// TestShapesCutDepthwisePlanes counts what TestConvShapes draws: planes in bands, several
// channels at once, several outputs of a channel, strides, and convolutions that have too
// many outputs or too long a stride.
func TestShapesCutDepthwisePlanes(t *testing.T) {
	seen := map[string]int{}
	count := func(what string, is bool) {
		if is {
			seen[what]++
		}
	}
	for i := range uint64(4000) {
		c := shapeConv(rand.New(rand.NewPCG(i, 0)))
		if c.Groups != c.C {
			continue
		}
		if !usesDepthwise(&c) {
			count("product, outputs", c.K > depthwiseOutputs*c.C)
			count("product, stride", c.StrideH > depthwiseStride)
			continue
		}
		for _, pass := range []device.Pass{device.Forward, device.BackwardData, device.BackwardFilter} {
			d := newDepthwise(&c, pass)
			count("bands of "+pass.String(), d.bands > 1)
			count("channels of "+pass.String(), d.channels > 1)
			count("outputs of "+pass.String(), d.multiple > 1)
			count("strides of "+pass.String(), d.phases > 1)
		}
	}
	require.Len(t, seen, 2+4*3)
	for what, n := range seen {
		require.Greater(t, n, 3, what)
	}
}
