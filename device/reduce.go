package device

import (
	"fmt"

	"github.com/hubel-go/hubel/expr"
)

// ReduceOp is the operation that Reduce applies to the values.
type ReduceOp uint8

// The reductions.
const (
	Sum ReduceOp = iota
	Max          // NaN if one of the values is
)

// ReduceKernels runs an element-wise program and reduces its values, over tensors seen as
// Map sees them.
type ReduceKernels interface {
	// Reduce computes p, which has one output, for every element of the view, and
	// sums the values, or takes their maximum, over the axes that out lacks. No
	// input is out. The order of a sum depends on the view and the axes alone.
	Reduce(p *expr.Program, v View, op ReduceOp, axes expr.Axes, out Tensor, in []Tensor, m Mode, r Random)
}

// CheckReduce says why a Reduce cannot run, if that is so.
func CheckReduce(p *expr.Program, v View, op ReduceOp, axes expr.Axes, out Tensor, in []Tensor) error {
	switch {
	case op > Max:
		return fmt.Errorf("the reduction %d is unknown: there are a sum and a maximum", op)
	case axes > expr.Whole:
		return fmt.Errorf("the axes %#x of the output are unknown: there are N, C and Inner", uint8(axes))
	}
	return checkViewed(p, v, axes, []Tensor{out}, in)
}
