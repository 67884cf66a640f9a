package device

// SoftmaxLoss is the softmax log-loss of scores x [N,C] against labels [N] (int32
// in [0,C)): loss[n] = log(sum of exp(x)) - x[label], the maximum subtracted
// first. A label out of range gives a NaN loss and a zero gradient.
type SoftmaxLoss struct{ N, C int }

// LossKernels is the log-loss and its gradient. There is one loss per sample,
// and the caller averages: so a bad sample can be named, and a smaller batch
// needs no other code. The gradient of every sample is multiplied by scale: the
// loss's weight divided by the number of samples in the whole batch.
type LossKernels interface {
	// SoftmaxLossForward also writes the softmax, prob [N,C], for the gradient.
	SoftmaxLossForward(l SoftmaxLoss, loss, prob, x, label Tensor)
	// SoftmaxLossBackward is dx = scale (prob - onehot(label)).
	SoftmaxLossBackward(l SoftmaxLoss, dx, prob, label Tensor, scale float32, m Mode)
}
