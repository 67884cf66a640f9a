package safetensors

import (
	"encoding/binary"
	"math"
)

// floatsOf decodes elements of each floating-point type that can be read.
var floatsOf = map[DType]func(dst []float32, b []byte){
	F32:  float32s,
	F64:  each(8, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }),
	F16:  each(2, func(b []byte) float32 { return Half(binary.LittleEndian.Uint16(b)) }),
	BF16: each(2, func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }),
}

// float32s is the loop of the usual type, which large networks wait for: no call for each
// element.
func float32s(dst []float32, b []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// Half converts an IEEE 754 binary16 number: sign, 5 bits of exponent with
// bias 15, 10 of fraction. Every one of them is a float32.
func Half(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent := uint32(h>>10) & 0x1f
	fraction := uint32(h & 0x3ff)
	switch exponent {
	case 0: // zero and subnormal: fraction * 2^-24
		v := float32(fraction) * 0x1p-24
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
