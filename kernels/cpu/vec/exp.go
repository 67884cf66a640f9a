package vec

import "math"

// Exp is e^x to 30 bits, for arguments that are differences or multiples of
// float32 values: rounded to float32 it is right to the last bit but for rare
// ties. It is 0 below -200 and infinite, as a float32, above 200.
//
// x = k ln 2 + r with |r| <= ln(2)/2, and e^r is its Taylor polynomial of
// degree 8, whose remainder is below r^9/9! = 2e-10.
func Exp(x float64) float64 {
	switch { // branches, which predict well; min and max wait for each other
	case x != x:
		return x
	case x > 200:
		x = 200
	case x < -200:
		x = -200
	}
	const shift = 0x1.8p52 // adding it rounds to an integer
	shifted := float64(x*math.Log2E) + shift
	k := shifted - shift
	r := x - float64(k*math.Ln2)
	p := float64(r*(1.0/40320)) + 1.0/5040
	p = float64(p*r) + 1.0/720
	p = float64(p*r) + 1.0/120
	p = float64(p*r) + 1.0/24
	p = float64(p*r) + 1.0/6
	p = float64(p*r) + 1.0/2
	p = float64(p*r) + 1
	p = float64(p*r) + 1
	return p * math.Float64frombits(uint64(int64(k)+1023)<<52)
}

// log is the logarithm of a positive x to 30 bits.
//
// x = 2^k m with m between the roots of 1/2 and of 2, and log m is twice the
// area tangent of s = (m-1)/(m+1): its series up to s^13, whose remainder is
// below 2 s^15/15 = 4e-13.
func log(x float64) float64 {
	const root = 0x3FE6A09E00000000 // the root of 1/2, nearly
	up := math.Float64bits(x) + (0x3FF0000000000000 - root)
	k := math.Float64frombits(up>>52|0x4330000000000000) - (1<<52 + 1023)
	m := math.Float64frombits(up&(1<<52-1) + root)
	s := (m - 1) / (m + 1)
	z := s * s
	p := float64(z*(1.0/13)) + 1.0/11
	p = float64(p*z) + 1.0/9
	p = float64(p*z) + 1.0/7
	p = float64(p*z) + 1.0/5
	p = float64(p*z) + 1.0/3
	half := s + float64(s*float64(z*p))
	return float64(k*math.Ln2) + float64(half+half)
}
