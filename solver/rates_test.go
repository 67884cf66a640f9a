package solver

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindRate(t *testing.T) {
	c := smallConfig(t)
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.Optimiser.ClipNorm, c.Optimiser.EMA = 0, 0.5
	var told []Progress
	c.Observers = []Observer{watch(func(p Progress) { told = append(told, p) })}
	found, err := FindRate(t.Context(), c, 1e-5, 1e5, 101)
	require.NoError(t, err)
	require.NoDirExists(t, c.Dir)
	require.True(t, found.Stopped)
	require.Less(t, len(found.Rates), 101)
	require.GreaterOrEqual(t, len(told), len(found.Rates))
	for k, rate := range found.Rates {
		require.InEpsilon(t, 1e-5*math.Pow(10, float64(k)/10), rate, 1e-6)
		require.Equal(t, rate, float64(told[k].Rate))
		require.Equal(t, found.Losses[k], told[k].Loss)
	}
	// The first rates move nothing that a loss shows: it is that of 10 classes.
	require.InDelta(t, math.Log(10), found.Smoothed[10], 0.5)
	require.Greater(t, found.Suggested(), 1e-4)
	require.Less(t, found.Suggested(), 1.)

	again, err := FindRate(t.Context(), c, 1e-5, 1e5, 101)
	require.NoError(t, err)
	require.Equal(t, found, again)

	c.Test = nil // none is needed
	found, err = FindRate(t.Context(), c, 1e-6, 1e-5, 3)
	require.NoError(t, err)
	require.False(t, found.Stopped)
	require.InEpsilonSlice(t, []float64{1e-6, math.Sqrt(1e-11), 1e-5}, found.Rates, 1e-6)
}

func TestFindRateRefuses(t *testing.T) {
	c := smallConfig(t)
	for _, r := range [][2]float64{{0, 1}, {1, 1}, {2, 1}, {-1, 1}, {math.NaN(), 1}, {1, math.NaN()}, {1, math.Inf(1)}, {1, 1e39}} {
		_, err := FindRate(t.Context(), c, r[0], r[1], 10)
		require.ErrorContains(t, err, "must be finite, above 0 and rising")
	}
	_, err := FindRate(t.Context(), c, 1, 2, 1)
	require.EqualError(t, err, "1 updates of a test of rates must be at least 2")
	_, err = FindRate(t.Context(), Config{}, 1, 2, 3)
	require.EqualError(t, err, "there is no network to train")
	c.Batch = 0
	_, err = FindRate(t.Context(), c, 1, 2, 3)
	require.ErrorContains(t, err, "batch 0 must be at least 1")
	c = smallConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	c.Observers = []Observer{watch(func(Progress) { cancel() })}
	_, err = FindRate(ctx, c, 1e-6, 1e-5, 30)
	require.ErrorIs(t, err, context.Canceled)
}
