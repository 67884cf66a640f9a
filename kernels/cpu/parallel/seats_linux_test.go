package parallel

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// onThread runs f on a thread of its own, which ends with it.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked
		defer close(done)
		f()
	}()
	<-done
}

// affinity is the set of processors that the thread may run on.
func affinity(t *testing.T) unix.CPUSet {
	var s unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &s))
	return s
}

func TestWorkersPart(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors to move from one to the other")
	}
	onThread(func() {
		before := affinity(t)
		s := newSeats(3)
		for range 20 {
			here := s.note(0)
			s.part(1)
			there := s[1].Load()
			require.NotEqual(t, s[0].Load(), there, "worker 1 leaves the processor of worker 0")
			require.NotEqual(t, int32(none), here)
			require.Equal(t, before, affinity(t), "the thread may run where it might before")
			s.leave(1)
		}
	})
}

func TestWorkersStayWhereNoneIsFree(t *testing.T) {
	onThread(func() {
		s := newSeats(2)
		here := s.note(0)
		var one unix.CPUSet
		one.Set(int(here))
		require.NoError(t, unix.SchedSetaffinity(0, &one))
		s.part(1)
		require.Equal(t, s[0].Load(), s[1].Load(), "there is no other processor")
		require.Equal(t, one, affinity(t))
	})
}

func TestSleepersTakeNoSeat(t *testing.T) {
	onThread(func() {
		s := newSeats(2)
		here := s.note(0)
		require.True(t, s.taken(1, here))
		s.leave(0)
		require.False(t, s.taken(1, here))
	})
}
