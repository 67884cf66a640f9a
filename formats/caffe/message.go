package caffe

import (
	"encoding/binary"
	"fmt"
	"math"
)

// mostValues bounds the values in a file, apart from the numbers of tensors. The largest
// networks that were published have about 100,000.
const mostValues = 1 << 20

// deepest is how deep messages may lie in one another. A solver with a network in it needs 6.
const deepest = 20

// message is a message of a file, in the file's order of fields.
type message struct {
	of     *definition
	at     place
	fields []field
	last   map[string]int // the last value of each field

	// unknown are the numbers of fields that the definition does not have, of a binary
	// file.
	unknown []int
}

// field is one value of a field. A repeated field has several.
type field struct {
	*fieldDefinition
	at      place
	integer int64 // of integers, bools and enums
	real    float64
	text    string // of strings
	raw     []byte // of tensors: little-endian
	message *message
}

// get finds the last value of a field, nil if there is none.
func (m *message) get(name string) *field {
	if m == nil {
		return nil
	}
	if m.of.byName[name] == nil {
		panic(fmt.Sprintf("caffe: %s has no field %s", m.of.name, name))
	}
	if i, ok := m.last[name]; ok {
		return &m.fields[i]
	}
	return nil
}

// add appends a value.
func (m *message) add(f field) {
	if m.last == nil {
		m.last = map[string]int{}
	}
	m.last[f.name] = len(m.fields)
	m.fields = append(m.fields, f)
}

func (m *message) has(name string) bool { return m.get(name) != nil }

// all are the values of a repeated field.
func (m *message) all(name string) []*field {
	var list []*field
	if m.has(name) {
		for i := range m.fields {
			if m.fields[i].name == name {
				list = append(list, &m.fields[i])
			}
		}
	}
	return list
}

func (m *message) text(name, otherwise string) string {
	if f := m.get(name); f != nil {
		return f.text
	}
	return otherwise
}

func (m *message) texts(name string) []string {
	var list []string
	for _, f := range m.all(name) {
		list = append(list, f.text)
	}
	return list
}

func (m *message) int(name string, otherwise int64) int64 {
	if f := m.get(name); f != nil {
		return f.integer
	}
	return otherwise
}

func (m *message) ints(name string) []int64 {
	var list []int64
	for _, f := range m.all(name) {
		list = append(list, f.integer)
	}
	return list
}

func (m *message) bool(name string, otherwise bool) bool {
	if f := m.get(name); f != nil {
		return f.integer != 0
	}
	return otherwise
}

// float is a number in float32, which all of caffe.proto's are.
func (m *message) float(name string, otherwise float32) float32 {
	if f := m.get(name); f != nil {
		return float32(f.real)
	}
	return otherwise
}

// enum is the name of an enum's value.
func (m *message) enum(name, otherwise string) string {
	if f := m.get(name); f != nil {
		return f.enum.names[f.integer]
	}
	return otherwise
}

// sub is a message in a field, nil if there is none: all accessors of a nil message return
// the default.
func (m *message) sub(name string) *message {
	if f := m.get(name); f != nil {
		return f.message
	}
	return nil
}

func (m *message) subs(name string) []*message {
	var list []*message
	for _, f := range m.all(name) {
		list = append(list, f.message)
	}
	return list
}

// with returns the message with a value more, or in place of one that is not repeated.
func (m *message) with(f field) *message {
	c := &message{of: m.of, at: m.at, unknown: m.unknown}
	for _, old := range m.fields {
		if f.repeated || old.name != f.name {
			c.add(old)
		}
	}
	c.add(f)
	return c
}

// stranger finds a field that the definition does not have in a message or in those in it.
// Tensors are not looked at.
func (m *message) stranger() (in *message, number int, ok bool) {
	if len(m.unknown) > 0 {
		return m, m.unknown[0], true
	}
	for _, f := range m.fields {
		if f.message != nil && f.of.name != "BlobProto" {
			if in, number, ok := f.message.stranger(); ok {
				return in, number, true
			}
		}
	}
	return nil, 0, false
}

// floats32 are the numbers of a tensor, of a BlobProto.
func (m *message) floats32() []float32 {
	if f := m.get("double_data"); f != nil {
		values := make([]float32, len(f.raw)/8)
		for i := range values {
			values[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(f.raw[8*i:])))
		}
		return values
	}
	f := m.get("data")
	if f == nil {
		return nil
	}
	values := make([]float32, len(f.raw)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(f.raw[4*i:]))
	}
	return values
}
