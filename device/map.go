package device

import (
	"fmt"

	"github.com/hubel-go/hubel/expr"
)

// View is how Map and Reduce see tensors: as [N,C,Inner], row-major. An input or an
// output has some of these axes, and one value for all along the others.
type View struct{ N, C, Inner int }

// Elements is the number of elements of a tensor that has the axes.
func (v View) Elements(axes expr.Axes) int {
	n := 1
	for _, a := range []struct {
		axis expr.Axes
		len  int
	}{{expr.N, v.N}, {expr.C, v.C}, {expr.Inner, v.Inner}} {
		if axes&a.axis != 0 {
			n *= a.len
		}
	}
	return n
}

// Strides are how far apart elements lie, along N, C and Inner, in a tensor that has
// the axes.
func (v View) Strides(axes expr.Axes) (n, c, inner int) {
	step := 1
	if axes&expr.Inner != 0 {
		inner, step = step, step*v.Inner
	}
	if axes&expr.C != 0 {
		c, step = step, step*v.C
	}
	if axes&expr.N != 0 {
		n = step
	}
	return n, c, inner
}

// ReduceOp is what Reduce does with the values.
type ReduceOp uint8

// The reductions.
const (
	Sum ReduceOp = iota
	Max          // NaN if one of the values is
)

// MapKernels runs element-wise programs. A device keeps what it makes of a program, by
// its hash, until it is closed: what changes from call to call is an input of one
// number, not a constant.
type MapKernels interface {
	// Map computes p for every element of the view. Input i has the axes
	// p.Inputs()[i], is of int32 where p.Integer(i) says so and else of float32, and
	// is absent where p does not use it; the outputs are whole,
	// and out[k] is written by modes[k]. An output may be an input that is whole.
	// Draw i of element (c, inner) of sample n is r.Uint32(n, c*Inner+inner) of the
	// stream r.Stream+i.
	Map(p *expr.Program, v View, out, in []Tensor, modes []Mode, r Random)

	// Reduce computes p, which has one output, for every element of the view, and
	// sums the values, or takes their maximum, over the axes that out lacks. No
	// input is out. The order of a sum depends on the view and the axes alone.
	Reduce(p *expr.Program, v View, op ReduceOp, axes expr.Axes, out Tensor, in []Tensor, m Mode, r Random)
}

// CheckMap says why a program cannot run on these tensors, if that is so. axes are
// those of the outputs.
func CheckMap(p *expr.Program, v View, axes expr.Axes, out, in []Tensor) error {
	if v.N < 1 || v.C < 1 || v.Inner < 1 {
		return fmt.Errorf("a view of [%d,%d,%d] has no elements", v.N, v.C, v.Inner)
	}
	if err := checkArguments(p, out, in); err != nil {
		return err
	}
	check := func(what string, i int, t Tensor, axes expr.Axes, dtype DType) error {
		switch want := v.Elements(axes); {
		case t.IsNil():
			return fmt.Errorf("%s %d of the program %v is missing", what, i, p)
		case t.DType != dtype || t.Len() != want:
			return fmt.Errorf("%s %d is %d elements of %v, but %v of [%d,%d,%d] are %d of %v", what, i, t.Len(), t.DType, axes, v.N, v.C, v.Inner, want, dtype)
		}
		return nil
	}
	for i, t := range out {
		if err := check("output", i, t, axes, Float32); err != nil {
			return err
		}
	}
	for i, axes := range p.Inputs() {
		if p.Uses(i) {
			dtype := Float32
			if p.Integer(i) {
				dtype = Int32
			}
			if err := check("input", i, in[i], axes, dtype); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkArguments counts the tensors of a program.
func checkArguments(p *expr.Program, out, in []Tensor) error {
	if len(out) != p.Outputs() || len(in) < len(p.Inputs()) {
		return fmt.Errorf("the program %v takes %d inputs and has %d outputs, not %d and %d", p, len(p.Inputs()), p.Outputs(), len(in), len(out))
	}
	return nil
}
