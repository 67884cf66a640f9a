package device

import (
	"fmt"

	"gorgonia.org/tensor"
)

// Conv is the geometry of a convolution, which is a cross-correlation:
//
//	y[n,k,i,j] = bias[k] + sum over c,r,s of
//	    w[k,c,r,s] x[n, g(k)+c, StrideH*i + DilationH*r - PadTop, StrideW*j + DilationW*s - PadLeft]
//
// with x [N,C,H,W], w [K,C/Groups,R,S] and y [N,K,OutH,OutW]; x is zero
// outside its bounds. Group g of the output channels sees only group g of the
// input channels (Krizhevsky et al. 2012, section 3.2).
type Conv struct {
	N, C, H, W int // input
	K, R, S    int // filters and their height and width

	PadTop, PadBottom, PadLeft, PadRight int
	StrideH, StrideW                     int
	DilationH, DilationW                 int
	Groups                               int
}

// ConvKernels is the convolution and its gradients. ws has
// Needs.Scratch bytes, as Traits say for the pass.
//
// w is a Filter. If Needs.Packed asks for a packed copy for the pass, the
// kernel reads only that copy. The caller must refresh it with ConvPack after
// each change of the weights. Its address is a multiple of Traits.Alignment.
type ConvKernels interface {
	ConvForward(c Conv, y, x Tensor, w Filter, e Epilogue, ws Buffer)
	ConvBackwardData(c Conv, dx, dy Tensor, w Filter, m Mode, ws Buffer)
	// ConvBackwardFilter does not compute dw or dbias if it is absent (frozen).
	ConvBackwardFilter(c Conv, dw, dbias, x, dy Tensor, m Mode, ws Buffer)

	// ConvPack writes w in the layout that the kernels of a pass read.
	ConvPack(c Conv, p Pass, packed Buffer, w Tensor)
}

// Filter is a weight tensor and, if the device needs one, its packed copy.
type Filter struct {
	Tensor
	Packed Buffer
}

// Extent is the number of input rows or columns that a window of size taps
// covers with this dilation.
func Extent(size, dilation int) int { return (size-1)*dilation + 1 }

// OutH is the number of output rows.
func (c Conv) OutH() int {
	return (c.H+c.PadTop+c.PadBottom-Extent(c.R, c.DilationH))/c.StrideH + 1
}

// OutW is the number of output columns.
func (c Conv) OutW() int {
	return (c.W+c.PadLeft+c.PadRight-Extent(c.S, c.DilationW))/c.StrideW + 1
}

// XShape is the input's shape, [N,C,H,W].
func (c Conv) XShape() tensor.Shape { return tensor.Shape{c.N, c.C, c.H, c.W} }

// WShape is the weights' shape, [K,C/Groups,R,S].
func (c Conv) WShape() tensor.Shape { return tensor.Shape{c.K, c.C / c.Groups, c.R, c.S} }

// YShape is the output's shape, [N,K,OutH,OutW].
func (c Conv) YShape() tensor.Shape { return tensor.Shape{c.N, c.K, c.OutH(), c.OutW()} }

// FLOPs counts a multiply-add as two operations, including those on padding. It
// is the same for each pass.
func (c Conv) FLOPs() int64 {
	return 2 * int64(c.N) * int64(c.K) * int64(c.OutH()) * int64(c.OutW()) *
		int64(c.C/c.Groups) * int64(c.R) * int64(c.S)
}

// Check says what is wrong with the geometry, if anything.
func (c Conv) Check() error {
	switch {
	case c.N < 1 || c.C < 1 || c.H < 1 || c.W < 1:
		return fmt.Errorf("input [%d,%d,%d,%d] is empty", c.N, c.C, c.H, c.W)
	case c.K < 1 || c.R < 1 || c.S < 1:
		return fmt.Errorf("%d filters of %dx%d: each number must be at least 1", c.K, c.R, c.S)
	case c.StrideH < 1 || c.StrideW < 1:
		return fmt.Errorf("stride %dx%d must be at least 1", c.StrideH, c.StrideW)
	case c.DilationH < 1 || c.DilationW < 1:
		return fmt.Errorf("dilation %dx%d must be at least 1", c.DilationH, c.DilationW)
	case c.PadTop < 0 || c.PadBottom < 0 || c.PadLeft < 0 || c.PadRight < 0:
		return fmt.Errorf("pad %d,%d,%d,%d must not be negative", c.PadTop, c.PadBottom, c.PadLeft, c.PadRight)
	case c.Groups < 1:
		return fmt.Errorf("groups %d must be at least 1", c.Groups)
	case c.C%c.Groups != 0:
		return fmt.Errorf("groups %d does not divide %d channels", c.Groups, c.C)
	case c.K%c.Groups != 0:
		return fmt.Errorf("groups %d does not divide %d filters", c.Groups, c.K)
	case c.H+c.PadTop+c.PadBottom < Extent(c.R, c.DilationH) || c.W+c.PadLeft+c.PadRight < Extent(c.S, c.DilationW):
		return fmt.Errorf("a window of %dx%d does not fit in an image of %dx%d with its padding",
			Extent(c.R, c.DilationH), Extent(c.S, c.DilationW), c.H, c.W)
	}
	return nil
}
