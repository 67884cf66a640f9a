package results

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRateTest(t *testing.T) {
	var r RateTest
	require.Zero(t, r.Suggested())
	require.True(t, r.Add(0.25, 4))
	require.True(t, r.Add(0.5, 2))
	require.True(t, r.Add(1, 1))
	require.Equal(t, []float64{0.25, 0.5, 1}, r.Rates)
	require.Equal(t, []float64{4, 2, 1}, r.Losses)
	require.InDeltaSlice(t, []float64{4, (2 + 0.9*4) / 1.9, (1 + 0.9*2 + 0.81*4) / 2.71}, r.Smoothed, 1e-12)
	require.Equal(t, 2, r.Lowest())
	require.InDelta(t, 0.1, r.Suggested(), 1e-12)
	require.True(t, r.Add(2, 20))
	require.False(t, r.Stopped)
	require.False(t, r.Add(4, 20), "four times the lowest")
	require.True(t, r.Stopped)
	require.InDelta(t, 0.1, r.Suggested(), 1e-12)

	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		r = RateTest{}
		require.True(t, r.Add(1, 1))
		require.False(t, r.Add(2, bad))
		require.True(t, r.Stopped)
		require.Len(t, r.Losses, 1, "what is not finite is left out")
		require.Zero(t, r.Suggested(), "it never fell")
	}
}
