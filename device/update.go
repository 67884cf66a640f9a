package device

import (
	"errors"
	"fmt"

	"github.com/hubel-go/hubel/expr"
)

// Segment is the place of one parameter in the slabs, in elements.
type Segment struct {
	Weight int // offset in the weights
	Grad   int // offset in the gradients, and in the optimiser's state
	Len    int
}

// At is the offset of the elements of input or output i of an update, if it is
// a slab.
func (s Segment) At(i int) int {
	if i == 0 {
		return s.Weight
	}
	return s.Grad
}

// UpdateSegment are the axes along which the elements of a segment lie. An
// input of an update that has none of these axes is one number for all elements
// of a segment.
const UpdateSegment = expr.N | expr.Inner

// UpdateKernels change weights.
type UpdateKernels interface {
	// Update computes p for every element of every segment, in one pass over
	// memory. It is a step of an optimiser. Input i is, by p.Inputs()[i],
	//
	//	expr.Whole    a slab: if i is 0 the weights, else one laid out as the gradients
	//	expr.Channel  one value a segment
	//	expr.One      one number, such as the learning rate
	//
	// and may be absent if p does not use it. Output 0 is the weights; the others
	// have the layout of the gradients. An output may be the same tensor as an
	// input of its layout. Elements between the segments are neither read nor
	// written. p draws no random numbers, uses no index and reads no int32.
	//
	// The segments must not overlap, but may be empty. The caller must not change
	// the slice while the queue may read it.
	Update(p *expr.Program, out, in []Tensor, segments []Segment)
}

// CheckUpdate returns an error if a program cannot update these segments.
func CheckUpdate(p *expr.Program, out, in []Tensor, segments []Segment) error {
	if p == nil {
		return errors.New("there is no program")
	}
	if err := checkArguments(p, out, in); err != nil {
		return err
	}
	if p.Draws() > 0 {
		return fmt.Errorf("the program %v draws random numbers, which an update has none of", p)
	}
	if p.Indexes() {
		return fmt.Errorf("the program %v asks for an index, which an update has none of", p)
	}
	for i, axes := range p.Inputs() {
		if p.Integer(i) {
			return fmt.Errorf("input %d of the program %v is of int32, but an update has float32 alone", i, p)
		}
		if p.Uses(i) && axes != expr.Whole && axes != expr.Channel && axes != expr.One {
			return fmt.Errorf("input %d of the program %v has the axes %v, but an update has slabs (%v), one value a segment (%v) and single numbers (%v)",
				i, p, axes, expr.Whole, expr.Channel, expr.One)
		}
	}
	if len(segments) == 0 {
		return nil // nothing is looked at
	}
	reach := Segment{} // behind the last elements
	for i, s := range segments {
		if s.Weight < 0 || s.Grad < 0 || s.Len < 0 {
			return fmt.Errorf("segment %d of %d elements, from %d of the weights and %d of the gradients: no number may be negative", i, s.Len, s.Weight, s.Grad)
		}
		if s.Len > 0 {
			reach.Weight, reach.Grad = max(reach.Weight, s.Weight+s.Len), max(reach.Grad, s.Grad+s.Len)
		}
	}
	check := func(what string, i int, t Tensor, axes expr.Axes) error {
		switch {
		case t.IsNil():
			return fmt.Errorf("%s %d of the program %v is missing", what, i, p)
		case t.DType != Float32:
			return fmt.Errorf("%s %d is of %v, not of float32", what, i, t.DType)
		case axes == expr.Whole && t.Len() < reach.At(i):
			return fmt.Errorf("%s %d is %d elements, but the segments reach to %d", what, i, t.Len(), reach.At(i))
		case axes == expr.Channel && t.Len() != len(segments):
			return fmt.Errorf("%s %d is %d elements, but there are %d segments", what, i, t.Len(), len(segments))
		case axes == expr.One && t.Len() != 1:
			return fmt.Errorf("%s %d is %d elements, but the program takes one number", what, i, t.Len())
		}
		return nil
	}
	for k, t := range out {
		if err := check("output", k, t, expr.Whole); err != nil {
			return err
		}
	}
	for i, axes := range p.Inputs() {
		if p.Uses(i) {
			if err := check("input", i, in[i], axes); err != nil {
				return err
			}
		}
	}
	return nil
}
