package device

import (
	"fmt"
	"math"
)

// LRN is local response normalisation across channels (Krizhevsky et al.
// 2012, section 3.3) of x [N,C,H,W]:
//
//	scale = K + a * sum of x² over the Size channels around, clipped to those there are
//	y     = x * scale^-Beta
//
// where a is Alpha as in the AlexNet paper and MatConvNet, or Alpha/Size with
// AlphaOverSize as in Caffe, cuda-convnet and ONNX. Size is odd.
//
// A scale larger than the largest float32 is infinite, and its power is 0, or 1
// for a Beta of 0. Then y is 0, and the channel adds 0 to a gradient. An
// infinite x gives NaN, so that it is not hidden.
type LRN struct {
	N, C, H, W     int
	Size           int
	Alpha, Beta, K float32
	AlphaOverSize  bool
}

// LRNKernels is local response normalisation and its gradient
//
//	dx_i = dy_i scale_i^-Beta - 2 a Beta x_i * sum over the window of dy_j x_j scale_j^(-Beta-1)
type LRNKernels interface {
	// LRNForward keeps scale, x's shape, for the gradient; it may be absent.
	LRNForward(l LRN, y, scale, x Tensor)
	LRNBackward(l LRN, dx, x, scale, dy Tensor, m Mode)
}

// A is the factor of the sum: Alpha, or Alpha/Size with AlphaOverSize.
func (l LRN) A() float32 {
	if l.AlphaOverSize {
		return l.Alpha / float32(l.Size)
	}
	return l.Alpha
}

// Check says what is wrong with the parameters, if anything.
func (l LRN) Check() error {
	switch {
	case l.N < 1 || l.C < 1 || l.H < 1 || l.W < 1:
		return fmt.Errorf("input [%d,%d,%d,%d] is empty", l.N, l.C, l.H, l.W)
	case l.Size < 1 || l.Size%2 == 0:
		return fmt.Errorf("size %d must be odd", l.Size)
	case !(l.K > 0) || !(l.Alpha >= 0) || !(l.Beta >= 0):
		return fmt.Errorf("k %g must be positive, alpha %g and beta %g not negative", l.K, l.Alpha, l.Beta)
	case max(l.K, l.Alpha, l.Beta) > math.MaxFloat32:
		return fmt.Errorf("k %g, alpha %g and beta %g must be finite", l.K, l.Alpha, l.Beta)
	}
	return nil
}
