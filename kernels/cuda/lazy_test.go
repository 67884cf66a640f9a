package cuda

import (
	"errors"
	"sync"
	"time"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// lazyDriver does nothing of a stream's work until somebody waits for it: as
// late as a device may. What reads too early, or changes memory too soon,
// computes something else than on a device that does everything at once.
type lazyDriver struct {
	driver.Driver
	mu      sync.Mutex
	streams []*lazyStream
}

func (d *lazyDriver) NewStream() (driver.Stream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.Driver.NewStream()
	if err != nil {
		return nil, err
	}
	lazy := &lazyStream{Stream: s, on: d}
	d.streams = append(d.streams, lazy)
	return lazy, nil
}

func (d *lazyDriver) NewEvent() (driver.Event, error) {
	e, err := d.Driver.NewEvent()
	return &lazyEvent{Event: e, on: d}, err
}

// Free waits for all work, as CUDA does.
func (d *lazyDriver) Free(p driver.Ptr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.streams {
		s.runTo(s.end())
	}
	return d.Driver.Free(p)
}

// lazyStream keeps its work until it is waited for.
type lazyStream struct {
	driver.Stream
	on   *lazyDriver
	work []func() error
	done int   // jobs of work that are dropped because they are done
	err  error // the first
}

func (s *lazyStream) end() int { return s.done + len(s.work) }

// runTo does the jobs up to number n.
func (s *lazyStream) runTo(n int) {
	for s.done < n {
		job := s.work[0]
		s.work = s.work[1:]
		s.done++
		if err := job(); err != nil && s.err == nil {
			s.err = err
		}
	}
}

func (s *lazyStream) later(job func() error) error {
	s.on.mu.Lock()
	defer s.on.mu.Unlock()
	s.work = append(s.work, job)
	return nil
}

func (s *lazyStream) Upload(dst driver.Ptr, src []byte) error {
	return s.later(func() error { return s.Stream.Upload(dst, src) })
}

func (s *lazyStream) Download(dst []byte, src driver.Ptr) error {
	return s.later(func() error { return s.Stream.Download(dst, src) })
}

func (s *lazyStream) Copy(dst, src driver.Ptr, bytes int64) error {
	return s.later(func() error { return s.Stream.Copy(dst, src, bytes) })
}

func (s *lazyStream) Memset(dst driver.Ptr, value byte, bytes int64) error {
	return s.later(func() error { return s.Stream.Memset(dst, value, bytes) })
}

func (s *lazyStream) Memset32(dst driver.Ptr, value uint32, words int64) error {
	return s.later(func() error { return s.Stream.Memset32(dst, value, words) })
}

func (s *lazyStream) Launch(f driver.Function, c driver.Config, args *driver.Args) error {
	kept := *args
	return s.later(func() error { return s.Stream.Launch(f, c, &kept) })
}

func (s *lazyStream) Record(e driver.Event) error {
	event := e.(*lazyEvent)
	err := s.later(func() error { return s.Stream.Record(event.Event) })
	s.on.mu.Lock()
	defer s.on.mu.Unlock()
	event.stream, event.at = s, s.end()
	return err
}

func (s *lazyStream) Wait(e driver.Event) error {
	event := *e.(*lazyEvent) // as it is now: it may be recorded again
	return s.later(func() error { event.pass(); return nil })
}

func (s *lazyStream) Sync() error {
	s.on.mu.Lock()
	defer s.on.mu.Unlock()
	s.runTo(s.end())
	err := s.err
	s.err = nil
	return err
}

func (s *lazyStream) Close() error { return errors.Join(s.Sync(), s.Stream.Close()) }

type lazyEvent struct {
	driver.Event
	on     *lazyDriver
	stream *lazyStream
	at     int
}

// pass does what was enqueued before the event.
func (e *lazyEvent) pass() {
	if e.stream != nil {
		e.stream.runTo(e.at)
	}
}

func (e *lazyEvent) Sync() error {
	e.on.mu.Lock()
	defer e.on.mu.Unlock()
	e.pass()
	return e.Event.Sync()
}

func (e *lazyEvent) Since(start driver.Event) (time.Duration, error) {
	return e.Event.Since(start.(*lazyEvent).Event)
}
