package expr

import "math"

// Normal is a normal random number of mean 0 and deviation 1, of the i-th
// stream's draw: sqrt(2) erfinv(v), where v is the middle of the draw's
// interval of (-1,1), so that it lies within 5.5 deviations. The inverse of the
// error function is that of Giles 2010, "Approximating the erfinv function",
// for single precision. Its relative error is at most 4e-7, without roundings.
func Normal(i int) Expr {
	v := Add(Mul(Const(2), Draw(i)), Const(0x1p-24-1)) // exact
	w := Neg(Log(Mul(Sub(Const(1), v), Add(Const(1), v))))
	near := polynomial(Sub(w, Const(2.5)), 1.50140941, 0.246640727, -0.00417768164, -0.00125372503,
		0.00021858087, -4.39150654e-06, -3.5233877e-06, 3.43273939e-07, 2.81022636e-08)
	far := polynomial(Sub(Sqrt(w), Const(3)), 2.83297682, 1.00167406, 0.00943887047, -0.0076224613,
		0.00573950773, -0.00367342844, 0.00134934322, 0.000100950558, -0.000200214257)
	return Mul(Mul(Const(math.Sqrt2), v), Select(Less(w, Const(5)), near, far))
}

// polynomial is c[0] + c[1] x + ..., by Horner's rule.
func polynomial(x Expr, c ...float32) Expr {
	y := Const(c[len(c)-1])
	for k := len(c) - 2; k >= 0; k-- {
		y = Add(Mul(y, x), Const(c[k]))
	}
	return y
}
