package data

import (
	"math/bits"

	"github.com/hubel-go/hubel/device"
)

// permute fills dst with a permutation of its indexes that depends on the
// seed, the epoch and the length alone (Fisher and Yates 1938, as in Knuth's
// algorithm P).
func permute(dst []int32, seed uint64, epoch int) {
	for i := range dst {
		dst[i] = int32(i)
	}
	r := device.Random{Seed: seed, Stream: orderStream, Iteration: uint32(epoch)}
	var draws [4]uint32 // two for each step
	for i := len(dst) - 1; i > 0; i-- {
		if i%2 == 1 || i == len(dst)-1 {
			draws = r.Block(0, i/2)
		}
		pair := draws[2*(i%2):]
		// A number below i+1 from 64 bits: the bias is under 2^-32.
		j, _ := bits.Mul64(uint64(pair[0])<<32|uint64(pair[1]), uint64(i)+1)
		dst[i], dst[j] = dst[j], dst[i]
	}
}
