package device

// Accuracy is top-K accuracy of scores x [N,C] against labels [N] (int32).
type Accuracy struct{ N, C, K int }

// AccuracyKernels counts hits.
type AccuracyKernels interface {
	// Accuracy writes hit [N] (float32), hit[n] = 1 where fewer than K classes beat the label's
	// score: by being larger, or equal with a smaller index. A label out of
	// range or a NaN score of its class is a miss: 0.
	Accuracy(a Accuracy, hit, x, label Tensor)
}
