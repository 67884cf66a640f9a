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

// Unary is an element-wise function with its parameter.
type Unary struct {
	Op    UnaryOp
	Slope float32 // LeakyReLU's, in [0, 1)
}

// UnaryKernels applies an element-wise function, and its gradient. y may be
// x, and dx may be dy. The gradient is taken from y alone: dx is
// dy*(y > 0 ? 1 : Slope) for the two ReLUs, dy*y*(1-y) for Sigmoid and
// dy*(1-y²) for Tanh.
type UnaryKernels interface {
	UnaryForward(u Unary, y, x Tensor)
	UnaryBackward(u Unary, dx, y, dy Tensor, m Mode)
}

// UnaryOps lists every element-wise function, for suites to iterate.
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
