package cuda

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// suiteDevice is a device as the suite's cases are run on it: without
// products, and such that a kernel that reads beyond its arguments is at
// fault.
type suiteDevice struct {
	*Device
	sim      *ptxsim.Sim
	counters *ptxsim.Counters // of launches since it was cleared
	aligned  bool             // every buffer is
	low      bool             // limits of launches are so low that small shapes reach them
}

// fours are long cases whose kernels move four floats at a time.
var fours = regexp.MustCompile(`^(map .*\[4,1,4096\]|update (sgd|nesterov).* layout 0,)`)

// check is c.Check, and looks for the vectors of element-wise kernels.
func (d suiteDevice) check(c devicetest.Case, o devicetest.Options) error {
	if d.low {
		before := limits
		limits.gridY, limits.elements, limits.blocks = 1, 100, 1
		defer func() { limits = before }()
	}
	*d.counters = ptxsim.Counters{}
	if err := c.Check(d, o); err != nil {
		return err
	}
	// A warp that moves four floats a lane moves 512 bytes with a request; one
	// by one takes four times the requests.
	n := d.counters.LoadRequests + d.counters.StoreRequests
	if most := 2 * c.Bytes() / 512; d.aligned && !o.NoAllocs && fours.MatchString(c.Op+" "+c.Name) && c.Bytes() > 1<<13 && n > most {
		return fmt.Errorf("%d requests of memory, %d are enough for vectors", n, most)
	}
	return nil
}

func (d suiteDevice) NewQueue() (device.Queue, error) {
	q, err := d.newQueue()
	return &suiteQueue{queue: q, sim: d.sim}, err
}

// oddDriver makes buffers at odd addresses: of every so many, the one of that
// number begins a float after what a vector of four needs.
type oddDriver struct {
	driver.Driver
	every, number int
	count         *int
}

func (d oddDriver) Alloc(name string, bytes int64) (driver.Ptr, error) {
	if !strings.HasPrefix(name, "buffer ") {
		return d.Driver.Alloc(name, bytes)
	}
	*d.count++
	if *d.count%d.every != d.number {
		return d.Driver.Alloc(name, bytes)
	}
	p, err := d.Driver.Alloc(name, bytes+4)
	return p.Offset(4), err
}

func (d oddDriver) Free(p driver.Ptr) error { return d.Driver.Free(p &^ (alignment - 1)) }

type suiteQueue struct {
	*queue
	sim *ptxsim.Sim
}

// Upload makes the guards around a case's argument unreadable.
func (q *suiteQueue) Upload(dst device.Tensor, src *tensor.Dense) {
	q.queue.Upload(dst, src)
	const guard = 256
	if n := dst.Bytes(); q.Err == nil && n == dst.Buffer.Size() && n > 2*guard {
		p := q.at(dst)
		if err := errors.Join(q.sim.Forget(p, guard), q.sim.Forget(p.Offset(n-guard), guard)); err != nil {
			q.Fail("forget", err)
		}
	}
}

// onceDriver loads each module once.
type onceDriver struct {
	driver.Driver
	modules map[string]driver.Module
}

func (d onceDriver) Load(name, text string) (driver.Module, error) {
	if m, ok := d.modules[name]; ok {
		return m, nil
	}
	m, err := d.Driver.Load(name, text)
	d.modules[name] = m
	return m, err
}

// suiteDevices are devices of one simulator, each with other addresses.
func suiteDevices(t *testing.T, sim *ptxsim.Sim, d driver.Driver, c *ptxsim.Counters) []suiteDevice {
	d = onceDriver{d, map[string]driver.Module{}}
	drivers := []driver.Driver{d, oddDriver{d, 1, 0, new(int)}}
	for number := range 3 {
		drivers = append(drivers, oddDriver{d, 3, number, new(int)})
	}
	var all []suiteDevice
	for i, d := range drivers {
		dev, err := New("ptxsim", d, device.Options{})
		require.NoError(t, err)
		all = append(all, suiteDevice{dev, sim, c, i == 0, i == 1})
	}
	return all
}

var products = regexp.MustCompile("^(gemm|dense|conv)")

// simulated is the suite's cases that are small enough to be simulated many
// times over.
func simulated(o devicetest.Options) []devicetest.Case {
	return slices.DeleteFunc(devicetest.Cases(o), func(c devicetest.Case) bool {
		return products.MatchString(c.Op) || c.Bytes() > 1<<18
	})
}

// Every kernel but those of products passes the suite's cases, for each
// capability; at addresses that allow no vectors too, and where launches reach
// their limits.
func TestKernels(t *testing.T) {
	for _, capability := range capabilities {
		missing := entries(t, capability)
		var counters ptxsim.Counters
		sim := ptxsim.New(ptxsim.Config{Capability: capability, OnLaunch: func(r ptxsim.Report) {
			delete(missing, r.Kernel)
			counters.Add(&r.Counters)
		}})
		t.Cleanup(func() { require.NoError(t, sim.Close()) })
		for i, dev := range suiteDevices(t, sim, sim, &counters) {
			if i > 0 && capability != capabilities[0] {
				continue // but for their target, the texts are the same
			}
			t.Run(fmt.Sprintf("sm%d addresses %d", capability, i), func(t *testing.T) {
				o := devicetest.Options{Seed: 1, Random: 6}
				for _, c := range simulated(o) {
					o.NoAllocs = i == 0 && c.Bytes() < 1<<16
					require.NoError(t, dev.check(c, o), "%s %s", c.Op, c.Name)
				}
			})
		}
		require.Empty(t, missing, "kernels that no case runs")
	}
}

// approximate are the operations whose kernels have approximate instructions.
var approximate = regexp.MustCompile("^(lrn|softmax)")

// The tolerances of the suite leave room for approximations that are as bad as PTX
// allows. Those of hardware are better, but not as good as the simulator's.
func TestRoughApproximations(t *testing.T) {
	sim := ptxsim.New(ptxsim.Config{Rough: true, Unchecked: true})
	dev, err := New("ptxsim", sim, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	o := devicetest.Options{Seed: 1}
	for _, c := range simulated(o) {
		if approximate.MatchString(c.Op) {
			require.NoError(t, c.Check(dev, o), "%s %s", c.Op, c.Name)
		}
	}
}

var entry = regexp.MustCompile(`\.visible \.entry (\w+)\(`)

// entries is the kernels that ship, without products: those have tests that look
// for every kernel and choose the shapes.
func entries(t *testing.T, capability int) map[string]bool {
	kernels := map[string]bool{}
	files, err := fs.Glob(ptx, ptxFile(capability, "*"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := ptx.ReadFile(file)
		require.NoError(t, err)
		for _, e := range entry.FindAllSubmatch(text, -1) {
			if suites[strings.TrimSuffix(path.Base(file), ".ptx")] == nil {
				kernels[string(e[1])] = true
			}
		}
	}
	return kernels
}
