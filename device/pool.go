package device

import (
	"fmt"

	"gorgonia.org/tensor"
)

// PoolOp is the operation that pooling applies to a window.
type PoolOp uint8

// The pooling operations.
const (
	MaxPool PoolOp = iota
	AveragePool
)

// Pool is the geometry of a pooling layer: x [N,C,H,W], windows of R by S,
// y [N,C,OutH,OutW].
//
// With Ceil the output size is rounded up, as in Caffe, and a last window that
// would start in the bottom or right padding is left out. Without Ceil it is
// rounded down, as in MatConvNet, PyTorch and ONNX. So with Ceil a window may
// be larger than the padded image, by less than the stride: then it is the only
// one, and sees the whole image.
type Pool struct {
	Op         PoolOp
	N, C, H, W int
	R, S       int

	PadTop, PadBottom, PadLeft, PadRight int
	StrideH, StrideW                     int

	Ceil bool
	// CountPad makes the average divide by the window's size with padding (clipped
	// to the padded image), instead of by the number of real pixels.
	CountPad bool
}

// PoolKernels is pooling and its gradient, and the elements that an index names.
//
// What a device does with an index of a window that does not lie in that window is its
// own affair, but no index outside of its plane is followed.
type PoolKernels interface {
	// PoolForward for max pooling also writes index (int32, y's shape, absent in
	// inference): the position of each maximum in its H*W plane, the first in
	// row-major order among equals. A NaN counts as largest.
	PoolForward(p Pool, y, index, x Tensor)
	// PoolBackward reads index for max pooling only. An element of dy whose index is
	// outside of its plane goes nowhere.
	PoolBackward(p Pool, dx, dy, index Tensor, m Mode)
	// PoolGather writes, or adds, to each element of y that element of its plane of x
	// which index (int32, y's shape) names, and 0 where it names none: PoolBackward of max
	// pooling, transposed. Of p it needs no more than the shapes.
	PoolGather(p Pool, y, index, x Tensor, m Mode)
}

// OutH is the number of output rows; below 1 where no window fits.
func (p Pool) OutH() int { return p.out(p.H, p.PadTop, p.PadBottom, p.R, p.StrideH) }

// OutW is the number of output columns; below 1 where no window fits.
func (p Pool) OutW() int { return p.out(p.W, p.PadLeft, p.PadRight, p.S, p.StrideW) }

func (p Pool) out(size, before, after, window, stride int) int {
	span := size + before + after - window // may be negative: the stride is added first
	if !p.Ceil {
		return (span + stride) / stride
	}
	n := (span + stride + stride - 1) / stride
	if (n-1)*stride >= size+before {
		n--
	}
	return n
}

// XShape is the input's shape, [N,C,H,W].
func (p Pool) XShape() tensor.Shape { return tensor.Shape{p.N, p.C, p.H, p.W} }

// YShape is the output's shape, [N,C,OutH,OutW].
func (p Pool) YShape() tensor.Shape { return tensor.Shape{p.N, p.C, p.OutH(), p.OutW()} }

// Check says what is wrong with the geometry, if anything. Every window of a
// geometry that passes covers at least one pixel.
func (p Pool) Check() error {
	switch {
	case p.Op > AveragePool:
		return fmt.Errorf("pooling operation %d is unknown", p.Op)
	case p.N < 1 || p.C < 1 || p.H < 1 || p.W < 1:
		return fmt.Errorf("input [%d,%d,%d,%d] is empty", p.N, p.C, p.H, p.W)
	case p.R < 1 || p.S < 1:
		return fmt.Errorf("window %dx%d must be at least 1", p.R, p.S)
	case p.StrideH < 1 || p.StrideW < 1:
		return fmt.Errorf("stride %dx%d must be at least 1", p.StrideH, p.StrideW)
	case p.PadTop < 0 || p.PadBottom < 0 || p.PadLeft < 0 || p.PadRight < 0:
		return fmt.Errorf("pad %d,%d,%d,%d must not be negative", p.PadTop, p.PadBottom, p.PadLeft, p.PadRight)
	case max(p.PadTop, p.PadBottom) >= p.R || max(p.PadLeft, p.PadRight) >= p.S:
		return fmt.Errorf("pad %d,%d,%d,%d must be smaller than the window %dx%d",
			p.PadTop, p.PadBottom, p.PadLeft, p.PadRight, p.R, p.S)
	case p.OutH() < 1 || p.OutW() < 1:
		return fmt.Errorf("a window of %dx%d does not fit in an image of %dx%d with its padding", p.R, p.S, p.H, p.W)
	}
	return nil
}
