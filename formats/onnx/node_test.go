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

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
)

// weightsOf are the inputs of operators that are constants in models, while cases have them
// as inputs of the graph. Others are constants if they are of integers, and computed
// otherwise.
var weightsOf = map[string][]int{
	"Conv": {1, 2}, "ConvTranspose": {1, 2}, "Gemm": {1, 2}, "MatMul": {1}, "BatchNormalization": {1, 2, 3, 4},
	"InstanceNormalization": {1, 2}, "LayerNormalization": {1, 2}, "GroupNormalization": {1, 2}, "PRelu": {1}, "Clip": {1, 2},
	"CastLike": {1}, "Pad": {2}, "Dropout": {1, 2}, "Resize": {1, 2, 3}, "Upsample": {1}, "Pow": {1},
}

// nodeCase is a case of the ONNX project: one node with its inputs and right outputs.
type nodeCase struct {
	name, op string
	proto    *modelProto
	size     int      // of the file
	sets     []string // folders of data
	folds    bool     // its inputs are constants
}

// readCase reads the case in a folder, nil if it is none of one operator that is read. why
// says what it is not counted for, if it is not.
func readCase(dir string) (c *nodeCase, why string, err error) {
	file, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return nil, "", err
	}
	m, err := decodeModel(file)
	if err != nil {
		return nil, "", err
	}
	if m.graph == nil || len(m.graph.nodes) != 1 || m.graph.nodes[0].domain != "" {
		return nil, "", nil
	}
	c = &nodeCase{name: filepath.Base(dir), op: m.graph.nodes[0].op, proto: m, size: len(file)}
	if operators[c.op] == nil && folders[c.op] == nil {
		return nil, "", nil
	}
	if c.sets, err = filepath.Glob(filepath.Join(dir, "test_data_set_*")); err != nil || len(c.sets) == 0 {
		return nil, "", errors.Join(err, errors.New("it has no data"))
	}
	return c, c.outside(), nil
}

// outside says why a case is none of a network of float numbers, and none of constants, if it
// is neither.
func (c *nodeCase) outside() string {
	g := c.proto.graph
	if strings.Contains(c.name, "training") {
		return "training mode"
	}
	c.folds = operators[c.op] == nil || c.op == "Shape" || c.op == "Size"
	for i, list := range [][]valueProto{g.inputs, g.outputs} {
		for k, v := range list {
			switch {
			case v.other:
				return "sequences and options"
			case v.kind == typeString || strings.Contains(c.name, "BFLOAT16"):
				return "strings, and bfloat16 that is stored as integers"
			case sizes[v.kind] == 0:
				return "types of 8 bits and fewer"
			case i == 0 && k == 0 && !v.kind.floating() && (binaries[c.op].number != nil || comparisons[c.op].number != nil || reductions[c.op] != nil || c.op == "Clip"),
				c.op == "Where" && v.kind == typeInt64, strings.HasPrefix(c.op, "Cast") && !v.kind.floating():
				c.folds = true
			}
			if c.folds || i == 0 && k > 0 {
				continue
			}
			file := []string{"input_", "output_"}[i] + strconv.Itoa(k) + ".pb"
			if t, err := readTensor(filepath.Join(c.sets[0], file)); err == nil && slices.Contains(t.dims, 0) {
				return "empty tensors"
			}
		}
	}
	if c.folds && folders[c.op] == nil {
		return "integers that are computed"
	}
	return ""
}

// ready is a data set of a case: a network, what it reads, and what it must compute.
type ready struct {
	model  *formats.Model
	inputs map[string]array // by the network's names
	names  []string         // of the outputs
	wants  []*constant
}

// ready makes the constant inputs of a case initialisers, and converts the model.
func (c *nodeCase) ready(set string) (*ready, error) {
	node := c.proto.graph.nodes[0]
	g := *c.proto.graph
	g.inputs = nil
	data := map[string]array{}
	for i, in := range c.proto.graph.inputs {
		t, err := readTensor(filepath.Join(set, "input_"+strconv.Itoa(i)+".pb"))
		if err != nil {
			return nil, err
		}
		place := slices.Index(node.in, in.name)
		floating := t.kind.floating() || t.kind == typeUint8 || t.kind == typeInt8
		smaller := place > 0 && len(in.dims) < len(c.proto.graph.inputs[0].dims) // what is broadcast
		if slices.Contains(weightsOf[node.op], place) || place > 0 && !floating || smaller && (binaries[node.op].computed != nil || comparisons[node.op].computed != nil) {
			t.name = in.name
			g.initializers = append(slices.Clone(g.initializers), *t)
			continue
		}
		if len(in.dims) == 0 { // a number is a batch of one
			return nil, errors.New("its input is a number, without dimensions")
		}
		in.dims = slices.Clone(in.dims)
		for k := range in.dims {
			if in.dims[k] == (dimProto{}) { // open
				in.dims[k].value = t.dims[k]
			}
		}
		g.inputs = append(g.inputs, in)
		x, err := t.constant(nil)
		if err != nil {
			return nil, err
		}
		data[in.name] = array{x.shape, castTo(x, typeFloat).floats}
	}
	if node.op == "Dropout" || node.op == "MaxPool" || node.op == "LayerNormalization" {
		g.outputs = g.outputs[:1] // the others are masks, indices and statistics
	}
	changed := *c.proto
	changed.graph = &g
	model, err := convert(context.Background(), &changed, ".", c.size, formats.Options{})
	if err != nil {
		return nil, err
	}
	r := &ready{model: model, inputs: map[string]array{}}
	value := func(name string) string {
		if hubel, ok := model.Values[name]; ok {
			return hubel
		}
		return name
	}
	for name, x := range data {
		r.inputs[value(name)] = x
	}
	for i, out := range g.outputs {
		want, err := wanted(set, i)
		if err != nil {
			return nil, err
		}
		r.names, r.wants = append(r.names, value(out.name)), append(r.wants, want)
	}
	return r, nil
}

// wanted is output i of a data set.
func wanted(set string, i int) (*constant, error) {
	t, err := readTensor(filepath.Join(set, "output_"+strconv.Itoa(i)+".pb"))
	if err != nil {
		return nil, err
	}
	return t.constant(nil)
}

// compute runs the network on a device, and compares.
func (r *ready) compute(d device.Device) error {
	got, err := run(d, r.model, r.inputs)
	if err != nil {
		return err
	}
	for i, want := range r.wants {
		if err := compare(got[r.names[i]].values, castTo(want, typeFloat).floats, want.kind); err != nil {
			return err
		}
	}
	return nil
}

// fold compares what is computed of constants alone.
func (c *nodeCase) fold(set string) error {
	g := *c.proto.graph
	g.inputs = nil
	for i, in := range c.proto.graph.inputs {
		if c.op == "Shape" || c.op == "Size" {
			g.inputs = append(g.inputs, in) // of what is computed
			continue
		}
		t, err := readTensor(filepath.Join(set, "input_"+strconv.Itoa(i)+".pb"))
		if err != nil {
			return err
		}
		t.name = in.name
		g.initializers = append(slices.Clone(g.initializers), *t)
	}
	constants, err := g.constants(".")
	if err != nil {
		return err
	}
	opset, err := c.proto.check()
	if err != nil {
		return err
	}
	batch, err := g.batch(constants)
	if err != nil {
		return err
	}
	im := &importer{opset: opset, batch: batch, net: &graph.Network{}, shapes: map[string][]int{}, values: map[string]*value{}, readers: map[string]int{}, origins: map[string][]string{}, room: 1 << 20}
	for name, k := range constants {
		im.values[name] = &value{constant: k, kind: k.kind}
	}
	if len(g.inputs) > 0 {
		if err := im.inputs(&g, constants, formats.Options{}); err != nil {
			return err
		}
	}
	if err := im.node(&g.nodes[0]); err != nil {
		return err
	}
	want, err := wanted(set, 0)
	if err != nil {
		return err
	}
	got := im.values[g.nodes[0].out[0]]
	if got == nil || got.constant == nil || !slices.Equal(got.shape, want.shape) || got.kind != want.kind {
		return fmt.Errorf("it folds to %v, want %v of %v", got, want.shape, want.kind)
	}
	for i := range got.ints {
		if got.ofBatch(i) {
			got.ints[i] *= int64(batch)
		}
	}
	if !slices.Equal(got.ints, want.ints) {
		return fmt.Errorf("it folds to %v, want %v", got.ints, want.ints)
	}
	return compare(got.floats, want.floats, want.kind)
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
