// Package matfile reads MATLAB's files of variables: version 5 (MAT-File Format, MathWorks
// 2023), of either byte order, compressed or not, and version 7.3, which is HDF5.
//
// It reads cells, structures, text, logical values and numbers. Sparse and complex arrays,
// objects and function handles are errors that name them, but only of who asks for them.
package matfile

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/hubel-go/hubel/formats/hdf5"
)

// Value is an array of MATLAB's. Elements stand in its order: the first index is the fastest.
type Value struct {
	Class string // "double", "single", "int8" to "uint64", "logical", "char", "cell", "struct", or what cannot be read
	Dims  []int

	// Cells are the elements of a cell.
	Cells []*Value

	// Names are the fields of a structure, and Fields their values, one for each element.
	Names  []string
	Fields map[string][]*Value

	single []float32
	double []float64 // of all other numbers and of text
}

// Len is the number of elements.
func (v *Value) Len() int {
	n := 1
	for _, d := range v.Dims {
		n *= d
	}
	return n
}

// Field is a field of a structure of one element, or nil.
func (v *Value) Field(name string) *Value {
	if v == nil || len(v.Fields[name]) != 1 {
		return nil
	}
	return v.Fields[name][0]
}

// Float64s are the numbers of an array, logical values being 0 and 1.
func (v *Value) Float64s() ([]float64, error) {
	if v.single == nil {
		if v.double == nil && v.Len() > 0 {
			return nil, fmt.Errorf("a value of class %q is not numbers", v.Class)
		}
		return v.double, nil
	}
	x := make([]float64, len(v.single))
	for i, s := range v.single {
		x[i] = float64(s)
	}
	return x, nil
}

// Float32s are the numbers of an array, rounded.
func (v *Value) Float32s() ([]float32, error) {
	if v.single != nil {
		return v.single, nil
	}
	d, err := v.Float64s()
	x := make([]float32, len(d))
	for i, n := range d {
		x[i] = float32(n)
	}
	return x, err
}

// Text is the text of an array of class char.
func (v *Value) Text() (string, error) {
	if v.Class != "char" {
		return "", fmt.Errorf("a value of class %q is not text", v.Class)
	}
	return runes(v.double), nil
}

// Variable is a named value.
type Variable struct {
	Name  string
	Value *Value
}

// deepest bounds how many cells and structures are in each other.
const deepest = 32

// Is reports whether the beginning of a file is that of a MAT file of version 5 or 7.3.
func Is(head []byte) bool {
	return len(head) >= headSize && bytes.HasPrefix(head, []byte("MATLAB 5.0 MAT-file")) || bytes.HasPrefix(head, []byte("MATLAB 7.3 MAT-file"))
}

// Open reads the variables of a file.
func Open(path string) ([]Variable, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := Read(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// Read reads the variables of a file's bytes.
func Read(b []byte) ([]Variable, error) {
	if hdf5.Is(b[:min(len(b), 4096)]) {
		return readNew(bytes.NewReader(b), int64(len(b)))
	}
	return readOld(b)
}

func readNew(r io.ReaderAt, size int64) ([]Variable, error) {
	f, err := hdf5.Read("version 7.3", r, size)
	if err != nil {
		return nil, err
	}
	root, err := f.Root()
	if err != nil {
		return nil, err
	}
	n := &newReader{f: f, values: map[hdf5.Ref]*Value{}, left: size / 16}
	var list []Variable
	for _, name := range root.Names() {
		if name == "#refs#" || name == "#subsystem#" {
			continue
		}
		node, err := root.Node(name)
		if err != nil {
			return nil, err
		}
		v, err := n.value(node, 0)
		if err != nil {
			return nil, err
		}
		list = append(list, Variable{name, v})
	}
	return list, nil
}
