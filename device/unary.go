package device

import "fmt"

// UnaryOp is an element-wise function.
type UnaryOp uint8

// The element-wise functions.
const (
	ReLU      UnaryOp = iota // max(x, 0)
	LeakyReLU                // x, or Slope*x where x is negative
	Sigmoid                  // 1 / (1 + exp(-x))
	Tanh
	unaryOps
)

// Unary is an element-wise function with its parameter, for the epilogue of a
// product. Outside an epilogue it is a program.
type Unary struct {
	Op    UnaryOp
	Slope float32 // LeakyReLU's, in [0, 1)
}

// UnaryOps lists every element-wise function, for test suites.
func UnaryOps() []UnaryOp {
	ops := make([]UnaryOp, unaryOps)
	for i := range ops {
		ops[i] = UnaryOp(i)
	}
	return ops
}

// String returns the function's name.
func (o UnaryOp) String() string {
	switch o {
	case ReLU:
		return "relu"
	case LeakyReLU:
		return "leaky-relu"
	case Sigmoid:
		return "sigmoid"
	case Tanh:
		return "tanh"
	}
	return fmt.Sprintf("UnaryOp(%d)", uint8(o))
}
