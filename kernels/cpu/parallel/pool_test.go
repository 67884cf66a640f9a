package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// count notes how often each item ran, and that no worker ran two at once.
type count struct {
	items   []int32
	busy    []atomic.Int32
	clashes atomic.Int32
}

func (c *count) Run(item, worker int) {
	if c.busy[worker].Add(1) != 1 {
		c.clashes.Add(1)
	}
	c.items[item]++
	c.busy[worker].Add(-1)
}

func TestEveryItemRunsOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 4} {
		p := New(workers)
		for _, items := range []int{0, 1, 2, 3, 100} {
			for range 200 {
				c := &count{items: make([]int32, items), busy: make([]atomic.Int32, workers)}
				p.Acquire()
				p.Run(c, items)
				p.Release()
				for i, n := range c.items {
					require.EqualValues(t, 1, n, "%d workers, item %d of %d", workers, i, items)
				}
				require.Zero(t, c.clashes.Load())
			}
		}
		p.Close()
	}
}

// A pool may be closed twice, and what comes after runs on the caller alone.
func TestCloseTwice(t *testing.T) {
	p := New(3)
	p.Close()
	p.Close()
	c := &count{items: make([]int32, 100), busy: make([]atomic.Int32, 1)}
	p.Acquire()
	p.Run(c, len(c.items))
	p.Release()
	for i, n := range c.items {
		require.EqualValues(t, 1, n, i)
	}
}

func TestSleepersWake(t *testing.T) {
	p := New(3)
	defer p.Close()
	for range 5 {
		require.Eventually(t, func() bool {
			return p.helpers[0].asleep.Load() && p.helpers[1].asleep.Load()
		}, 10*time.Second, time.Millisecond, "idle workers go to sleep")
		m := &meeting{}
		m.all.Add(3)
		p.Acquire()
		p.Run(m, 3)
		p.Release()
	}
}

// meeting is a task that ends only once three workers run at the same time.
type meeting struct{ all sync.WaitGroup }

func (m *meeting) Run(_, _ int) {
	m.all.Done()
	m.all.Wait()
}

func TestUsersTakeTurns(t *testing.T) {
	p := New(2)
	defer p.Close()
	c := &count{items: make([]int32, 8), busy: make([]atomic.Int32, 2)}
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 500 {
				p.Acquire()
				p.Run(c, len(c.items))
				p.Release()
			}
		})
	}
	users.Wait()
	for i, n := range c.items {
		require.EqualValues(t, 2000, n, "item %d", i)
	}
	require.Zero(t, c.clashes.Load())
}

func TestCloseEndsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	p := New(8)
	require.Equal(t, before+7, runtime.NumGoroutine())
	p.Close()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	require.Equal(t, before, runtime.NumGoroutine())
}

func TestRunAllocatesNothing(t *testing.T) {
	p := New(2)
	defer p.Close()
	c := &count{items: make([]int32, 8), busy: make([]atomic.Int32, 2)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		p.Acquire()
		p.Run(c, len(c.items))
		p.Release()
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.Mallocs-before.Mallocs, uint64(100), "allocations in 1000 runs")
}

func BenchmarkRun(b *testing.B) {
	p := New(2)
	defer p.Close()
	c := &count{items: make([]int32, 2), busy: make([]atomic.Int32, 2)}
	for b.Loop() {
		p.Acquire()
		p.Run(c, 2)
		p.Release()
	}
}
