package device

import (
	"errors"
	"fmt"
	"time"
)

// FirstError is the error of a queue: the first since Sync, with its scope and
// its kernel. Queues embed it.
type FirstError struct {
	Err   error // calls do nothing while there is one
	scope string
}

// Scope names the layer that the following calls belong to.
func (f *FirstError) Scope(name string) { f.scope = name }

// Fail keeps err unless there is an error already.
func (f *FirstError) Fail(kernel string, err error) {
	if f.Err != nil {
		return
	}
	if f.scope != "" {
		kernel = f.scope + ": " + kernel
	}
	f.Err = fmt.Errorf("%s: %w", kernel, err)
}

// Sync returns and clears the error.
func (f *FirstError) Sync() error {
	err := f.Err
	f.Err = nil
	return err
}

// Immediate is embedded by a queue that runs each call before it returns, so
// there is nothing to wait for.
type Immediate struct {
	FirstError
	of *Lifetime
}

// NewImmediate returns the Immediate for a queue of a device with that
// lifetime.
func NewImmediate(of *Lifetime) Immediate { return Immediate{of: of} }

// Sync returns and clears the error, which is ErrClosed on a closed device.
func (q *Immediate) Sync() error {
	if err := q.of.Check(); err != nil {
		return err
	}
	return q.FirstError.Sync()
}

// Record marks this point: all calls before have run.
func (q *Immediate) Record(e Event) {
	v := e.(*immediateEvent)
	if v.failed = q.Err; q.Err == nil {
		v.at = time.Now()
	}
}

// Wait copies the error of the queue that e was recorded on.
func (q *Immediate) Wait(e Event) {
	if q.Err == nil {
		q.Err = e.(*immediateEvent).failed
	}
}

// Close does nothing.
func (q *Immediate) Close() error { return nil }

// NewImmediateEvent returns an event for a queue that embeds Immediate.
func NewImmediateEvent(of *Lifetime) Event { return &immediateEvent{of: of} }

// immediateEvent is the time at which it was recorded.
type immediateEvent struct {
	of     *Lifetime
	at     time.Time
	failed error // of the queue that recorded it, then
}

func (e *immediateEvent) Sync() error { return e.of.Check() }

func (e *immediateEvent) Passed() (bool, error) { return true, e.of.Check() }

func (e *immediateEvent) Since(start Event) (time.Duration, error) {
	if err := e.of.Check(); err != nil {
		return 0, err
	}
	s := start.(*immediateEvent)
	if e.at.IsZero() || s.at.IsZero() {
		return 0, errors.New("time between events that were not both recorded")
	}
	return e.at.Sub(s.at), nil
}

func (e *immediateEvent) Free() error { return nil }
