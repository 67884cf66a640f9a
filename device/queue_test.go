package device

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A queue keeps its first error, with where it happened, until Sync.
func TestFirstError(t *testing.T) {
	var f FirstError
	require.NoError(t, f.Sync())
	first := errors.New("out of beads")
	f.Fail("Copy", first)
	f.Fail("Add", errors.New("a later one"))
	require.EqualError(t, f.Err, "Copy: out of beads")
	err := f.Sync()
	require.ErrorIs(t, err, first)
	require.NoError(t, f.Err)
	require.NoError(t, f.Sync(), "an error is reported once")

	f.Scope("conv1 forward")
	f.Fail("ConvForward", first)
	require.EqualError(t, f.Sync(), "conv1 forward: ConvForward: out of beads")
	f.Scope("")
	f.Fail("Copy", first)
	require.EqualError(t, f.Sync(), "Copy: out of beads")
}

func TestImmediateEvents(t *testing.T) {
	var q Immediate
	start, end := NewImmediateEvent(), NewImmediateEvent()
	_, err := end.Since(start)
	require.ErrorContains(t, err, "not both recorded")
	q.Record(start)
	took, err := end.Since(start)
	require.ErrorContains(t, err, "not both recorded")
	require.Zero(t, took)
	_, err = start.Since(end)
	require.ErrorContains(t, err, "not both recorded")
	time.Sleep(time.Millisecond)
	q.Record(end)
	took, err = end.Since(start)
	require.NoError(t, err)
	require.GreaterOrEqual(t, took, time.Millisecond)
	took, err = start.Since(end)
	require.NoError(t, err)
	require.Negative(t, took)
}

// Who waits for a queue that failed has failed too, with the first error that
// it knows of; an event that is recorded again forgets.
func TestImmediateWaitTakesOverTheError(t *testing.T) {
	failed, other := errors.New("out of beads"), errors.New("its own")
	var from, to Immediate
	e := NewImmediateEvent()
	from.Fail("Copy", failed)
	from.Record(e)
	to.Wait(e)
	require.ErrorIs(t, to.Sync(), failed)
	require.Zero(t, e.(*immediateEvent).at, "a point that was not reached has no time")

	to.Fail("Add", other)
	to.Wait(e)
	require.ErrorIs(t, to.Sync(), other)

	require.ErrorIs(t, from.Sync(), failed)
	from.Record(e)
	to.Wait(e)
	require.NoError(t, to.Sync())
}

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
