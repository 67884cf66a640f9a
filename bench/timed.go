package bench

import (
	"fmt"
	"time"

	"github.com/hubel-go/hubel/device"
)

// Span is one kernel call on a device's clock.
type Span struct {
	Scope  string // the layer
	Kernel string
	Pass   string        // forward, backward-data, backward-filter, pack or update
	Start  time.Duration // since the first call
	Length time.Duration
	FLOPs  int64
	Bytes  int64 // arguments read once and written once

	Product bool   // a matrix product or a convolution
	Limit   string // where the time is predicted: what limits it
}

// The passes besides those of device.Pass.
const (
	pack      = "pack"
	update    = "update"
	inference = "inference" // all kernels of a layer
)

var (
	forward        = device.Forward.String()
	backwardData   = device.BackwardData.String()
	backwardFilter = device.BackwardFilter.String()
)

// timedDevice times the kernels of all its queues while it records, or has
// their times predicted.
type timedDevice struct {
	device.Device
	predicted *predicted // nil where time is measured
	recording bool
	pass      string // of kernels that serve both ways
	calls     []call // those of the last recording and, behind them, spare events
	count     int
}

type call struct {
	Span
	begin, end device.Event
}

// NewQueue makes a queue that times its kernels.
func (d *timedDevice) NewQueue() (device.Queue, error) {
	q, err := d.Device.NewQueue()
	if err != nil {
		return nil, err
	}
	return &timedQueue{Control: q, Queue: q, device: d}, nil
}

// record starts a recording.
func (d *timedDevice) record() {
	d.recording, d.count = true, 0
	if d.predicted != nil {
		d.predicted.launches = d.predicted.launches[:0]
	}
}

// stop ends it and returns its spans. The queues have been synchronised.
func (d *timedDevice) stop() ([]Span, error) {
	d.recording = false
	spans := make([]Span, d.count)
	if d.predicted != nil {
		return spans, d.predictions(spans)
	}
	for i := range spans {
		c := &d.calls[i]
		spans[i] = c.Span
		var err error
		if spans[i].Start, err = c.begin.Since(d.calls[0].begin); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.Scope, c.Kernel, err)
		}
		if spans[i].Length, err = c.end.Since(c.begin); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.Scope, c.Kernel, err)
		}
	}
	return spans, nil
}

// predictions are the spans of a recording one after the other, as a card
// would run them.
func (d *timedDevice) predictions(spans []Span) error {
	at := time.Duration(0)
	for i := range spans {
		spans[i] = d.calls[i].Span
		spans[i].Start = at
		at += spans[i].Length
	}
	return d.predicted.err
}

// Close frees the events and closes the device.
func (d *timedDevice) Close() error {
	for _, c := range d.calls {
		c.begin.Free()
		c.end.Free()
	}
	d.calls = nil
	return d.Device.Close()
}

// timedQueue puts an event before and after each kernel. It embeds no Kernels: an
// operation without its timing does not compile.
type timedQueue struct {
	device.Control
	Queue  device.Queue // the same queue
	device *timedDevice
	scope  string
}

var _ device.Queue = (*timedQueue)(nil)

// Unwrap is the queue that is timed. The kernels that layers bring go there, and are part
// of the step's time alone.
func (q *timedQueue) Unwrap() device.Queue { return q.Queue }

func (q *timedQueue) Scope(name string) {
	q.scope = name
	q.Queue.Scope(name)
}

// begin marks the start of a kernel that works on the given tensors. One that
// is added to is given twice.
func (q *timedQueue) begin(kernel, pass string, w work, args ...device.Tensor) {
	d := q.device
	if !d.recording {
		return
	}
	if d.count == len(d.calls) {
		begin, err := d.NewEvent()
		if err != nil {
			q.Fail(kernel, err)
			return
		}
		end, err := d.NewEvent()
		if err != nil {
			q.Fail(kernel, err)
			return
		}
		d.calls = append(d.calls, call{begin: begin, end: end})
	}
	c := &d.calls[d.count]
	c.Span = Span{Scope: q.scope, Kernel: kernel, Pass: pass, FLOPs: w.flops, Product: w.product}
	for _, t := range args {
		if !t.IsNil() {
			c.Bytes += t.Bytes()
		}
	}
	q.Record(c.begin)
}

// end marks the end of the kernel that has begun.
func (q *timedQueue) end() {
	d := q.device
	if !d.recording || d.count == len(d.calls) {
		return
	}
	c := &d.calls[d.count]
	q.Record(c.end)
	if d.predicted != nil {
		c.Length, c.Limit = d.predicted.call(c.Bytes)
	}
	d.count++
}

// again is the tensor if it is read before it is written.
func again(t device.Tensor, m device.Mode) device.Tensor {
	if m == device.Accumulate {
		return t
	}
	return device.Tensor{}
}
