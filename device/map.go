package device

import (
	"errors"
	"fmt"

	"github.com/hubel-go/hubel/expr"
)

// View is the shape that Map and Reduce use for tensors: [N,C,Inner],
// row-major. An input or an output has some of these axes, and one value for
// all elements along the others.
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

// Strides are the strides along N, C and Inner of a tensor that has the axes.
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

// MapKernels runs element-wise programs. A device caches the code of a program,
// by its hash, until the device is closed. So pass numbers that change from
// call to call as inputs of one number, not as constants.
type MapKernels interface {
	// Map computes p for every element of the view. Input i has the axes
	// p.Inputs()[i], and may be absent if p does not use it. It is int32 if
	// p.Integer(i), otherwise float32. The outputs are whole, and out[k] is written
	// with modes[k]. An output may be the same tensor as an input that is whole.
	// Draw i of element (c, inner) of sample n is r.Uint32(n, c*Inner+inner) of the
	// stream r.Stream+i.
	Map(p *expr.Program, v View, out, in []Tensor, modes []Mode, r Random)
}

// CheckMap says why a Map cannot run, if that is so.
func CheckMap(p *expr.Program, v View, out, in []Tensor, modes []Mode) error {
	if err := checkViewed(p, v, expr.Whole, out, in); err != nil {
		return err
	}
	if len(modes) != len(out) {
		return fmt.Errorf("the program %v has %d outputs and was given %d modes", p, len(out), len(modes))
	}
	return nil
}

// checkViewed checks a program, a view and the tensors. The outputs have these axes.
func checkViewed(p *expr.Program, v View, axes expr.Axes, out, in []Tensor) error {
	if p == nil {
		return errors.New("there is no program")
	}
	if v.N < 1 || v.C < 1 || v.Inner < 1 {
		return fmt.Errorf("a view of [%d,%d,%d] has no elements", v.N, v.C, v.Inner)
	}
	if v.N > maxElements/v.C || v.N*v.C > maxElements/v.Inner {
		return fmt.Errorf("a view of [%d,%d,%d] has more than 2^40 elements", v.N, v.C, v.Inner)
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
