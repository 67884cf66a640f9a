//go:build cuda && linux && amd64

package cudriver

import (
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
}

func (d *cuda) NewStream() (driver.Stream, error) {
	s := &stream{d: d}
	err := d.do("cuStreamCreate", func() (err error) {
		s.s, err = cu.MakeStream(cu.NonBlocking)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Upload copies from pageable memory before it returns, and from page-locked
// memory asynchronously.
func (s *stream) Upload(dst driver.Ptr, src []byte) error {
	if len(src) == 0 {
		return nil
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
	return s.d.do("cuMemcpyDtoHAsync", func() error {
		return cu.MemcpyDtoHAsync(unsafe.Pointer(unsafe.SliceData(dst)), cu.DevicePtr(src), int64(len(dst)), s.s)
	})
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
	return s.d.do("cuStreamSynchronize", func() error { return s.s.Synchronize() })
}

func (s *stream) Close() error {
	return s.d.do("cuStreamDestroy", func() error { return s.s.Destroy() })
}

type event struct {
	d        *cuda
	e        cu.Event
	recorded bool
}

func (d *cuda) NewEvent() (driver.Event, error) {
	e := &event{d: d}
	err := d.do("cuEventCreate", func() (err error) {
		e.e, err = cu.MakeEvent(cu.DefaultEvent)
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, nil
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
	return e.d.do("cuEventDestroy", func() error { return cu.DestroyEvent(&e.e) })
}
