package tflite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/printable"
)

// The types of elements that are read, and those of quantised models, by their numbers in
// TensorFlow's schema.fbs.
const (
	float32Type = 0
	float16Type = 1
	int32Type   = 2
	int64Type   = 4
)

// kinds are the names of the types of elements.
var kinds = []string{"float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64",
	"complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16", "int2", "uint4"}

// quantised are the types of elements that stand for floats in quantised models.
var quantised = []byte{3, 7, 9, 17, 19, 20}

// The bounds of a model. The largest published ones have some thousand operators.
const (
	mostOperators = 1 << 14
	mostTensors   = 1 << 17
	mostDims      = 6
	largestSize   = 1 << 20 // of a dimension, a stride or the like
)

// model is the first subgraph of a file.
type model struct {
	f           *file
	version     int
	description string
	name        string
	subgraphs   int

	tensors         []*tensor
	operators       []*operator
	inputs, outputs []int
}

// tensor is a tensor of the file: a constant if it has bytes.
type tensor struct {
	name      string
	shape     []int
	signature []int // the shape, with -1 for what is open; nil if it is the same
	kind      byte
	buffer    int
	data      []byte
	sparse    bool
}

// kindName is the type of the elements for messages.
func (t *tensor) kindName() string {
	if int(t.kind) < len(kinds) {
		return kinds[t.kind]
	}
	return fmt.Sprint("type ", t.kind)
}

// operator is a node.
type operator struct {
	code    int
	custom  string // name of an operator of somebody's own
	in, out []int  // tensors; -1 for one that is left out
	options table
}

// parse reads a file.
func parse(b []byte) (*model, error) {
	if !isModel(b) {
		return nil, errors.New("it does not begin as a file of TFLite does")
	}
	f := newFile(b)
	m := &model{f: f}
	top := f.table(f.follow(0))
	m.version, m.description = top.int(0, 0), top.text(3)
	graphs := top.tables(2)
	m.subgraphs = len(graphs)
	if f.err != nil {
		return nil, f.err
	}
	if m.version != 3 {
		return nil, fmt.Errorf("it is of version %d of the format; version 3 is read", m.version)
	}
	if len(graphs) == 0 {
		return nil, errors.New("it has no network")
	}
	g := graphs[0]
	m.name, m.inputs, m.outputs = g.text(4), g.ints(1), g.ints(2)
	if err := m.readTensors(g.tables(0), top.tables(4)); err != nil {
		return nil, err
	}
	if err := m.readOperators(g.tables(3), top.tables(1)); err != nil {
		return nil, err
	}
	for _, list := range [][]int{m.inputs, m.outputs} {
		for _, i := range list {
			if i < 0 || i >= len(m.tensors) {
				return nil, fmt.Errorf("an input or output is tensor %d, and there are %d", i, len(m.tensors))
			}
		}
	}
	return m, f.err
}

// readTensors reads the tensors, with the bytes of those that are constants.
func (m *model) readTensors(list, buffers []table) error {
	if len(list) > mostTensors {
		return fmt.Errorf("it has %d tensors; at most %d are read", len(list), mostTensors)
	}
	for i, t := range list {
		x := &tensor{name: t.text(3), shape: t.ints(0), signature: t.ints(7), kind: t.byte(1), buffer: t.int(2, 0), sparse: t.inner(6).f != nil}
		if m.f.err != nil {
			return m.f.err
		}
		if slices.ContainsFunc(x.shape, func(d int) bool { return d < 0 }) {
			return fmt.Errorf("tensor %d, %s, has the shape %v", i, printable.Name(x.name), x.shape)
		}
		if x.buffer < 0 || x.buffer >= len(buffers) && x.buffer > 0 {
			return fmt.Errorf("tensor %d, %s, is in buffer %d, and there are %d", i, printable.Name(x.name), x.buffer, len(buffers))
		}
		if x.buffer > 0 { // buffer 0 is empty
			b := buffers[x.buffer]
			x.data = b.bytes(0)
			if at, size := b.long(1), b.long(2); at > 1 { // behind the tables, in files of more than 2 GB
				if at > uint64(len(m.f.b)) || size > uint64(len(m.f.b))-at {
					return fmt.Errorf("buffer %d ends behind the file: it is damaged or cut off", x.buffer)
				}
				x.data = m.f.b[at : at+size]
			}
		}
		m.tensors = append(m.tensors, x)
	}
	return m.f.err
}

// readOperators reads the operators.
func (m *model) readOperators(list, codes []table) error {
	if len(list) > mostOperators {
		return fmt.Errorf("it has %d operators; at most %d are read", len(list), mostOperators)
	}
	for i, t := range list {
		k := t.int(0, 0)
		if m.f.err == nil && (k < 0 || k >= len(codes)) {
			return fmt.Errorf("operator %d has the code %d, and there are %d", i, k, len(codes))
		}
		if m.f.err != nil {
			return m.f.err
		}
		// Old files have the number in one byte, which is 127 where it is not enough.
		op := &operator{code: max(int(codes[k].byte(0)), codes[k].int(3, 0)), custom: codes[k].text(1), in: t.ints(1), out: t.ints(2), options: t.inner(4)}
		for _, list := range [][]int{op.in, op.out} {
			for _, x := range list {
				if x < -1 || x >= len(m.tensors) {
					return fmt.Errorf("operator %d reads or makes tensor %d, and there are %d", i, x, len(m.tensors))
				}
			}
		}
		m.operators = append(m.operators, op)
	}
	return m.f.err
}

// constant is a tensor whose elements are known: floats, or whole numbers.
type constant struct {
	shape  []int
	floats []float32
	ints   []int
	array  string // of the file that it is
}

// len is the number of elements.
func (c *constant) len() int { return max(len(c.floats), len(c.ints)) }

// constant decodes a tensor with bytes. left bounds the elements that are decoded in all, since
// tensors may have one buffer.
func (t *tensor) constant(left *int) (*constant, error) {
	size := map[byte]int{float32Type: 4, float16Type: 2, int32Type: 4, int64Type: 8}[t.kind]
	if size == 0 {
		return nil, fmt.Errorf("it is a constant of %s; those of float32, float16, int32 and int64 are read", t.kindName())
	}
	n := len(t.data) / size
	count := 1
	for _, d := range t.shape {
		if d > 0 && count > n/d {
			count = -1
			break
		}
		count *= d
	}
	if count != n || len(t.data)%size != 0 {
		return nil, fmt.Errorf("its shape %v does not fit its %d bytes of %s", t.shape, len(t.data), t.kindName())
	}
	if *left -= n; *left < 0 {
		return nil, errors.New("the constants of the file have far more elements than it has bytes")
	}
	c := &constant{shape: t.shape, array: fmt.Sprint("buffer ", t.buffer)}
	for i := range n {
		b := t.data[i*size:]
		switch t.kind {
		case float32Type:
			c.floats = append(c.floats, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		case float16Type:
			c.floats = append(c.floats, safetensors.Half(binary.LittleEndian.Uint16(b)))
		case int32Type:
			c.ints = append(c.ints, int(int32(binary.LittleEndian.Uint32(b))))
		case int64Type:
			c.ints = append(c.ints, int(binary.LittleEndian.Uint64(b)))
		}
	}
	return c, nil
}
