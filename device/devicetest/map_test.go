package devicetest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr/exprtest"
)

// How far a device may be off follows from the range and, where it adds, from the sum.
func TestInRoundoffs(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		old, value float64
		r          exprtest.Range
		overwrite  float64
		accumulate float64
	}{
		{2, 1, exprtest.Range{Low: 1 - 3*unitRoundoff, High: 1 + 2*unitRoundoff}, 3, 6},
		{2, 1, exprtest.Point(1), 0, 3},
		{2, 1, exprtest.Range{Any: true}, inf, inf},
		{2, 1, exprtest.Range{Low: -inf, High: 1}, inf, inf},
		{2, inf, exprtest.Point(inf), 0, 0},
		{2, math.NaN(), exprtest.Point(math.NaN()), 0, 0},
		{inf, 1, exprtest.Range{Low: 1 - unitRoundoff, High: 1}, 1, 0},
	} {
		require.Equal(t, c.overwrite, inRoundoffs(c.old, c.value, c.r, device.Overwrite), "%+v", c)
		require.Equal(t, c.accumulate, inRoundoffs(c.old, c.value, c.r, device.Accumulate), "%+v", c)
	}
}
