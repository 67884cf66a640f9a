package reference

import (
	"errors"
	"fmt"
	"time"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// queue runs each call before it returns.
type queue struct {
	scope string
	err   error
}

func (q *queue) Scope(name string) { q.scope = name }

// Fail keeps the first error.
func (q *queue) Fail(kernel string, err error) {
	if q.err != nil {
		return
	}
	if q.scope != "" {
		kernel = q.scope + ": " + kernel
	}
	q.err = fmt.Errorf("%s: %w", kernel, err)
}

func (q *queue) Sync() error {
	err := q.err
	q.err = nil
	return err
}

func (q *queue) Close() error { return nil }

func (q *queue) Upload(dst device.Tensor, src *tensor.Dense) {
	if q.err != nil {
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
	if q.err != nil {
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
	if q.err != nil {
		return
	}
	if dst.DType != src.DType || dst.Len() != src.Len() {
		q.Fail("copy", fmt.Errorf("%d elements of %v do not fit %d of %v", src.Len(), src.DType, dst.Len(), dst.DType))
		return
	}
	n := 2 * src.Bytes()
	copy(dst.Buffer.(*buffer).mem[:n], src.Buffer.(*buffer).mem[:n])
}

func (q *queue) Record(e device.Event) {
	v := e.(*event)
	if v.failed = q.err; q.err == nil {
		v.at = time.Now()
	}
}

// Wait has nothing to wait for: what was recorded has passed.
func (q *queue) Wait(e device.Event) {
	if q.err == nil {
		q.err = e.(*event).failed
	}
}

// checkHost says why data cannot go between host memory and a tensor.
func checkHost(h *tensor.Dense, t device.Tensor) error {
	same := false
	switch t.DType {
	case device.Float32:
		same = h.Dtype() == tensor.Float32 || h.Dtype() == tensor.Float64
	case device.Int32:
		same = h.Dtype() == tensor.Int32
	case device.Uint8:
		same = h.Dtype() == tensor.Uint8
	}
	switch {
	case !same:
		return fmt.Errorf("host data of type %v does not fit a tensor of type %v", h.Dtype(), t.DType)
	case h.DataOrder().IsColMajor():
		return errors.New("host data is column-major; it must be row-major")
	case h.RequiresIterator() || !h.DataOrder().IsContiguous():
		return errors.New("host data is not contiguous; clone or materialise the view first")
	case device.Elements(h.Shape()) != t.Len():
		return fmt.Errorf("host data of shape %v has %d elements, the tensor of shape %v has %d",
			h.Shape(), device.Elements(h.Shape()), t.Shape, t.Len())
	}
	return nil
}

func convert[D, S float64 | float32 | int64 | int32 | uint16 | uint8](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}

// event is the time at which it was recorded.
type event struct {
	at     time.Time
	failed error // of the queue that recorded it, then
}

func (e *event) Sync() error { return nil }

func (e *event) Passed() (bool, error) { return true, nil }

func (e *event) Since(start device.Event) (time.Duration, error) {
	s := start.(*event)
	if e.at.IsZero() || s.at.IsZero() {
		return 0, errors.New("reference: time between events that were not both recorded")
	}
	return e.at.Sub(s.at), nil
}

func (e *event) Free() error { return nil }
