package device

// ArithmeticKernels is element-wise arithmetic on float32 tensors of one
// length.
type ArithmeticKernels interface {
	// Add is y = a + b. y may be a or b.
	Add(y, a, b Tensor)
	// Scale is y = alpha x, or y += alpha x. y may be x.
	Scale(y, x Tensor, alpha float32, m Mode)
	// Fill sets every element of y to v.
	Fill(y Tensor, v float32)
}
