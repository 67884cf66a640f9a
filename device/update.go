package device

// SGD is one step of stochastic gradient descent with momentum, with the
// learning rate inside the velocity as in the AlexNet paper and Caffe. For a
// weight w of a segment with multipliers r and d:
//
//	g = dw * clip + Decay*d*w
//	v' = Momentum*v - Rate*r*g
//	w += v'                              plain
//	w += (1+Momentum)*v' - Momentum*v    Nesterov
//
// clip is 1 if MaxNorm is 0, else min(1, MaxNorm/sqrt(norm2)), where norm2 is
// what SumSquares left on the device.
type SGD struct {
	Rate, Momentum, Decay float32
	Nesterov              bool
	MaxNorm               float32
}

// Segment is one parameter within the slabs, in elements, with its
// multipliers of the learning rate and of the decay.
type Segment struct {
	Weight int // offset in the weight slab
	Grad   int // offset in the slabs of gradients and velocities
	Len    int
	Rate   float32
	Decay  float32
}

// UpdateKernels changes weights.
type UpdateKernels interface {
	// SGD updates all segments of the slab w in one call. norm2 [1] is read
	// only if s.MaxNorm is not 0. The segments do not overlap and may be empty,
	// and the slice does not change while the queue may read it.
	SGD(s SGD, w, v, dw, norm2 Tensor, segments []Segment)

	// SumSquares writes out[0] = sum of x², added in an order that depends on
	// the length alone.
	SumSquares(out, x Tensor)
}
