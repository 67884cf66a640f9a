package devicetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// block is device memory with a guard before and after the values.
type block struct {
	name  string
	image any           // what was put on the device: guard, values, guard
	whole device.Tensor // its place on the device
	guard int           // elements of one guard
	n     int           // elements between the guards
}

func newBlock(dev device.Device, name string, t device.DType, values any) (*block, error) {
	// The values begin at a multiple of the alignment; the second guard
	// begins right where they end.
	alignment := dev.Traits().Alignment()
	k := &block{name: name, guard: int(max(alignment, 256) / t.Size())}
	switch v := values.(type) {
	case []float32:
		k.image, k.n = guarded(v, k.guard), len(v)
	case []int32:
		k.image, k.n = guarded(v, k.guard), len(v)
	case []uint8:
		k.image, k.n = guarded(v, k.guard), len(v)
	}
	total := k.n + 2*k.guard
	buffer, err := dev.Alloc(int64(total) * t.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	k.whole = device.Tensor{Buffer: buffer, DType: t, Shape: tensor.Shape{total}}
	return k, nil
}

// guarded puts a pattern around the values.
func guarded[T float32 | int32 | uint8](values []T, guard int) []T {
	image := make([]T, guard+len(values)+guard)
	copy(image[guard:], values)
	for i := range guard {
		image[i] = T(1 + i%99)
		image[guard+len(values)+i] = T(101 + i%99)
	}
	return image
}

// middle is the memory between the guards.
func (k *block) middle() device.Buffer {
	size := k.whole.DType.Size()
	return k.whole.Buffer.Slice(int64(k.guard)*size, int64(k.n)*size)
}

func (k *block) upload(q device.Queue) { q.Upload(k.whole, host(k.image)) }

// check reads the block back. It is an error if a guard has changed, or, in
// an input, a value.
func (k *block) check(q device.Queue, r role) (values any, err error) {
	got := allOnes(k.whole.DType, k.whole.Len())
	q.Download(host(got), k.whole)
	if err := q.Sync(); err != nil {
		return nil, fmt.Errorf("%s: %w", k.name, err)
	}
	g, n := k.guard, k.n
	if i := sameBits(span(k.image, 0, g), span(got, 0, g)); i >= 0 {
		return nil, fmt.Errorf("%s: element %d before the first was written", k.name, i-g)
	}
	if i := sameBits(span(k.image, g+n, g+n+g), span(got, g+n, g+n+g)); i >= 0 {
		return nil, fmt.Errorf("%s: element %d was written, there are %d", k.name, n+i, n)
	}
	if r == in {
		if i := sameBits(span(k.image, g, g+n), span(got, g, g+n)); i >= 0 {
			return nil, fmt.Errorf("%s: element %d of this input was written", k.name, i)
		}
	}
	return span(got, g, g+n), nil
}

// exact reads the values back from the reference, in float64.
func (k *block) exact(q device.Queue) ([]float64, error) {
	if k.whole.DType != device.Float32 {
		values, err := k.check(q, out)
		return toFloat64(values), err
	}
	got := make([]float64, k.whole.Len())
	q.Download(host(got), k.whole)
	return got[k.guard : k.guard+k.n], q.Sync()
}

func span(values any, lo, hi int) any {
	switch v := values.(type) {
	case []float32:
		return v[lo:hi]
	case []int32:
		return v[lo:hi]
	case []uint8:
		return v[lo:hi]
	}
	return nil
}

func toFloat64(values any) []float64 {
	switch v := values.(type) {
	case []float32:
		return widen(v)
	case []int32:
		return widen(v)
	case []uint8:
		return widen(v)
	}
	return nil
}

func widen[T float32 | int32 | uint8](v []T) []float64 {
	wide := make([]float64, len(v))
	for i, x := range v {
		wide[i] = float64(x)
	}
	return wide
}
