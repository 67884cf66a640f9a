package tflite

import (
	"encoding/binary"
	"math"
	"slices"
)

// fields are those of a table, by their numbers: a byte, bool, int, uint64 or float32, a string,
// a list of bytes or ints, a table or a list of them.
type fields map[int]any

// flat writes a table as FlatBuffers, with everything that it refers to behind it.
func flat(root fields) []byte {
	b := append(make([]byte, 4), "TFL3"...)
	w := &writer{b: b}
	w.refer(0, root)
	return w.b
}

type writer struct{ b []byte }

func (w *writer) put32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }

func (w *writer) align() {
	for len(w.b)%8 != 0 {
		w.b = append(w.b, 0)
	}
}

// refer writes what a reference leads to, and the reference.
func (w *writer) refer(at int, v any) {
	w.align()
	to := len(w.b)
	switch v := v.(type) {
	case fields:
		to = w.table(v)
	case string:
		w.put32(uint32(len(v)))
		w.b = append(append(w.b, v...), 0)
	case []byte:
		w.put32(uint32(len(v)))
		w.b = append(w.b, v...)
	case []int:
		w.put32(uint32(len(v)))
		for _, n := range v {
			w.put32(uint32(int32(n)))
		}
	case []fields:
		w.put32(uint32(len(v)))
		places := len(w.b)
		w.b = append(w.b, make([]byte, 4*len(v))...)
		for i, t := range v {
			w.refer(places+4*i, t)
		}
	default:
		panic("no field is of this type")
	}
	binary.LittleEndian.PutUint32(w.b[at:], uint32(to-at))
}

// table writes a vtable and a table, whose fields have eight bytes each.
func (w *writer) table(t fields) int {
	last := -1
	for i := range t {
		last = max(last, i)
	}
	vtable := len(w.b)
	w.b = binary.LittleEndian.AppendUint16(w.b, uint16(4+2*(last+1)))
	w.b = binary.LittleEndian.AppendUint16(w.b, uint16(8+8*(last+1)))
	for i := range last + 1 {
		offset := 0
		if _, ok := t[i]; ok {
			offset = 8 + 8*i
		}
		w.b = binary.LittleEndian.AppendUint16(w.b, uint16(offset))
	}
	w.align()
	at := len(w.b)
	w.b = append(w.b, make([]byte, 8+8*(last+1))...)
	binary.LittleEndian.PutUint32(w.b[at:], uint32(at-vtable))
	for i := range last + 1 {
		place := at + 8 + 8*i
		switch v := t[i].(type) {
		case nil:
		case byte:
			w.b[place] = v
		case bool:
			if v {
				w.b[place] = 1
			}
		case int:
			binary.LittleEndian.PutUint32(w.b[place:], uint32(int32(v)))
		case uint64:
			binary.LittleEndian.PutUint64(w.b[place:], v)
		case float32:
			binary.LittleEndian.PutUint32(w.b[place:], math.Float32bits(v))
		default:
			w.refer(place, v)
		}
	}
	return at
}

// made is a model that a test makes.
type made struct {
	tensors, buffers, operators, codes []fields
	inputs                             []int
}

// tensor adds a tensor of a type, and of a constant its bytes.
func (m *made) tensor(name string, kind byte, data []byte, shape ...int) int {
	if m.buffers == nil {
		m.buffers = []fields{{}}
	}
	t := fields{0: shape, 1: kind, 3: name}
	if data != nil {
		t[2] = len(m.buffers)
		m.buffers = append(m.buffers, fields{0: data})
	}
	m.tensors = append(m.tensors, t)
	return len(m.tensors) - 1
}

func (m *made) input(name string, shape ...int) int {
	i := m.tensor(name, float32Type, nil, shape...)
	m.inputs = append(m.inputs, i)
	return i
}

// floats adds a constant of as many elements as the shape says: 1, 2, 3 and so on, divided by 16.
func (m *made) floats(name string, shape ...int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return m.tensor(name, float32Type, floatBytes(ramp(n)), shape...)
}

func (m *made) ints(name string, list ...int) int {
	return m.tensor(name, int32Type, intBytes(list...), len(list))
}

func intBytes(list ...int) (b []byte) {
	for _, v := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(int32(v)))
	}
	return b
}

// add adds an operator that makes a tensor.
func (m *made) add(operator, out string, options fields, in ...int) int {
	code := slices.Index(operatorNames, operator)
	m.codes = append(m.codes, fields{0: byte(min(code, 127)), 3: code})
	y := m.tensor(out, float32Type, nil)
	op := fields{0: len(m.codes) - 1, 1: in, 2: []int{y}}
	if options != nil {
		op[4] = options
	}
	m.operators = append(m.operators, op)
	return y
}

// model is the model as a table.
func (m *made) model(outputs ...int) fields {
	return fields{0: 3, 1: m.codes, 2: []fields{{0: m.tensors, 1: m.inputs, 2: outputs, 3: m.operators, 4: "net"}}, 3: "made by a test", 4: m.buffers}
}

func (m *made) file(outputs ...int) []byte { return flat(m.model(outputs...)) }

func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i+1) / 16
	}
	return x
}

func floatBytes(x []float32) []byte {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
