package onnx

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
)

// small is a model of several operators: an image [N,1,4,4] to 2 numbers.
func small() *modelProto {
	return &modelProto{irVersion: 8, producer: "test", opsets: []opsetProto{{version: 13}}, graph: &graphProto{
		name: "small",
		nodes: []nodeProto{
			{name: "c", op: "Conv", in: []string{"x", "w"}, out: []string{"y"}, attributes: []attributeProto{list("kernel_shape", 3, 3), word("auto_pad", "SAME_UPPER")}},
			{op: "Add", in: []string{"y", "b"}, out: []string{"z"}},
			{op: "Relu", in: []string{"z"}, out: []string{"r"}},
			{op: "Shape", in: []string{"r"}, out: []string{"s"}},
			{op: "Gather", in: []string{"s", "zero"}, out: []string{"n"}},
			{op: "Concat", in: []string{"n", "rest"}, out: []string{"shape"}, attributes: []attributeProto{whole("axis", 0)}},
			{op: "Reshape", in: []string{"r", "shape"}, out: []string{"flat"}},
			{name: "fc", op: "Gemm", in: []string{"flat", "m", "k"}, out: []string{"out"}, attributes: []attributeProto{real("alpha", 0.5)}},
		},
		initializers: []tensorProto{
			floatTensor("w", []int{2, 1, 3, 3}, counted(18)), floatTensor("b", []int{2, 1, 1}, counted(2)), intTensor("zero", 0), intTensor("rest", -1),
			{name: "m", kind: typeFloat, dims: []int64{32, 2}, floats: counted(64)}, {name: "k", kind: typeFloat16, dims: []int64{2}, ints: []int64{0x3c00, 0xc000}},
		},
		inputs:  []valueProto{{name: "x", kind: typeFloat, shape: true, dims: []dimProto{{name: "N"}, {value: 1}, {value: 4}, {value: 4}}}},
		outputs: []valueProto{{name: "out", kind: typeFloat, shape: true, dims: []dimProto{{name: "N"}, {value: 2}}}},
	}}
}

// counted are 0, 1, 2 and so on, over the count.
func counted(n int) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = float32(i) / float32(n)
	}
	return list
}

// parse converts a file in memory.
func parse(file []byte, folder string) (*formats.Model, error) {
	m, err := decodeModel(file)
	if err != nil {
		return nil, err
	}
	return convert(context.Background(), m, folder, len(file), formats.Options{})
}

func TestSmallModelIsReadAsWritten(t *testing.T) {
	m, err := parse(encodeModel(small()), "")
	require.NoError(t, err)
	require.Equal(t, "ONNX, IR version 8", m.Format)
	require.Equal(t, []string{"opset: 13", "producer: test", "nodes: 8, of 8 operators"}, m.Facts)
	require.Empty(t, m.Lost)
	var types []string
	for _, n := range m.Network.Nodes {
		types = append(types, n.Name+" "+n.Layer.Type())
	}
	require.Equal(t, []string{"c conv", "r relu", "fc dense"}, types, "the sum is the convolution's bias, and dense flattens")
	require.Equal(t, map[string]string{"z": "c", "out": "fc"}, m.Values)
	require.Equal(t, []float32{1, -2}, m.Weights["fc.bias"].Float32s(), "of float16")
	image, err := m.Network.InputOf(graph.RoleImage)
	require.NoError(t, err)
	require.Equal(t, []int{1, 4, 4}, image.Shape)
}

func TestTruncatedAndChangedFilesAreErrorsAtMost(t *testing.T) {
	file := encodeModel(small())
	for i := range file {
		_, err := parse(file[:i:i], "")
		require.Error(t, err, "of the first %d bytes", i)
	}
	for i := range file {
		for _, bit := range []byte{1, 4, 0x80, 0xff} {
			changed := append([]byte(nil), file...)
			changed[i] ^= bit
			_, _ = parse(changed, "")
		}
	}
}

func TestErrorsNameNodeOperatorAndRemedy(t *testing.T) {
	for want, change := range map[string]func(m *modelProto){
		`node 2, "r" (LSTM): the operator is not read: there are no recurrent layers`: func(m *modelProto) { m.graph.nodes[2].op = "LSTM" },
		`node 2, "r" ("Frob\x1bx"): the operator is not read; docs/interop.md lists`:  func(m *modelProto) { m.graph.nodes[2].op = "Frob\x1bx" },
		`node 0, "c" (Conv): the attribute "frob" is not known of opset 13`: func(m *modelProto) {
			m.graph.nodes[0].attributes = append(m.graph.nodes[0].attributes, whole("frob", 1))
		},
		`node 0, "c" (Conv): kernel_shape is [3 5] and its weights have kernels of [3 3]`: func(m *modelProto) { m.graph.nodes[0].attributes[0] = list("kernel_shape", 3, 5) },
		`node 2, "r" (Relu): the operator is of the domain "com.microsoft"`:               func(m *modelProto) { m.graph.nodes[2].domain = "com.microsoft" },
		`node 2, "r" (Relu) calls the function "Relu" of the file: functions are not read`: func(m *modelProto) {
			m.graph.nodes[2].domain, m.functions = "own", []string{"Relu"}
		},
		"its operators are of opset 99; opsets 1 to 28 are read": func(m *modelProto) { m.opsets[0].version = 99 },
		"it has no graph": func(m *modelProto) { m.graph = nil },
		`initialiser "w": its data has 72 bytes, and its shape [1 1 3 3] of float takes 36`: func(m *modelProto) { m.graph.initializers[0].dims[0] = 1 },
		`initialiser "w": its shape [1099511627776 1 3 3] is none of a tensor`:              func(m *modelProto) { m.graph.initializers[0].dims[0] = 1 << 40 },
		`input "x" leaves dimension 2 open ("H")`:                                           func(m *modelProto) { m.graph.inputs[0].dims[2] = dimProto{name: "H"} },
		`node 1, "z" (Add): its input "b" is not defined before it`:                         func(m *modelProto) { m.graph.initializers[1].name = "other" },
		`node 7, "fc" (Gemm): its input [N,32] does not fit weights of 16 rows`: func(m *modelProto) {
			m.graph.initializers[4].dims = []int64{16, 4}
		},
		"which takes its batch apart": func(m *modelProto) {
			m.graph.initializers[3], m.graph.nodes[6].in[1] = intTensor("rest", 16, -1), "rest"
			m.graph.nodes = slices.Delete(m.graph.nodes, 3, 6)
		},
		`the output "out" is not defined`: func(m *modelProto) { m.graph.nodes = m.graph.nodes[:7] },
	} {
		m := small()
		change(m)
		if m.graph == nil { // no file has none
			_, err := convert(context.Background(), m, "", 100, formats.Options{})
			require.ErrorContains(t, err, want)
			continue
		}
		_, err := convert(context.Background(), m, "", 1000, formats.Options{})
		require.ErrorContains(t, err, want, "%s", want)
	}
}

func TestBombsAreRefused(t *testing.T) {
	bomb := func(nodes ...nodeProto) error {
		m := small()
		m.graph.initializers = append(m.graph.initializers, intTensor("huge", 1<<20, 1<<19), intTensor("far", 1<<40), intTensor("step", 1))
		m.graph.nodes = append(nodes, m.graph.nodes...)
		_, err := parse(encodeModel(m), "")
		return err
	}
	require.ErrorContains(t, bomb(nodeProto{op: "ConstantOfShape", in: []string{"huge"}, out: []string{"q"}}), "the constants of the graph grow to more than")
	require.ErrorContains(t, bomb(nodeProto{op: "Expand", in: []string{"zero", "huge"}, out: []string{"q"}}), "the constants of the graph grow to more than")
	require.ErrorContains(t, bomb(nodeProto{op: "Range", in: []string{"zero", "far", "step"}, out: []string{"q"}}), "the constants of the graph grow to more than")
	require.ErrorContains(t, bomb(nodeProto{op: "Tile", in: []string{"rest", "far"}, out: []string{"q"}}), "out of range")
}

// A tensor without elements may not have dimensions that none could hold.
func TestEmptyTensorsAreBounded(t *testing.T) {
	m := small()
	m.graph.initializers = append(m.graph.initializers, tensorProto{name: "e", kind: typeInt64, dims: []int64{0, 1 << 41}})
	_, err := parse(encodeModel(m), "")
	require.ErrorContains(t, err, "is none of a tensor")
	m = small()
	m.graph.initializers = append(m.graph.initializers, tensorProto{name: "e", kind: typeInt64, dims: []int64{0, 1 << 40}}, intTensor("repeats", 1, 0))
	m.graph.nodes = append([]nodeProto{{op: "Tile", in: []string{"e", "repeats"}, out: []string{"q"}}}, m.graph.nodes...)
	_, err = parse(encodeModel(m), "")
	require.ErrorContains(t, err, "out of range")
}

// What was read as something else: each is an error, or what ONNX says.
func TestOperatorsThatWereReadAsOthers(t *testing.T) {
	first := func(opset int64, nodes ...nodeProto) (*formats.Model, error) {
		return parse(encodeModel(&modelProto{irVersion: 8, opsets: []opsetProto{{version: opset}}, graph: &graphProto{
			name: "g", nodes: nodes,
			initializers: []tensorProto{floatTensor("scales", []int{4}, []float32{1, 1, 0.7, 0.7}), intTensor("list", 1, 2, 4)},
			inputs:       []valueProto{{name: "x", kind: typeFloat, shape: true, dims: []dimProto{{name: "N"}, {value: 1}, {value: 10}, {value: 10}}}},
			outputs:      []valueProto{{name: nodes[len(nodes)-1].out[0], kind: typeFloat}},
		}}), "")
	}
	m, err := first(13, nodeProto{op: "Resize", in: []string{"x", "", "scales"}, out: []string{"y"}, attributes: []attributeProto{word("mode", "nearest")}})
	require.NoError(t, err)
	p, err := m.Network.Plan(reference.New().Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
	for _, v := range p.Values {
		if v.Name == m.Network.Outputs[0] {
			require.Equal(t, []int{1, 1, 7, 7}, []int(v.Shape), "10 * 0.7 is 7 in float32")
		}
	}
	_, err = first(13, nodeProto{op: "Resize", in: []string{"x", "x", "scales"}, out: []string{"y"},
		attributes: []attributeProto{word("mode", "nearest"), word("coordinate_transformation_mode", "tf_crop_and_resize")}})
	require.ErrorContains(t, err, "its roi is computed")
	_, err = first(13, nodeProto{op: "ReduceSum", in: []string{"list"}, out: []string{"three"}, attributes: []attributeProto{whole("noop_with_empty_axes", 1), whole("keepdims", 0)}},
		nodeProto{op: "Reshape", in: []string{"x", "three"}, out: []string{"y"}})
	require.ErrorContains(t, err, "1 2 4", "the list, not its sum")
	outside := tensorProto{kind: typeFloat, dims: []int64{1}, outside: true, external: map[string]string{"location": "w.bin"}}
	_, err = first(13, nodeProto{op: "Constant", out: []string{"c"}, attributes: []attributeProto{{name: "value", kind: kindTensor, t: &outside}}},
		nodeProto{op: "Add", in: []string{"x", "c"}, out: []string{"y"}})
	require.ErrorContains(t, err, "its data is in another file")
}

func TestExternalDataStaysInTheModelsFolder(t *testing.T) {
	folder := t.TempDir()
	var raw []byte
	for _, v := range counted(18) {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "weights.bin"), append([]byte("head"), raw...), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(folder), "outside.bin"), raw, 0o644))
	read := func(location, offset, length string) error {
		m := small()
		w := &m.graph.initializers[0]
		w.raw, w.external = nil, map[string]string{"location": location, "offset": offset, "length": length}
		path := filepath.Join(folder, "m.onnx")
		require.NoError(t, os.WriteFile(path, encodeModel(m), 0o644))
		model, err := Read(context.Background(), []string{path}, formats.Options{})
		if err == nil {
			require.Equal(t, counted(18), model.Weights["c.weight"].Float32s())
		}
		return err
	}
	require.NoError(t, read("weights.bin", "4", "72"))
	require.NoError(t, read("weights.bin", "4", ""))
	for location, want := range map[string]string{
		"../outside.bin": "is not in the model's folder", "/etc/passwd": "is not in the model's folder", "": "is not in the model's folder",
		"none.bin": "the file belongs beside the model", ".": "is not a file",
	} {
		require.ErrorContains(t, read(location, "0", "72"), want)
	}
	require.ErrorContains(t, read("weights.bin", "8", "72"), "has 76")
	require.ErrorContains(t, read("weights.bin", "4", "68"), "has 68 bytes, and 18 elements")
	require.ErrorContains(t, read("weights.bin", "-4", "72"), "not a number of bytes")
	require.ErrorContains(t, read("weights.bin", "9999999999", "72"), "has 76")
}

// A dense layer's weights are copied, as many as there are in the other file too.
func TestExternalDataCountsAsTheModels(t *testing.T) {
	const out = 140_000 // times 32: more than a small file may make
	folder := t.TempDir()
	large, err := os.Create(filepath.Join(folder, "m.bin"))
	require.NoError(t, err)
	require.NoError(t, large.Truncate(32*out*4))
	require.NoError(t, large.Close())
	m := small()
	m.graph.nodes[7].in = []string{"flat", "m"}
	m.graph.initializers[4] = tensorProto{name: "m", kind: typeFloat, dims: []int64{32, out}, outside: true, external: map[string]string{"location": "m.bin"}}
	m.graph.outputs[0].dims[1].value = out
	path := filepath.Join(folder, "m.onnx")
	require.NoError(t, os.WriteFile(path, encodeModel(m), 0o644))
	model, err := Read(context.Background(), []string{path}, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, []int{out, 32}, []int(model.Weights["fc.weight"].Shape()))
}

func TestReaderKnowsItsFiles(t *testing.T) {
	file := encodeModel(small())
	require.True(t, Reader.Is(file, "a.onnx"))
	require.True(t, Reader.Is(file, "a.bin"))
	for _, other := range []string{"", "PK\x03\x04", "\x89HDF", "name: \"net\"", strings.Repeat("\x00", 20)} {
		require.False(t, Reader.Is([]byte(other), "a.onnx"))
	}
	_, err := Read(context.Background(), []string{"a", "b"}, formats.Options{})
	require.ErrorContains(t, err, "is one file, not 2")
	_, err = Read(context.Background(), []string{filepath.Join(t.TempDir(), "none")}, formats.Options{})
	require.ErrorContains(t, err, "none: ")
}

func FuzzRead(f *testing.F) {
	f.Add(encodeModel(small()))
	for op := range operators { // each with an image, a list of floats and one of integers
		m := small()
		m.graph.nodes = []nodeProto{{op: op, in: []string{"x", "b", "rest"}, out: []string{"out"}}}
		f.Add(encodeModel(m))
	}
	for op := range folders {
		m := small()
		m.graph.nodes = append([]nodeProto{{op: op, in: []string{"rest", "zero"}, out: []string{"q"}}}, m.graph.nodes...)
		f.Add(encodeModel(m))
	}
	for _, n := range []nodeProto{ // what is composed of several layers
		{op: "Gather", in: []string{"x", "order"}, attributes: []attributeProto{whole("axis", 3)}},
		{op: "Gather", in: []string{"x", "order"}, attributes: []attributeProto{whole("axis", 2)}},
		{op: "Pad", in: []string{"x", "pads"}, attributes: []attributeProto{word("mode", "reflect")}},
		{op: "Resize", in: []string{"x", "", "scales"}, attributes: []attributeProto{word("mode", "nearest")}},
		{op: "Resize", in: []string{"x", "", "scales"}, attributes: []attributeProto{word("mode", "linear")}},
		{op: "Resize", in: []string{"x", "roi", "scales"}, attributes: []attributeProto{word("coordinate_transformation_mode", "tf_crop_and_resize"), real("extrapolation_value", 9)}},
		{op: "Pow", in: []string{"x", "scales"}},
		{op: "LpPool", in: []string{"x"}, attributes: []attributeProto{whole("p", 3), list("kernel_shape", 2, 2), list("dilations", 2, 1)}},
		{op: "AveragePool", in: []string{"x"}, attributes: []attributeProto{list("kernel_shape", 2, 2), list("dilations", 2, 1)}},
		{op: "ArgMax", in: []string{"x"}, attributes: []attributeProto{whole("axis", 2), whole("select_last_index", 1)}},
		{op: "MatMul", in: []string{"x", "scales"}},
		{op: "ReduceMax", in: []string{"pads"}},
	} {
		m := small()
		n.out = []string{"out"}
		m.graph.nodes = []nodeProto{n}
		m.graph.initializers = append(m.graph.initializers, intTensor("order", 0, 2, 1, 3), intTensor("pads", 0, 0, 1, 1, 0, 0, 2, 1),
			floatTensor("scales", []int{4}, []float32{1, 1, 1.5, 2}), floatTensor("roi", []int{8}, []float32{0, 0, -0.5, 0, 1, 1, 1, 1.5}))
		f.Add(encodeModel(m))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := parse(file, "testdata")
		if err == nil {
			require.NoError(t, m.Network.Check())
		}
	})
}
