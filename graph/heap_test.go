package graph

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// In order of birth, the heap finds the places that comparing each span with all
// before it finds.
func TestFitByBirth(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		long, sizes := 1+r.IntN(20), 1+r.Int64N(9)
		list := make([]span, 1+r.IntN(120))
		for i := range list {
			first := r.IntN(60) - 1
			list[i] = span{first: first, last: first + r.IntN(long), bytes: 64 * (1 + r.Int64N(sizes))}
		}
		want := slices.Clone(list)
		arena := fit(want, byBirth)
		require.Equal(t, arena, fitByBirth(list), "seed %d", seed)
		require.Equal(t, want, list, "seed %d", seed)
	}
}

// A list of gaps stays sorted, and finds what is there, over many runs.
func TestGapList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	var l gapList
	var plain []gap
	for i := range 20000 {
		if len(plain) > 0 && r.IntN(20000) < i/2 {
			at := r.IntN(len(plain))
			l.remove(plain[at])
			plain = slices.Delete(plain, at, at+1)
			continue
		}
		g := gap{r.Int64N(500), int64(i)}
		l.insert(g)
		at, _ := slices.BinarySearchFunc(plain, g, compareGaps)
		plain = slices.Insert(plain, at, g)
		for _, run := range l {
			require.NotEmpty(t, run)
			require.LessOrEqual(t, len(run), longestRun)
		}
		size := r.Int64N(520)
		got, ok := l.atLeast(size)
		at, _ = slices.BinarySearchFunc(plain, gap{bytes: size}, compareGaps)
		require.Equal(t, at < len(plain), ok)
		if ok {
			require.Equal(t, plain[at], got)
		}
	}
	require.Greater(t, len(l), 3)
	require.Equal(t, plain, slices.Concat(l...))
}
