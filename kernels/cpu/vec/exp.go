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

func sigmoid(x float32) float32 { return float32(1 / (1 + Exp(-float64(x)))) }

// tanh is (e^2x - 1)/(e^2x + 1); near 0, where that cancels, it is the Taylor
// polynomial of degree 7, whose remainder is below x^9/45 = 3e-10 x.
func tanh(x float32) float32 {
	v := float64(x)
	if s := v * v; s < 0.01 {
		p := float64(s*(-17.0/315)) + 2.0/15
		p = float64(p*s) - 1.0/3
		return float32(v + float64(v*float64(s*p)))
	}
	e := Exp(2 * v)
	return float32((e - 1) / (e + 1))
}
