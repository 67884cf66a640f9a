package devicetest

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
)

// faulty is the reference device with scratch memory and packed weights, and
// with functions that may stand in for its own.
type faulty struct {
	*reference.Device
	alloc   func(bytes int64) (device.Buffer, error)
	memInfo func() (free, total int64, err error)
	traits  device.Traits
	queue   faultyQueue // copied into every new queue
}

func newFaulty() *faulty { return &faulty{Device: reference.New(), traits: greedy{}} }

func (f *faulty) Traits() device.Traits { return f.traits }

func (f *faulty) Alloc(bytes int64) (device.Buffer, error) {
	if f.alloc != nil {
		return f.alloc(bytes)
	}
	return f.Device.Alloc(bytes)
}

func (f *faulty) MemInfo() (free, total int64, err error) {
	if f.memInfo != nil {
		return f.memInfo()
	}
	return f.Device.MemInfo()
}

func (f *faulty) NewQueue() (device.Queue, error) {
	q := f.queue
	var err error
	q.Queue, err = f.Device.NewQueue()
	return &q, err
}

// greedy asks for memory that the reference has no use for.
type greedy struct{ device.Traits }

func (greedy) Alignment() int64                            { return 256 }
func (greedy) Staged() bool                                { return false }
func (greedy) Epilogue(a device.Unary) bool                { return a.Op != device.Tanh }
func (greedy) Precision(device.Operation) device.Precision { return device.Precision{} }
func (greedy) Needs(op device.Operation) device.Needs {
	switch op := op.(type) {
	case device.GEMM:
		return device.Needs{Scratch: 37}
	case device.DensePass:
		return device.Needs{Scratch: 8}
	case device.ConvPass:
		needs := device.Needs{Scratch: int64(op.N) * 4}
		if op.Pass != device.BackwardFilter { // which reads no weights
			needs.Packed = 4 * int64(device.Elements(op.WShape()))
		}
		return needs
	}
	return device.Needs{}
}

// faultyQueue computes convolutions from the packed weights alone.
type faultyQueue struct {
	device.Queue
	uploaded []device.Tensor // in order: a case's whole blocks, guards included

	sync         func(q device.Queue) error
	upload       func(q device.Queue, dst device.Tensor, src *tensor.Dense)
	copy         func(q device.Queue, dst, src device.Tensor)
	wait         func(q device.Queue, e device.Event)
	gemm         func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer)
	denseForward func(q *faultyQueue, d device.Dense, y, x, w device.Tensor, e device.Epilogue)
	convForward  func(q *faultyQueue, c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue)
	convData     func(q device.Queue, c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode)
	convFilter   func(q device.Queue, c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode)
	poolForward  func(q device.Queue, p device.Pool, y, index, x device.Tensor)
	poolBackward func(q device.Queue, p device.Pool, dx, dy, index device.Tensor, m device.Mode)
	poolGather   func(q device.Queue, p device.Pool, y, index, x device.Tensor, m device.Mode)
	lrnForward   func(q device.Queue, l device.LRN, y, scale, x device.Tensor)
	lrnBackward  func(q device.Queue, l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode)
	mapped       func(q device.Queue, p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random)
	copyStrided  func(q device.Queue, s device.Strided, dst, src device.Tensor, m device.Mode)
	update       func(q device.Queue, p *expr.Program, out, in []device.Tensor, segments []device.Segment)
	reduce       func(q device.Queue, p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random)
}

func (q *faultyQueue) Sync() error {
	if q.sync != nil {
		return q.sync(q.Queue)
	}
	return q.Queue.Sync()
}

func (q *faultyQueue) Upload(dst device.Tensor, src *tensor.Dense) {
	if q.upload != nil {
		q.upload(q.Queue, dst, src)
		return
	}
	q.uploaded = append(q.uploaded, dst)
	q.Queue.Upload(dst, src)
}

func (q *faultyQueue) Copy(dst, src device.Tensor) {
	if q.copy != nil {
		q.copy(q.Queue, dst, src)
		return
	}
	q.Queue.Copy(dst, src)
}

func (q *faultyQueue) Wait(e device.Event) {
	if q.wait != nil {
		q.wait(q.Queue, e)
		return
	}
	q.Queue.Wait(e)
}

func (q *faultyQueue) GEMM(g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
	if q.gemm != nil {
		q.gemm(q, g, c, a, b, ws)
		return
	}
	q.Queue.GEMM(g, c, a, b, ws)
}

func (q *faultyQueue) DenseForward(d device.Dense, y, x, w device.Tensor, e device.Epilogue, ws device.Buffer) {
	if q.denseForward != nil {
		q.denseForward(q, d, y, x, w, e)
		return
	}
	q.Queue.DenseForward(d, y, x, w, e, ws)
}

func (q *faultyQueue) ConvPack(c device.Conv, _ device.Pass, packed device.Buffer, w device.Tensor) {
	q.Queue.Copy(device.Tensor{Buffer: packed, Shape: w.Shape}, w)
}

// unpacked is the filter's weights, read from their packed copy.
func unpacked(w device.Filter) device.Filter {
	return device.Filter{Tensor: device.Tensor{Buffer: w.Packed, Shape: w.Shape}}
}

func (q *faultyQueue) ConvForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, ws device.Buffer) {
	if q.convForward != nil {
		q.convForward(q, c, y, x, unpacked(w), e)
		return
	}
	q.Queue.ConvForward(c, y, x, unpacked(w), e, ws)
}

func (q *faultyQueue) ConvBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode, ws device.Buffer) {
	if q.convData != nil {
		q.convData(q.Queue, c, dx, dy, unpacked(w), m)
		return
	}
	q.Queue.ConvBackwardData(c, dx, dy, unpacked(w), m, ws)
}

func (q *faultyQueue) ConvBackwardFilter(c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	if q.convFilter != nil {
		q.convFilter(q.Queue, c, dw, dbias, x, dy, m)
		return
	}
	q.Queue.ConvBackwardFilter(c, dw, dbias, x, dy, m, ws)
}

func (q *faultyQueue) PoolForward(p device.Pool, y, index, x device.Tensor) {
	if q.poolForward != nil {
		q.poolForward(q.Queue, p, y, index, x)
		return
	}
	q.Queue.PoolForward(p, y, index, x)
}

func (q *faultyQueue) PoolBackward(p device.Pool, dx, dy, index device.Tensor, m device.Mode) {
	if q.poolBackward != nil {
		q.poolBackward(q.Queue, p, dx, dy, index, m)
		return
	}
	q.Queue.PoolBackward(p, dx, dy, index, m)
}

func (q *faultyQueue) PoolGather(p device.Pool, y, index, x device.Tensor, m device.Mode) {
	if q.poolGather != nil {
		q.poolGather(q.Queue, p, y, index, x, m)
		return
	}
	q.Queue.PoolGather(p, y, index, x, m)
}

func (q *faultyQueue) LRNForward(l device.LRN, y, scale, x device.Tensor) {
	if q.lrnForward != nil {
		q.lrnForward(q.Queue, l, y, scale, x)
		return
	}
	q.Queue.LRNForward(l, y, scale, x)
}

func (q *faultyQueue) LRNBackward(l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode) {
	if q.lrnBackward != nil {
		q.lrnBackward(q.Queue, l, dx, x, scale, dy, m)
		return
	}
	q.Queue.LRNBackward(l, dx, x, scale, dy, m)
}

func (q *faultyQueue) Map(p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
	if q.mapped != nil {
		q.mapped(q.Queue, p, v, out, in, modes, r)
		return
	}
	q.Queue.Map(p, v, out, in, modes, r)
}

func (q *faultyQueue) CopyStrided(s device.Strided, dst, src device.Tensor, m device.Mode) {
	if q.copyStrided != nil {
		q.copyStrided(q.Queue, s, dst, src, m)
		return
	}
	q.Queue.CopyStrided(s, dst, src, m)
}

func (q *faultyQueue) Update(p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
	if q.update != nil {
		q.update(q.Queue, p, out, in, segments)
		return
	}
	q.Queue.Update(p, out, in, segments)
}

func (q *faultyQueue) Reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
	if q.reduce != nil {
		q.reduce(q.Queue, p, v, op, axes, out, in, m, r)
		return
	}
	q.Queue.Reduce(p, v, op, axes, out, in, m, r)
}

// edit changes a float32 tensor.
func edit(q device.Queue, t device.Tensor, change func(v []float32)) {
	v := make([]float32, t.Len())
	q.Download(host(v), t)
	change(v)
	q.Upload(t, host(v))
}

// editInts changes an int32 tensor.
func editInts(q device.Queue, t device.Tensor, change func(v []int32)) {
	v := make([]int32, t.Len())
	q.Download(host(v), t)
	change(v)
	q.Upload(t, host(v))
}

// withinPlanes calls a kernel with indices that lie in their planes.
func withinPlanes(q device.Queue, p device.Pool, index device.Tensor, call func()) {
	if index.IsNil() {
		call()
		return
	}
	var were []int32
	editInts(q, index, func(v []int32) {
		were = slices.Clone(v)
		for i := range v {
			v[i] = min(max(v[i], 0), int32(p.H*p.W-1))
		}
	})
	call()
	editInts(q, index, func(v []int32) { copy(v, were) })
}
