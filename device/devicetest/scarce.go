package devicetest

import (
	"errors"
	"testing"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
)

// ErrScarce is what a Scarce device says where it has nothing left to give.
var ErrScarce = errors.New("there is nothing left")

// Scarce is the reference device that gives memory, queues and events only so
// many times.
type Scarce struct {
	*reference.Device
	Left   int           // how many times it still gives
	Syncs  bool          // the end of a queue's work counts as given too
	Once   bool          // it refuses once, and gives again
	Slow   bool          // no event has passed before somebody waits for it
	Facts  device.Traits // what Traits returns; nil for the reference's
	Scopes []string      // of its queues, in their order
	held   int           // queues, events and host memory that were not given back
}

// Traits are Facts.
func (s *Scarce) Traits() device.Traits {
	if s.Facts != nil {
		return s.Facts
	}
	return s.Device.Traits()
}

func (s *Scarce) take() error {
	s.Left--
	if s.Left == -1 || s.Left < 0 && !s.Once {
		return ErrScarce
	}
	return nil
}

// Alloc gives memory if any is left.
func (s *Scarce) Alloc(bytes int64) (device.Buffer, error) {
	if err := s.take(); err != nil {
		return nil, err
	}
	return s.Device.Alloc(bytes)
}

// HostAlloc gives memory if any is left.
func (s *Scarce) HostAlloc(bytes int64) (device.HostBuffer, error) {
	if err := s.take(); err != nil {
		return nil, err
	}
	b, err := s.Device.HostAlloc(bytes)
	if err != nil {
		return nil, err
	}
	s.held++
	return &countedHost{b, s}, nil
}

// NewQueue gives a queue if any is left.
func (s *Scarce) NewQueue() (device.Queue, error) {
	if err := s.take(); err != nil {
		return nil, err
	}
	q, err := s.Device.NewQueue()
	if err != nil {
		return nil, err
	}
	s.held++
	return &countedQueue{q, s}, nil
}

// NewEvent gives an event if any is left.
func (s *Scarce) NewEvent() (device.Event, error) {
	if err := s.take(); err != nil {
		return nil, err
	}
	e, err := s.Device.NewEvent()
	if err != nil {
		return nil, err
	}
	s.held++
	return &countedEvent{e, s, false}, nil
}

type countedHost struct {
	device.HostBuffer
	from *Scarce
}

func (b *countedHost) Free() error {
	b.from.held--
	return b.HostBuffer.Free()
}

type countedEvent struct {
	device.Event
	from   *Scarce
	waited bool // for what was recorded last
}

func (e *countedEvent) Sync() error {
	e.waited = true
	return e.Event.Sync()
}

func (e *countedEvent) Passed() (bool, error) {
	passed, err := e.Event.Passed()
	return passed && (e.waited || !e.from.Slow), err
}

func (e *countedEvent) Free() error {
	e.from.held--
	return e.Event.Free()
}

type countedQueue struct {
	device.Queue
	from *Scarce
}

func (q *countedQueue) Scope(name string) {
	q.from.Scopes = append(q.from.Scopes, name)
	q.Queue.Scope(name)
}

func (q *countedQueue) Record(e device.Event) {
	c := e.(*countedEvent)
	c.waited = false
	q.Queue.Record(c.Event)
}

func (q *countedQueue) Wait(e device.Event) { q.Queue.Wait(e.(*countedEvent).Event) }

func (q *countedQueue) Sync() error {
	err := q.Queue.Sync()
	if q.from.Syncs && err == nil {
		err = q.from.take()
	}
	return err
}

func (q *countedQueue) Close() error {
	q.from.held--
	return q.Queue.Close()
}

// Scarcity calls f with devices like one, but which give nothing, once, twice and
// so on, until f returns no error. Every error must be the device's, and every
// device must have got back all that it gave when f returns. It returns
// the errors.
func Scarcity(t *testing.T, like Scarce, f func(d *Scarce) error) []error {
	t.Helper()
	var all []error
	for given := 0; ; given++ {
		d := like
		d.Device, d.Left = reference.New(), given
		err := f(&d)
		if free, total, _ := d.MemInfo(); free != total {
			t.Fatalf("given %d times: %d bytes were not given back (%v)", given, total-free, err)
		}
		if d.held != 0 {
			t.Fatalf("given %d times: %d queues, events and pieces of host memory were not given back (%v)", given, d.held, err)
		}
		if err == nil && d.Left >= 0 {
			return all
		}
		if !errors.Is(err, ErrScarce) {
			t.Fatalf("given %d times: %v", given, err)
		}
		all = append(all, err)
	}
}
