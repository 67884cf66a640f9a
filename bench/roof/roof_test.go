package roof

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

func TestEveryPathOfThisMachineRuns(t *testing.T) {
	for _, tile := range gemm.Tiles() {
		require.Positive(t, PeakFLOPS(tile.Name, 2), tile.Name)
	}
}

func TestBestRunsEveryThreadEachTime(t *testing.T) {
	var calls [2]int
	require.Positive(t, best(3, 2, func(thread int) { calls[thread]++ }))
	require.Equal(t, [2]int{3, 3}, calls)
}

func TestHandoff(t *testing.T) {
	require.Positive(t, Handoff())
}

func TestBandwidth(t *testing.T) {
	if testing.Short() {
		t.Skip("copies 256 MiB, which is slow under the race detector")
	}
	require.Positive(t, Bandwidth(1))
}
