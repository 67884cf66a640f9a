package caffe

import (
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// parseBinary reads a message of a binary file. Tensors are not copied if the file has them
// in one piece, as Caffe writes them. Fields that the definition does not have are skipped,
// and their numbers kept.
func parseBinary(of *definition, b []byte) (*message, error) {
	m := &message{of: of}
	return m, new(binaryParser).fill(m, b, 0, 0)
}

type binaryParser struct {
	values int // that were read
}

// fill reads the fields of a message, which begins at an offset of the file.
func (p *binaryParser) fill(m *message, b []byte, offset, depth int) error {
	m.at = place{offset: offset}
	if depth > deepest {
		return fmt.Errorf("%v: messages lie more than %d deep in one another", m.at, deepest)
	}
	for len(b) > 0 {
		at := place{offset: offset}
		bad := func(n int) error {
			if errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF) {
				return fmt.Errorf("%v: the file is truncated or damaged, in a %s", at, m.of.name)
			}
			return fmt.Errorf("%v: the file is damaged, in a %s: %v", at, m.of.name, protowire.ParseError(n))
		}
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return bad(n)
		}
		size := protowire.ConsumeFieldValue(number, wire, b[n:])
		if size < 0 {
			return bad(size)
		}
		value := b[n : n+size]
		b = b[n+size:]
		start := offset + n
		offset += n + size
		f := m.of.byNumber[int(number)]
		if f == nil {
			if len(m.unknown) < 16 {
				m.unknown = append(m.unknown, int(number))
			}
			continue
		}
		if err := p.value(m, f, at, start, wire, value, depth); err != nil {
			return err
		}
	}
	return nil
}

// value reads one value of a field, or the list of a packed one.
func (p *binaryParser) value(m *message, f *fieldDefinition, at place, start int, wire protowire.Type, b []byte, depth int) error {
	wrong := func() error {
		return fmt.Errorf("%v: %s of %s is damaged, or the file is none of Caffe's: its wire type is %d", at, f.name, m.of.name, wire)
	}
	v := field{fieldDefinition: f, at: at}
	content := b
	if wire == protowire.BytesType {
		var n int
		if content, n = protowire.ConsumeBytes(b); n < 0 {
			return wrong()
		}
		start += n - len(content)
	}
	switch f.kind {
	case messageField, stringField:
		if wire != protowire.BytesType {
			return wrong()
		}
		if f.kind == stringField {
			v.text = string(content)
			break
		}
		v.message = &message{of: f.of}
		if old := m.get(f.name); old != nil && !f.repeated { // as protobuf does it: the two are one
			v.message = old.message
		}
		if err := p.fill(v.message, content, start, depth+1); err != nil {
			return err
		}
	case blobField, wideField:
		width, single := 4, protowire.Fixed32Type
		if f.kind == wideField {
			width, single = 8, protowire.Fixed64Type
		}
		if wire != protowire.BytesType && wire != single || len(content)%width != 0 {
			return wrong()
		}
		if old := m.get(f.name); old != nil { // not in one piece
			old.raw = append(old.raw[:len(old.raw):cap(old.raw)], content...)
			return nil
		}
		v.raw = content[:len(content):len(content)]
	default:
		return p.numbers(m, v, wire, content, wrong)
	}
	return p.add(m, v)
}

// numbers reads a number, or a packed list of them.
func (p *binaryParser) numbers(m *message, v field, wire protowire.Type, b []byte, wrong func() error) error {
	if wire == protowire.BytesType && !v.repeated {
		return wrong()
	}
	packed := wire == protowire.BytesType
	for first := true; first && !packed || len(b) > 0; first = false {
		n := -1
		if v.kind == floatField {
			var bits uint32
			if packed || wire == protowire.Fixed32Type {
				bits, n = protowire.ConsumeFixed32(b)
			}
			v.real = float64(math.Float32frombits(bits))
		} else {
			var bits uint64
			if packed || wire == protowire.VarintType {
				bits, n = protowire.ConsumeVarint(b)
			}
			v.integer = int64(bits)
			if v.kind == unsignedField && v.integer < 0 || v.kind == boolField && bits > 1 {
				return wrong()
			}
			if v.kind == enumField && v.enum.names[v.integer] == "" {
				return fmt.Errorf("%v: %s of %s is %d, and %s has no such value in BVLC's caffe.proto: the file is of a fork of Caffe",
					v.at, v.name, m.of.name, v.integer, v.enum.name)
			}
		}
		if n < 0 {
			return wrong()
		}
		if err := p.add(m, v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// add keeps a value. Of a field that is not repeated, the last one counts.
func (p *binaryParser) add(m *message, v field) error {
	if p.values++; p.values > mostValues {
		return fmt.Errorf("%v: the file has more than %d values besides its tensors", v.at, mostValues)
	}
	if !v.repeated {
		if old := m.get(v.name); old != nil {
			*old = v
			return nil
		}
	}
	m.add(v)
	return nil
}
