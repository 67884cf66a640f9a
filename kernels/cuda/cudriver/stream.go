//go:build cuda && linux && amd64

package cudriver

import (
	"cmp"
	"fmt"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// stream is a CUDA stream that does not wait for the default stream.
type stream struct {
	d *cuda
	s cu.Stream

	// Ordinary host memory of copies that may be under way: of those before mark,
	// and of those after. The garbage collector does not see that the driver uses it.
	marked, since [][]byte
	mark          *event
}

func (d *cuda) NewStream() (driver.Stream, error) {
	mark, err := d.newEvent(cu.DisableTiming)
	if err != nil {
		return nil, err
	}
	s := &stream{d: d, mark: mark}
	err = d.do("cuStreamCreate", func() (err error) {
		s.s, err = cu.MakeStream(cu.NonBlocking)
		return err
	})
	if err != nil {
		return nil, cmp.Or(err, mark.Close())
	}
	return s, nil
}

// Upload returns before the source is read where that is page-locked, and where
// the device reads the host's page tables.
func (s *stream) Upload(dst driver.Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	if err := s.hold(src); err != nil {
		return err
	}
	return s.d.do("cuMemcpyHtoDAsync", func() error {
		return cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(unsafe.SliceData(src)), int64(len(src)), s.s)
	})
}

// Download is like Upload.
func (s *stream) Download(dst []byte, src driver.Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	if err := s.hold(dst); err != nil {
		return err
	}
	return s.d.do("cuMemcpyDtoHAsync", func() error {
		return cu.MemcpyDtoHAsync(unsafe.Pointer(unsafe.SliceData(dst)), cu.DevicePtr(src), int64(len(dst)), s.s)
	})
}

// hold keeps host memory until the copy that follows is done, also where nobody
// else does. What earlier copies are done with it lets go. Page-locked memory is
// kept by who allocated it.
func (s *stream) hold(mem []byte) error {
	if s.d.isLocked(mem) {
		return nil
	}
	if len(s.marked) > 0 {
		passed, err := s.mark.Passed()
		if err != nil {
			return err
		}
		if passed {
			s.marked = release(s.marked)
		}
	}
	if len(s.marked) == 0 && len(s.since) > 0 {
		if err := s.Record(s.mark); err != nil {
			return err
		}
		s.marked, s.since = s.since, s.marked
	}
	s.since = append(s.since, mem)
	return nil
}

func release(held [][]byte) [][]byte {
	clear(held)
	return held[:0]
}

func (s *stream) Copy(dst, src driver.Ptr, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return s.d.do("cuMemcpyDtoDAsync", func() error {
		return cu.MemcpyDtoDAsync(cu.DevicePtr(dst), cu.DevicePtr(src), bytes, s.s)
	})
}

func (s *stream) Memset(dst driver.Ptr, value byte, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	return s.d.do("cuMemsetD8Async", func() error { return cu.MemsetD8Async(cu.DevicePtr(dst), value, bytes, s.s) })
}

func (s *stream) Memset32(dst driver.Ptr, value uint32, words int64) error {
	if words == 0 {
		return nil
	}
	return s.d.do("cuMemsetD32Async", func() error { return cu.MemsetD32Async(cu.DevicePtr(dst), uint(value), words, s.s) })
}

func (s *stream) Launch(f driver.Function, c driver.Config, args *driver.Args) error {
	fn := f.(*function)
	err := s.d.do("cuLaunchKernel", func() error { return launch(fn.f, c, s.s, args.Slots()) })
	if err != nil {
		return fmt.Errorf("grid %v, block %v, %d bytes of shared memory: %w", c.Grid, c.Block, c.Shared, err)
	}
	return nil
}

func (s *stream) Record(e driver.Event) error {
	v := e.(*event)
	v.recorded = true
	return s.d.do("cuEventRecord", func() error { return v.e.Record(s.s) })
}

func (s *stream) Wait(e driver.Event) error {
	return s.d.do("cuStreamWaitEvent", func() error { return s.s.Wait(e.(*event).e, 0) })
}

func (s *stream) Sync() error {
	err := s.d.do("cuStreamSynchronize", func() error { return s.s.Synchronize() })
	if err == nil {
		s.marked, s.since = release(s.marked), release(s.since)
	}
	return err
}

func (s *stream) Close() error {
	err := s.d.release("cuStreamDestroy", func() error { return s.s.Destroy() })
	return cmp.Or(err, s.mark.Close())
}

type event struct {
	d        *cuda
	e        cu.Event
	recorded bool
}

func (d *cuda) NewEvent() (driver.Event, error) {
	e, err := d.newEvent(cu.DefaultEvent)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (d *cuda) newEvent(flags cu.EventFlags) (*event, error) {
	e := &event{d: d}
	err := d.do("cuEventCreate", func() (err error) {
		e.e, err = cu.MakeEvent(flags)
		return err
	})
	return e, err
}

func (e *event) Sync() error {
	return e.d.do("cuEventSynchronize", func() error { return e.e.Synchronize() })
}

func (e *event) Passed() (passed bool, err error) {
	err = e.d.do("cuEventQuery", func() error {
		err := e.e.Query()
		if passed = err == nil; err == cu.NotReady {
			return nil
		}
		return err
	})
	return passed, err
}

func (e *event) Since(start driver.Event) (elapsed time.Duration, err error) {
	s := start.(*event)
	if !s.recorded || !e.recorded {
		return 0, fmt.Errorf("cuda: time between events that were not both recorded")
	}
	err = e.d.do("cuEventElapsedTime", func() error {
		ms, err := s.e.Elapsed(e.e)
		elapsed = time.Duration(ms * float64(time.Millisecond))
		return err
	})
	return elapsed, err
}

func (e *event) Close() error {
	return e.d.release("cuEventDestroy", func() error { return cu.DestroyEvent(&e.e) })
}
