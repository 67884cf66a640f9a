package cuda

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

// Fill is the driver's: every CUDA driver has a fast one.
func (q *queue) Fill(y device.Tensor, v float32) {
	if q.Err != nil {
		return
	}
	if err := q.stream.Memset32(q.at(y), math.Float32bits(v), int64(y.Len())); err != nil {
		q.Fail("fill", err)
	}
}
