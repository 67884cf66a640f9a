//go:build arm64 && !purego

package depthwise

import "unsafe"

// The copies stay in Go: they are loops of copy and clear.
func init() {
	paths = append(paths, &Loops{"neon", correlateNEON, dotsNEON, pad, split, unpad, merge})
}

func correlateNEON(y, x, w []float32, at []int, bias []float32, n int, p Planes) {
	if n == 0 {
		return
	}
	for i := range p.Count {
		b := float32(0)
		if bias != nil {
			b = bias[i]
		}
		correlatePlane(&y[i*p.Y], unsafe.SliceData(x[min(i*p.X, len(x)):]), unsafe.SliceData(w[i*len(at):]), unsafe.SliceData(at), len(at), b, n)
	}
}

func dotsNEON(sums, y, x []float32, at []int) {
	for t := 0; t < len(at) && len(y) > 0; t++ {
		dot16(&sums[t*Width], &y[0], &x[at[t]], len(y))
	}
}

// correlatePlane is Loops.Correlate of one plane, of n elements, at least Width.
//
//go:noescape
func correlatePlane(y, x, w *float32, at *int, taps int, bias float32, n int)

// dot16 is Loops.Dots of one tap, of n elements, at least Width.
//
//go:noescape
func dot16(sums, y, x *float32, n int)
