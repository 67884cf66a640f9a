package device

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestCheckShape(t *testing.T) {
	for _, s := range []tensor.Shape{{}, {1}, {3, 5}, {1 << 40}, {1 << 20, 1, 1 << 20}, {1 << 20, 1<<20 - 1}} {
		require.NoError(t, CheckShape(s), "%v", s)
	}
	require.EqualError(t, CheckShape(tensor.Shape{1, 0}), "shape [1 0] has a dimension below 1")
	require.EqualError(t, CheckShape(tensor.Shape{-1 << 62, 4}), "shape [-4611686018427387904 4] has a dimension below 1")
	for _, s := range []tensor.Shape{{1<<40 + 1}, {1 << 20, 1 << 20, 2}, {2, 1 << 40}, {1 << 62, 4}, {3, 1 << 39}} {
		require.ErrorContains(t, CheckShape(s), "has more than 2^40 elements", "%v", s)
	}
}

func TestCheckHost(t *testing.T) {
	to := Tensor{DType: Int32, Shape: tensor.Shape{2, 3}}
	dense := func(backing any, options ...tensor.ConsOpt) *tensor.Dense {
		return tensor.New(append([]tensor.ConsOpt{tensor.WithBacking(backing)}, options...)...)
	}
	require.NoError(t, CheckHost(dense(make([]int32, 6), tensor.WithShape(2, 3)), to))
	require.NoError(t, CheckHost(dense(make([]int32, 6), tensor.WithShape(6)), to), "another shape of as many elements")
	require.NoError(t, CheckHost(dense(make([]uint8, 6), tensor.WithShape(6)), to, tensor.Float32, tensor.Uint8))
	require.EqualError(t, CheckHost(dense(make([]uint8, 6), tensor.WithShape(6)), to, tensor.Float32),
		"host data of type uint8 does not fit a tensor of type int32")
	require.EqualError(t, CheckHost(dense(make([]int32, 8), tensor.WithShape(2, 4)), to),
		"host data of shape (2, 4) has 8 elements, the tensor of shape (2, 3) has 6")
	require.ErrorContains(t, CheckHost(tensor.New(tensor.WithShape(2, 3), tensor.AsFortran(make([]int32, 6))), to), "column-major")

	view, err := dense(make([]int32, 8), tensor.WithShape(2, 4)).Slice(nil, tensor.S(0, 3))
	require.NoError(t, err)
	require.ErrorContains(t, CheckHost(view.(*tensor.Dense), to), "not contiguous")
}

func TestCheckCopy(t *testing.T) {
	x := Tensor{DType: Float32, Shape: tensor.Shape{2, 3}}
	require.NoError(t, CheckCopy(x, Tensor{DType: Float32, Shape: tensor.Shape{6}}))
	require.EqualError(t, CheckCopy(x, Tensor{DType: Int32, Shape: tensor.Shape{6}}), "6 elements of int32 do not fit 6 of float32")
	require.EqualError(t, CheckCopy(x, Tensor{DType: Float32, Shape: tensor.Shape{7}}), "7 elements of float32 do not fit 6 of float32")
}

func TestTypesAndModes(t *testing.T) {
	for _, c := range []struct {
		DType
		size int64
		name string
		host tensor.Dtype
	}{{Float32, 4, "float32", tensor.Float32}, {Int32, 4, "int32", tensor.Int32}, {Uint8, 1, "uint8", tensor.Uint8}} {
		require.Equal(t, c.size, c.Size())
		require.Equal(t, c.name, c.DType.String())
		require.Equal(t, c.host, c.Host())
	}
	require.Equal(t, "DType(3)", DType(3).String())
	require.Equal(t, float32(0), Overwrite.Beta())
	require.Equal(t, float32(1), Accumulate.Beta())
	require.Equal(t, "overwrite", Overwrite.String())
	require.Equal(t, []UnaryOp{ReLU, LeakyReLU, Sigmoid, Tanh}, UnaryOps())
	require.Equal(t, "relu leaky-relu sigmoid tanh", ReLU.String()+" "+LeakyReLU.String()+" "+Sigmoid.String()+" "+Tanh.String())
	require.Equal(t, "UnaryOp(4)", UnaryOp(4).String())
	require.Equal(t, "forward backward-data", Forward.String()+" "+BackwardData.String())
	require.Equal(t, "Pass(3)", Pass(3).String())
	require.Equal(t, "NN 1x2x3", GEMM{M: 1, N: 2, K: 3}.String())
	require.Equal(t, "TN 1x2x3", GEMM{M: 1, N: 2, K: 3, TransA: true}.String())
}
