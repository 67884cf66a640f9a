package matfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf16"

	"github.com/hubel-go/hubel/formats/inflate"
)

const headSize = 128

// classes are the names of the classes of arrays, by number.
var classes = []string{0: "", 1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 6: "double", 7: "single",
	8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64", 15: "uint64", 16: "function handle", 17: "opaque"}

// Types of data elements.
const (
	miInt8, miUint8, miInt16, miUint16, miInt32, miUint32 = 1, 2, 3, 4, 5, 6
	miSingle, miDouble, miInt64, miUint64                 = 7, 9, 12, 13
	miMatrix, miCompressed, miUTF8, miUTF16, miUTF32      = 14, 15, 16, 17, 18
)

// oldReader takes data elements off bytes.
type oldReader struct {
	b     []byte
	order binary.ByteOrder
}

var errCut = errors.New("the file is truncated or damaged")

func readOld(b []byte) ([]Variable, error) {
	if len(b) < headSize || !bytes.HasPrefix(b, []byte("MATLAB 5.0 MAT-file")) {
		return nil, errors.New("not a MAT file of version 5 or 7.3")
	}
	r := &oldReader{b: b[headSize:]}
	switch string(b[126:128]) {
	case "IM":
		r.order = binary.LittleEndian
	case "MI":
		r.order = binary.BigEndian
	default:
		return nil, errors.New("its byte order is not marked: the file is damaged")
	}
	var list []Variable
	for len(r.b) > 0 {
		kind, data, err := r.element()
		if err == nil && kind == miCompressed {
			if data, err = r.inflate(data); err == nil {
				kind, data, err = (&oldReader{data, r.order}).element()
			}
		}
		if err == nil && kind != miMatrix {
			err = fmt.Errorf("an element of type %d stands where a variable belongs: the file is damaged", kind)
		}
		var v Variable
		if err == nil {
			v.Name, v.Value, err = (&oldReader{data, r.order}).matrix(0)
		}
		if err != nil {
			return nil, fmt.Errorf("the variable that ends at byte %d: %w", len(b)-len(r.b), err)
		}
		list = append(list, v)
	}
	return list, nil
}

// inflate is a compressed element. Its own size bounds it.
func (r *oldReader) inflate(b []byte) ([]byte, error) {
	var head [8]byte // of the element
	if err := inflate.Begin(head[:], b); err != nil {
		return nil, err
	}
	return inflate.Whole(b, uint64(len(head))+uint64(r.order.Uint32(head[4:])))
}

// element takes the next data element: its type and its bytes.
func (r *oldReader) element() (kind uint32, data []byte, err error) {
	if len(r.b) < 8 {
		return 0, nil, errCut
	}
	kind, size := r.order.Uint32(r.b), uint64(r.order.Uint32(r.b[4:]))
	if small := kind >> 16; small != 0 {
		if small > 4 {
			return 0, nil, errCut
		}
		data, r.b = r.b[4:4+small], r.b[8:]
		return kind & 0xffff, data, nil
	}
	if size > uint64(len(r.b)-8) {
		return 0, nil, errCut
	}
	data = r.b[8 : 8+size]
	if kind != miCompressed {
		size += -size & 7
	}
	r.b = r.b[min(8+size, uint64(len(r.b))):]
	return kind, data, nil
}

// matrix reads an array. One without bytes is empty.
func (r *oldReader) matrix(depth int) (string, *Value, error) {
	if depth > deepest {
		return "", nil, fmt.Errorf("cells and structures are nested more than %d deep", deepest)
	}
	if len(r.b) == 0 {
		return "", &Value{Class: "double", Dims: []int{0, 0}}, nil
	}
	_, flags, err := r.element()
	if err != nil || len(flags) < 8 {
		return "", nil, errCut
	}
	word := r.order.Uint32(flags)
	class := word & 0xff
	if class == 0 || int(class) >= len(classes) {
		return "", nil, fmt.Errorf("an array is of class %d, which does not exist: the file is damaged", class)
	}
	v := &Value{Class: classes[class]}
	if class >= 16 { // without dimensions
		return "", v, nil
	}
	dims, err := r.numbers()
	if err != nil {
		return "", nil, err
	}
	n := 1
	for _, d := range dims {
		if !(d >= 0 && d <= math.MaxInt32) || d != math.Trunc(d) || d > 0 && n > math.MaxInt32/int(d) {
			return "", nil, errCut
		}
		v.Dims = append(v.Dims, int(d))
		n *= int(d)
	}
	_, name, err := r.element()
	if err != nil {
		return "", nil, err
	}
	switch {
	case class == 1:
		v.Cells, err = r.values(n, depth)
	case class == 2:
		err = r.structure(v, n, depth)
	case class == 3 || class == 5: // not read
	case word&0x800 != 0:
		v.Class = "complex " + v.Class
	default:
		if word&0x200 != 0 {
			v.Class = "logical"
		}
		err = r.array(v, n)
	}
	return string(name), v, err
}

// values reads n arrays.
func (r *oldReader) values(n, depth int) ([]*Value, error) {
	if n > len(r.b)/8 {
		return nil, errCut
	}
	list := make([]*Value, n)
	for i := range list {
		kind, data, err := r.element()
		if err == nil && kind != miMatrix {
			err = errCut
		}
		if err == nil {
			_, list[i], err = (&oldReader{data, r.order}).matrix(depth + 1)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// structure reads the fields of n structures.
func (r *oldReader) structure(v *Value, n, depth int) error {
	width, err := r.numbers()
	if err != nil || len(width) != 1 || !(width[0] >= 1 && width[0] <= 1<<16) {
		return errCut
	}
	_, names, err := r.element()
	if err != nil || len(names)%int(width[0]) != 0 {
		return errCut
	}
	v.Fields = map[string][]*Value{}
	for w := int(width[0]); len(names) > 0; names = names[w:] {
		name, _, _ := bytes.Cut(names[:w], []byte{0})
		if _, ok := v.Fields[string(name)]; ok {
			return fmt.Errorf("field %q is there twice: the file is damaged", name)
		}
		v.Names, v.Fields[string(name)] = append(v.Names, string(name)), nil
	}
	if len(v.Names) > 0 && n > len(r.b)/8/len(v.Names) {
		return errCut
	}
	all, err := r.values(n*len(v.Names), depth)
	for i, x := range all {
		name := v.Names[i%len(v.Names)]
		v.Fields[name] = append(v.Fields[name], x)
	}
	return err
}

// array reads n numbers, or text.
func (r *oldReader) array(v *Value, n int) error {
	rest := *r
	kind, data, err := r.element()
	if err != nil {
		return err
	}
	switch {
	case v.Class == "single" && kind == miSingle && len(data) == 4*n:
		v.single = make([]float32, n)
		for i := range v.single {
			v.single[i] = math.Float32frombits(r.order.Uint32(data[4*i:]))
		}
		return nil
	case v.Class == "char" && kind == miUTF8:
		for _, u := range utf16.Encode([]rune(string(data))) {
			v.double = append(v.double, float64(u))
		}
		if len(v.double) != n { // the shape counts bytes
			v.Dims = []int{1, len(v.double)}
		}
		return nil
	}
	if v.double, err = rest.numbers(); err == nil && len(v.double) != n {
		err = fmt.Errorf("an array of the shape %v has %d elements: the file is damaged", v.Dims, len(v.double))
	}
	return err
}

// numbers takes an element of numbers of any type.
func (r *oldReader) numbers() ([]float64, error) {
	kind, data, err := r.element()
	if err != nil {
		return nil, err
	}
	o := r.order
	var get func(b []byte) float64
	var size int
	switch kind {
	case miInt8:
		get, size = func(b []byte) float64 { return float64(int8(b[0])) }, 1
	case miUint8, miUTF8:
		get, size = func(b []byte) float64 { return float64(b[0]) }, 1
	case miInt16:
		get, size = func(b []byte) float64 { return float64(int16(o.Uint16(b))) }, 2
	case miUint16, miUTF16:
		get, size = func(b []byte) float64 { return float64(o.Uint16(b)) }, 2
	case miInt32:
		get, size = func(b []byte) float64 { return float64(int32(o.Uint32(b))) }, 4
	case miUint32, miUTF32:
		get, size = func(b []byte) float64 { return float64(o.Uint32(b)) }, 4
	case miSingle:
		get, size = func(b []byte) float64 { return float64(math.Float32frombits(o.Uint32(b))) }, 4
	case miDouble:
		get, size = func(b []byte) float64 { return math.Float64frombits(o.Uint64(b)) }, 8
	case miInt64:
		get, size = func(b []byte) float64 { return float64(int64(o.Uint64(b))) }, 8
	case miUint64:
		get, size = func(b []byte) float64 { return float64(o.Uint64(b)) }, 8
	default:
		return nil, fmt.Errorf("numbers are of type %d, which does not exist: the file is damaged", kind)
	}
	x := make([]float64, len(data)/size)
	for i := range x {
		x[i] = get(data[i*size:])
	}
	return x, nil
}
