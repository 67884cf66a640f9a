package device

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/expr"
)

// The elements of a tensor that has some of a view's axes lie row-major, and its strides
// along the axes that it lacks are 0.
func TestViews(t *testing.T) {
	v := View{N: 2, C: 3, Inner: 5}
	for axes := range expr.Whole + 1 {
		n, c, inner := v.Strides(axes)
		at := 0
		for i := range v.N {
			for j := range v.C {
				for k := range v.Inner {
					want := 0
					if axes&expr.N != 0 {
						want = i
					}
					if axes&expr.C != 0 {
						want = want*v.C + j
					}
					if axes&expr.Inner != 0 {
						want = want*v.Inner + k
					}
					require.Equal(t, want, i*n+j*c+k*inner, "%v at %d,%d,%d", axes, i, j, k)
					at = max(at, want)
				}
			}
		}
		require.Equal(t, at+1, v.Elements(axes), "%v", axes)
	}
}

// one is the mode of a program's only output.
var one = []Mode{Overwrite}

// What does not fit a program is named.
func TestCheckMap(t *testing.T) {
	d := View{N: 2, C: 3, Inner: 4}
	of := func(n int) Tensor { return Tensor{Buffer: span(0), DType: Float32, Shape: tensor.Shape{n}} }
	p := expr.MustNew(expr.Add(expr.Input(0, expr.Whole), expr.Input(2, expr.Channel)))
	good := []Tensor{of(24), {}, of(3)}
	require.NoError(t, CheckMap(p, d, []Tensor{of(24)}, good, one))
	require.NoError(t, CheckMap(p, d, []Tensor{of(24)}, append(good, of(1)), one), "one input more than it takes")
	whole := of(24)
	whole.DType = Int32
	for _, c := range []struct {
		v       View
		out, in []Tensor
		err     string
	}{
		{View{C: 1, Inner: 1}, []Tensor{of(24)}, good, "a view of [0,1,1] has no elements"},
		{View{N: 1, Inner: 1}, []Tensor{of(24)}, good, "a view of [1,0,1] has no elements"},
		{View{N: 1, C: 1}, []Tensor{of(24)}, good, "a view of [1,1,0] has no elements"},
		{View{N: 1 << 21, C: 1 << 20, Inner: 1}, []Tensor{of(24)}, good, "a view of [2097152,1048576,1] has more than 2^40 elements"},
		{View{N: 1<<61 + 1, C: 8, Inner: 1}, []Tensor{of(24)}, good, "a view of [2305843009213693953,8,1] has more than 2^40 elements"},
		{d, nil, good, "the program (in0 + in2) takes 3 inputs and has 1 outputs, not 3 and 0"},
		{d, []Tensor{of(24)}, good[:2], "the program (in0 + in2) takes 3 inputs and has 1 outputs, not 2 and 1"},
		{d, []Tensor{{}}, good, "output 0 of the program (in0 + in2) is missing"},
		{d, []Tensor{of(23)}, good, "output 0 is 23 elements of float32, but [N,C,Inner] of [2,3,4] are 24 of float32"},
		{d, []Tensor{of(24)}, []Tensor{of(24), {}, {}}, "input 2 of the program (in0 + in2) is missing"},
		{d, []Tensor{of(24)}, []Tensor{of(24), {}, of(24)}, "input 2 is 24 elements of float32, but [C] of [2,3,4] are 3 of float32"},
		{d, []Tensor{of(24)}, []Tensor{whole, {}, of(3)}, "input 0 is 24 elements of int32, but [N,C,Inner] of [2,3,4] are 24 of float32"},
	} {
		require.EqualError(t, CheckMap(p, c.v, c.out, c.in, one), c.err)
	}
}

// So is what a Map cannot be told to do.
func TestCheckMapOptions(t *testing.T) {
	d := View{N: 2, C: 3, Inner: 4}
	of := func(n int) Tensor { return Tensor{Buffer: span(0), DType: Float32, Shape: tensor.Shape{n}} }
	p := expr.MustNew(expr.Input(0, expr.Whole))
	in := []Tensor{of(24)}
	require.EqualError(t, CheckMap(nil, d, in, in, one), "there is no program")
	require.EqualError(t, CheckMap(p, d, in, in, nil), "the program in0 has 1 outputs and was given 0 modes")
	require.EqualError(t, CheckMap(p, d, in, in, []Mode{Overwrite, Overwrite}), "the program in0 has 1 outputs and was given 2 modes")
	require.EqualError(t, CheckUpdate(nil, in, in, nil), "there is no program")
}

// An input of integers is of int32.
func TestCheckMapIntegers(t *testing.T) {
	d, p := View{N: 2, C: 3, Inner: 4}, expr.MustNew(expr.Integer(0, expr.Sample))
	of := func(n int, dtype DType) Tensor { return Tensor{Buffer: span(0), DType: dtype, Shape: tensor.Shape{n}} }
	require.NoError(t, CheckMap(p, d, []Tensor{of(24, Float32)}, []Tensor{of(2, Int32)}, one))
	require.EqualError(t, CheckMap(p, d, []Tensor{of(24, Float32)}, []Tensor{of(2, Float32)}, one),
		"input 0 is 2 elements of float32, but [N] of [2,3,4] are 2 of int32")
	require.EqualError(t, CheckMap(p, d, []Tensor{of(24, Int32)}, []Tensor{of(2, Int32)}, one),
		"output 0 is 24 elements of int32, but [N,C,Inner] of [2,3,4] are 24 of float32")
}

// span is a buffer of which nothing is read.
type span int64

func (s span) Size() int64             { return int64(s) }
func (s span) Slice(_, n int64) Buffer { return span(n) }
func (span) Free() error               { return nil }
