package device

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/expr"
)

// What does not fit is named with its numbers.
func TestCheckUpdate(t *testing.T) {
	w, dw := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	rate, ofSegment := expr.Input(2, expr.One), expr.Input(3, expr.Channel)
	p := expr.MustNew(expr.Sub(w, expr.Mul(expr.Mul(rate, ofSegment), dw)), dw)
	of := func(n int) Tensor { return Tensor{Buffer: sized(4 * n), Shape: tensor.Shape{n}} }
	type update struct {
		p        *expr.Program
		out, in  []Tensor
		segments []Segment
	}
	fits := func() *update {
		return &update{p, []Tensor{of(13), of(25)}, []Tensor{of(13), of(25), of(1), of(3)}, []Segment{{Weight: 3, Grad: 20, Len: 5}, {Weight: 100, Grad: 100}, {Weight: 8, Grad: 0, Len: 5}}}
	}
	check := func(u *update) error { return CheckUpdate(u.p, u.out, u.in, u.segments) }
	require.NoError(t, check(fits()))
	for says, spoil := range map[string]func(u *update){
		"the program (in0 - ((in2 * in3) * in1)); in1 takes 4 inputs and has 2 outputs, not 4 and 1": func(u *update) { u.out = u.out[:1] },
		"the program (in0 - ((in2 * in3) * in1)); in1 takes 4 inputs and has 2 outputs, not 3 and 2": func(u *update) { u.in = u.in[:3] },
		"the program (index[C] + in0); in0 asks for an index, which an update has none of":           func(u *update) { u.p = expr.MustNew(expr.Add(expr.Index(expr.C), w), w) },
		"input 0 of the program in0; in0 is of int32, but an update has float32 alone":               func(u *update) { u.p = expr.MustNew(expr.Integer(0, expr.Whole), expr.Integer(0, expr.Whole)) },
		"the program (draw0 + in0); in0 draws random numbers, which an update has none of":           func(u *update) { u.p = expr.MustNew(expr.Add(expr.Draw(0), w), w) },
		"input 0 of the program in0; in0 has the axes [N,Inner], but an update has slabs ([N,C,Inner]), one value a segment ([C]) and single numbers ([])": func(u *update) {
			u.p = expr.MustNew(expr.Input(0, expr.Pixel), expr.Input(0, expr.Pixel))
		},
		"segment 1 of 5 elements, from -1 of the weights and 2 of the gradients: no number may be negative": func(u *update) { u.segments[1] = Segment{-1, 2, 5} },
		"segment 1 of 5 elements, from 2 of the weights and -1 of the gradients: no number may be negative": func(u *update) { u.segments[1] = Segment{2, -1, 5} },
		"segment 1 of -5 elements, from 2 of the weights and 1 of the gradients: no number may be negative": func(u *update) { u.segments[1] = Segment{2, 1, -5} },
		"output 1 of the program (in0 - ((in2 * in3) * in1)); in1 is missing":                               func(u *update) { u.out[1] = Tensor{} },
		"input 3 of the program (in0 - ((in2 * in3) * in1)); in1 is missing":                                func(u *update) { u.in[3] = Tensor{} },
		"output 0 is of int32, not of float32":                                                              func(u *update) { u.out[0].DType = Int32 },
		"output 0 is 12 elements, but the segments reach to 13":                                             func(u *update) { u.out[0] = of(12) },
		"output 1 is 24 elements, but the segments reach to 25":                                             func(u *update) { u.out[1] = of(24) },
		"input 0 is 12 elements, but the segments reach to 13":                                              func(u *update) { u.in[0] = of(12) },
		"input 1 is 24 elements, but the segments reach to 25":                                              func(u *update) { u.in[1] = of(24) },
		"input 2 is 2 elements, but the program takes one number":                                           func(u *update) { u.in[2] = of(2) },
		"input 3 is 4 elements, but there are 3 segments":                                                   func(u *update) { u.in[3] = of(4) },
	} {
		u := fits()
		spoil(u)
		require.EqualError(t, check(u), says)
	}

	// What the program does not use may be absent, and all of it where there is nothing to do.
	u := fits()
	u.p = expr.MustNew(dw, w)
	u.in[2], u.in[3] = Tensor{}, Tensor{}
	require.NoError(t, check(u))
	require.NoError(t, CheckUpdate(p, make([]Tensor, 2), make([]Tensor, 4), nil))
}

// sized is a buffer of a size.
type sized int

func (s sized) Size() int64                { return int64(s) }
func (s sized) Slice(_, size int64) Buffer { return sized(size) }
func (s sized) Free() error                { return nil }
