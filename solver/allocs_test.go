package solver

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
	"github.com/hubel-go/hubel/models"
)

// countingDriver counts the calls that make or free something on a device, and
// those that wait for it.
type countingDriver struct {
	driver.Driver
	calls int
}

type countingStream struct {
	driver.Stream
	on *countingDriver
}

type countingEvent struct {
	driver.Event
	on *countingDriver
}

func (s *countingStream) Sync() error {
	s.on.calls++
	return s.Stream.Sync()
}

func (s *countingStream) Record(e driver.Event) error {
	return s.Stream.Record(e.(*countingEvent).Event)
}

func (s *countingStream) Wait(e driver.Event) error { return s.Stream.Wait(e.(*countingEvent).Event) }

func (e *countingEvent) Sync() error {
	e.on.calls++
	return e.Event.Sync()
}

func (d *countingDriver) Alloc(name string, bytes int64) (driver.Ptr, error) {
	d.calls++
	return d.Driver.Alloc(name, bytes)
}

func (d *countingDriver) Free(p driver.Ptr) error {
	d.calls++
	return d.Driver.Free(p)
}

func (d *countingDriver) HostAlloc(bytes int64) ([]byte, error) {
	d.calls++
	return d.Driver.HostAlloc(bytes)
}

func (d *countingDriver) Load(name, ptx string) (driver.Module, error) {
	d.calls++
	return d.Driver.Load(name, ptx)
}

func (d *countingDriver) NewStream() (driver.Stream, error) {
	d.calls++
	s, err := d.Driver.NewStream()
	return &countingStream{s, d}, err
}

func (d *countingDriver) NewEvent() (driver.Event, error) {
	d.calls++
	e, err := d.Driver.NewEvent()
	return &countingEvent{e, d}, err
}

// TestAStepAllocatesNothing counts what uploads, both passes, the update and
// the loader of the next batch allocate together in an epoch, and the goroutines
// that they start. The runtime
// allocates now and then where a goroutine has to wait, so one epoch of a few
// must be without. On a CUDA device, simulated here, no epoch may make or free
// anything on the device, or wait for it.
func TestAStepAllocatesNothing(t *testing.T) {
	sim := &countingDriver{Driver: ptxsim.New(ptxsim.Config{Workers: 2})}
	simulated, err := cuda.New("ptxsim", sim, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, simulated.Close()) })
	of := func(name string) Optimiser {
		o := Defaults(name)
		o.Schedule, o.ClipNorm = Schedule{Policy: Poly, Rate: 1e-6, Power: 1}, 1
		return o
	}
	sgd, adam, lars := of(SGD), of(Adam), of(LARS)
	adam.EMA = 0.999
	for _, c := range []struct {
		model          string
		optimiser      Optimiser
		device         device.Device
		shape          []int
		batch, samples int
	}{
		{"lenet", lars, openCPU(t, 2), []int{1, 28, 28}, 16, 40}, // the last batch is smaller
		{"alexnet", sgd, openCPU(t, 2), []int{3, 227, 227}, 2, 2},
		{"lenet", sgd, simulated, []int{1, 16, 16}, 4, 6},
		{"lenet", lars, simulated, []int{1, 16, 16}, 4, 6},
		{"lenet", adam, simulated, []int{1, 16, 16}, 4, 6},
	} {
		t.Run(c.model+" "+c.optimiser.Method+" "+c.device.Name(), func(t *testing.T) {
			if testing.Short() && c.model == "alexnet" {
				t.Skip("-short: AlexNet takes minutes under the race detector, and LeNet runs the same code")
			}
			n, err := models.Build(c.model, models.Options{Shape: c.shape})
			require.NoError(t, err)
			train, _ := synthetic(t, c.samples, 1, c.shape...)
			tr, err := newTrainer(Config{
				Network:    n,
				Device:     c.device,
				Train:      train,
				Optimiser:  c.optimiser,
				Batch:      c.batch,
				Accumulate: 1,
				Iterations: 1000,
			})
			require.NoError(t, err)
			epoch := func() (made uint64) {
				var before, after runtime.MemStats
				started := goroutines()
				runtime.ReadMemStats(&before)
				for range tr.perEpoch {
					if _, _, err := tr.step(0); err != nil {
						t.Fatal(err)
					}
					tr.iteration++
				}
				runtime.ReadMemStats(&after)
				return after.Mallocs - before.Mallocs + goroutines() - started
			}
			epoch() // warm up
			calls := sim.calls
			least := epoch()
			for i := 0; i < 10 && least > 0; i++ {
				least = min(least, epoch())
			}
			require.Zero(t, least)
			require.Equal(t, calls, sim.calls, "memory, streams, events and modules made or freed on the device, and waits for it")
			require.NoError(t, tr.exec.Sync())
			require.NoError(t, tr.close())
		})
	}
	require.Positive(t, sim.calls)
}

// goroutines is how many have been started.
func goroutines() uint64 {
	s := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
