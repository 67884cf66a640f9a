package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// Numbers is an array of an archive, read into memory.
type Numbers struct {
	Shape  []int // of as many dimensions as the file has; none for one number
	Values []float32

	// Bytes says that the file has uint8, such as the pixels of pictures.
	Bytes bool
}

// Archive is what numpy.savez and numpy.savez_compressed write: a zip file of arrays.
type Archive struct {
	Names []string // of the arrays, without ".npy", in the file's order

	path  string
	file  *os.File
	parts map[string]*zip.File
}

// The bounds of an archive, which may come from anywhere.
const (
	mostArrays = 65_536
	mostBytes  = 1 << 30 // of one array
)

// OpenArchive opens an .npz file. Its errors name it.
func OpenArchive(path string) (*Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	a := &Archive{path: path, file: f, parts: map[string]*zip.File{}}
	if err := a.list(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

func (a *Archive) list() error {
	s, err := a.file.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(a.file, s.Size())
	if err != nil {
		return fmt.Errorf("it is not an archive of NumPy's arrays, which numpy.savez writes: %w", err)
	}
	if len(z.File) > mostArrays {
		return fmt.Errorf("it has %d entries; at most %d are read", len(z.File), mostArrays)
	}
	for _, part := range z.File {
		name, isArray := strings.CutSuffix(part.Name, ".npy")
		if !isArray {
			return fmt.Errorf("its entry %.60q is not an array of .npy", part.Name)
		}
		if a.parts[name] != nil {
			return fmt.Errorf("the array %.60q is there twice", name)
		}
		a.parts[name] = part
		a.Names = append(a.Names, name)
	}
	return nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }

// Read reads an array. Numbers of all types but complex ones are made float32, and arrays
// by columns are turned: Values are row-major. Memory is taken as bytes come, so a file that
// says it is large costs nothing.
func (a *Archive) Read(name string) (Numbers, error) {
	n, err := a.read(name)
	if err != nil {
		return n, fmt.Errorf("%s: array %.60q: %w", a.path, name, err)
	}
	return n, nil
}

func (a *Archive) read(name string) (n Numbers, err error) {
	part := a.parts[name]
	if part == nil {
		return n, errors.New("it is not there")
	}
	if part.UncompressedSize64 > mostBytes {
		return n, fmt.Errorf("it has %d bytes; at most %d are read", part.UncompressedSize64, int64(mostBytes))
	}
	r, err := part.Open()
	if err != nil {
		return n, err
	}
	defer r.Close()
	var file bytes.Buffer
	if _, err := io.Copy(&file, io.LimitReader(r, mostBytes)); err != nil { // which checks the size and the checksum
		return n, err
	}
	h, err := parseHeader(file.Bytes())
	if err != nil {
		return n, err
	}
	return h.numbers()
}

// elements are the types of an archive, after the byte order: bytes, and how one is read.
var elements = map[string]struct {
	size int
	get  func(o binary.ByteOrder, b []byte) float32
}{
	"b1": {1, func(_ binary.ByteOrder, b []byte) float32 { return float32(b[0]) }},
	"u1": {1, func(_ binary.ByteOrder, b []byte) float32 { return float32(b[0]) }},
	"i1": {1, func(_ binary.ByteOrder, b []byte) float32 { return float32(int8(b[0])) }},
	"u2": {2, func(o binary.ByteOrder, b []byte) float32 { return float32(o.Uint16(b)) }},
	"i2": {2, func(o binary.ByteOrder, b []byte) float32 { return float32(int16(o.Uint16(b))) }},
	"u4": {4, func(o binary.ByteOrder, b []byte) float32 { return float32(o.Uint32(b)) }},
	"i4": {4, func(o binary.ByteOrder, b []byte) float32 { return float32(int32(o.Uint32(b))) }},
	"u8": {8, func(o binary.ByteOrder, b []byte) float32 { return float32(o.Uint64(b)) }},
	"i8": {8, func(o binary.ByteOrder, b []byte) float32 { return float32(int64(o.Uint64(b))) }},
	"f2": {2, func(o binary.ByteOrder, b []byte) float32 { return half(o.Uint16(b)) }},
	"f4": {4, func(o binary.ByteOrder, b []byte) float32 { return math.Float32frombits(o.Uint32(b)) }},
	"f8": {8, func(o binary.ByteOrder, b []byte) float32 { return float32(math.Float64frombits(o.Uint64(b))) }},
}

// half widens a number of 16 bits (IEEE 754 binary16), exactly.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, int(h>>10&31), h&1023
	var x float64
	switch exponent {
	case 31:
		return math.Float32frombits(sign | 255<<23 | uint32(fraction)<<13)
	case 0:
		x = math.Ldexp(float64(fraction), -24)
	default:
		x = math.Ldexp(float64(1024+int(fraction)), exponent-25)
	}
	return math.Float32frombits(sign | math.Float32bits(float32(x)))
}

// numbers reads the elements that follow a header.
func (h head) numbers() (n Numbers, err error) {
	kind := string(bytes.TrimLeft(h.descr, "<>|="))
	e, ok := elements[kind]
	if !ok {
		return n, fmt.Errorf("its elements are %.20q; numbers of up to 8 bytes are read, but not complex ones, text or objects", h.descr)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(h.descr, []byte(">")) {
		order = binary.BigEndian
	}
	n.Shape, n.Bytes = slices.Clone(h.shape[:h.dims]), kind == "u1"
	if err := h.holds(e.size); err != nil {
		return n, err
	}
	n.Values = make([]float32, h.elements)
	for i := range n.Values {
		n.Values[i] = e.get(order, h.data[i*e.size:])
	}
	if h.byColumns {
		n.Values = byRows(n.Values, n.Shape)
	}
	return n, nil
}

// byRows is an array by columns, whose first dimension is that of neighbours, by rows.
func byRows(x []float32, shape []int) []float32 {
	y := make([]float32, len(x))
	at := make([]int, len(shape))
	for i := range y {
		from, step := 0, 1
		for d, size := range shape {
			from += at[d] * step
			step *= size
		}
		y[i] = x[from]
		for d := len(shape) - 1; d >= 0; d-- {
			if at[d]++; at[d] < shape[d] {
				break
			}
			at[d] = 0
		}
	}
	return y
}
