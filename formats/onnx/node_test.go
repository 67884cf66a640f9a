package onnx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
)

// nodeCases is where Debian's package libonnx-testdata has the cases of ONNX 1.12. HUBEL_ONNX_NODES
// names another folder, such as one that `make interop CHECK=onnx` fills.
const nodeCases = "/usr/share/libonnx-testdata/data/node"

// weightsOf are the inputs of operators that are constants in models, while cases have them
// as inputs of the graph. Others are constants if they are of integers, and computed
// otherwise.
var weightsOf = map[string][]int{
	"Conv": {1, 2}, "ConvTranspose": {1, 2}, "Gemm": {1, 2}, "MatMul": {1}, "BatchNormalization": {1, 2, 3, 4},
	"InstanceNormalization": {1, 2}, "LayerNormalization": {1, 2}, "GroupNormalization": {1, 2}, "PRelu": {1}, "Clip": {1, 2},
	"CastLike": {1}, "Pad": {2}, "Dropout": {1, 2}, "Resize": {1, 2, 3}, "Upsample": {1}, "Pow": {1},
}

// listed reports whether the case is one of an operator that is read, which it names.
func listed(m *modelProto) (string, bool) {
	if m.graph == nil || len(m.graph.nodes) != 1 {
		return "", false
	}
	op := m.graph.nodes[0].op
	_, ok := operators[op]
	return op, ok && m.graph.nodes[0].domain == ""
}

// TestNodeCasesOfListedOperators runs the cases of the ONNX project: at least 95 % of those
// of operators that are read must pass.
func TestNodeCasesOfListedOperators(t *testing.T) {
	folder := os.Getenv("HUBEL_ONNX_NODES")
	if folder == "" {
		folder = nodeCases
	}
	cases, err := filepath.Glob(filepath.Join(folder, "test_*"))
	require.NoError(t, err)
	if len(cases) == 0 {
		t.Skipf("there are no cases in %s: apt-get install libonnx-testdata brings them", folder)
	}
	passed, all := map[string]int{}, map[string]int{}
	left := map[string]int{}
	good, total := 0, 0
	for _, dir := range cases {
		file, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
		require.NoError(t, err)
		m, err := decodeModel(file)
		require.NoError(t, err, dir)
		op, ok := listed(m)
		if !ok {
			continue
		}
		if why := outside(dir, m); why != "" {
			left[why]++
			continue
		}
		total++
		all[op]++
		if err := nodeCase(dir, m, len(file)); err != nil {
			t.Logf("%s (%s): %v", filepath.Base(dir), op, err)
			continue
		}
		good++
		passed[op]++
	}
	var short []string
	for op := range all {
		if passed[op] < all[op] {
			short = append(short, fmt.Sprintf("%s %d of %d", op, passed[op], all[op]))
		}
	}
	slices.Sort(short)
	t.Logf("%d of %d cases of %d operators pass; not all of %s; not counted are %v", good, total, len(all), strings.Join(short, ", "), left)
	require.GreaterOrEqual(t, float64(good), 0.95*float64(total))
}

// outside says why a case is none of a network of float numbers, if it is none.
func outside(dir string, m *modelProto) string {
	op := m.graph.nodes[0].op
	if strings.Contains(dir, "training") {
		return "of training"
	}
	for i, list := range [][]valueProto{m.graph.inputs, m.graph.outputs} {
		for k, v := range list {
			switch {
			case v.other:
				return "of sequences and options"
			case v.kind == typeString || strings.Contains(dir, "BFLOAT16"):
				return "of strings, and bfloat16 that is stored as integers"
			case slices.ContainsFunc(v.dims, func(d dimProto) bool { return d.value == 0 && d.name == "" }):
				return "of empty tensors"
			case sizes[v.kind] == 0 || strings.HasPrefix(op, "Cast") && !v.kind.floating():
				return "of types that no layer has"
			case i == 0 && k == 0 && !v.kind.floating() && (binaries[op].number != nil || comparisons[op].number != nil || reductions[op] != nil || op == "Clip"), op == "Where" && v.kind == typeInt64:
				return "of arithmetic with integers"
			}
		}
	}
	return ""
}

// nodeCase runs the data sets of a case.
func nodeCase(dir string, m *modelProto, size int) error {
	sets, err := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	if err != nil || len(sets) == 0 {
		return errors.New("it has no data")
	}
	for _, set := range sets {
		if err := dataSet(set, m, size); err != nil {
			return err
		}
	}
	return nil
}

// dataSet makes the constant inputs of a case initialisers, converts the model, and compares
// what it computes.
func dataSet(set string, m *modelProto, size int) error {
	node := m.graph.nodes[0]
	g := *m.graph
	g.inputs = nil
	data := map[string]array{}
	for i, in := range m.graph.inputs {
		t, err := readTensor(filepath.Join(set, "input_"+strconv.Itoa(i)+".pb"))
		if err != nil {
			return err
		}
		place := slices.Index(node.in, in.name)
		floating := t.kind.floating() || t.kind == typeUint8 || t.kind == typeInt8
		smaller := place > 0 && len(in.dims) < len(m.graph.inputs[0].dims) // what is broadcast
		if slices.Contains(weightsOf[node.op], place) || place > 0 && !floating || smaller && (binaries[node.op].computed != nil || comparisons[node.op].computed != nil) {
			t.name = in.name
			g.initializers = append(slices.Clone(g.initializers), *t)
			continue
		}
		if len(in.dims) == 0 { // a number is a batch of one
			return errors.New("its input is a number, without dimensions")
		}
		g.inputs = append(g.inputs, in)
		c, err := t.constant(nil)
		if err != nil {
			return err
		}
		data[in.name] = array{c.shape, castTo(c, typeFloat).floats}
	}
	if len(g.inputs) == 0 || node.op == "Shape" || node.op == "Size" {
		return foldedCase(set, m, &g)
	}
	if node.op == "Dropout" || node.op == "MaxPool" || node.op == "LayerNormalization" {
		g.outputs = g.outputs[:1] // the others are masks, indices and statistics
	}
	changed := *m
	changed.graph = &g
	model, err := convert(context.Background(), &changed, ".", size, formats.Options{})
	if err != nil {
		return err
	}
	inputs := map[string]array{}
	for name, x := range data {
		if hubel, ok := model.Values[name]; ok {
			name = hubel
		}
		inputs[name] = x
	}
	got, err := run(model, inputs)
	if err != nil {
		return err
	}
	for i, out := range g.outputs {
		want, err := readTensor(filepath.Join(set, "output_"+strconv.Itoa(i)+".pb"))
		if err != nil {
			return err
		}
		c, err := want.constant(nil)
		if err != nil {
			return err
		}
		hubel, ok := model.Values[out.name]
		if !ok {
			hubel = out.name
		}
		if err := compare(got[hubel].values, castTo(c, typeFloat).floats, want.kind); err != nil {
			return err
		}
	}
	return nil
}

// foldedCase compares what is computed of constants alone.
func foldedCase(set string, m *modelProto, g *graphProto) error {
	constants, err := g.constants(".")
	if err != nil {
		return err
	}
	opset, err := m.check()
	if err != nil {
		return err
	}
	batch, err := g.batch(constants)
	if err != nil {
		return err
	}
	im := &importer{opset: opset, batch: batch, net: &graph.Network{}, shapes: map[string][]int{}, values: map[string]*value{}, readers: map[string]int{}, room: 1 << 20}
	for name, c := range constants {
		im.values[name] = &value{constant: c, kind: c.kind}
	}
	if len(g.inputs) > 0 {
		if err := im.inputs(g, constants, formats.Options{}); err != nil {
			return err
		}
	}
	if err := im.node(&g.nodes[0]); err != nil {
		return err
	}
	want, err := readTensor(filepath.Join(set, "output_0.pb"))
	if err != nil {
		return err
	}
	c, err := want.constant(nil)
	if err != nil {
		return err
	}
	got := im.values[g.nodes[0].out[0]]
	if got == nil || !slices.Equal(got.shape, c.shape) {
		return fmt.Errorf("it folds to %v, want %v", got, c.shape)
	}
	for i := range got.ints {
		if got.ofBatch(i) {
			got.ints[i] *= int64(batch)
		}
	}
	return compare(castTo(got.constant, typeFloat).floats, castTo(c, typeFloat).floats, want.kind)
}

func compare(got, want []float32, kind dataType) error {
	if len(got) != len(want) {
		return fmt.Errorf("it computes %d numbers, want %d", len(got), len(want))
	}
	limit := 1e-5
	if kind == typeFloat16 || kind == typeBfloat16 {
		limit = 1e-2
	}
	if worst, largest := difference(got, want); worst > limit*max(largest, 1e-3) {
		return fmt.Errorf("it differs by %.2g of %.2g", worst, largest)
	}
	return nil
}

// readTensor reads a file of one TensorProto.
func readTensor(path string) (*tensorProto, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &tensorProto{}
	return t, (&decoder{file: b}).tensor(b, t)
}
