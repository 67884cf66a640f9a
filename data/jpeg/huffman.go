package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// fastBits is how many bits are looked up at once.
const fastBits = 10

// huffman is a table of codes (T.81, annex C), to be looked up.
type huffman struct {
	used bool // in this file
	spec []byte
	ac   bool

	// fast is indexed by the next fastBits bits. An entry has, from the lowest
	// bit on: 6 bits for the number of bits it takes, 2 for its kind, 8 for the
	// symbol, and 16 for the value of a coefficient.
	fast [1 << fastBits]uint32

	// For longer codes: a code of n bits, left-aligned in 16, is below
	// limit[n], and its symbol is at symbols[code>>(16-n)+offset[n]].
	limit   [17]uint32
	offset  [17]int32
	symbols [256]byte
}

// The kinds of an entry of fast.
const (
	longCode    = iota << 6 // no code of so few bits
	symbol                  // a code, without the bits that follow it
	coefficient             // a code and the value that follows it
)

// set makes the table of a specification: the number of codes of each length,
// 1 to 16, and their symbols. Most files have the tables of the one before.
func (t *huffman) set(spec []byte, ac bool) error {
	t.used = true
	if bytes.Equal(spec, t.spec) && ac == t.ac {
		return nil
	}
	t.spec = t.spec[:0] // not known until it is whole
	clear(t.fast[:])
	t.ac = ac
	n := copy(t.symbols[:], spec[16:])
	clear(t.symbols[n:])
	code, next := uint32(0), 0
	for length := 1; length <= 16; length++ {
		count := int(spec[length-1])
		if code+uint32(count) > 1<<length {
			return errors.New("a Huffman table has too many codes")
		}
		t.offset[length] = int32(next) - int32(code)
		for range count {
			if length <= fastBits {
				t.enter(code, length, t.symbols[next])
			}
			code++
			next++
		}
		t.limit[length] = code << (16 - length)
		code <<= 1
	}
	if !ac {
		for _, s := range spec[16:] {
			if s > 15 {
				return errors.New("a Huffman table is damaged")
			}
		}
	}
	t.spec = append(t.spec, spec...)
	return nil
}

// enter enters a short code.
func (t *huffman) enter(code uint32, length int, s byte) {
	rest := fastBits - length
	for low := range uint32(1) << rest {
		entry := uint32(length) | symbol | uint32(s)<<8
		// A coefficient that lies in these bits whole is known.
		if size := int(s & 15); t.ac && size > 0 && size <= rest {
			v := int32(low >> (rest - size))
			if v < 1<<(size-1) {
				v += -1<<size + 1
			}
			entry = uint32(length+size) | coefficient | uint32(s)<<8 | uint32(v)<<16
		}
		t.fast[code<<rest|low] = entry
	}
}

// long decodes a code of more than fastBits bits from the next 16. Its length
// is 0 where there is none.
func (t *huffman) long(next uint32) (s byte, length uint) {
	for n := uint(fastBits + 1); n <= 16; n++ {
		if next < t.limit[n] {
			return t.symbols[uint8(int32(next>>(16-n))+t.offset[n])], n
		}
	}
	return 0, 0
}

// padding follows the data, so that an MCU, at most 10 blocks of 64
// coefficients of 31 bits, and what is read ahead of it, can be read past the
// end before that is noticed.
const padding = 10*64*31/8 + 64

// bitReader reads bits of data from which the stuffing has been taken out.
type bitReader struct {
	data []byte
	acc  uint64 // the next bits, from the highest on
	n    uint   // how many of them are there, at least
	pos  int    // of the byte that comes next
	end  int    // of what may be read
}

// start begins to read at a byte.
func (r *bitReader) start(pos, end int) { r.acc, r.n, r.pos, r.end = 0, 0, pos, end }

// overrun reports whether more was read than there is.
func (r *bitReader) overrun() bool { return r.pos*8-int(r.n) > r.end*8 }

// unstuff copies the scan without the zeros that follow 0xff, and finds the
// restart markers.
func (d *Decoder) unstuff() error {
	data, rest := d.bits.data[:0], d.scan
	d.ends = d.ends[:0]
	for {
		i := bytes.IndexByte(rest, 0xff)
		if i < 0 {
			// The end of the image is missing. What there is may be enough.
			data = append(data, rest...)
			break
		}
		data = append(data, rest[:i]...)
		rest = rest[i+1:]
		for len(rest) > 0 && rest[0] == 0xff {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			break
		}
		marker := rest[0]
		if marker == 0 {
			data = append(data, 0xff)
		} else if d.restart > 0 && marker >= rst0 && marker <= rst7 {
			if int(marker-rst0) != len(d.ends)%8 {
				return errors.New("the restart markers are out of order")
			}
			d.ends = append(d.ends, len(data))
		} else {
			break
		}
		rest = rest[1:]
	}
	d.ends = append(d.ends, len(data))
	var zeros [padding]byte
	d.bits.data = append(data, zeros[:]...)
	return nil
}

// order is where the coefficients go, which come in zigzag order: column by
// column. Whatever lies past the last one goes there too.
var order = func() (o [64 + 16]uint8) {
	x, y := 0, 0
	for k := range 64 {
		o[k] = uint8(8*x + y)
		switch up := (x+y)%2 == 0; {
		case up && x == 7, !up && y == 7:
			if up {
				y++
			} else {
				x++
			}
		case up && y == 0:
			x++
		case !up && x == 0:
			y++
		case up:
			x++
			y--
		default:
			x--
			y++
		}
	}
	for k := 64; k < len(o); k++ {
		o[k] = 63
	}
	return o
}()

// block decodes the coefficients of a block, column by column, and returns the
// place in zigzag order of the last one that may not be 0, or -1 where the
// data is damaged.
func (r *bitReader) block(c *[64]int16, dc, ac *huffman, lastDC *int32) int {
	*c = [64]int16{}
	acc, n, pos, data := r.acc, r.n, r.pos, r.data

	// There are 56 bits or more after this: enough for the longest code and the
	// longest value.
	acc |= binary.BigEndian.Uint64(data[pos:]) >> (n & 63)
	pos += int(63-n) >> 3
	n |= 56
	e := dc.fast[acc>>(64-fastBits)]
	length, s := uint(e&63), byte(e>>8)
	if e == longCode {
		if s, length = dc.long(uint32(acc >> 48)); length == 0 {
			return -1
		}
	}
	acc <<= length & 63
	n -= length
	if size := uint(s & 15); size > 0 {
		*lastDC += extend(acc, size)
		acc <<= size
		n -= size
	}
	c[0] = int16(*lastDC)

	k := 1
	for k < 64 {
		if n < 32 {
			acc |= binary.BigEndian.Uint64(data[pos:]) >> (n & 63)
			pos += int(63-n) >> 3
			n |= 56
		}
		e := ac.fast[acc>>(64-fastBits)]
		length := uint(e & 63)
		if e&(3<<6) == coefficient {
			k += int(e >> 12 & 15)
			c[order[k]&63] = int16(e >> 16)
			k++
			acc <<= length
			n -= length
			continue
		}
		s := byte(e >> 8)
		if e == longCode {
			if s, length = ac.long(uint32(acc >> 48)); length == 0 {
				return -1
			}
		}
		acc <<= length & 63
		n -= length
		size := uint(s & 15)
		if size == 0 {
			if s != 0xf0 {
				break // the end of the block
			}
			k += 16
			continue
		}
		k += int(s >> 4)
		c[order[k]&63] = int16(extend(acc, size))
		k++
		acc <<= size
		n -= size
	}
	r.acc, r.n, r.pos = acc, n, pos
	if k > 64 {
		return -1
	}
	return k - 1
}

// extend is the value of size bits, at least one, at the top of acc (T.81,
// figure F.12).
func extend(acc uint64, size uint) int32 {
	v := int32(acc >> (64 - size&63))
	if acc>>63 == 0 {
		v += -1<<size + 1
	}
	return v
}

// skipBlock is block without the coefficients. It reports whether the data is
// good.
func (r *bitReader) skipBlock(dc, ac *huffman, lastDC *int32) bool {
	acc, n, pos, data := r.acc, r.n, r.pos, r.data
	acc |= binary.BigEndian.Uint64(data[pos:]) >> (n & 63)
	pos += int(63-n) >> 3
	n |= 56
	e := dc.fast[acc>>(64-fastBits)]
	length, s := uint(e&63), byte(e>>8)
	if e == longCode {
		if s, length = dc.long(uint32(acc >> 48)); length == 0 {
			return false
		}
	}
	acc <<= length & 63
	n -= length
	if size := uint(s & 15); size > 0 {
		*lastDC += extend(acc, size)
		acc <<= size
		n -= size
	}
	k := 1
	for k < 64 {
		if n < 32 {
			acc |= binary.BigEndian.Uint64(data[pos:]) >> (n & 63)
			pos += int(63-n) >> 3
			n |= 56
		}
		e := ac.fast[acc>>(64-fastBits)]
		length, s := uint(e&63), byte(e>>8)
		if e&(3<<6) == coefficient {
			k += int(s>>4) + 1
			acc <<= length
			n -= length
			continue
		}
		if e == longCode {
			if s, length = ac.long(uint32(acc >> 48)); length == 0 {
				return false
			}
		}
		size := uint(s & 15)
		acc <<= length + size
		n -= length + size
		if size == 0 && s != 0xf0 {
			break
		}
		k += int(s>>4) + 1
	}
	r.acc, r.n, r.pos = acc, n, pos
	return k <= 64
}
