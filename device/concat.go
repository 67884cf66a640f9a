package device

// Concat places one tensor inside a longer one, sample by sample: x is
// [N,Len], y is [N,Total], and x[n] lies at y[n, Offset:Offset+Len]. Joining
// feature maps along channels is one Concat for each input, with Len and
// Offset counted in elements.
type Concat struct{ N, Len, Total, Offset int }

// ConcatKernels copies into and out of the longer tensor.
type ConcatKernels interface {
	// ConcatForward writes y[n, Offset:Offset+Len] = x[n] and leaves the rest.
	ConcatForward(c Concat, y, x Tensor, m Mode)
	// ConcatBackward writes dx[n] = dy[n, Offset:Offset+Len].
	ConcatBackward(c Concat, dx, dy Tensor, m Mode)
}
