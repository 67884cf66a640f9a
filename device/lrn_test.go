package device

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLRNCheck(t *testing.T) {
	for says, spoil := range map[string]func(l *LRN){
		"is empty":        func(l *LRN) { l.W = 0 },
		"size 4 must be":  func(l *LRN) { l.Size = 4 },
		"size -1 must be": func(l *LRN) { l.Size = -1 },
		"k 0 must be":     func(l *LRN) { l.K = 0 },
		"k NaN must be":   func(l *LRN) { l.K = float32(math.NaN()) },
		"alpha -1":        func(l *LRN) { l.Alpha = -1 },
		"beta -1":         func(l *LRN) { l.Beta = -1 },
		"k +Inf":          func(l *LRN) { l.K = float32(math.Inf(1)) },
		"alpha +Inf":      func(l *LRN) { l.Alpha = float32(math.Inf(1)) },
		"beta +Inf":       func(l *LRN) { l.Beta = float32(math.Inf(1)) },
	} {
		l := LRN{N: 1, C: 2, H: 3, W: 4, Size: 5, Alpha: 1e-4, Beta: 0.75, K: 2}
		require.NoError(t, l.Check())
		spoil(&l)
		require.ErrorContains(t, l.Check(), says)
	}
}

// The largest finite numbers are finite.
func TestLRNCheckTakesTheLargest(t *testing.T) {
	l := LRN{N: 1, C: 2, H: 3, W: 4, Size: 5, Alpha: math.MaxFloat32, Beta: math.MaxFloat32, K: math.MaxFloat32}
	require.NoError(t, l.Check())
}

func TestLRNAlpha(t *testing.T) {
	l := LRN{Size: 5, Alpha: 10}
	require.Equal(t, float32(10), l.A())
	l.AlphaOverSize = true
	require.Equal(t, float32(2), l.A())
}
