package nccl

import (
	"cmp"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// exchange runs on a queue of its own. An operation waits there for an event of the queue that it
// was started on. Wait waits on the host, so that an exchange that was aborted, and has left
// anything in memory, is an error before something is computed from it.
type exchange struct {
	rank, size int
	member     *member
	device     device.Device
	queue      device.Queue
	ready      device.Event // of the queue that an operation is started on
	computed   device.Event // of the queue that waits
	open       []operation  // started since the last Wait
	free       []operation
	calls      []cuda.Call
	times      dist.Times
	err        error
	closed     bool
}

// operation is when one began and ended.
type operation struct{ began, ended device.Event }

func newExchange(g dist.Group, m *member, d device.Device) (*exchange, error) {
	e := &exchange{rank: g.Rank(), size: g.Size(), member: m, device: d}
	var err error
	if e.ready, err = d.NewEvent(); err != nil {
		return nil, err
	}
	if e.computed, err = d.NewEvent(); err != nil {
		return nil, cmp.Or(err, e.ready.Free())
	}
	if e.queue, err = d.NewQueue(); err != nil {
		return nil, cmp.Or(err, e.computed.Free(), e.ready.Free())
	}
	e.queue.Scope("exchange")
	return e, nil
}

// span is elements [from, to) of a tensor.
func span(t device.Tensor, from, to int) device.Tensor {
	if from == to {
		return device.Tensor{}
	}
	size := device.Float32.Size()
	return device.Tensor{Buffer: t.Buffer.Slice(int64(from)*size, int64(to-from)*size), DType: device.Float32, Shape: tensor.Shape{to - from}}
}

// start enqueues what add makes of an operation.
func (e *exchange) start(q device.Queue, k dist.Kind, dst, src device.Tensor, add func()) {
	if e.err == nil {
		e.err = k.Check(e.rank, e.size, dst, src)
	}
	if e.err != nil {
		return
	}
	o, err := e.operation()
	if err != nil {
		e.err = err
		return
	}
	e.times.Started++
	e.times.Bytes += 4 * int64(max(dst.Len(), src.Len()))
	e.calls = e.calls[:0]
	q.Record(e.ready)
	e.queue.Wait(e.ready)
	e.queue.Record(o.began)
	add()
	if len(e.calls) > 0 {
		e.member.comm.Do(e.queue, k.String(), e.calls...)
	}
	e.queue.Record(o.ended)
	e.open = append(e.open, o)
}

func (e *exchange) operation() (o operation, err error) {
	if n := len(e.free); n > 0 {
		o = e.free[n-1]
		e.free = e.free[:n-1]
		return o, nil
	}
	if o.began, err = e.device.NewEvent(); err != nil {
		return o, err
	}
	if o.ended, err = e.device.NewEvent(); err != nil {
		return o, cmp.Or(err, o.began.Free())
	}
	return o, nil
}

// call adds one, unless it has no elements.
func (e *exchange) call(op driver.Collective, dst, src device.Tensor, count, peer int) {
	if count > 0 {
		e.calls = append(e.calls, cuda.Call{Op: op, Dst: dst, Src: src, Count: count, Peer: peer})
	}
}

// even is the length of each rank's part if all have the same, and 0 otherwise.
func (e *exchange) even(n int) int {
	first, last := 0, 0
	for rank := range e.size {
		from, to := dist.Part(n, rank, e.size)
		if last = to - from; rank == 0 {
			first = last
		}
		if last != first {
			return 0
		}
	}
	return first
}

func (e *exchange) AllReduce(q device.Queue, x device.Tensor) {
	e.start(q, dist.AllReduce, x, x, func() { e.call(driver.AllReduce, x, x, x.Len(), 0) })
}

// ReduceScatter is NCCL's where parts are of one length, and otherwise a sum to each rank.
func (e *exchange) ReduceScatter(q device.Queue, dst, src device.Tensor) {
	e.start(q, dist.ReduceScatter, dst, src, func() {
		if n := e.even(src.Len()); n > 0 {
			e.call(driver.ReduceScatter, dst, src, n, 0)
			return
		}
		for rank := range e.size {
			from, to := dist.Part(src.Len(), rank, e.size)
			x := span(src, from, to)
			out := x // not written
			if rank == e.rank {
				out = dst
			}
			e.call(driver.Reduce, out, x, to-from, rank)
		}
	})
}

func (e *exchange) AllToAll(q device.Queue, dst, src device.Tensor) {
	e.start(q, dist.AllToAll, dst, src, func() {
		from, to := dist.Part(src.Len(), e.rank, e.size)
		mine := to - from
		for rank := range e.size {
			out := span(dst, rank*mine, (rank+1)*mine)
			if rank == e.rank {
				if mine > 0 {
					e.queue.Copy(out, span(src, from, to))
				}
				continue
			}
			at, end := dist.Part(src.Len(), rank, e.size)
			e.call(driver.Send, device.Tensor{}, span(src, at, end), end-at, rank)
			e.call(driver.Receive, out, device.Tensor{}, mine, rank)
		}
	})
}

// AllGather is NCCL's where parts are of one length, and otherwise a broadcast of each.
func (e *exchange) AllGather(q device.Queue, dst, src device.Tensor) {
	e.start(q, dist.AllGather, dst, src, func() {
		if n := e.even(dst.Len()); n > 0 {
			e.call(driver.AllGather, dst, src, n, 0)
			return
		}
		for rank := range e.size {
			from, to := dist.Part(dst.Len(), rank, e.size)
			out := span(dst, from, to)
			x := out // not read
			if rank == e.rank {
				x = src
			}
			e.call(driver.Broadcast, out, x, to-from, rank)
		}
	})
}

func (e *exchange) Broadcast(q device.Queue, x device.Tensor, root int) {
	e.start(q, dist.Broadcast, x, x, func() { e.call(driver.Broadcast, x, x, x.Len(), root) })
}

func (e *exchange) Wait(q device.Queue) error {
	if e.err != nil || len(e.open) == 0 {
		return e.err
	}
	q.Record(e.computed)
	last := e.open[len(e.open)-1].ended
	q.Wait(last)
	err := e.queue.Sync()
	if cause := e.member.err(); cause != nil {
		err = cause // of which a failed queue is a consequence
	}
	if err == nil {
		err = e.measure(last)
	}
	e.free, e.open = append(e.free, e.open...), e.open[:0]
	if err != nil {
		e.err = fmt.Errorf("exchange by NCCL: %w", err)
	}
	return e.err
}

// measure adds the times of what was started, all of which has ended.
func (e *exchange) measure(last device.Event) error {
	for _, o := range e.open {
		took, err := o.ended.Since(o.began)
		if err != nil {
			return err
		}
		e.times.Busy += took
	}
	passed, err := e.computed.Passed()
	if err != nil || !passed { // the queue computes still: nobody waited
		return err
	}
	waited, err := last.Since(e.computed)
	e.times.Waited += max(waited, 0)
	return err
}

func (e *exchange) Times() dist.Times { return e.times }

func (e *exchange) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	errs := []error{e.member.close(), e.queue.Close(), e.ready.Free(), e.computed.Free()}
	for _, o := range append(e.free, e.open...) {
		errs = append(errs, o.began.Free(), o.ended.Free())
	}
	return cmp.Or(errs...)
}
