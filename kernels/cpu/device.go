// Package cpu is the device "cpu": every kernel in Go, with register tiles in
// Go assembly, on a fixed set of workers.
//
// The tile of a machine, its path, is avx512, avx2, neon or generic: the best there
// is, or what device.Options.CPUPath or HUBEL_CPU names. On one path results are the same bits for any
// number of workers: work is cut by shape, never by worker, and the order of
// every sum follows from the shape alone. The assembly fuses a multiplication
// with the addition that follows; the generic path rounds in between, even
// where the processor could fuse, and so gives the same bits on every
// platform.
package cpu

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/parallel"
)

// maxWorkers bounds the goroutines and the memory that New makes.
const maxWorkers = 4096

// Device is the machine's processor and memory.
type Device struct {
	engine *gemm.Engine
	pool   *parallel.Pool
	traits traits
	open   device.Lifetime
}

func init() {
	device.Register("cpu", device.Driver{
		Open: func(name string, o device.Options) (device.Device, error) {
			if name != "cpu" {
				return nil, fmt.Errorf("device %q: there is one cpu device, named cpu; -threads chooses how many cores it uses", name)
			}
			d, err := Open(o)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
		Traits: func(_ string, o device.Options) (device.Traits, error) {
			tile, err := gemm.Named(o.CPUPath)
			if err != nil {
				return nil, fmt.Errorf("cpu: %w", err)
			}
			return traits{tile, o.DirectConv}, nil
		},
		List: func(o device.Options) []device.Info { return []device.Info{describe(o)} },
	})
}

// describe says what Open would open.
func describe(o device.Options) device.Info {
	info := device.Info{Name: "cpu"}
	d, err := Open(o)
	if err != nil {
		info.Problem = strings.TrimPrefix(err.Error(), "cpu: ")
		return info
	}
	defer d.Close()
	info.Facts = []device.Fact{
		{Name: "path", Value: fmt.Sprintf("%s, of %s; -cpu-path or HUBEL_CPU chooses", d.Tile(), strings.Join(gemm.Names(), ", "))},
		{Name: "threads", Value: strconv.Itoa(d.pool.Workers())},
	}
	if free, total, err := d.MemInfo(); err == nil {
		info.Facts = append(info.Facts, device.Memory(free, total))
	}
	return info
}

// New opens the device with a number of workers, the goroutine that calls a
// kernel included; 0 means runtime.GOMAXPROCS.
func New(workers int) (*Device, error) { return Open(device.Options{Threads: workers}) }

// Open is New with options.
func Open(o device.Options) (*Device, error) {
	workers := o.Threads
	if workers < 0 || workers > maxWorkers {
		return nil, fmt.Errorf("cpu: %d threads; there can be 1 to %d, or 0 for as many as the process may use", workers, maxWorkers)
	}
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	tile, err := gemm.Named(o.CPUPath)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	pool := parallel.New(workers)
	return &Device{engine: gemm.NewEngine(tile, pool), pool: pool, traits: traits{tile, o.DirectConv}}, nil
}

// Name is "cpu".
func (d *Device) Name() string { return "cpu" }

// Traits are those of the register tile in use.
func (d *Device) Traits() device.Traits { return d.traits }

// Arithmetic is the path: the order of every sum, and where it is rounded, follow
// from it.
func (d *Device) Arithmetic() string { return "cpu " + d.Tile() }

// Tile is the name of the register tile in use: the path that
// device.Options.CPUPath or HUBEL_CPU forces.
func (d *Device) Tile() string { return d.engine.Tile.Name }

// NewQueue returns a queue whose calls return when they are done. Several
// queues take turns at the workers.
func (d *Device) NewQueue() (device.Queue, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return &queue{Immediate: device.NewImmediate(&d.open), engine: d.engine, pool: d.pool, traits: d.traits}, nil
}

// NewEvent returns an event that remembers a time.
func (d *Device) NewEvent() (device.Event, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return device.NewImmediateEvent(&d.open), nil
}

// Close ends the workers' goroutines.
func (d *Device) Close() error {
	d.open.End()
	d.pool.Close()
	return nil
}

// check is an error once the device is closed.
func (d *Device) check() error {
	if err := d.open.Check(); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	return nil
}
