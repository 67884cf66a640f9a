package solver

import (
	"cmp"
	"context"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// feed brings the batches of a loader to an executor. A pass goes
//
//	b, err := f.next() // its inputs are on their way; b may be read
//	…                  // enqueue the pass
//	f.ahead()
//	…                  // read what it makes
//	err = f.done()     // b may not be read any more
//
// Where the device stages inputs, ahead begins the upload of the next batch,
// from page-locked memory, while the device computes on this one, and nothing
// here waits for the device until the host is batches ahead of it. Elsewhere a
// batch is uploaded when it is wanted.
type feed struct {
	device  device.Device
	exec    *graph.Executor
	staging *graph.Staging // nil where the device does not stage
	events  []device.Event // idle, of uploads

	memory []device.HostBuffer // of batches; kept from one loader to the next
	lent   int                 // of them, to the loader

	loader    *data.Loader
	current   transfer
	pending   transfer   // the next one
	uploading []transfer // done, but perhaps not uploaded yet: the oldest first
	failed    error      // why nothing is coming
}

// transfer is a batch on its way to the device.
type transfer struct {
	batch    *data.Batch
	uploaded device.Event
}

// Batches that a feed which stages holds at most: the current one, the next, and
// one that is done but not uploaded, because the host is ahead of the device.
const (
	maxHeld      = 3
	maxUploading = 1
)

// feedBytes is what the feed of a plan's executor allocates on the device.
func feedBytes(d device.Device, p *graph.Plan) int64 {
	if t := d.Traits(); t.Staged() {
		return p.StagingBytes(t)
	}
	return 0
}

func newFeed(d device.Device, e *graph.Executor) (*feed, error) {
	f := &feed{device: d, exec: e, uploading: make([]transfer, 0, maxHeld)}
	if err := f.open(); err != nil {
		return nil, cmp.Or(err, f.Close())
	}
	return f, nil
}

func (f *feed) open() (err error) {
	events := 1
	if f.device.Traits().Staged() {
		events = maxHeld
		if f.staging, err = graph.NewStaging(f.exec); err != nil {
			return err
		}
	}
	for range events {
		e, err := f.device.NewEvent()
		if err != nil {
			return err
		}
		f.events = append(f.events, e)
	}
	return nil
}

// start starts a loader of a data set.
func (f *feed) start(ctx context.Context, set data.Dataset, o data.LoaderOptions) (err error) {
	if f.staging != nil {
		o.Memory = f.hostMemory
		o.Prefetch = 2 + maxHeld - 1 // as many made ahead as where one is held
	}
	f.loader, err = data.NewLoader(ctx, set, o)
	return err
}

// hostMemory lends memory to the loader.
func (f *feed) hostMemory(bytes int64) ([]byte, error) {
	if f.lent == len(f.memory) || int64(len(f.memory[f.lent].Bytes())) != bytes {
		b, err := f.device.HostAlloc(bytes)
		if err != nil {
			return nil, err
		}
		f.memory = append(f.memory, b)
		last := len(f.memory) - 1
		f.memory[f.lent], f.memory[last] = f.memory[last], f.memory[f.lent]
	}
	f.lent++
	return f.memory[f.lent-1].Bytes(), nil
}

// next returns the next batch, whose upload is enqueued.
func (f *feed) next() (*data.Batch, error) {
	if f.pending.batch == nil {
		f.fetch()
	}
	if f.failed != nil {
		return nil, f.failed
	}
	f.current, f.pending = f.pending, transfer{}
	if f.staging == nil {
		return f.current.batch, nil
	}
	return f.current.batch, f.staging.Take()
}

// ahead begins the upload of the batch after the current one, where the device
// stages. Its errors are those of next.
func (f *feed) ahead() {
	if f.staging != nil {
		f.fetch()
	}
}

// fetch enqueues the upload of the batch that is coming.
func (f *feed) fetch() {
	if f.failed != nil {
		return
	}
	b, err := f.loader.Next()
	if err != nil {
		f.failed = err
		return
	}
	last := len(f.events) - 1
	f.pending = transfer{b, f.events[last]}
	f.events = f.events[:last]
	var to interface {
		uploader
		Queue() device.Queue
	} = f.exec
	if f.staging != nil {
		to = f.staging
	}
	f.failed = upload(to, f.exec.Plan().Network, b)
	to.Queue().Record(f.pending.uploaded)
}

// done gives the current batch back, once it is uploaded.
func (f *feed) done() error {
	f.uploading = append(f.uploading, f.current)
	f.current = transfer{}
	for len(f.uploading) > 0 {
		oldest := f.uploading[0]
		passed, err := oldest.uploaded.Passed()
		if err == nil && !passed {
			if f.staging != nil && len(f.uploading) <= maxUploading {
				return nil
			}
			err = oldest.uploaded.Sync()
		}
		if err != nil {
			return err
		}
		f.uploading = f.uploading[:copy(f.uploading, f.uploading[1:])]
		f.events = append(f.events, oldest.uploaded)
		oldest.batch.Release()
	}
	return nil
}

// stop ends the loader, and forgets what was on its way.
func (f *feed) stop() error {
	if f.loader == nil {
		return nil
	}
	f.loader.Close()
	var err error
	if f.staging != nil { // its memory may be lent again
		err = f.staging.Queue().Sync()
	}
	for _, a := range append(f.uploading, f.current, f.pending) {
		if a.uploaded != nil {
			f.events = append(f.events, a.uploaded)
		}
	}
	f.uploading, f.current, f.pending = f.uploading[:0], transfer{}, transfer{}
	f.loader, f.failed, f.lent = nil, nil, 0
	return err
}

// Close stops the feed and frees its memory. The executor stays.
func (f *feed) Close() error {
	errs := []error{f.stop()}
	for _, e := range f.events {
		errs = append(errs, e.Free())
	}
	if f.staging != nil {
		errs = append(errs, f.staging.Close())
	}
	for _, b := range f.memory {
		errs = append(errs, b.Free())
	}
	return cmp.Or(errs...)
}
