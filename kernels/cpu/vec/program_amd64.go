//go:build amd64 && !purego

package vec

var (
	steps512 = Steps{
		Sub: sub512, Div: div512, Min: minimum512, Max: maximum512,
		SelectLess: selectLess512, SelectLessEqual: selectLessEqual512, SelectEqual: selectEqual512,
		Abs: abs512, Sqrt: sqrt512, Exp: exponential512, Log: logarithm512, Erf: erf512,
		Tanh: func(y, x []float32) { tanh512(y, x, 0) },
	}
	stepsAVX2 = Steps{
		Sub: subAVX2, Div: divAVX2, Min: minimumAVX2, Max: maximumAVX2,
		SelectLess: selectLessAVX2, SelectLessEqual: selectLessEqualAVX2, SelectEqual: selectEqualAVX2,
		Abs: absAVX2, Sqrt: sqrtAVX2, Exp: exponentialAVX2, Log: logarithmAVX2, Erf: erfAVX2,
		Tanh: func(y, x []float32) { tanhAVX2(y, x, 0) },
	}
)

//go:noescape
func sub512(y, a, b []float32)

//go:noescape
func div512(y, a, b []float32)

//go:noescape
func minimum512(y, a, b []float32)

//go:noescape
func maximum512(y, a, b []float32)

//go:noescape
func selectLess512(y, a, b, p, q []float32)

//go:noescape
func selectLessEqual512(y, a, b, p, q []float32)

//go:noescape
func selectEqual512(y, a, b, p, q []float32)

//go:noescape
func abs512(y, x []float32)

//go:noescape
func sqrt512(y, x []float32)

//go:noescape
func exponential512(y, x []float32)

//go:noescape
func logarithm512(y, x []float32)

//go:noescape
func erf512(y, x []float32)

//go:noescape
func subAVX2(y, a, b []float32)

//go:noescape
func divAVX2(y, a, b []float32)

//go:noescape
func minimumAVX2(y, a, b []float32)

//go:noescape
func maximumAVX2(y, a, b []float32)

//go:noescape
func selectLessAVX2(y, a, b, p, q []float32)

//go:noescape
func selectLessEqualAVX2(y, a, b, p, q []float32)

//go:noescape
func selectEqualAVX2(y, a, b, p, q []float32)

//go:noescape
func absAVX2(y, x []float32)

//go:noescape
func sqrtAVX2(y, x []float32)

//go:noescape
func exponentialAVX2(y, x []float32)

//go:noescape
func logarithmAVX2(y, x []float32)

//go:noescape
func erfAVX2(y, x []float32)
