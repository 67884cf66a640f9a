package graph

import (
	"cmp"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// Staging has device memory for the inputs of the next pass, and a queue that
// uploads them while the executor's queue computes. When the next pass begins,
// the inputs are copied to their place in the arena, which other values used
// until then. On a device whose Traits.Staged is false it only adds a copy. It
// belongs to the executor's goroutine, and its calls allocate nothing.
type Staging struct {
	exec    *Executor
	queue   device.Queue
	slab    device.Buffer
	tensors []device.Tensor // of Plan.Values; absent but for inputs
	batch   int             // samples of the next pass

	uploaded, taken device.Event
}

// StagingBytes is the memory of a Staging of the plan's inputs.
func (p *Plan) StagingBytes(t device.Traits) int64 {
	bytes := int64(0)
	for _, v := range p.Values {
		if v.Kind == Uploaded {
			bytes += align(v.Bytes, t)
		}
	}
	return bytes
}

// NewStaging allocates memory for the inputs of an executor's next pass.
func NewStaging(e *Executor) (*Staging, error) {
	s := &Staging{exec: e, batch: e.plan.Options.Batch}
	if err := s.open(); err != nil {
		return nil, cmp.Or(fmt.Errorf("the next inputs of %s: %w", e.plan.Network.Name, err), s.Close())
	}
	return s, nil
}

func (s *Staging) open() (err error) {
	d, plan := s.exec.device, s.exec.plan
	if s.slab, err = d.Alloc(plan.StagingBytes(d.Traits())); err != nil {
		return err
	}
	if s.queue, err = d.NewQueue(); err != nil {
		return err
	}
	for _, e := range []*device.Event{&s.uploaded, &s.taken} {
		if *e, err = d.NewEvent(); err != nil {
			return err
		}
	}
	s.tensors = make([]device.Tensor, len(plan.Values))
	at := int64(0)
	for i, v := range plan.Values {
		if v.Kind == Uploaded {
			s.tensors[i] = carve(s.slab, at, v.DType, v.Shape)
			at += align(v.Bytes, d.Traits())
		}
	}
	return nil
}

// Queue is the queue the uploads are enqueued on.
func (s *Staging) Queue() device.Queue { return s.queue }

// SetBatch sets the number of samples of the next pass.
func (s *Staging) SetBatch(samples int) error {
	if err := s.exec.plan.checkBatch(samples); err != nil {
		return err
	}
	s.batch = samples
	for _, t := range s.tensors {
		if !t.IsNil() {
			t.Shape[0] = samples
		}
	}
	return nil
}

// Upload is like Executor.Upload, for the next pass.
func (s *Staging) Upload(name string, x *tensor.Dense) error {
	v, err := s.exec.input(name)
	if v < 0 || err != nil {
		return err
	}
	return upload(s.queue, name, s.tensors[v], x)
}

// Take makes the uploaded values the inputs of the executor's next pass, which
// waits for them. Uploads after Take are for the pass after that.
func (s *Staging) Take() error {
	if err := s.exec.SetBatch(s.batch); err != nil {
		return err
	}
	s.queue.Record(s.uploaded)
	q := s.exec.queue
	q.Wait(s.uploaded)
	q.Scope("inputs")
	for v, t := range s.tensors {
		if !t.IsNil() {
			q.Copy(s.exec.tensors[v], t)
		}
	}
	q.Record(s.taken)
	s.queue.Wait(s.taken)
	return nil
}

// Close frees the memory.
func (s *Staging) Close() error {
	var errs []error
	if s.queue != nil {
		errs = append(errs, s.queue.Close())
	}
	for _, e := range []device.Event{s.uploaded, s.taken} {
		if e != nil {
			errs = append(errs, e.Free())
		}
	}
	if s.slab != nil {
		errs = append(errs, s.slab.Free())
	}
	return cmp.Or(errs...)
}
