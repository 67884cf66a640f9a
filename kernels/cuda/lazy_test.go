package cuda_test

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

	// hasty makes streams that launch no kernels do their work as early as they
	// may: at once, or when the event has passed that they wait for.
	hasty bool
}

// rush does what hasty streams may do.
func (d *lazyDriver) rush() {
	if !d.hasty {
		return
	}
	for _, s := range d.streams {
		for !s.launched && len(s.work) > 0 && (s.work[0].wait == nil || s.work[0].wait.passed()) {
			s.runTo(s.done + 1)
		}
	}
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
	work []job
	done int   // jobs of work that are dropped because they are done
	err  error // the first

	launched bool // a kernel
}

// job is something to do, once an event has passed if there is one.
type job struct {
	do   func() error
	wait *lazyEvent
}

func (s *lazyStream) end() int { return s.done + len(s.work) }

// runTo does the jobs up to number n.
func (s *lazyStream) runTo(n int) {
	for s.done < n {
		j := s.work[0]
		s.work = s.work[1:]
		if j.wait != nil {
			j.wait.pass()
		}
		s.done++
		if err := j.do(); err != nil && s.err == nil {
			s.err = err
		}
	}
}

func (s *lazyStream) later(do func() error) error { return s.enqueue(job{do: do}) }

func (s *lazyStream) enqueue(j job) error {
	s.on.mu.Lock()
	defer s.on.mu.Unlock()
	s.work = append(s.work, j)
	s.on.rush()
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
	s.launched = true
	return s.later(func() error { return s.Stream.Launch(f, c, &kept) })
}

func (s *lazyStream) Record(e driver.Event) error {
	event := e.(*lazyEvent)
	s.on.mu.Lock()
	event.stream, event.at = s, s.end()+1
	s.on.mu.Unlock()
	return s.later(func() error { return s.Stream.Record(event.Event) })
}

func (s *lazyStream) Wait(e driver.Event) error {
	event := *e.(*lazyEvent) // as it is now: it may be recorded again
	return s.enqueue(job{do: func() error { return nil }, wait: &event})
}

func (s *lazyStream) Sync() error {
	s.on.mu.Lock()
	defer s.on.mu.Unlock()
	s.runTo(s.end())
	s.on.rush()
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

// passed reports whether that is done.
func (e *lazyEvent) passed() bool { return e.stream == nil || e.stream.done >= e.at }

func (e *lazyEvent) Sync() error {
	e.on.mu.Lock()
	defer e.on.mu.Unlock()
	e.pass()
	e.on.rush()
	return e.Event.Sync()
}

func (e *lazyEvent) Passed() (bool, error) {
	e.on.mu.Lock()
	defer e.on.mu.Unlock()
	return e.passed(), nil
}

func (e *lazyEvent) Since(start driver.Event) (time.Duration, error) {
	return e.Event.Since(start.(*lazyEvent).Event)
}
