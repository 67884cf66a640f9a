package cuda

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// fullDriver gives no memory, and says how much there is, or that it does not know.
type fullDriver struct {
	driver.Driver
	free, total int64
	unknown     error
}

var errFull = errors.New("full")

func (d *fullDriver) Alloc(string, int64) (driver.Ptr, error) { return 0, errFull }

func (d *fullDriver) HostAlloc(int64) ([]byte, error) { return nil, errFull }

func (d *fullDriver) MemInfo() (free, total int64, err error) { return d.free, d.total, d.unknown }

// hostCounter counts the host memory that it gave and got back, and how often it was closed.
type hostCounter struct {
	driver.Driver
	given, closed int
}

func (d *hostCounter) Close() error {
	d.closed++
	return d.Driver.Close()
}

func (d *hostCounter) HostAlloc(bytes int64) ([]byte, error) {
	d.given++
	return d.Driver.HostAlloc(bytes)
}

func (d *hostCounter) HostFree(mem []byte) error {
	d.given--
	return d.Driver.HostFree(mem)
}

// Host memory goes back to the driver, once, unless the device is closed.
func TestHostMemoryGoesBack(t *testing.T) {
	counting := &hostCounter{Driver: ptxsim.New(ptxsim.Config{})}
	dev, err := New("card", counting, device.Options{})
	require.NoError(t, err)
	h, err := dev.HostAlloc(64)
	require.NoError(t, err)
	require.Equal(t, 1, counting.given)
	for range 2 {
		require.NoError(t, h.Free())
		require.Zero(t, counting.given)
		require.Nil(t, h.Bytes())
	}
	h, err = dev.HostAlloc(64)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, dev.Close())
		require.Equal(t, 1, counting.closed)
	}
	require.NoError(t, h.Free())
	require.Equal(t, 1, counting.given)
}

// Memory that is refused is named in what it would have been, beside what there is
// where that is less.
func TestMemoryRefused(t *testing.T) {
	full := &fullDriver{Driver: ptxsim.New(ptxsim.Config{})}
	dev, err := New("card", full, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	unknown := errors.New("unknown")
	before := limits.blocks
	limits.blocks = 3 << 18 / across
	t.Cleanup(func() { limits.blocks = before })
	for _, c := range []struct {
		free, total int64
		unknown     error
		says        string
	}{
		{3 << 19, 4 << 20, nil, "card: cannot allocate 3.0 MiB: 1.5 of 4.0 MiB are free; a smaller batch needs less: full"},
		{3<<20 - 1, 4 << 20, nil, "card: cannot allocate 3.0 MiB: 3.0 of 4.0 MiB are free; a smaller batch needs less: full"},
		{3 << 20, 4 << 20, nil, "card: cannot allocate 3.0 MiB: full"}, // in pieces
		{0, 0, unknown, "card: cannot allocate 3.0 MiB: full"},
	} {
		full.free, full.total, full.unknown = c.free, c.total, c.unknown
		_, err := dev.Alloc(3 << 20)
		require.EqualError(t, err, c.says)
		require.ErrorIs(t, err, errFull)
		_, err = dev.NewQueue() // its partial sums
		require.EqualError(t, err, c.says)
		_, err = dev.HostAlloc(3 << 20)
		require.EqualError(t, err, "card: cannot allocate 3.0 MiB of host memory: full")
		free, total, err := dev.MemInfo()
		if c.unknown != nil {
			require.EqualError(t, err, "card: unknown")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, [2]int64{c.free, c.total}, [2]int64{free, total})
	}
	_, err = dev.Alloc(-1)
	require.EqualError(t, err, "card: cannot allocate -1 bytes")
	_, err = dev.HostAlloc(-1)
	require.EqualError(t, err, "card: cannot allocate -1 bytes of host memory")
}
