package device

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// roomy is a device of which only the memory is asked. Each answer is what is free
// then.
type roomy struct {
	Device
	free []int64
	err  error
	asks *int
}

func (r roomy) MemInfo() (free, total int64, err error) {
	*r.asks++
	return r.free[*r.asks-1], 100, r.err
}

// What Go has freed and not given back yet counts as free: the device is asked
// again before bytes are refused.
func TestRoom(t *testing.T) {
	for _, c := range []struct {
		free []int64
		err  error
		asks int
		ok   bool
	}{
		{[]int64{50}, nil, 1, true},
		{[]int64{49, 50}, nil, 2, true},
		{[]int64{48, 49}, nil, 2, false},
		{[]int64{0}, errors.New("unknown"), 1, true},
	} {
		asks := 0
		free, total, ok := Room(roomy{free: c.free, err: c.err, asks: &asks}, 50)
		require.Equal(t, c.free[len(c.free)-1], free)
		require.EqualValues(t, 100, total)
		require.Equal(t, c.ok, ok, "%+v", c)
		require.Equal(t, c.asks, asks, "%+v", c)
	}
}

func TestMemoryFact(t *testing.T) {
	require.Equal(t, Fact{"memory", "1.5 GiB"}, Memory(0, 3<<29))
	require.Equal(t, Fact{"memory", "1.5 GiB, 0.5 free"}, Memory(1<<29, 3<<29))
}
