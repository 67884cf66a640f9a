package device

// Accuracy is top-K accuracy of scores x [N,C] against labels [N] (int32).
type Accuracy struct{ N, C, K int }

// AccuracyKernels counts hits.
type AccuracyKernels interface {
	// Accuracy writes hit [N] (float32). hit[n] is 1 if fewer than K classes beat
	// the label's score: with a larger score, or an equal one and a smaller index.
	// It is 0 for a label out of range, and if the score of the label is NaN.
	Accuracy(a Accuracy, hit, x, label Tensor)
}
