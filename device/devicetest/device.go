package devicetest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// behaviour is something that a device or its queues must do, kernels apart.
type behaviour struct {
	name  string
	check func(dev device.Device) error
}

var deviceBehaviours = []behaviour{
	{"traits", checkTraits},
	{"memory info", checkMemInfo},
	{"alloc", checkAlloc},
	{"alloc of too much", checkAllocTooMuch},
	{"slices share memory", checkSlice},
	{"slice out of range panics", checkSliceRange},
}

// checkTraits holds what memory plans build on: sizes do not shrink when a
// batch grows, so that the last, smaller batch of an epoch runs in the memory
// of a full one, and packed weights are the same for both.
func checkTraits(dev device.Device) error {
	t := dev.Traits()
	if a := t.Alignment(); a < 4 || a&(a-1) != 0 {
		return fmt.Errorf("alignment %d is not a power of two that holds a float32", a)
	}
	for _, p := range []device.Pass{device.Forward, device.BackwardData, device.BackwardFilter} {
		for _, g := range slices.Concat(oddConvs, alexnetConvs(1)) {
			full, last := g.Conv, g.Conv
			full.N, last.N = 8, 3
			if err := checkNeeds(t, last.Of(p), full.Of(p)); err != nil {
				return fmt.Errorf("%s %v: %w", g.name, p, err)
			}
			if n := t.Needs(full.Of(p)).Packed; p == device.BackwardFilter && n != 0 {
				return fmt.Errorf("%s %v: %d bytes of packed weights for a pass that reads none", g.name, p, n)
			}
		}
		full, last := device.Dense{N: 8, In: 400, Out: 120}, device.Dense{N: 3, In: 400, Out: 120}
		if err := checkNeeds(t, last.Of(p), full.Of(p)); err != nil {
			return fmt.Errorf("dense %v: %w", p, err)
		}
	}
	if n := t.Needs(nil); n != (device.Needs{}) {
		return fmt.Errorf("an operation that the device does not know needs %+v", n)
	}
	return nil
}

// checkNeeds compares what an operation of 3 samples needs with that of 8.
func checkNeeds(t device.Traits, last, full device.Operation) error {
	switch l, f := t.Needs(last), t.Needs(full); {
	case l.Scratch < 0 || l.Scratch > f.Scratch:
		return fmt.Errorf("scratch of %d bytes for 3 samples, %d for 8", l.Scratch, f.Scratch)
	case l.Packed < 0 || l.Packed != f.Packed:
		return fmt.Errorf("%d bytes of packed weights for 3 samples, %d for 8", l.Packed, f.Packed)
	}
	return nil
}

func checkMemInfo(dev device.Device) error {
	free, total, err := dev.MemInfo()
	if err != nil {
		return err
	}
	if free < 0 || total < 1 || free > total {
		return fmt.Errorf("%d bytes of %d are free", free, total)
	}
	return nil
}

func checkAlloc(dev device.Device) error {
	for _, n := range []int64{0, 1, 255, 1 << 20} {
		b, err := dev.Alloc(n)
		if err != nil {
			return fmt.Errorf("%d bytes: %w", n, err)
		}
		if b == nil || b.Size() != n {
			return fmt.Errorf("asked for %d bytes, got %v", n, b)
		}
		h, err := dev.HostAlloc(n)
		if err != nil {
			return fmt.Errorf("%d bytes of host memory: %w", n, err)
		}
		if int64(len(h.Bytes())) != n {
			return fmt.Errorf("asked for %d bytes of host memory, got %d", n, len(h.Bytes()))
		}
		if err := errors.Join(b.Free(), h.Free()); err != nil {
			return fmt.Errorf("free of %d bytes: %w", n, err)
		}
	}
	return nil
}

func checkAllocTooMuch(dev device.Device) error {
	_, err := dev.Alloc(1 << 50)
	if err == nil {
		return errors.New("2^50 bytes were allocated")
	}
	if !regexp.MustCompile(`(?i)alloc|memory|bytes`).MatchString(err.Error()) {
		return fmt.Errorf("%q does not say that memory was asked for", err)
	}
	return nil
}

func checkSlice(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	for _, t := range []device.DType{device.Float32, device.Int32, device.Uint8} {
		all := numbers(t, 10)
		whole, err := upload(dev, q, t, all)
		if err != nil {
			return err
		}
		size := t.Size()
		part := device.Tensor{Buffer: whole.Buffer.Slice(3*size, 6*size).Slice(size, 4*size), DType: t, Shape: tensor.Shape{4}}
		if part.Buffer.Size() != 4*size {
			return fmt.Errorf("a slice of %d bytes has %d", 4*size, part.Buffer.Size())
		}
		got, err := download(q, part)
		if err != nil {
			return err
		}
		if i := sameBits(span(all, 4, 8), got); i >= 0 {
			return fmt.Errorf("%v: a slice at element 4 reads %v, want %v", t, got, span(all, 4, 8))
		}
		if err := part.Buffer.Free(); err != nil {
			return fmt.Errorf("free of a slice: %w", err)
		}
		if got, err = download(q, whole); err != nil {
			return err
		}
		if i := sameBits(all, got); i >= 0 {
			return fmt.Errorf("%v: after a slice was freed the buffer reads %v, want %v", t, got, all)
		}
		if err := whole.Buffer.Free(); err != nil {
			return err
		}
	}
	return nil
}

func checkSliceRange(dev device.Device) error {
	b, err := dev.Alloc(64)
	if err != nil {
		return err
	}
	defer b.Free()
	for _, s := range [][2]int64{{-4, 8}, {0, 65}, {60, 8}, {65, 0}, {8, -4}} {
		if !panics(func() { b.Slice(s[0], s[1]) }) {
			return fmt.Errorf("a slice of %d bytes at %d of a buffer of 64 did not panic", s[1], s[0])
		}
	}
	if s := b.Slice(64, 0); s.Size() != 0 {
		return fmt.Errorf("an empty slice has %d bytes", s.Size())
	}
	return nil
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// numbers is 1, 2, 3, …
func numbers(t device.DType, n int) any {
	switch t {
	case device.Int32:
		return count[int32](n)
	case device.Uint8:
		return count[uint8](n)
	}
	return count[float32](n)
}

func count[T float32 | int32 | uint8](n int) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = T(i + 1)
	}
	return v
}

// upload puts values into new memory.
func upload(dev device.Device, q device.Queue, t device.DType, values any) (device.Tensor, error) {
	h := host(values)
	b, err := dev.Alloc(int64(h.Shape()[0]) * t.Size())
	if err != nil {
		return device.Tensor{}, err
	}
	x := device.Tensor{Buffer: b, DType: t, Shape: h.Shape()}
	q.Upload(x, h)
	return x, q.Sync()
}

// download reads a tensor.
func download(q device.Queue, t device.Tensor) (any, error) {
	values := allOnes(t.DType, t.Len())
	q.Download(host(values), t)
	return values, q.Sync()
}
