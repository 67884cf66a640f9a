package device

// Softmax is y = exp(x) / sum of exp(x) over the C channels, with the maximum
// subtracted, at each of Inner positions: x and y are [N,C,Inner], where
// Inner is 1 for the output of a dense layer and H*W for feature maps.
type Softmax struct{ N, C, Inner int }

// SoftmaxKernels is the softmax and its gradient
// dx_c = y_c (dy_c - sum of dy_k y_k).
type SoftmaxKernels interface {
	SoftmaxForward(s Softmax, y, x Tensor)
	SoftmaxBackward(s Softmax, dx, y, dy Tensor, m Mode)
}
