package device

import (
	"errors"
	"fmt"
	"time"
)

// FirstError is the error of a queue: the first since Sync, with the scope and
// the kernel that it happened in. Queues embed it.
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

// Immediate is what a queue embeds that runs each call before it returns:
// there is nothing to wait for.
type Immediate struct{ FirstError }

// Record marks this point: all that came before has run.
func (q *Immediate) Record(e Event) {
	v := e.(*immediateEvent)
	if v.failed = q.Err; q.Err == nil {
		v.at = time.Now()
	}
}

// Wait takes over the error of the queue that e was recorded on.
func (q *Immediate) Wait(e Event) {
	if q.Err == nil {
		q.Err = e.(*immediateEvent).failed
	}
}

// Close does nothing.
func (q *Immediate) Close() error { return nil }

// NewImmediateEvent returns an event for queues that embed Immediate.
func NewImmediateEvent() Event { return &immediateEvent{} }

// immediateEvent is the time at which it was recorded.
type immediateEvent struct {
	at     time.Time
	failed error // of the queue that recorded it, then
}

func (e *immediateEvent) Sync() error { return nil }

func (e *immediateEvent) Passed() (bool, error) { return true, nil }

func (e *immediateEvent) Since(start Event) (time.Duration, error) {
	s := start.(*immediateEvent)
	if e.at.IsZero() || s.at.IsZero() {
		return 0, errors.New("time between events that were not both recorded")
	}
	return e.at.Sub(s.at), nil
}

func (e *immediateEvent) Free() error { return nil }
