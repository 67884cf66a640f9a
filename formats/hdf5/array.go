package hdf5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Array is the elements of a data set or an attribute, row-major.
type Array struct {
	Shape []int // none for one element
	Type  Type

	f    *File
	what string // in errors
	raw  []byte
}

// Ref refers to an object of the file. The zero Ref refers to none.
type Ref uint64

// Len is the number of elements.
func (a *Array) Len() int { return len(a.raw) / a.Type.Size }

// Float32s are the elements of an array of numbers, rounded where float32 cannot hold them;
// what is beyond its range becomes infinite.
func (a *Array) Float32s() ([]float32, error) {
	x := make([]float32, a.Len())
	switch t := a.Type; {
	case t.isIEEE(4):
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(a.raw[4*i:]))
		}
	case t.Class == Float:
		for i := range x {
			x[i] = float32(t.floatAt(a.raw[t.Size*i:]))
		}
	default:
		n, err := a.Int64s()
		if err != nil {
			return nil, err
		}
		for i := range x {
			x[i] = float32(n[i])
		}
	}
	return x, nil
}

// Float64s are the elements of an array of numbers.
func (a *Array) Float64s() ([]float64, error) {
	x := make([]float64, a.Len())
	if t := a.Type; t.Class == Float {
		for i := range x {
			x[i] = t.floatAt(a.raw[t.Size*i:])
		}
		return x, nil
	}
	n, err := a.Int64s()
	if err != nil {
		return nil, err
	}
	for i := range x {
		x[i] = float64(n[i])
	}
	return x, nil
}

// isIEEE reports whether elements are little-endian numbers of IEEE 754 of 4 bytes.
func (t Type) isIEEE(size int) bool {
	return t.Class == Float && t.Size == size && !t.bigEndian && t.bits == 32 && t.signAt == 31 && t.exponentAt == 23 &&
		t.exponentBits == 8 && t.mantissaAt == 0 && t.mantissaN == 23 && t.bias == 127
}

// Int64s are the elements of an array of integers.
func (a *Array) Int64s() ([]int64, error) {
	t := a.Type
	if t.Class != Integer {
		return nil, a.wrong("numbers")
	}
	x := make([]int64, a.Len())
	for i := range x {
		x[i] = t.integerAt(a.raw[t.Size*i:])
		if x[i] < 0 && !t.Signed {
			return nil, fmt.Errorf("%s: element %d is %d, which is beyond an int64", a.what, i, uint64(x[i]))
		}
	}
	return x, nil
}

// Strings are the elements of an array of strings, without their padding.
func (a *Array) Strings() ([]string, error) {
	t := a.Type
	if t.Class != String {
		return nil, a.wrong("strings")
	}
	s := make([]string, a.Len())
	for i := range s {
		b := a.raw[t.Size*i : t.Size*(i+1)]
		if !t.variable {
			s[i] = t.unpad(b)
			continue
		}
		var err error
		if s[i], err = a.f.heapString(b); err != nil {
			return nil, fmt.Errorf("%s: element %d: %w", a.what, i, err)
		}
	}
	return s, nil
}

// unpad is a string of fixed length.
func (t Type) unpad(b []byte) string {
	if t.padding == padSpaces {
		return strings.TrimRight(string(b), " ")
	}
	if end := bytes.IndexByte(b, 0); t.padding == padTerminated && end >= 0 {
		return string(b[:end])
	}
	return strings.TrimRight(string(b), "\x00")
}

// Text is the string of an array that has one.
func (a *Array) Text() (string, error) {
	s, err := a.Strings()
	if err == nil && len(s) != 1 {
		err = fmt.Errorf("%s: there are %d strings in place of one", a.what, len(s))
	}
	if err != nil {
		return "", err
	}
	return s[0], nil
}

// Refs are the elements of an array of references.
func (a *Array) Refs() ([]Ref, error) {
	if a.Type.Class != Reference {
		return nil, a.wrong("references")
	}
	refs := make([]Ref, a.Len())
	for i := range refs {
		for j, b := range a.raw[a.Type.Size*i : a.Type.Size*(i+1)] {
			refs[i] |= Ref(b) << (8 * j)
		}
	}
	return refs, nil
}

// wrong is the error of elements that are not what is asked for.
func (a *Array) wrong(want string) error {
	if a.Type.Class == unread {
		return fmt.Errorf("%s: elements of type %q cannot be read; numbers of up to 8 bytes, strings and references to objects can", a.what, a.Type)
	}
	return fmt.Errorf("%s: the elements are of type %q, not %s", a.what, a.Type, want)
}

// elements is how many a shape has, if they can be counted and all their bytes too.
func elements(shape []int, size int) (int, error) {
	n := 1
	for _, d := range shape {
		if d == 0 {
			return 0, nil
		}
	}
	for _, d := range shape {
		if n > math.MaxInt/size/d {
			return 0, fmt.Errorf("the elements of shape %v are too many to count", shape)
		}
		n *= d
	}
	return n, nil
}

// space is a dataspace message: a shape, and how far each dimension may grow.
type space struct {
	shape []int
	most  []uint64 // undefined without a limit
}

// mostDims is how many dimensions the format allows.
const mostDims = 32

// readSpace reads a dataspace message.
func readSpace(d *decoder) (space, error) {
	version, rank, flags := d.u8(), int(d.u8()), d.u8()
	null := false
	switch version {
	case 1:
		d.take(5)
	case 2:
		null = d.u8() == 2
	default:
		return space{}, d.fail("a shape is of version %d; versions 1 and 2 are read", version)
	}
	if rank > mostDims {
		return space{}, d.fail("a shape has %d dimensions; the format allows %d", rank, mostDims)
	}
	s := space{shape: make([]int, rank), most: make([]uint64, rank)}
	for i := range s.shape {
		n := d.length()
		if n > math.MaxInt {
			return space{}, d.fail("dimension %d of a shape is %d", i, n)
		}
		s.shape[i], s.most[i] = int(n), n
	}
	if flags&1 != 0 {
		for i := range s.most {
			if s.most[i] = d.length(); s.most[i] == 1<<(8*d.lengths)-1 {
				s.most[i] = undefined
			}
		}
	}
	if null { // there is no element
		s = space{shape: []int{0}, most: []uint64{0}}
	}
	return s, d.err
}

var errNoRoom = errors.New("it says that it is larger than what the file holds can make it: the file is damaged, or made to exhaust memory")
