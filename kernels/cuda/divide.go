package cuda

import "math/bits"

// divisor is the Divisor of divide.cuh for d, at least 1: the kernel's
// divide(n, divisor(d)) is n/d for every n below 2^31.
func divisor(d int) uint64 {
	shift := uint64(31 + bits.Len32(uint32(d)-1)) // 31 + log2 d, rounded up
	return shift<<32 | (1<<shift+uint64(d)-1)/uint64(d)
}
