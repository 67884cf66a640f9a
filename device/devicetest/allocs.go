package devicetest

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/hubel-go/hubel/device"
)

// checkAllocs reports allocations by calls on a queue that has made them
// before. Other goroutines, the garbage collector's among them, may allocate
// too: one quiet run is enough.
func checkAllocs(q device.Queue, enqueue func()) error {
	const launches, tries = 3, 20
	fewest := ^uint64(0)
	var before, after runtime.MemStats
	for try := 0; try < tries && fewest > 0; try++ {
		runtime.ReadMemStats(&before)
		for range launches {
			enqueue()
		}
		err := q.Sync()
		runtime.ReadMemStats(&after)
		if err != nil {
			return err
		}
		fewest = min(fewest, after.Mallocs-before.Mallocs)
	}
	if fewest > 0 {
		return fmt.Errorf("%d launches on a warm queue made %d allocations, want none", launches, fewest)
	}
	return nil
}

// checkTransferAllocs is checkAllocs for what a training step does beside
// kernels.
func checkTransferAllocs(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	e, err := dev.NewEvent()
	if err != nil {
		return err
	}
	defer e.Free()
	for _, t := range []device.DType{device.Float32, device.Int32, device.Uint8} {
		values := numbers(t, 1000)
		x, err := upload(dev, q, t, values)
		if err != nil {
			return err
		}
		y, err := upload(dev, q, t, values)
		if err != nil {
			return err
		}
		h := host(values)
		step := func() {
			q.Scope("data")
			q.Upload(x, h)
			q.Copy(y, x)
			q.Download(h, y)
			q.Record(e)
			q.Wait(e)
		}
		step()
		if err := q.Sync(); err != nil {
			return err
		}
		if err := checkAllocs(q, step); err != nil {
			return fmt.Errorf("upload, copy and download of %v: %w", t, err)
		}
		if err := errors.Join(x.Buffer.Free(), y.Buffer.Free()); err != nil {
			return err
		}
	}
	return nil
}
