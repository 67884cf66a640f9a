package device

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/expr"
)

// What a Reduce cannot do is named.
func TestCheckReduce(t *testing.T) {
	d := View{N: 2, C: 3, Inner: 4}
	of := func(n int) Tensor { return Tensor{Buffer: span(0), DType: Float32, Shape: tensor.Shape{n}} }
	p := expr.MustNew(expr.Input(0, expr.Whole))
	in := []Tensor{of(24)}
	require.NoError(t, CheckReduce(p, d, Max, expr.Whole, of(24), in))
	require.NoError(t, CheckReduce(p, d, Sum, expr.Sample, of(2), append(in, of(1))), "one input more than it takes")
	require.EqualError(t, CheckReduce(p, d, Sum, expr.Sample, of(3), in), "output 0 is 3 elements of float32, but [N] of [2,3,4] are 2 of float32")
	require.EqualError(t, CheckReduce(p, d, 9, expr.One, of(1), in), "the reduction 9 is unknown: there are a sum and a maximum")
	require.EqualError(t, CheckReduce(p, d, Sum, 8, of(1), in), "the axes 0x8 of the output are unknown: there are N, C and Inner")
	require.EqualError(t, CheckReduce(nil, d, Sum, expr.One, of(1), in), "there is no program")
}
