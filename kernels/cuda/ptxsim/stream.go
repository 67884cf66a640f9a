package ptxsim

import (
	"errors"
	"time"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// stream does everything at once, so that streams and events need no order.
type stream struct{ sim *Sim }

// NewStream returns a stream, whose calls return when the work is done.
func (s *Sim) NewStream() (driver.Stream, error) { return &stream{s}, nil }

func (st *stream) Upload(dst driver.Ptr, src []byte) error {
	st.sim.mu.Lock()
	defer st.sim.mu.Unlock()
	al, at, err := st.writable(dst, int64(len(src)))
	if err != nil {
		return err
	}
	copy(al.data[at:], src)
	return nil
}

// writable finds a span and marks it as written.
func (st *stream) writable(dst driver.Ptr, bytes int64) (*allocation, int64, error) {
	al, at, err := st.sim.span(dst, bytes)
	if err == nil {
		al.hostWrote(at, bytes)
	}
	return al, at, err
}

func (st *stream) Download(dst []byte, src driver.Ptr) error {
	st.sim.mu.Lock()
	defer st.sim.mu.Unlock()
	al, at, err := st.sim.span(src, int64(len(dst)))
	if err != nil {
		return err
	}
	copy(dst, al.data[at:])
	return nil
}

func (st *stream) Copy(dst, src driver.Ptr, bytes int64) error {
	st.sim.mu.Lock()
	defer st.sim.mu.Unlock()
	from, i, err := st.sim.span(src, bytes)
	if err != nil {
		return err
	}
	to, j, err := st.sim.span(dst, bytes)
	if err != nil {
		return err
	}
	if from == to && i < j+bytes && j < i+bytes && bytes > 0 {
		return errors.New("ptxsim: copy between spans that overlap in " + to.String())
	}
	copy(to.data[j:j+bytes], from.data[i:i+bytes])
	to.hostCopied(j, from, i, bytes)
	return nil
}

func (st *stream) Memset(dst driver.Ptr, value byte, bytes int64) error {
	st.sim.mu.Lock()
	defer st.sim.mu.Unlock()
	al, at, err := st.writable(dst, bytes)
	if err != nil {
		return err
	}
	span := al.data[at : at+bytes]
	for i := range span {
		span[i] = value
	}
	return nil
}

func (st *stream) Memset32(dst driver.Ptr, value uint32, words int64) error {
	st.sim.mu.Lock()
	defer st.sim.mu.Unlock()
	al, at, err := st.writable(dst, 4*words)
	if err != nil {
		return err
	}
	for i := range words {
		storeBytes(al.data[at+4*i:], 4, uint64(value))
	}
	return nil
}

func (st *stream) Launch(f driver.Function, c driver.Config, args *driver.Args) error {
	fn, ok := f.(*function)
	if !ok || fn.sim != st.sim {
		return errors.New("ptxsim: launch of a function of another device")
	}
	st.sim.mu.Lock()
	defer st.sim.mu.Unlock()
	if st.sim.closed {
		return errClosed
	}
	return st.sim.start(fn, c, args)
}

func (st *stream) Record(e driver.Event) error {
	ev, ok := e.(*event)
	if !ok {
		return errors.New("ptxsim: event of another device")
	}
	ev.at = time.Now()
	return nil
}

func (st *stream) Wait(driver.Event) error { return nil }
func (st *stream) Sync() error             { return nil }
func (st *stream) Close() error            { return nil }

type event struct{ at time.Time }

// NewEvent returns an event. It measures the simulation, not the device.
func (s *Sim) NewEvent() (driver.Event, error) { return &event{}, nil }

func (e *event) Sync() error           { return nil }
func (e *event) Passed() (bool, error) { return true, nil }

func (e *event) Since(start driver.Event) (time.Duration, error) {
	s, ok := start.(*event)
	if !ok || s.at.IsZero() || e.at.IsZero() {
		return 0, errors.New("ptxsim: time between events that were not both recorded")
	}
	return e.at.Sub(s.at), nil
}

func (e *event) Close() error { return nil }
