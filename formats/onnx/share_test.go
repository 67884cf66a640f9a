package onnx

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
)

// shared is a model whose nodes read the same initialisers: two convolutions, and two products
// of which one transposes its matrix in the graph.
func shared() *modelProto {
	m := small()
	m.graph.nodes = []nodeProto{
		{name: "c", op: "Conv", in: []string{"x", "w", "b"}, out: []string{"y"}, attributes: []attributeProto{word("auto_pad", "SAME_UPPER")}},
		{name: "d", op: "Conv", in: []string{"y", "w", "b"}, out: []string{"z"}, attributes: []attributeProto{word("auto_pad", "SAME_UPPER")}},
		{op: "Flatten", in: []string{"z"}, out: []string{"flat"}},
		{name: "e", op: "Gemm", in: []string{"flat", "m", "k"}, out: []string{"p"}},
		{op: "Transpose", in: []string{"m"}, out: []string{"t"}},
		{op: "Transpose", in: []string{"t"}, out: []string{"u"}},
		{name: "f", op: "Gemm", in: []string{"p", "u", "k"}, out: []string{"q"}},
		{name: "g", op: "Gemm", in: []string{"q", "t", "j"}, out: []string{"out"}},
	}
	m.graph.initializers = []tensorProto{
		floatTensor("w", []int{2, 2, 3, 3}, counted(36)), floatTensor("b", []int{2}, []float32{0, 0}),
		floatTensor("m", []int{32, 32}, counted(1024)), floatTensor("k", []int{32}, counted(32)), floatTensor("j", []int{32}, counted(32)),
	}
	m.graph.inputs[0].dims[1].value = 2
	m.graph.outputs[0].dims[1].value = 32
	return m
}

// Nodes that read the same initialisers are layers that share weights, also when they are
// written and read again.
func TestSharedInitialisers(t *testing.T) {
	m, err := parse(encodeModel(shared()), "")
	require.NoError(t, err)
	check := func(m *formats.Model, conv, gemm string) { // the ends of names
		of := map[string]map[string]string{}
		for _, n := range m.Network.Nodes {
			if n.Share != nil {
				of[n.Name] = n.Share
			}
		}
		require.Equal(t, map[string]map[string]string{
			"d" + conv: {"weight": "c" + conv + ".weight", "bias": "c" + conv + ".bias"},
			"f" + gemm: {"weight": "e" + gemm + ".weight", "bias": "e" + gemm + ".bias"}, // g turns the matrix, and has its own array
		}, of)
		require.Len(t, m.Weights, 6)
		require.Contains(t, m.Facts, "layers share weights: 4 are those of layers before them")
	}
	check(m, "", "")
	m.Network.Outputs = []string{"g"}
	_, err = m.Network.Plan(formats.NoDevice{}, graph.PlanOptions{Batch: 1})
	require.NoError(t, err)

	var b bytes.Buffer
	require.NoError(t, Write(&b, &m.Model, ExportOptions{}))
	again, err := parse(b.Bytes(), "")
	require.NoError(t, err)
	check(again, "_conv", "_gemm")
	require.Equal(t, m.Weights["c.weight"].Float32s(), again.Weights["c_conv.weight"].Float32s())
}
