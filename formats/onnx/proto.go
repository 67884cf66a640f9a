package onnx

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of onnx.proto, with the fields that are read or written.
type (
	modelProto struct {
		irVersion         int64
		producer, version string
		opsets            []opsetProto
		graph             *graphProto
		functions         []string // names
	}

	opsetProto struct {
		domain  string
		version int64
	}

	graphProto struct {
		name         string
		nodes        []nodeProto
		initializers []tensorProto
		sparse       int // initialisers
		inputs       []valueProto
		outputs      []valueProto
	}

	nodeProto struct {
		name, op, domain string
		in, out          []string
		attributes       []attributeProto
	}

	attributeProto struct {
		name     string
		kind     int64
		f        float32
		i        int64
		s        []byte
		t        *tensorProto
		floats   []float32
		ints     []int64
		strings  []string
		hasGraph bool
	}

	tensorProto struct {
		name     string
		dims     []int64
		kind     dataType
		raw      []byte
		floats   []float32
		ints     []int64 // of int32_data, int64_data and uint64_data
		doubles  []float64
		strings  int // elements
		external map[string]string
		outside  bool // data_location is EXTERNAL
		segments bool
	}

	valueProto struct {
		name  string
		kind  dataType
		dims  []dimProto
		shape bool // known
		other bool // not a tensor
	}

	// dimProto is a number, or a name, or neither.
	dimProto struct {
		value int64
		name  string
	}
)

// dataType is TensorProto.DataType.
type dataType int64

// The types of elements.
const (
	typeFloat    dataType = 1
	typeUint8    dataType = 2
	typeInt8     dataType = 3
	typeUint16   dataType = 4
	typeInt16    dataType = 5
	typeInt32    dataType = 6
	typeInt64    dataType = 7
	typeString   dataType = 8
	typeBool     dataType = 9
	typeFloat16  dataType = 10
	typeDouble   dataType = 11
	typeUint32   dataType = 12
	typeUint64   dataType = 13
	typeBfloat16 dataType = 16
)

var typeNames = map[dataType]string{
	typeFloat: "float", typeUint8: "uint8", typeInt8: "int8", typeUint16: "uint16", typeInt16: "int16", typeInt32: "int32",
	typeInt64: "int64", typeString: "string", typeBool: "bool", typeFloat16: "float16", typeDouble: "double",
	typeUint32: "uint32", typeUint64: "uint64", typeBfloat16: "bfloat16",
}

// String is the type as onnx.proto calls it, in small letters.
func (t dataType) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("the type %d", int64(t))
}

// floating reports whether elements are of a type of floating point.
func (t dataType) floating() bool {
	return t == typeFloat || t == typeFloat16 || t == typeDouble || t == typeBfloat16
}

// mostMessages is how many messages a file has at most: nodes, attributes, tensors,
// values. A message takes more memory than its bytes.
const mostMessages = 1 << 20

// decoder reads messages of a file. Slices of the file keep its capacity, which tells where
// in the file they begin.
type decoder struct {
	file     []byte
	messages int
}

// field is a field of a message: bytes, or else a number.
type field struct {
	number protowire.Number
	wire   protowire.Type
	bytes  []byte
	bits   uint64
}

// offset is where in the file b begins.
func (d *decoder) offset(b []byte) int { return cap(d.file) - cap(b) }

// each calls read with every field of a message, in order.
func (d *decoder) each(b []byte, message string, read func(f field) error) error {
	if d.messages++; d.messages > mostMessages {
		return fmt.Errorf("offset %d: the file has more than %d messages", d.offset(b), mostMessages)
	}
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("offset %d: %s is damaged: %w", d.offset(b), message, protowire.ParseError(n))
		}
		f := field{number: number, wire: wire}
		value := b[n:]
		switch wire {
		case protowire.VarintType:
			f.bits, n = protowire.ConsumeVarint(value)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(value)
			f.bits = uint64(x)
		case protowire.Fixed64Type:
			f.bits, n = protowire.ConsumeFixed64(value)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(value)
		default:
			n = protowire.ConsumeFieldValue(number, wire, value)
		}
		if n < 0 {
			return fmt.Errorf("offset %d: field %d of %s is damaged: %w", d.offset(b), number, message, protowire.ParseError(n))
		}
		if err := read(f); err != nil {
			if errors.Is(err, errWire) {
				err = fmt.Errorf("offset %d: field %d of %s is %w", d.offset(b), number, message, err)
			}
			return err
		}
		b = value[n:]
	}
	return nil
}

var errWire = errors.New("of another kind than in onnx.proto")

// text reads a string.
func (f field) text(to *string) error {
	if f.wire != protowire.BytesType {
		return errWire
	}
	*to = string(f.bytes)
	return nil
}

// message reads a message of its own.
func (f field) message(read func(b []byte) error) error {
	if f.wire != protowire.BytesType {
		return errWire
	}
	return read(f.bytes)
}

// integer reads a number.
func (f field) integer(to *int64) error {
	if f.wire != protowire.VarintType {
		return errWire
	}
	*to = int64(f.bits)
	return nil
}

// integers reads one number, or a packed list of them.
func (f field) integers(to *[]int64) error {
	switch f.wire {
	case protowire.VarintType:
		*to = append(*to, int64(f.bits))
		return nil
	case protowire.BytesType:
		for b := f.bytes; len(b) > 0; {
			x, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return errWire
			}
			*to, b = append(*to, int64(x)), b[n:]
		}
		return nil
	}
	return errWire
}

// floats reads one float, or a packed list of them.
func (f field) floats(to *[]float32) error {
	switch f.wire {
	case protowire.Fixed32Type:
		*to = append(*to, math.Float32frombits(uint32(f.bits)))
		return nil
	case protowire.BytesType:
		if len(f.bytes)%4 != 0 {
			return errWire
		}
		for b := f.bytes; len(b) > 0; b = b[4:] {
			x, _ := protowire.ConsumeFixed32(b)
			*to = append(*to, math.Float32frombits(x))
		}
		return nil
	}
	return errWire
}

// doubles reads one double, or a packed list of them.
func (f field) doubles(to *[]float64) error {
	switch f.wire {
	case protowire.Fixed64Type:
		*to = append(*to, math.Float64frombits(f.bits))
		return nil
	case protowire.BytesType:
		if len(f.bytes)%8 != 0 {
			return errWire
		}
		for b := f.bytes; len(b) > 0; b = b[8:] {
			x, _ := protowire.ConsumeFixed64(b)
			*to = append(*to, math.Float64frombits(x))
		}
		return nil
	}
	return errWire
}

// appended reads a message of its own as one more element of a list.
func appended[T any](f field, to *[]T, read func(b []byte, x *T) error) error {
	return f.message(func(b []byte) error {
		var x T
		err := read(b, &x)
		*to = append(*to, x)
		return err
	})
}

// decodeModel reads a ModelProto.
func decodeModel(file []byte) (*modelProto, error) {
	d := &decoder{file: file}
	m := &modelProto{}
	err := d.each(file, "ModelProto", func(f field) error {
		switch f.number {
		case 1:
			return f.integer(&m.irVersion)
		case 2:
			return f.text(&m.producer)
		case 3:
			return f.text(&m.version)
		case 7:
			return f.message(func(b []byte) error {
				m.graph = &graphProto{}
				return d.graph(b, m.graph)
			})
		case 8:
			return appended(f, &m.opsets, d.opset)
		case 25:
			return appended(f, &m.functions, d.function)
		}
		return nil
	})
	return m, err
}

func (d *decoder) opset(b []byte, o *opsetProto) error {
	return d.each(b, "OperatorSetIdProto", func(f field) error {
		switch f.number {
		case 1:
			return f.text(&o.domain)
		case 2:
			return f.integer(&o.version)
		}
		return nil
	})
}

// function reads the name alone.
func (d *decoder) function(b []byte, name *string) error {
	return d.each(b, "FunctionProto", func(f field) error {
		if f.number == 1 {
			return f.text(name)
		}
		return nil
	})
}

func (d *decoder) graph(b []byte, g *graphProto) error {
	return d.each(b, "GraphProto", func(f field) error {
		switch f.number {
		case 1:
			return appended(f, &g.nodes, d.node)
		case 2:
			return f.text(&g.name)
		case 5:
			return appended(f, &g.initializers, d.tensor)
		case 11:
			return appended(f, &g.inputs, d.value)
		case 12:
			return appended(f, &g.outputs, d.value)
		case 15:
			g.sparse++
		}
		return nil
	})
}

func (d *decoder) node(b []byte, n *nodeProto) error {
	return d.each(b, "NodeProto", func(f field) error {
		switch f.number {
		case 1, 2:
			list := &n.in
			if f.number == 2 {
				list = &n.out
			}
			if d.messages++; d.messages > mostMessages {
				return fmt.Errorf("the file has more than %d messages and names of values", mostMessages)
			}
			*list = append(*list, "")
			return f.text(&(*list)[len(*list)-1])
		case 3:
			return f.text(&n.name)
		case 4:
			return f.text(&n.op)
		case 5:
			return appended(f, &n.attributes, d.attribute)
		case 7:
			return f.text(&n.domain)
		}
		return nil
	})
}

func (d *decoder) attribute(b []byte, a *attributeProto) error {
	return d.each(b, "AttributeProto", func(f field) error {
		switch f.number {
		case 1:
			return f.text(&a.name)
		case 2:
			if f.wire != protowire.Fixed32Type {
				return errWire
			}
			a.f = math.Float32frombits(uint32(f.bits))
		case 3:
			return f.integer(&a.i)
		case 4:
			return f.message(func(b []byte) error { a.s = b; return nil })
		case 5:
			return f.message(func(b []byte) error {
				a.t = &tensorProto{}
				return d.tensor(b, a.t)
			})
		case 6, 11:
			a.hasGraph = true
		case 7:
			return f.floats(&a.floats)
		case 8:
			return f.integers(&a.ints)
		case 9:
			return appended(f, &a.strings, func(b []byte, s *string) error { *s = string(b); return nil })
		case 20:
			return f.integer(&a.kind)
		}
		return nil
	})
}

func (d *decoder) tensor(b []byte, t *tensorProto) error {
	return d.each(b, "TensorProto", func(f field) error {
		switch f.number {
		case 1:
			return f.integers(&t.dims)
		case 2:
			return f.integer((*int64)(&t.kind))
		case 3:
			t.segments = true
		case 4:
			return f.floats(&t.floats)
		case 5, 7, 11:
			return f.integers(&t.ints)
		case 6:
			t.strings++
		case 8:
			return f.text(&t.name)
		case 9:
			return f.message(func(b []byte) error { t.raw = b; return nil })
		case 10:
			return f.doubles(&t.doubles)
		case 13:
			return f.message(func(b []byte) error { return d.entry(b, t) })
		case 14:
			var location int64
			err := f.integer(&location)
			t.outside = location == 1
			return err
		}
		return nil
	})
}

// entry reads a StringStringEntryProto of external data.
func (d *decoder) entry(b []byte, t *tensorProto) error {
	var key, value string
	err := d.each(b, "StringStringEntryProto", func(f field) error {
		switch f.number {
		case 1:
			return f.text(&key)
		case 2:
			return f.text(&value)
		}
		return nil
	})
	if t.external == nil {
		t.external = map[string]string{}
	}
	t.external[key] = value
	return err
}

// value reads a ValueInfoProto: name, TypeProto, and in it Tensor and TensorShapeProto.
func (d *decoder) value(b []byte, v *valueProto) error {
	return d.each(b, "ValueInfoProto", func(f field) error {
		switch f.number {
		case 1:
			return f.text(&v.name)
		case 2:
			return f.message(func(b []byte) error {
				return d.each(b, "TypeProto", func(f field) error {
					if f.number != 1 {
						v.other = v.other || f.number != 6 // 6 is the denotation
						return nil
					}
					return f.message(func(b []byte) error { return d.tensorType(b, v) })
				})
			})
		}
		return nil
	})
}

func (d *decoder) tensorType(b []byte, v *valueProto) error {
	return d.each(b, "TypeProto.Tensor", func(f field) error {
		switch f.number {
		case 1:
			return f.integer((*int64)(&v.kind))
		case 2:
			v.shape = true
			return f.message(func(b []byte) error {
				return d.each(b, "TensorShapeProto", func(f field) error {
					if f.number == 1 {
						return appended(f, &v.dims, d.dim)
					}
					return nil
				})
			})
		}
		return nil
	})
}

func (d *decoder) dim(b []byte, x *dimProto) error {
	return d.each(b, "TensorShapeProto.Dimension", func(f field) error {
		switch f.number {
		case 1:
			return f.integer(&x.value)
		case 2:
			return f.text(&x.name)
		}
		return nil
	})
}
