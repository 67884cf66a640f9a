package expr

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Normal is the quantile of a draw's middle, and so symmetric, from one end to the other.
func TestNormal(t *testing.T) {
	p := MustNew(Normal(1))
	require.Equal(t, 2, p.Draws())
	at := func(k uint32) float64 { // of the draw k 2^-24
		var out [1]float64
		p.Eval(out[:], Element{Draws: []uint32{0, k<<8 | 0xff}})
		return out[0]
	}
	const draws = 1 << 24
	for k := uint32(0); k < draws; k += 997 {
		want := math.Sqrt2 * math.Erfinv(2*(float64(k)+0.5)/draws-1)
		require.InEpsilon(t, want, at(k), 4e-7, k)
		require.InEpsilon(t, want, -at(draws-1-k), 4e-7, k)
	}
	require.InDelta(t, 5.42, at(draws-1), 0.01)
}
