package data

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// However many loaders share an epoch, each sample is in exactly one of their batches, and the
// batches are those of one loader.
func TestSharesAreTheWholeOnce(t *testing.T) {
	train, _, err := NewSynthetic(SyntheticOptions{Train: 103, Test: 1, Shape: []int{1, 2, 2}, Classes: 3, Seed: 1})
	require.NoError(t, err)
	const epochs = 3
	read := func(s Share, batch int) map[int][]int { // by iteration
		l, err := NewLoader(t.Context(), train, LoaderOptions{Batch: batch, Shuffle: true, Seed: 5, Share: s})
		require.NoError(t, err)
		defer l.Close()
		batches := (train.Len() + batch - 1) / batch
		of := map[int][]int{}
		if s.empty(batches) {
			return of
		}
		for {
			b, err := l.Next()
			require.NoError(t, err)
			if b.Epoch == epochs {
				return of
			}
			of[b.Iteration] = slices.Clone(b.Samples)
			b.Release()
		}
	}
	for _, batch := range []int{1, 8, 60} {
		whole := read(Share{}, batch)
		for _, ranks := range []int{1, 2, 3, 4, 8} {
			for _, each := range []int{1, 2} {
				together := map[int][]int{}
				for r := range ranks {
					for k, samples := range read(Share{Of: ranks * each, From: r * each, To: (r + 1) * each}, batch) {
						require.NotContains(t, together, k)
						together[k] = samples
					}
				}
				require.Equal(t, whole, together, "%d ranks with %d batches of %d", ranks, each, batch)
			}
		}
		times := map[int]int{}
		for _, samples := range whole {
			for _, i := range samples {
				times[i]++
			}
		}
		require.Len(t, times, train.Len())
		for _, n := range times {
			require.Equal(t, epochs, n)
		}
	}
}

func TestShareRefusesNonsense(t *testing.T) {
	for _, s := range []Share{{Of: 2, From: 1, To: 1}, {Of: 2, From: 0, To: 3}, {Of: 2, From: -1, To: 1}, {From: 0, To: 1}} {
		require.Error(t, s.check(), s)
	}
	require.NoError(t, Share{}.check())
}
