package device

// Dense is the fully connected layer y = x wᵀ + bias with x [N,In],
// w [Out,In] and y [N,Out].
type Dense struct{ N, In, Out int }

// DenseKernels is the fully connected layer and its gradients. The
// documentation of ConvKernels is also valid here, except that the weights are
// never packed.
type DenseKernels interface {
	DenseForward(d Dense, y, x, w Tensor, e Epilogue, ws Buffer)
	DenseBackwardData(d Dense, dx, dy, w Tensor, m Mode, ws Buffer)
	DenseBackwardFilter(d Dense, dw, dbias, x, dy Tensor, m Mode, ws Buffer)
}

// FLOPs counts a multiply-add as two operations; the same for each pass.
func (d Dense) FLOPs() int64 { return 2 * int64(d.N) * int64(d.In) * int64(d.Out) }
