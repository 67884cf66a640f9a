package pytorch

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
)

// What follows writes the values that torch.save does, as pickles of protocol 2.
type (
	pickled []byte    // of several values, one behind the other
	global  [2]string // a module and a name in it
	tuple   []any     // of values
	list    []any     // of values
	dict    []any     // keys and values in turn
	call    struct{ f, args any }
	object  struct{ class, state any }
	id      struct{ value any } // a persistent one
)

func (p *pickled) put(v any) {
	all := func(before string, values []any, after string) {
		*p = append(*p, before...)
		for _, v := range values {
			p.put(v)
		}
		*p = append(*p, after...)
	}
	switch v := v.(type) {
	case nil:
		*p = append(*p, 'N')
	case bool:
		*p = append(*p, map[bool]byte{false: 0x89, true: 0x88}[v])
	case int:
		if 0 <= v && v < 256 {
			*p = append(*p, 'K', byte(v))
		} else {
			*p = binary.LittleEndian.AppendUint64(append(*p, 0x8a, 8), uint64(v))
		}
	case string:
		*p = append(binary.LittleEndian.AppendUint32(append(*p, 'X'), uint32(len(v))), v...)
	case global:
		*p = fmt.Appendf(*p, "c%s\n%s\n", v[0], v[1])
	case tuple:
		all("(", v, "t")
	case list:
		all("](", v, "e")
	case dict:
		all("}(", v, "u")
	case call:
		all("", []any{v.f, v.args}, "R")
	case object:
		all("", []any{v.class, tuple{}}, "\x81")
		all("", []any{v.state}, "b")
	case id:
		all("", []any{v.value}, "Q")
	case view:
		p.put(v.value())
	case []byte: // the value as it stands in a pickle
		*p = append(*p, v...)
	default:
		panic(fmt.Sprintf("%T", v))
	}
}

// pickleOf is the pickle of one value.
func pickleOf(v any) []byte {
	p := pickled("\x80\x02")
	p.put(v)
	return append(p, '.')
}

// stored is a storage: its class without "Storage", and its elements.
type stored struct {
	key, class string
	elements   int
	data       []byte
}

// store makes a storage of numbers, whose type in Go has the size of the elements.
func store(key, class string, values any) *stored {
	data, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err)
	}
	return &stored{key, class, len(data) / int(storageTypes[class+"Storage"].size), data}
}

// view is a tensor.
type view struct {
	of            *stored
	offset        int
	shape, stride []int
}

// whole is a tensor of a storage, row by row.
func whole(s *stored, shape ...int) view {
	stride := make([]int, len(shape))
	for i, n := len(shape)-1, 1; i >= 0; i-- {
		stride[i] = n
		n *= shape[i]
	}
	return view{of: s, shape: shape, stride: stride}
}

func ints(numbers []int) (t tuple) {
	for _, n := range numbers {
		t = append(t, n)
	}
	return t
}

var ordered = global{"collections", "OrderedDict"}

func (v view) value() any {
	storage := id{tuple{"storage", global{"torch", v.of.class + "Storage"}, v.of.key, "cpu", v.of.elements}}
	return call{global{"torch._utils", "_rebuild_tensor_v2"}, tuple{storage, v.offset, ints(v.shape), ints(v.stride), false, call{ordered, tuple{}}}}
}

// storagesOf lists the storages of the tensors in a value, each once.
func storagesOf(v any) (all []*stored) {
	seen := map[*stored]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case view:
			if !seen[v.of] {
				seen[v.of] = true
				all = append(all, v.of)
			}
		case dict:
			walk(tuple(v))
		case list:
			walk(tuple(v))
		case tuple:
			for _, v := range v {
				walk(v)
			}
		case call:
			walk(v.args)
		case object:
			walk(v.state)
		}
	}
	walk(v)
	return all
}

// zipped is the form of torch 1.6.
func zipped(v any) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	add := func(name string, data []byte) {
		e, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = e.Write(data)
		}
		if err != nil {
			panic(err)
		}
	}
	add("net/data.pkl", pickleOf(v))
	for _, s := range storagesOf(v) {
		add("net/data/"+s.key, s.data)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// inLegacy is the form before it.
func inLegacy(v any) []byte {
	b := append([]byte("\x80\x02\x8a\x0a"), legacyBytes()...)
	b = append(b, '.')
	b = append(b, pickleOf(legacyProtocol)...)
	b = append(b, pickleOf(dict{"protocol_version", legacyProtocol, "little_endian", true})...)
	b = append(b, pickleOf(v)...)
	var keys list
	for _, s := range storagesOf(v) {
		keys = append(keys, s.key)
	}
	b = append(b, pickleOf(keys)...)
	for _, s := range storagesOf(v) {
		b = append(binary.LittleEndian.AppendUint64(b, uint64(s.elements)), s.data...)
	}
	return b
}
