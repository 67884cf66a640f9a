package cuda_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// seededDriver has a fault: one kernel gets an address where there is no memory.
type seededDriver struct {
	driver.Driver
	kernel string
}

func (d *seededDriver) NewStream() (driver.Stream, error) {
	s, err := d.Driver.NewStream()
	return &seededStream{s, d.kernel}, err
}

type seededStream struct {
	driver.Stream
	kernel string
}

func (s *seededStream) Launch(f driver.Function, c driver.Config, args *driver.Args) error {
	if f.Name() != s.kernel {
		return s.Stream.Launch(f, c, args)
	}
	bad := *args
	bad.Slots()[0] = 64
	return s.Stream.Launch(f, c, &bad)
}

// On a device that reports errors when it is waited for, DebugSync finds the
// kernel and the layer. Without it the error says how to.
func TestDebugSync(t *testing.T) {
	r := run{model: "lenet", shape: []int{1, 16, 16}, batch: 1, iterations: 2, logEvery: 1}
	sim := ptxsim.New(ptxsim.Config{})
	defer sim.Close()
	for _, c := range []struct{ kernel, layer string }{
		{"pool_max_forward", "pool1"},
		{"update", "update"},
	} {
		open := func(debug bool) device.Device {
			dev, err := cuda.New("ptxsim", &lazyDriver{Driver: &seededDriver{sim, c.kernel}}, device.Options{DebugSync: debug})
			require.NoError(t, err)
			return dev
		}
		d := open(true)
		_, err := tryTrain(t, d, r)
		require.ErrorContains(t, err, c.layer+": "+c.kernel+": ")
		require.NotContains(t, err.Error(), "-debug-sync")
		d = open(false)
		_, err = tryTrain(t, d, r)
		require.ErrorContains(t, err, "sync: ")
		require.NotContains(t, err.Error(), c.layer+": ")
		require.ErrorContains(t, err, "; a kernel before may have failed: train -debug-sync finds which")
	}
}

// A device that does one thing at a time computes the same.
func TestDebugSyncComputes(t *testing.T) {
	small := run{model: "lenet", shape: []int{1, 16, 16}, batch: 1, iterations: 3, logEvery: 2, test: true}
	d, err := cuda.New("ptxsim", &lazyDriver{Driver: ptxsim.New(ptxsim.Config{})}, device.Options{DebugSync: true})
	require.NoError(t, err)
	defer d.Close()
	require.Equal(t, train(t, simulated(t, false), small), train(t, d, small))
}
