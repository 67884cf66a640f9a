package cuda

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// idleDriver runs no kernels: a launch is counted, and err its result.
type idleDriver struct {
	driver.Driver
	launches int
	err      error
}

func (d *idleDriver) NewStream() (driver.Stream, error) {
	s, err := d.Driver.NewStream()
	return idleStream{s, d}, err
}

type idleStream struct {
	driver.Stream
	d *idleDriver
}

func (s idleStream) Launch(driver.Function, driver.Config, *driver.Args) error {
	s.d.launches++
	return s.d.err
}

// After a launch that fails, nothing else is launched, by the same call either.
func TestFirstErrorStopsLaunches(t *testing.T) {
	idle := &idleDriver{Driver: ptxsim.New(ptxsim.Config{Unchecked: true})}
	dev, err := New("ptxsim", idle, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	before := limits
	limits.elements = 100
	t.Cleanup(func() { limits = before })
	broken := errors.New("broken")
	several := map[string]bool{}
	for _, c := range devicetest.Cases(devicetest.Options{Seed: 1}) {
		if c.FLOPs > 1<<22 || c.Bytes() > 1<<18 {
			continue
		}
		idle.launches, idle.err = 0, nil
		_ = c.Check(dev, devicetest.Options{Seed: 1}) // which nothing computes
		if idle.launches > 1 {
			several[c.Op] = true
		}
		want := min(idle.launches, 1)
		idle.launches, idle.err = 0, broken
		if want > 0 {
			require.ErrorIs(t, c.Check(dev, devicetest.Options{Seed: 1}), broken, "%s %s", c.Op, c.Name)
		}
		require.Equal(t, want, idle.launches, "%s %s", c.Op, c.Name)
	}
	for _, op := range []string{"gemm", "dense backward-filter", "conv forward", "conv backward-data", "conv backward-filter", "pool forward", "pool backward", "pool gather", "strided copy", "reduce"} {
		require.True(t, several[op], "no case of %s launches several kernels: %v", op, several)
	}
}
