package roof

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

func TestEveryPathOfThisMachineRuns(t *testing.T) {
	for _, tile := range gemm.Tiles() {
		require.Positive(t, PeakFLOPS(tile.Name, 2), tile.Name)
	}
}

func TestBestTakesTheShortest(t *testing.T) {
	calls := 0
	elapsed := best(3, 1, func(int) {
		calls++
		if calls != 2 {
			time.Sleep(200 * time.Millisecond)
		}
	})
	require.Equal(t, 3, calls)
	require.Less(t, elapsed, 200*time.Millisecond)
}

func TestBandwidth(t *testing.T) {
	if testing.Short() {
		t.Skip("copies 256 MiB, which is slow under the race detector")
	}
	require.Positive(t, Bandwidth(1))
}
