package hdf5

import (
	"fmt"
	"math"
)

// Class is what kind of elements a type has.
type Class uint8

// The classes that can be read. The elements of an enumeration are integers.
const (
	Integer   Class = iota // of 1 to 8 bytes
	Float                  // of 1 to 8 bytes
	String                 // of fixed or variable length
	Reference              // to objects
	unread                 // what Type.name says
)

// Type is the type of elements.
type Type struct {
	Class  Class
	Size   int // bytes of an element in the file
	Signed bool

	name      string // of what cannot be read
	bigEndian bool
	variable  bool  // a string of variable length, in a global heap
	padding   uint8 // of a string of fixed length: after a zero byte, zero bytes or spaces

	shift, bits                                             uint // of a number within its bytes
	signAt, exponentAt, exponentBits, mantissaAt, mantissaN uint // bits of a floating-point number
	bias                                                    uint32
	hidden                                                  bool // the mantissa's first bit is not stored
}

// String is the type's name, such as "uint8" or "float32".
func (t Type) String() string {
	switch t.Class {
	case Integer:
		if t.Signed {
			return fmt.Sprintf("int%d", t.bits)
		}
		return fmt.Sprintf("uint%d", t.bits)
	case Float:
		return fmt.Sprintf("float%d", t.bits)
	case String:
		return "string"
	case Reference:
		return "reference"
	}
	return t.name
}

// The paddings of strings.
const (
	padTerminated = iota
	padZeros
	padSpaces
)

// deepestType bounds how many types a type is made of, one in the other.
const deepestType = 4

// readType reads a datatype message. What cannot be read is a type too, of class unread, as
// long as its size is known.
func readType(d *decoder, depth int) (Type, error) {
	if depth > deepestType {
		return Type{}, d.fail("an element type is nested more than %d deep", deepestType)
	}
	head := d.u8()
	flags := uint32(d.number(3))
	size := d.u32()
	if d.err != nil {
		return Type{}, d.err
	}
	if version := head >> 4; version < 1 || version > 5 {
		return Type{}, d.fail("an element type is of version %d; versions 1 to 5 are read", version)
	}
	if size == 0 || size > math.MaxInt32 {
		return Type{}, d.fail("an element type has %d bytes", size)
	}
	t := Type{Class: unread, Size: int(size), bigEndian: flags&1 != 0}
	switch head & 15 {
	case 0:
		return t.integer(d, flags)
	case 1:
		return t.float(d, flags)
	case 2:
		t.name = "time"
	case 3:
		t.Class, t.padding = String, uint8(flags&15)
		if t.padding > padSpaces {
			return Type{}, d.fail("strings have the padding %d, which does not exist", t.padding)
		}
	case 4:
		t.name = "bit field"
	case 5:
		t.name = "opaque"
	case 6:
		t.name = "compound"
	case 7:
		t.name = "reference to a region"
		if flags&15 == 0 && t.Size <= 8 {
			t.Class = Reference
		}
	case 8:
		return t.enumeration(d, depth)
	case 9:
		return t.variableLength(d, flags, depth)
	case 10:
		t.name = "array"
	default:
		t.name = fmt.Sprintf("class %d", head&15)
	}
	return t, nil
}

// integer reads the properties of an integer.
func (t Type) integer(d *decoder, flags uint32) (Type, error) {
	t.Signed = flags&8 != 0
	t.shift, t.bits = uint(d.u16()), uint(d.u16())
	if d.err != nil {
		return Type{}, d.err
	}
	if t.Size > 8 {
		t.name = fmt.Sprintf("integer of %d bytes", t.Size)
		return t, nil
	}
	if t.bits == 0 || t.shift+t.bits > 8*uint(t.Size) {
		return Type{}, d.fail("an integer of %d bytes has %d bits from bit %d on", t.Size, t.bits, t.shift)
	}
	t.Class = Integer
	return t, nil
}

// float reads the properties of a floating-point number.
func (t Type) float(d *decoder, flags uint32) (Type, error) {
	t.shift, t.bits = uint(d.u16()), uint(d.u16())
	t.signAt = uint(flags >> 8 & 255)
	t.exponentAt, t.exponentBits, t.mantissaAt, t.mantissaN = uint(d.u8()), uint(d.u8()), uint(d.u8()), uint(d.u8())
	t.bias = d.u32()
	t.hidden = flags>>4&3 == 2
	if d.err != nil {
		return Type{}, d.err
	}
	all := 8 * uint(t.Size)
	switch {
	case t.Size > 8:
		t.name = fmt.Sprintf("floating-point number of %d bytes", t.Size)
		return t, nil
	case flags&0x40 != 0:
		t.name = "floating-point number of a VAX"
		return t, nil
	case !t.hidden:
		t.name = "floating-point number without a hidden bit"
		return t, nil
	case t.bits == 0 || t.shift+t.bits > all || t.signAt >= all,
		t.exponentBits == 0 || t.exponentBits > 11 || t.exponentAt+t.exponentBits > all,
		t.mantissaN == 0 || t.mantissaN > 52 || t.mantissaAt+t.mantissaN > all, t.bias > 1<<11:
		return Type{}, d.fail("a floating-point number of %d bytes has an exponent of %d bits and a mantissa of %d", t.Size, t.exponentBits, t.mantissaN)
	}
	t.Class = Float
	return t, nil
}

// enumeration reads an enumeration as its integers.
func (t Type) enumeration(d *decoder, depth int) (Type, error) {
	base, err := readType(d, depth+1)
	if err != nil {
		return Type{}, err
	}
	if base.Class != Integer || base.Size != t.Size {
		t.name = "enumeration of " + base.String()
		return t, nil
	}
	return base, nil
}

// variableLength reads strings of variable length: also those that are lists of letters.
func (t Type) variableLength(d *decoder, flags uint32, depth int) (Type, error) {
	base, err := readType(d, depth+1)
	if err != nil {
		return Type{}, err
	}
	if t.Size != 4+d.offsets+4 {
		return Type{}, d.fail("an element of variable length has %d bytes in place of %d", t.Size, 4+d.offsets+4)
	}
	if flags&15 == 1 || base.Class == String && !base.variable && base.Size == 1 {
		t.Class, t.variable = String, true
		return t, nil
	}
	t.name = "list of " + base.String()
	return t, nil
}

// integerAt is an element as an integer: its bits, with the sign.
func (t Type) integerAt(b []byte) int64 {
	x := t.word(b) >> t.shift
	unused := 64 - t.bits
	if t.Signed {
		return int64(x<<unused) >> unused
	}
	return int64(x << unused >> unused)
}

// floatAt is an element as a float64, which holds every such number.
func (t Type) floatAt(b []byte) float64 {
	x := t.word(b)
	exponent := int(x >> t.exponentAt & (1<<t.exponentBits - 1))
	mantissa := float64(x >> t.mantissaAt & (1<<t.mantissaN - 1))
	var y float64
	switch exponent {
	case 1<<t.exponentBits - 1:
		y = math.Inf(1)
		if mantissa != 0 {
			y = math.NaN()
		}
	case 0:
		y = math.Ldexp(mantissa, 1-int(t.bias)-int(t.mantissaN))
	default:
		y = math.Ldexp(mantissa+float64(uint64(1)<<t.mantissaN), exponent-int(t.bias)-int(t.mantissaN))
	}
	if x>>t.signAt&1 != 0 {
		return -y
	}
	return y
}

// word is an element's bytes as one number.
func (t Type) word(b []byte) (x uint64) {
	for i := range t.Size {
		at := i
		if !t.bigEndian {
			at = t.Size - 1 - i
		}
		x = x<<8 | uint64(b[at])
	}
	return x
}
