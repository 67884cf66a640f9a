package winograd

// The points are 0 and pairs ±p. A polynomial takes the same value at both of
// a pair but for the sign of its odd part, so a transform is an even and an
// odd sum for each pair, and then their sum and difference.

// pairs are the p, whose squares are P.
var pairs = [3]float64{0.5, 1.25, 3}

// broad is a coefficient, repeated for a vector of AVX2; one of AVX-512 takes
// the first.
type broad [8]float32

// pair is the coefficients of one pair; Q and R are the other squares. The
// assembly knows the order.
type pair struct {
	// Of B. With s = Q+R and t = QR, row ±p is
	// (d6 - s d4 + t d2) ± (p d5 - ps d3 + pt d1).
	s, t, p, ps, pt broad // s and ps negative
	// Of S E: n = 1/(2P(P-Q)(P-R)) times powers of p.
	n0, n2, n4, n1, n3 broad
	// Of Eᵀ.
	p1, p2, p3, p4 broad
}

// coefficients is all of them. Row 0 of B is d6 + e4 d4 + e2 d2 + e0 d0.
type coefficients struct {
	pair       [3]pair
	e4, e2, e0 broad
	n          broad // of S E at 0

	// masks has the vector that the bits of its index name.
	masks [1 << Points][8]uint32
}

var table = newCoefficients()

func newCoefficients() (c coefficients) {
	set := func(b *broad, v float64) {
		for i := range b {
			b[i] = float32(v)
		}
	}
	for i, p := range pairs {
		q, r, pp := pairs[(i+1)%3], pairs[(i+2)%3], p*p
		s, t := q*q+r*r, q*q*r*r
		n := 1 / (2 * pp * (pp - q*q) * (pp - r*r))
		k := &c.pair[i]
		set(&k.s, -s)
		set(&k.t, t)
		set(&k.p, p)
		set(&k.ps, -p*s)
		set(&k.pt, p*t)
		set(&k.n0, n)
		set(&k.n1, n*p)
		set(&k.n2, n*pp)
		set(&k.n3, n*pp*p)
		set(&k.n4, n*pp*pp)
		set(&k.p1, p)
		set(&k.p2, pp)
		set(&k.p3, pp*p)
		set(&k.p4, pp*pp)
	}
	a, b, d := pairs[0]*pairs[0], pairs[1]*pairs[1], pairs[2]*pairs[2]
	set(&c.e4, -a-b-d)
	set(&c.e2, a*b+a*d+b*d)
	set(&c.e0, -a*b*d)
	set(&c.n, -1/(a*b*d))
	for bits := range c.masks {
		for i := range Points {
			if bits>>i&1 != 0 {
				c.masks[bits][i] = ^uint32(0)
			}
		}
	}
	return c
}

// Unscaled has S⁻¹ for each frequency: times it, S E dy Eᵀ S is E dy Eᵀ.
var Unscaled = newUnscaled()

func newUnscaled() (u [Frequencies]float32) {
	s := [Points]float64{float64(table.n[0])}
	for i := range table.pair {
		s[2*i+1], s[2*i+2] = float64(table.pair[i].n0[0]), float64(table.pair[i].n0[0])
	}
	for f := range u {
		u[f] = float32(1 / (s[f/Points] * s[f%Points]))
	}
	return u
}
