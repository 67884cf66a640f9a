package device

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// counter is a device that only tells how much memory it has, another number
// each time.
type counter struct {
	Device
	free  []int64
	err   error
	asked int
}

func (c *counter) MemInfo() (free, total int64, err error) {
	c.asked++
	return c.free[min(c.asked, len(c.free))-1], 100, c.err
}

// What Go has freed and not given back yet counts as free: the device is asked
// again before bytes are refused.
func TestRoom(t *testing.T) {
	collections := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumForcedGC
	}
	before := collections()
	d := &counter{free: []int64{10, 99}}
	free, total, ok := Room(d, 10)
	require.Equal(t, []any{int64(10), int64(100), true, 1}, []any{free, total, ok, d.asked}, "it just fits")
	require.Equal(t, before, collections())

	d = &counter{free: []int64{10, 11}}
	free, total, ok = Room(d, 11)
	require.Equal(t, []any{int64(11), int64(100), true, 2}, []any{free, total, ok, d.asked}, "it fits once Go's memory is freed")
	require.Greater(t, collections(), before)

	d = &counter{free: []int64{10, 11}}
	free, total, ok = Room(d, 12)
	require.Equal(t, []any{int64(11), int64(100), false, 2}, []any{free, total, ok, d.asked})

	_, _, ok = Room(&counter{free: []int64{0}, err: errors.New("it does not tell")}, 12)
	require.True(t, ok)
}

func TestMemoryFact(t *testing.T) {
	require.Equal(t, Fact{"memory", "1.5 GiB"}, Memory(0, 3<<29))
	require.Equal(t, Fact{"memory", "1.5 GiB, 0.5 free"}, Memory(1<<29, 3<<29))
}
