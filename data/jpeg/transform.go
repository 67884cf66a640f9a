package jpeg

import "math"

// transform writes what a block shows: 8x8 samples, or fewer where the
// component is halved, of coefficients of which those after last, in zigzag
// order, are 0.
func (p *component) transform(dst []uint8, stride int, c *[64]int16, last int) {
	side := 8 >> p.shift
	if last == 0 || p.shift == 3 {
		v := rounded(float32(float32(c[0])*p.multipliers[0]) + 128)
		for y := range side {
			row := dst[y*stride:][:side]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	switch p.shift {
	case 0:
		_ = dst[7*stride+7]
		inverse8(dst, stride, c, &p.multipliers)
	case 1:
		_ = dst[3*stride+3]
		inverse4(dst, stride, c, &p.multipliers)
	case 2:
		inverse2(dst, stride, c, &p.multipliers)
	}
}

// rounded is the nearest byte; of two, the even one.
func rounded(x float32) uint8 {
	// Numbers of this size have no digits after the point, and their last bits
	// are the number.
	const large = 1 << 23
	if x > 255 {
		return 255
	}
	if x < 0 {
		return 0
	}
	return uint8(math.Float32bits(x + large))
}

// The constants of the transform.
const (
	sqrt2  = 1.41421356237309504880
	twoC2  = 1.84775906502257351226 // 2 cos(2 pi/16)
	c2mC6  = 1.08239220029239396880 // 2 (cos(2 pi/16) - cos(6 pi/16))
	c2pC6  = 2.61312592975275305571 // 2 (cos(2 pi/16) + cos(6 pi/16))
	cosPi8 = 0.92387953251128675613
	sinPi8 = 0.38268343236508977173
	rootHf = 0.70710678118654752440 // sqrt(1/2)
)

// inverse8Go is the inverse discrete cosine transform by the algorithm of Arai,
// Agui and Nakajima (1988), which leaves a factor of each coefficient to the
// multipliers: rows of the transposed block first, then columns. inverse8 is
// the same in assembly where there is one, and rounds alike.
func inverse8Go(dst []uint8, stride int, c *[64]int16, multipliers *[64]float32) {
	var w [64]float32 // [x][v], then [v][x]
	for v := range 8 {
		if v > 0 && c[v]|c[8+v]|c[16+v]|c[24+v]|c[32+v]|c[40+v]|c[48+v]|c[56+v] == 0 {
			continue
		}
		var in [8]float32
		for u := range 8 {
			in[u] = float32(c[8*u+v]) * multipliers[8*u+v]
		}
		if v == 0 {
			in[0] += 128
		}
		out := inverseLine(&in)
		*(*[8]float32)(w[8*v:]) = out
	}
	for x := range 8 {
		in := [8]float32{w[x], w[8+x], w[16+x], w[24+x], w[32+x], w[40+x], w[48+x], w[56+x]}
		out := inverseLine(&in)
		for y, f := range out {
			dst[y*stride+x] = rounded(f)
		}
	}
}

// inverseLine is the transform of 8 numbers. The conversions keep a compiler
// from fusing a product and a sum, which would round otherwise.
func inverseLine(in *[8]float32) (out [8]float32) {
	t10, t11 := in[0]+in[4], in[0]-in[4]
	t13 := in[2] + in[6]
	t12 := float32((in[2]-in[6])*sqrt2) - t13
	e0, e3 := t10+t13, t10-t13
	e1, e2 := t11+t12, t11-t12

	z13, z10 := in[5]+in[3], in[5]-in[3]
	z11, z12 := in[1]+in[7], in[1]-in[7]
	o7 := z11 + z13
	t11 = float32((z11 - z13) * sqrt2)
	z5 := float32((z10 + z12) * twoC2)
	t10 = z5 - float32(z12*c2mC6)
	t12 = z5 - float32(z10*c2pC6)
	o6 := t12 - o7
	o5 := t11 - o6
	o4 := t10 - o5
	return [8]float32{e0 + o7, e1 + o6, e2 + o5, e3 + o4, e3 - o4, e2 - o5, e1 - o6, e0 - o7}
}

// inverse4Go is the transform of the 4x4 lowest frequencies to 4x4 samples, each
// the picture's at half its size (as in libjpeg's jidctred). inverse4 is the
// same in assembly where there is one.
func inverse4Go(dst []uint8, stride int, c *[64]int16, multipliers *[64]float32) {
	var w [16]float32 // [x][v]
	for v := range 4 {
		w[v], w[4+v], w[8+v], w[12+v] = inverseLine4(
			float32(c[v])*multipliers[v], float32(c[8+v])*multipliers[8+v],
			float32(c[16+v])*multipliers[16+v], float32(c[24+v])*multipliers[24+v])
	}
	rows := dst[:3*stride+4]
	for x := range 4 {
		p, q, r, s := inverseLine4(w[4*x]+128, w[4*x+1], w[4*x+2], w[4*x+3])
		rows[x], rows[stride+x] = rounded(p), rounded(q)
		rows[2*stride+x], rows[3*stride+x] = rounded(r), rounded(s)
	}
}

// inverseLine4 is the transform of 4 numbers.
func inverseLine4(a, b, c, d float32) (p, q, r, s float32) {
	c = float32(c * rootHf)
	o0 := float32(b*cosPi8) + float32(d*sinPi8)
	o1 := float32(b*sinPi8) - float32(d*cosPi8)
	return a + c + o0, a - c + o1, a - c - o1, a + c - o0
}

// inverse2 is the same for 2x2.
func inverse2(dst []uint8, stride int, c *[64]int16, multipliers *[64]float32) {
	f := func(at int) float32 { return float32(c[at]) * multipliers[at] }
	a, b, e, g := f(0), float32(f(8)*rootHf), float32(f(1)*rootHf), float32(float32(f(9)*rootHf)*rootHf)
	dst[0], dst[1] = rounded(a+b+e+g+128), rounded(a-b+e-g+128)
	dst[stride], dst[stride+1] = rounded(a+b-e-g+128), rounded(a-b-e+g+128)
}
