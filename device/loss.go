package device

// LogLoss is the softmax log-loss of scores x [N,C] against labels [N] (int32
// in [0,C)): loss[n] = log(sum of exp(x)) - x[label], the maximum subtracted
// first. A label out of range gives a NaN loss and a zero gradient.
type LogLoss struct{ N, C int }

// L2Loss is the Euclidean loss of predictions x against targets, both
// [N,Elems]: loss[n] = half the sum of (x - target)².
type L2Loss struct{ N, Elems int }

// LossKernels is the losses and their gradients. Losses come one a sample, so
// that a bad sample can be named and a smaller batch needs nothing else; the
// caller averages. scale is what the gradient of every sample is multiplied
// with: the loss's weight over the number of samples in the whole batch.
type LossKernels interface {
	// LogLossForward also writes the softmax, prob [N,C], for the gradient.
	LogLossForward(l LogLoss, loss, prob, x, label Tensor)
	// LogLossBackward is dx = scale (prob - onehot(label)).
	LogLossBackward(l LogLoss, dx, prob, label Tensor, scale float32, m Mode)

	L2LossForward(l L2Loss, loss, x, target Tensor)
	// L2LossBackward is dx = scale (x - target).
	L2LossBackward(l L2Loss, dx, x, target Tensor, scale float32, m Mode)
}
