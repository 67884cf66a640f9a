package svm

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Each fold has its share of all samples and of each class, to one sample.
func TestFoldsAreStratified(t *testing.T) {
	s := Set{Classes: 3}
	of := []int{13, 0, 31}
	for k, n := range of {
		for range n {
			s.Labels = append(s.Labels, k)
		}
	}
	fold := deal(s, 5, 1)
	all, ofClass := make([]int, 5), make([][3]int, 5)
	for i, f := range fold {
		all[f]++
		ofClass[f][s.Labels[i]]++
	}
	for f := range 5 {
		require.InDelta(t, 44./5, all[f], 0.999)
		for k, n := range of {
			require.InDelta(t, float64(n)/5, ofClass[f][k], 0.999)
		}
	}
	require.Equal(t, fold, deal(s, 5, 1))
	require.NotEqual(t, fold, deal(s, 5, 2))
}
