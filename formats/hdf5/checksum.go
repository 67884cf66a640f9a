package hdf5

import (
	"encoding/binary"
	"math/bits"
)

// lookup3 is Bob Jenkins' hash of the name (2006), hashlittle with the initial value 0: the
// checksum of the file's own structures.
func lookup3(k []byte) uint32 {
	a := 0xdeadbeef + uint32(len(k))
	b, c := a, a
	for len(k) > 12 {
		a += binary.LittleEndian.Uint32(k)
		b += binary.LittleEndian.Uint32(k[4:])
		c += binary.LittleEndian.Uint32(k[8:])
		a = (a - c) ^ bits.RotateLeft32(c, 4)
		c += b
		b = (b - a) ^ bits.RotateLeft32(a, 6)
		a += c
		c = (c - b) ^ bits.RotateLeft32(b, 8)
		b += a
		a = (a - c) ^ bits.RotateLeft32(c, 16)
		c += b
		b = (b - a) ^ bits.RotateLeft32(a, 19)
		a += c
		c = (c - b) ^ bits.RotateLeft32(b, 4)
		b += a
		k = k[12:]
	}
	if len(k) == 0 {
		return c
	}
	var last [12]byte
	copy(last[:], k)
	a += binary.LittleEndian.Uint32(last[:])
	b += binary.LittleEndian.Uint32(last[4:])
	c += binary.LittleEndian.Uint32(last[8:])
	c = (c ^ b) - bits.RotateLeft32(b, 14)
	a = (a ^ c) - bits.RotateLeft32(c, 11)
	b = (b ^ a) - bits.RotateLeft32(a, 25)
	c = (c ^ b) - bits.RotateLeft32(b, 16)
	a = (a ^ c) - bits.RotateLeft32(c, 4)
	b = (b ^ a) - bits.RotateLeft32(a, 14)
	return (c ^ b) - bits.RotateLeft32(b, 24)
}

// fletcher32 is the checksum of a chunk's data, of words of 16 bits, the first byte the high
// one.
func fletcher32(data []byte) uint32 {
	var low, high uint32
	fold := func(x uint32) uint32 { return x&0xffff + x>>16 }
	words := len(data) / 2
	for words > 0 {
		n := min(words, 360) // as many as do not overflow
		for range n {
			low += uint32(data[0])<<8 | uint32(data[1])
			high += low
			data = data[2:]
		}
		words -= n
		low, high = fold(low), fold(high)
	}
	if len(data) == 1 {
		low += uint32(data[0]) << 8
		high += low
		low, high = fold(low), fold(high)
	}
	return fold(high)<<16 | fold(low)
}
