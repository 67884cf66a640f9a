package device

// FillKernels sets memory.
type FillKernels interface {
	// Fill sets every element of y, float32, to v.
	Fill(y Tensor, v float32)
}
