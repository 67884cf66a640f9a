package device

import "math/bits"

// Random is a counter-based stream of random numbers. A number depends only on
// the seed, the layer's stream, the iteration, the sample's index in the whole
// batch and the element. It is the same on every device and for any number of
// workers or devices.
type Random struct {
	Seed      uint64
	Stream    uint32 // of the layer, or of the data pipeline
	Iteration uint32
	Sample    uint32 // index in the whole batch of the tensor's first sample
}

// Uint32 returns the draw for an element of sample n of the tensor.
func (r Random) Uint32(n, element int) uint32 {
	b := r.Block(n, element/4)
	return b[element%4]
}

// Block returns the draws for the elements 4*block to 4*block+3 of sample n.
func (r Random) Block(n, block int) [4]uint32 {
	return Philox([4]uint32{uint32(block), r.Sample + uint32(n), r.Iteration, r.Stream},
		[2]uint32{uint32(r.Seed), uint32(r.Seed >> 32)})
}

// Philox is Philox4x32-10: four random words from a counter and a key
// (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
func Philox(ctr [4]uint32, key [2]uint32) [4]uint32 {
	const rounds = 10
	for range rounds {
		h0, l0 := bits.Mul32(0xD2511F53, ctr[0])
		h1, l1 := bits.Mul32(0xCD9E8D57, ctr[2])
		ctr = [4]uint32{h1 ^ ctr[1] ^ key[0], l1, h0 ^ ctr[3] ^ key[1], l0}
		key = NextKey(key)
	}
	return ctr
}

// NextKey is the key of the next round of Philox.
func NextKey(key [2]uint32) [2]uint32 {
	return [2]uint32{key[0] + 0x9E3779B9, key[1] + 0xBB67AE85} // golden ratio, sqrt(3) - 1
}
