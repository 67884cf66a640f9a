package ptxsim

import "math"

// fmaLanes is d = a*b + c, rounded once, of 32 lanes of float32 with the NaN
// of hardware. Where the processor has a fused multiply-add, that is what it
// points to; it gives the same bits.
var fmaLanes = fmaLanesGo

func fmaLanesGo(d, a, b, c *[32]uint32) {
	for i := range d {
		x, y, z := math.Float32frombits(a[i]), math.Float32frombits(b[i]), math.Float32frombits(c[i])
		s := float64(float64(x)*float64(y)) + float64(z)
		// As in fma32, written out because that is not inlined.
		t := math.Float64bits(s)
		if t>>52&0x7ff-897 >= 254 || t&(1<<29-1) == 1<<28 {
			d[i] = canonical(fmaSlow(x, y, z, roundNearest))
			continue
		}
		d[i] = math.Float32bits(float32(s))
	}
}
