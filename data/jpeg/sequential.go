package jpeg

import (
	"encoding/binary"
	"image"
)

// largestSum bounds the magnitudes of a block's coefficients, all added up. The
// transform keeps the sum of squares, which is at most 64*128^2 for samples of 8
// bits; a rounded coefficient is at most twice as large as it was; and the sum
// of 64 magnitudes is at most 8 times the root of their sum of squares. Blocks
// beyond are damage, of which decoders make what their arithmetic happens to
// give.
const largestSum = 8 * 2 * 8 * 128

func magnitude(v int32) int32 { return (v ^ v>>31) - v>>31 }

// sequentialMCU decodes an MCU of a sequential scan, and transforms it if it is
// in the part.
func (d *Decoder) sequentialMCU(mx, my int, part image.Rectangle) error {
	wanted := my >= part.Min.Y && mx >= part.Min.X && mx < part.Max.X
	for _, p := range d.scan.components[:d.scan.n] {
		dc, ac := &d.dc[p.dc], &d.ac[p.ac]
		across, down := p.h, p.v
		if !d.scan.interleaved() {
			across, down = 1, 1
		}
		for v := range down {
			for h := range across {
				if !wanted {
					if !d.bits.skipBlock(dc, ac, &p.last) {
						return errDamaged
					}
					continue
				}
				last := d.bits.block(&d.coeff, dc, ac, &p.last, &p.quant)
				if last < 0 {
					return errDamaged
				}
				side, q := 8>>p.shift, p.plane
				at := ((my-part.Min.Y)*down+v)*side*q.Stride + ((mx-part.Min.X)*across+h)*side
				p.transform(q.Pix[at:], q.Stride, &d.coeff, last)
			}
		}
	}
	return nil
}

// block decodes the coefficients of a block, column by column, and returns the
// place in zigzag order of the last one that may not be 0, or -1 where the
// data is damaged, for which it needs the quantisation table.
func (r *bitReader) block(c *[64]int16, dc, ac *huffman, lastDC *int32, quant *[64]uint16) int {
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
	sum := int64(magnitude(*lastDC)) * int64(quant[0])

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
			v := int32(e) >> 16
			c[order[k]&63] = int16(v)
			sum += int64(magnitude(v)) * int64(quant[k&63])
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
				if s != 0 {
					return -1 // of progressive files
				}
				break // the end of the block
			}
			k += 16
			continue
		}
		k += int(s >> 4)
		v := extend(acc, size)
		c[order[k]&63] = int16(v)
		sum += int64(magnitude(v)) * int64(quant[k&63])
		k++
		acc <<= size
		n -= size
	}
	r.acc, r.n, r.pos = acc, n, pos
	r.sum = max(r.sum, sum)
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
			if s != 0 {
				return false
			}
			break
		}
		k += int(s>>4) + 1
	}
	r.acc, r.n, r.pos = acc, n, pos
	return k <= 64
}
