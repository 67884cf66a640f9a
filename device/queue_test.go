package device

import (
	"errors"
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
	var of Lifetime
	q := NewImmediate(&of)
	start, end := NewImmediateEvent(&of), NewImmediateEvent(&of)
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
	var of Lifetime
	from, to := NewImmediate(&of), NewImmediate(&of)
	e := NewImmediateEvent(&of)
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
