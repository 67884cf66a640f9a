package occupancy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func of(t *testing.T, capability int) SM {
	for _, s := range SMs {
		if s.Capability == capability {
			return s
		}
	}
	t.Fatalf("no sm_%d", capability)
	return SM{}
}

// Worked out by hand from the limits of each capability.
func TestResident(t *testing.T) {
	for _, c := range []struct {
		capability int
		k          Kernel
		blocks     int
		share      float64
	}{
		{70, Kernel{Threads: 256, Registers: 32}, 8, 1},
		{70, Kernel{Threads: 256, Registers: 128, Shared: 16896}, 2, 0.25},
		{70, Kernel{Threads: 128, Registers: 33}, 12, 0.75}, // 40 registers: 51 warps in 4 parts are 48
		{70, Kernel{Threads: 32, Registers: 16}, 32, 0.5},   // blocks
		{70, Kernel{Threads: 64, Registers: 32, Shared: 20000}, 4, 0.125},
		{80, Kernel{Threads: 1024, Registers: 64}, 1, 0.5},
		{80, Kernel{Threads: 256, Registers: 128, Shared: 16896}, 2, 0.25},
		{80, Kernel{Threads: 256, Registers: 32, Shared: 48 << 10}, 3, 0.375},
		{86, Kernel{Threads: 256, Registers: 32}, 6, 1},
		{86, Kernel{Threads: 64, Registers: 32}, 16, 2. / 3},
		{89, Kernel{Threads: 64, Registers: 32}, 24, 1},
		{86, Kernel{Threads: 256, Registers: 40, Shared: 33 << 10}, 2, 1. / 3},
		{90, Kernel{Threads: 256, Registers: 255}, 1, 0.125},
		{90, Kernel{Threads: 100, Registers: 32, Shared: 113 << 10}, 2, 0.125},
		{80, Kernel{Threads: 128, Registers: 32, Shared: 164 << 10}, 0, 0},
	} {
		s := of(t, c.capability)
		n := s.Resident(c.k)
		require.Equal(t, c.blocks, n, "sm_%d %+v", c.capability, c.k)
		require.InDelta(t, c.share, s.Occupancy(c.k, n), 1e-9, "sm_%d %+v", c.capability, c.k)
	}
}
