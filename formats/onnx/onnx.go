// Package onnx reads networks from ONNX files, and writes them. The messages are those of
// onnx.proto (IR versions 3 to 13), the operators those of the domain ai.onnx:
// https://onnx.ai/onnx/operators.
//
// A network of hubel's computes one sample at a time, and dimension 0 of its values is the
// batch. So a file is read as what it does to one sample. Dimension 0 of each input of a
// file is the batch, whether it has a name there or a number. What depends on constants and
// shapes alone is computed while reading: shape arithmetic, casts, generated weights.
// Operators that no layer has are composed of several layers.
package onnx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/internal/printable"
)

// Reader reads models of ONNX.
var Reader = formats.Reader{Name: "onnx", Is: is, Read: Read}

// is reports whether a file begins as a ModelProto does: with the IR version, a small
// number, and then another field of the message.
func is(head []byte, name string) bool {
	if len(head) < 3 || head[0] != 1<<3 || head[1] == 0 || head[1] > 64 {
		return false
	}
	known := bytes.IndexByte([]byte{2<<3 | 2, 3<<3 | 2, 4<<3 | 2, 5 << 3, 6<<3 | 2, 7<<3 | 2, 8<<3 | 2, 14<<3 | 2}, head[2]) >= 0
	return known && (strings.EqualFold(filepath.Ext(name), ".onnx") || bytes.Contains(head, []byte{7<<3 | 2}))
}

// mostBytes is how large a model may be: a message of protobuf has at most 2 GiB.
const mostBytes = 1 << 31

// newest is the newest version of the operators that is known.
const newest = 28

// Read reads the model in a file. Its external data may be in files beside it.
func Read(ctx context.Context, paths []string, o formats.Options) (*formats.Model, error) {
	if len(paths) != 1 {
		return nil, fmt.Errorf("a model of ONNX is one file, not %d", len(paths))
	}
	path := paths[0]
	m, err := read(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", printable.Name(path), err)
	}
	return m, nil
}

func read(ctx context.Context, path string, o formats.Options) (*formats.Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	if info.Size() > mostBytes {
		return nil, fmt.Errorf("it has %d bytes; a model of ONNX has at most 2 GiB, and larger weights beside it", info.Size())
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := decodeModel(slices.Clip(file))
	if err != nil {
		return nil, err
	}
	return convert(ctx, m, filepath.Dir(path), len(file), o)
}

// convert makes a network of a model.
func convert(ctx context.Context, m *modelProto, folder string, size int, o formats.Options) (*formats.Model, error) {
	opset, err := m.check()
	if err != nil {
		return nil, err
	}
	constants, err := m.graph.constants(folder)
	if err != nil {
		return nil, err
	}
	size += m.graph.outside(constants)
	batch, err := m.graph.batch(constants)
	if err != nil {
		return nil, err
	}
	var lost []string
	im, err := importGraph(ctx, m.graph, constants, opset, batch, size, o)
	if errors.As(err, new(*batchError)) {
		whole := batch
		if whole == 0 {
			whole = 1
			lost = []string{fmt.Sprintf("the batch: it is read as a file for one sample, since %s", err)}
		}
		if again, second := importGraph(ctx, m.graph, constants, opset, -whole, size, o); second == nil {
			im, err = again, nil
		}
	}
	if err != nil {
		return nil, err
	}
	model, err := im.model()
	if err != nil {
		return nil, err
	}
	model.Format = fmt.Sprintf("ONNX, IR version %d", m.irVersion)
	model.Facts = append(m.facts(opset), model.Facts...)
	model.Lost = append(lost, model.Lost...)
	return model, nil
}

// facts are lines about the file.
func (m *modelProto) facts(opset int) []string {
	facts := []string{fmt.Sprintf("opset: %d", opset)}
	if m.producer != "" {
		facts = append(facts, printable.Line(strings.TrimSpace(fmt.Sprintf("producer: %s %s", m.producer, m.version))))
	}
	ops := map[string]bool{}
	for _, n := range m.graph.nodes {
		ops[n.op] = true
	}
	return append(facts, fmt.Sprintf("nodes: %d, of %d operators", len(m.graph.nodes), len(ops)))
}

// check checks what the file is made with, and finds the version of the operators.
func (m *modelProto) check() (opset int, err error) {
	switch {
	case m.graph == nil:
		return 0, errors.New("it has no graph: it is no model of ONNX, or damaged")
	case len(m.graph.nodes) == 0:
		return 0, errors.New("its graph has no nodes")
	case m.graph.sparse > 0:
		return 0, errors.New("it has sparse initialisers, which are not read: export dense ones")
	}
	opset = 1 // of IR versions before 3
	for _, o := range m.opsets {
		if o.domain == "" || o.domain == "ai.onnx" {
			opset = int(min(max(o.version, 0), 1<<20))
		}
	}
	if len(m.opsets) == 0 && m.irVersion >= 3 {
		return 0, errors.New("it does not say which opset its operators are of: it is damaged")
	}
	if opset < 1 || opset > newest {
		return 0, fmt.Errorf("its operators are of opset %d; opsets 1 to %d are read", opset, newest)
	}
	functions := map[string]bool{}
	for _, f := range m.functions {
		functions[f] = true
	}
	for i, n := range m.graph.nodes {
		if functions[n.op] && n.domain != "" {
			return 0, fmt.Errorf("%s calls the function %q of the file: functions are not read; onnx.inliner.inline_local_functions replaces them", n.describe(i), n.op)
		}
	}
	return opset, nil
}

// constants are the initialisers by name.
func (g *graphProto) constants(folder string) (map[string]*constant, error) {
	files := &external{folder: folder, sizes: map[string]int64{}}
	list := map[string]*constant{}
	for i := range g.initializers {
		t := &g.initializers[i]
		if t.name == "" {
			return nil, fmt.Errorf("initialiser %d has no name", i)
		}
		if list[t.name] != nil {
			return nil, fmt.Errorf("the initialiser %q is there twice", t.name)
		}
		c, err := t.constant(files)
		if err != nil {
			return nil, fmt.Errorf("initialiser %q: %w", t.name, err)
		}
		list[t.name] = c
	}
	return list, nil
}

// outside is how many bytes of the initialisers are in other files.
func (g *graphProto) outside(constants map[string]*constant) (bytes int) {
	for i := range g.initializers {
		if t := &g.initializers[i]; t.outside {
			bytes += constants[t.name].len() * sizes[t.kind]
		}
	}
	return bytes
}

// batch is dimension 0 of the inputs: 0 if it has a name, or none.
func (g *graphProto) batch(constants map[string]*constant) (int, error) {
	batch, of := -1, ""
	for _, in := range g.open(constants) {
		if len(in.dims) == 0 {
			continue
		}
		n := max(in.dims[0].value, 0)
		if batch >= 0 && int64(batch) != n {
			return 0, fmt.Errorf("dimension 0 of the inputs %q and %q, which is the batch, is %d and %d", of, in.name, batch, n)
		}
		if n > mostElements {
			return 0, fmt.Errorf("dimension 0 of the input %q is %d", in.name, n)
		}
		batch, of = int(n), in.name
	}
	return max(batch, 0), nil
}

// open are the inputs that are no initialisers, without those that nothing reads.
func (g *graphProto) open(constants map[string]*constant) []valueProto {
	read := map[string]bool{}
	for _, n := range g.nodes {
		for _, name := range n.in {
			read[name] = true
		}
	}
	for _, out := range g.outputs {
		read[out.name] = true
	}
	var list []valueProto
	for _, in := range g.inputs {
		if constants[in.name] == nil && read[in.name] {
			list = append(list, in)
		}
	}
	return list
}

// describe is a node for messages.
func (n *nodeProto) describe(i int) string {
	name := n.name
	if name == "" && len(n.out) > 0 {
		name = n.out[0]
	}
	return fmt.Sprintf("node %d, %q (%.40s)", i, name, printable.Name(n.op))
}
