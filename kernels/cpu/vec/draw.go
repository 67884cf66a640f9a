package vec

import "github.com/hubel-go/hubel/device"

func draw(words []uint32, first int, r device.Random, sample int) {
	for i := 0; i < len(words); {
		block := r.Block(sample, (first+i)/4)
		i += copy(words[i:], block[(first+i)%4:])
	}
}
