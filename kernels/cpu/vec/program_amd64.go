//go:build amd64 && !purego

package vec

var (
	functions512 = Functions{
		Exp: exponential512, Log: logarithm512, Erf: erf512,
		Tanh:    func(y, x []float32) { tanh512(y, x, 0) },
		Sigmoid: func(y, x []float32) { sigmoid512(y, x, 0) },
	}
	functionsAVX2 = Functions{
		Exp: exponentialAVX2, Log: logarithmAVX2, Erf: erfAVX2,
		Tanh:    func(y, x []float32) { tanhAVX2(y, x, 0) },
		Sigmoid: func(y, x []float32) { sigmoidAVX2(y, x, 0) },
	}
)

//go:noescape
func run512(code []Instruction, width, rows, pitch int)

//go:noescape
func exponential512(y, x []float32)

//go:noescape
func logarithm512(y, x []float32)

//go:noescape
func erf512(y, x []float32)

//go:noescape
func runAVX2(code []Instruction, width, rows, pitch int)

//go:noescape
func exponentialAVX2(y, x []float32)

//go:noescape
func logarithmAVX2(y, x []float32)

//go:noescape
func erfAVX2(y, x []float32)
