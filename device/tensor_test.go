package device

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestDTypesInJSON(t *testing.T) {
	types := []DType{Float32, Int32, Uint8}
	text, err := json.Marshal(types)
	require.NoError(t, err)
	require.JSONEq(t, `["float32","int32","uint8"]`, string(text))
	var back []DType
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, types, back)

	require.ErrorContains(t, json.Unmarshal([]byte(`["float64"]`), &back), `element type "float64" is not float32, int32 or uint8`)
	_, err = json.Marshal(DType(9))
	require.ErrorContains(t, err, "element type 9 is unknown")
}

func TestTensorSizes(t *testing.T) {
	require.True(t, Tensor{}.IsNil())
	require.Equal(t, 1, Tensor{}.Len(), "a scalar")
	x := Tensor{DType: Int32, Shape: tensor.Shape{2, 3, 4}}
	require.Equal(t, 24, x.Len())
	require.Equal(t, int64(96), x.Bytes())
	x.DType = Uint8
	require.Equal(t, int64(24), x.Bytes())
	require.Equal(t, 0, Elements(tensor.Shape{2, 0, 4}))
}

func TestNames(t *testing.T) {
	require.Equal(t, "NT 64x500x800", GEMM{M: 64, N: 500, K: 800, TransB: true}.String())
	require.Equal(t, "backward-filter", BackwardFilter.String())
	require.Equal(t, "accumulate", Accumulate.String())
	require.Len(t, UnaryOps(), 4)
	for _, op := range UnaryOps() {
		require.NotContains(t, op.String(), "UnaryOp")
	}
}
