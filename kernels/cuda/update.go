package cuda

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// updateKernels are the kernels of update.cu.
type updateKernels struct{ sgd, sumSquares, sumParts driver.Function }

// updateElements is how many elements of a segment a block updates:
// BlockElements of update.cu.
const updateElements = 4 * blockElements

func (k *updateKernels) declare(d driver.Driver) {
	declare(d, "update", map[string]*driver.Function{
		"sgd": &k.sgd, "sum_squares": &k.sumSquares, "sum_parts": &k.sumParts,
	})
}

// segment is Segment of update.cu.
type segment struct {
	weight, grad, length int64
	rate, decay          float32
	block                int32
	_                    int32
}

// segments is the segments of the last SGD, as the kernel reads them. A queue
// that always updates the same ones uploads them once.
type segments struct {
	have   []device.Segment
	table  []segment
	blocks int
	at     driver.Ptr
	room   int // segments that fit in the memory at at
}

func (q *queue) SGD(s device.SGD, w, v, dw, norm2 device.Tensor, segments []device.Segment) {
	if q.Err != nil || len(segments) == 0 {
		return
	}
	t := &q.segments
	if !slices.Equal(t.have, segments) {
		if err := t.set(q, segments); err != nil {
			q.Fail("sgd", err)
			return
		}
	}
	if t.blocks == 0 {
		return // every segment is empty
	}
	if s.MaxNorm == 0 {
		norm2 = device.Tensor{}
	}
	q.args.Reset().Ptr(q.at(w)).Ptr(q.at(v)).Ptr(q.at(dw)).Ptr(q.at(norm2)).Ptr(t.at).Int(len(segments)).
		Float32(s.Rate).Float32(s.Momentum).Float32(s.Decay).Float32(s.MaxNorm).Int(index(s.Nesterov))
	q.launch(q.kernels.update.sgd, driver.Dim{X: t.blocks}, elementThreads)
}

// set puts other segments on the device. Earlier work, which may still read
// the old ones or their host copy, is waited for.
func (t *segments) set(q *queue, segments []device.Segment) error {
	if err := q.stream.Sync(); err != nil {
		return err
	}
	t.have, t.table, t.blocks = t.have[:0], t.table[:0], 0
	if len(segments) > t.room {
		if err := t.free(q); err != nil {
			return err
		}
		at, err := q.driver.Alloc("segments", int64(len(segments))*int64(unsafe.Sizeof(segment{})))
		if err != nil {
			return fmt.Errorf("table of %d segments: %w", len(segments), err)
		}
		t.at, t.room = at, len(segments)
	}
	for _, p := range segments {
		t.table = append(t.table, segment{
			weight: int64(p.Weight), grad: int64(p.Grad), length: int64(p.Len),
			rate: p.Rate, decay: p.Decay, block: int32(t.blocks),
		})
		t.blocks += ceil(p.Len, updateElements)
	}
	if err := q.stream.Upload(t.at, bytes(t.table)); err != nil {
		return err
	}
	t.have = append(t.have, segments...)
	return nil
}

// free gives back the table's memory.
func (t *segments) free(q *queue) error {
	at := t.at
	t.at, t.room = 0, 0
	if at == 0 {
		return nil
	}
	return q.driver.Free(at)
}

func (q *queue) SumSquares(out, x device.Tensor) {
	if q.Err != nil {
		return
	}
	n := x.Len()
	parts := min(ceil(n, blockElements), limits.parts)
	q.args.Reset().Ptr(q.parts).Ptr(q.at(x)).Int64(int64(n))
	q.launch(q.kernels.update.sumSquares, driver.Dim{X: parts}, elementThreads)
	q.args.Reset().Ptr(q.at(out)).Ptr(q.parts).Int(parts)
	q.launch(q.kernels.update.sumParts, driver.Dim{X: 1}, elementThreads)
}
