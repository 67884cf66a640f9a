package vec

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func keepMask(mask []uint8, first int, r device.Random, sample int, threshold uint32) {
	for i := 0; i < len(mask); i += 4 {
		draws := r.Block(sample, (first+i)/4)
		for j, draw := range draws[:min(4, len(mask)-i)] {
			keep := uint8(0)
			if draw >= threshold {
				keep = 1
			}
			mask[i+j] = keep
		}
	}
}

func dropout(y, x []float32, mask []uint8, scale float32) {
	x, mask = x[:len(y)], mask[:len(y)]
	for i, keep := range mask {
		y[i] = math.Float32frombits(math.Float32bits(x[i]*scale) & -uint32(keep))
	}
}

func dropoutAdd(y, x []float32, mask []uint8, scale float32) {
	x, mask = x[:len(y)], mask[:len(y)]
	for i, keep := range mask {
		y[i] += math.Float32frombits(math.Float32bits(x[i]*scale) & -uint32(keep))
	}
}
