package device

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The phases of a convolution meet each product of its definition once, and
// no other.
func TestConvClasses(t *testing.T) {
	type product struct{ x, y, tap int } // along an axis: of dx, of dy, of the filter
	for size := range 9 {
		for filter := range 5 {
			for pad := range 4 {
				for stride := range 6 {
					for dilation := range 4 {
						c := Conv{N: 1, C: 1, H: size + 1, W: 1, K: 1, R: filter + 1, S: 1, PadTop: pad, PadBottom: 1,
							StrideH: stride + 1, StrideW: 1, DilationH: dilation + 1, DilationW: 1, Groups: 1}
						if c.Check() != nil {
							continue
						}
						want := map[product]bool{}
						for y := range c.OutH() {
							for r := range c.R {
								if x := y*c.StrideH + r*c.DilationH - c.PadTop; x >= 0 && x < c.H {
									want[product{x, y, r}] = true
								}
							}
						}
						bounded, got, pixels := c.Bounded(), map[product]bool{}, 0
						require.Equal(t, c.OutH(), bounded.OutH())
						for phase := range bounded.Phases() {
							a, across := bounded.Phase(phase)
							require.Equal(t, PhaseAxis{Count: 1, Place: 1, Taps: 1, Apart: 1, Step: 1}, across)
							pixels += a.Count
							for i := range a.Count {
								for tap := range a.Taps {
									p := product{a.First + i*a.Place, i - a.Pad + tap*a.Step, a.Tap + (a.Taps-1-tap)*a.Apart}
									if p.y < 0 || p.y >= c.OutH() {
										continue
									}
									require.False(t, got[p], "%+v twice in %+v", p, c)
									got[p] = true
								}
							}
						}
						require.Equal(t, c.H, pixels, "pixels in the phases of %+v", c)
						require.Equal(t, want, got, "%+v", c)
					}
				}
			}
		}
	}
}
