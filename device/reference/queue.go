package reference

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// queue runs each call before it returns.
type queue struct{ device.Immediate }

func (q *queue) Upload(dst device.Tensor, src *tensor.Dense) {
	if q.Err != nil {
		return
	}
	if err := checkHost(src, dst); err != nil {
		q.Fail("upload", err)
		return
	}
	switch src.Dtype() {
	case tensor.Float32:
		convert(floats(dst), src.Float32s())
	case tensor.Float64:
		copy(floats(dst), src.Float64s())
	case tensor.Int32:
		convert(ints(dst), src.Int32s())
	case tensor.Uint8:
		convert(bytes(dst), src.Uint8s())
	}
}

func (q *queue) Download(dst *tensor.Dense, src device.Tensor) {
	if q.Err != nil {
		return
	}
	if err := checkHost(dst, src); err != nil {
		q.Fail("download", err)
		return
	}
	switch dst.Dtype() {
	case tensor.Float32:
		convert(dst.Float32s(), floats(src))
	case tensor.Float64:
		copy(dst.Float64s(), floats(src))
	case tensor.Int32:
		convert(dst.Int32s(), ints(src))
	case tensor.Uint8:
		convert(dst.Uint8s(), bytes(src))
	}
}

func (q *queue) Copy(dst, src device.Tensor) {
	if q.Err != nil {
		return
	}
	if err := device.CheckCopy(dst, src); err != nil {
		q.Fail("copy", err)
		return
	}
	n := 2 * src.Bytes()
	copy(dst.Buffer.(*buffer).mem[:n], src.Buffer.(*buffer).mem[:n])
}

// checkHost says why data cannot go between host memory and a tensor, whose
// numbers the host may also have in float64.
func checkHost(h *tensor.Dense, t device.Tensor) error {
	if t.DType == device.Float32 {
		return device.CheckHost(h, t, tensor.Float64)
	}
	return device.CheckHost(h, t)
}

func convert[D, S float64 | float32 | int64 | int32 | uint16 | uint8](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}
