package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// encoder writes the messages of onnx.proto, with the fields that hubel's files have.
type encoder struct{ b []byte }

func (e *encoder) integer(number protowire.Number, x int64) {
	e.b = protowire.AppendTag(e.b, number, protowire.VarintType)
	e.b = protowire.AppendVarint(e.b, uint64(x))
}

func (e *encoder) bytes(number protowire.Number, x []byte) {
	e.b = protowire.AppendTag(e.b, number, protowire.BytesType)
	e.b = protowire.AppendBytes(e.b, x)
}

func (e *encoder) text(number protowire.Number, s string) {
	e.b = protowire.AppendTag(e.b, number, protowire.BytesType)
	e.b = protowire.AppendString(e.b, s)
}

// message writes a message of its own.
func (e *encoder) message(number protowire.Number, write func(e *encoder)) {
	var inner encoder
	write(&inner)
	e.bytes(number, inner.b)
}

// encodeModel writes a ModelProto.
func encodeModel(m *modelProto) []byte {
	var e encoder
	e.integer(1, m.irVersion)
	e.text(2, m.producer)
	if m.version != "" {
		e.text(3, m.version)
	}
	e.message(7, m.graph.encode)
	for _, o := range m.opsets {
		e.message(8, func(e *encoder) {
			if o.domain != "" {
				e.text(1, o.domain)
			}
			e.integer(2, o.version)
		})
	}
	return e.b
}

func (g *graphProto) encode(e *encoder) {
	for i := range g.nodes {
		e.message(1, g.nodes[i].encode)
	}
	e.text(2, g.name)
	for i := range g.initializers {
		e.message(5, g.initializers[i].encode)
	}
	for i := range g.inputs {
		e.message(11, g.inputs[i].encode)
	}
	for i := range g.outputs {
		e.message(12, g.outputs[i].encode)
	}
}

func (n *nodeProto) encode(e *encoder) {
	for _, name := range n.in {
		e.text(1, name)
	}
	for _, name := range n.out {
		e.text(2, name)
	}
	if n.name != "" {
		e.text(3, n.name)
	}
	e.text(4, n.op)
	for i := range n.attributes {
		e.message(5, n.attributes[i].encode)
	}
	if n.domain != "" {
		e.text(7, n.domain)
	}
}

// The kinds of attributes.
const (
	kindFloat   = 1
	kindInt     = 2
	kindString  = 3
	kindTensor  = 4
	kindFloats  = 6
	kindInts    = 7
	kindStrings = 8
)

func (a *attributeProto) encode(e *encoder) {
	e.text(1, a.name)
	switch a.kind {
	case kindFloat:
		e.b = protowire.AppendTag(e.b, 2, protowire.Fixed32Type)
		e.b = protowire.AppendFixed32(e.b, math.Float32bits(a.f))
	case kindInt:
		e.integer(3, a.i)
	case kindString:
		e.bytes(4, a.s)
	case kindTensor:
		e.message(5, a.t.encode)
	case kindFloats:
		var packed []byte
		for _, f := range a.floats {
			packed = protowire.AppendFixed32(packed, math.Float32bits(f))
		}
		e.bytes(7, packed)
	case kindInts:
		e.integers(8, a.ints)
	case kindStrings:
		for _, s := range a.strings {
			e.text(9, s)
		}
	}
	e.integer(20, a.kind)
}

// integers writes a packed list.
func (e *encoder) integers(number protowire.Number, list []int64) {
	var packed []byte
	for _, x := range list {
		packed = protowire.AppendVarint(packed, uint64(x))
	}
	e.bytes(number, packed)
}

func (t *tensorProto) encode(e *encoder) {
	if len(t.dims) > 0 {
		e.integers(1, t.dims)
	}
	e.integer(2, int64(t.kind))
	if t.name != "" {
		e.text(8, t.name)
	}
	switch {
	case t.external != nil:
		for _, key := range []string{"location", "offset", "length"} {
			if value, ok := t.external[key]; ok {
				e.message(13, func(e *encoder) { e.text(1, key); e.text(2, value) })
			}
		}
		e.integer(14, 1)
	case t.floats != nil:
		var packed []byte
		for _, f := range t.floats {
			packed = protowire.AppendFixed32(packed, math.Float32bits(f))
		}
		e.bytes(4, packed)
	case t.ints != nil && t.kind == typeInt64:
		e.integers(7, t.ints)
	case t.ints != nil:
		e.integers(5, t.ints)
	default:
		e.bytes(9, t.raw)
	}
}

func (v *valueProto) encode(e *encoder) {
	e.text(1, v.name)
	e.message(2, func(e *encoder) {
		e.message(1, func(e *encoder) {
			e.integer(1, int64(v.kind))
			if !v.shape {
				return
			}
			e.message(2, func(e *encoder) {
				for _, d := range v.dims {
					e.message(1, func(e *encoder) {
						switch {
						case d.name != "":
							e.text(2, d.name)
						case d.value != 0:
							e.integer(1, d.value)
						}
					})
				}
			})
		})
	})
}

// floatTensor is a tensor of float32, in raw bytes.
func floatTensor(name string, shape []int, values []float32) tensorProto {
	t := tensorProto{name: name, kind: typeFloat, raw: make([]byte, 0, 4*len(values))}
	for _, d := range shape {
		t.dims = append(t.dims, int64(d))
	}
	for _, v := range values {
		t.raw = binary.LittleEndian.AppendUint32(t.raw, math.Float32bits(v))
	}
	return t
}

// intTensor is a list of int64, in raw bytes.
func intTensor(name string, values ...int64) tensorProto {
	t := tensorProto{name: name, kind: typeInt64, dims: []int64{int64(len(values))}, raw: []byte{}}
	for _, v := range values {
		t.raw = binary.LittleEndian.AppendUint64(t.raw, uint64(v))
	}
	return t
}
