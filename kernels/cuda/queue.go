package cuda

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// queue is a stream, with what its launches need. Everything a call uses is
// allocated before, so that a call allocates nothing.
type queue struct {
	device.FirstError
	device  *Device
	driver  driver.Driver
	kernels *kernels
	traits  traits
	stream  driver.Stream
	exact   bool // errors are those of the call that returns them: DebugSync

	args     driver.Args
	parts    driver.Ptr       // [partsOfResults()] float32, of Reduce
	segments segments         // of Update
	result   [1]device.Tensor // of a product, for the maps of its epilogue
}

func (d *Device) newQueue() (*queue, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	stream, err := d.driver.NewStream()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	q := &queue{device: d, driver: d.driver, kernels: &d.kernels, traits: d.traits, stream: stream}
	_, q.exact = d.driver.(*debugDriver)
	if q.parts, err = d.driver.Alloc("partial sums", 4*int64(partsOfResults())); err != nil {
		return nil, cmp.Or(d.noRoom(4*int64(partsOfResults()), err), stream.Close())
	}
	return q, nil
}

// Blocks of element-wise kernels, as in vector.cuh: each thread has four
// elements.
const (
	elementThreads = 256
	blockElements  = 4 * elementThreads
)

// limits is what launches are kept below. Tests lower them, so that small
// shapes reach them.
var limits = struct {
	gridY    int // blocks along y; kernels that go over samples along y go on from there
	elements int // that a launch may number, with 31 bits
	blocks   int // of Reduce: enough to fill any GPU
}{65535, math.MaxInt32, 1024}

// launch launches a kernel with the arguments in q.args. After an error it does
// nothing: what a call launches next would work on what is not there.
func (q *queue) launch(f driver.Function, grid driver.Dim, threads int) {
	if q.Err != nil {
		return
	}
	name := f.Name()
	if k, ok := f.(*function); ok {
		var err error
		if f, err = k.loaded(); err != nil {
			q.Fail(name, err)
			return
		}
	}
	err := q.stream.Launch(f, driver.Config{Grid: grid, Block: driver.Dim{X: threads}}, &q.args)
	if err != nil {
		q.Fail(name, err)
	}
}

// Fail keeps the first error. One that the driver reports late may be of a
// kernel before, unless each launch is waited for.
func (q *queue) Fail(kernel string, err error) {
	if late := driver.Late(nil); !q.exact && errors.As(err, &late) && late.Late() {
		err = fmt.Errorf("%w; %s", err, earlier)
	}
	q.FirstError.Fail(kernel, err)
}

// earlier is said of an error that may be of another kernel than that it names.
const earlier = "a kernel before may have failed: train -debug-sync finds which"

// Sync waits for the stream. An error that the driver reports only now is that
// of some kernel since the last Sync.
func (q *queue) Sync() error {
	if err := q.device.check(); err != nil {
		return err
	}
	if err := q.stream.Sync(); err != nil && q.Err == nil {
		q.Err = fmt.Errorf("sync: %w; %s", err, earlier)
	}
	return q.FirstError.Sync()
}

// Close waits for the stream and frees what the queue holds.
func (q *queue) Close() error {
	if q.device.check() != nil { // it went with the device
		return nil
	}
	err := cmp.Or(q.stream.Sync(), q.segments.free(q), q.driver.Free(q.parts), q.stream.Close())
	if err != nil {
		return fmt.Errorf("%s: close of a queue: %w", q.device.name, err)
	}
	return nil
}

func (q *queue) Upload(dst device.Tensor, src *tensor.Dense) {
	if q.Err != nil {
		return
	}
	err := device.CheckHost(src, dst)
	if err == nil {
		err = q.stream.Upload(q.at(dst), hostBytes(src))
	}
	if err != nil {
		q.Fail("upload", err)
	}
}

func (q *queue) Download(dst *tensor.Dense, src device.Tensor) {
	if q.Err != nil {
		return
	}
	err := device.CheckHost(dst, src)
	if err == nil {
		err = q.stream.Download(hostBytes(dst), q.at(src))
	}
	if err != nil {
		q.Fail("download", err)
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
	to, from := q.at(dst), q.at(src)
	if to == from {
		return
	}
	if err := q.stream.Copy(to, from, src.Bytes()); err != nil {
		q.Fail("copy", err)
	}
}

func (q *queue) Record(e device.Event) {
	v := e.(*event)
	if v.failed = q.Err; q.Err != nil {
		return
	}
	if err := q.stream.Record(v.at); err != nil {
		q.Fail("record", err)
		v.failed = q.Err
	}
}

func (q *queue) Wait(e device.Event) {
	if q.Err != nil {
		return
	}
	v := e.(*event)
	if q.Err = v.failed; q.Err != nil {
		return
	}
	if err := q.stream.Wait(v.at); err != nil {
		q.Fail("wait", err)
	}
}

// hostBytes is the memory of host data that device.CheckHost has passed.
func hostBytes(h *tensor.Dense) []byte {
	switch h.Dtype() {
	case tensor.Float32:
		return bytes(h.Float32s())
	case tensor.Int32:
		return bytes(h.Int32s())
	}
	return h.Uint8s()
}

// bytes is the memory of a slice.
func bytes[T any](v []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(t)))
}

// event is the driver's event.
type event struct {
	device *Device
	at     driver.Event
	failed error // of the queue that recorded it, then
}

func (e *event) Sync() error {
	if err := e.device.check(); err != nil {
		return err
	}
	return e.at.Sync()
}

func (e *event) Passed() (bool, error) {
	if err := e.device.check(); err != nil {
		return false, err
	}
	return e.at.Passed()
}

func (e *event) Since(start device.Event) (time.Duration, error) {
	if err := e.device.check(); err != nil {
		return 0, err
	}
	return e.at.Since(start.(*event).at)
}

func (e *event) Free() error {
	if e.device.check() != nil { // it went with the device
		return nil
	}
	return e.at.Close()
}
