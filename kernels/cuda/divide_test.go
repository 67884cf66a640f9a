package cuda

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// divide is that of divide.cuh.
func divide(n uint32, d uint64) uint32 { return uint32(uint64(n) * (d & math.MaxUint32) >> (d >> 32)) }

func TestDivisor(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	divisors := []int{1, 2, 3, 5, 6, 7, 13, 27, 55, 64, 641, 1 << 16, 1<<30 - 1, 1 << 30, 1<<30 + 1, math.MaxInt32}
	for range 1000 {
		divisors = append(divisors, 1+r.IntN(1<<r.IntN(31)))
	}
	for _, d := range divisors {
		m := divisor(d)
		require.Less(t, m>>32, uint64(64))
		// A product that is too large shows first where a quotient begins.
		for range 100 {
			multiple := r.IntN(math.MaxInt32/d+1) * d
			for _, n := range []int{multiple - 1, multiple, multiple + d - 1, math.MaxInt32} {
				if n >= 0 && n <= math.MaxInt32 {
					require.Equal(t, uint32(n/d), divide(uint32(n), m), "%d / %d", n, d)
				}
			}
		}
	}
}
