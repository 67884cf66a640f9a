// Package roof measures the two limits of a processor that no kernel passes:
// its rate of float32 multiply-adds and its memory bandwidth (the roofline of
// Williams et al. 2009). It also tells how far apart its cores are.
package roof

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// flopsPerStep is what one step of every loop does, a multiply-add being two:
// 384 multiply-adds.
const flopsPerStep = 768

// attempts is how often each limit is measured. The best counts: a limit is
// what the machine can do when nothing disturbs it.
const attempts = 5

// PeakFLOPS is the rate of float32 multiply-adds, in operations a second, of
// so many threads together, on the path that gemm.Tile names: "avx512",
// "avx2", "neon", or anything else for plain Go. Operands never leave registers.
func PeakFLOPS(path string, threads int) float64 {
	loop := loopOf(path)
	steps := 1
	for best(1, 1, func(int) { loop(steps) }) < 10*time.Millisecond {
		steps *= 2
	}
	elapsed := best(attempts, threads, func(int) { loop(steps) })
	return float64(threads) * float64(steps) * flopsPerStep / elapsed.Seconds()
}

// array is far larger than any cache.
const array = 256 << 20

// Bandwidth is what a copy of large arrays reads and writes, in bytes a second,
// by so many threads together. Where the processor fetches a line before it
// writes it, the traffic is half as much again; kernels pay that too.
func Bandwidth(threads int) float64 {
	part := array / threads
	from, to := make([]byte, array), make([]byte, array)
	for i := range from { // every page is there, and its own
		from[i], to[i] = byte(i), 1
	}
	elapsed := best(attempts, threads, func(i int) {
		copy(to[i*part:(i+1)*part], from[i*part:(i+1)*part])
	})
	return 2 * float64(part) * float64(threads) / elapsed.Seconds()
}

// handoffs is how many round trips are timed together, and windows how often.
const (
	handoffs = 100
	windows  = 101
)

// Handoff is how long a word takes from one thread to another and back: the
// median, since it differs between pairs of cores and a system may move
// threads. Some 50 ns are cores that share a cache, 300 ns and more cores that do
// not; threads that share one core take milliseconds.
func Handoff() time.Duration {
	var word atomic.Int64
	var done sync.WaitGroup
	end := time.Now().Add(50 * time.Millisecond)
	done.Go(func() {
		for v := word.Load(); v >= 0; v = word.Load() {
			if v&1 != 0 {
				word.Store(v + 1)
			}
		}
	})
	var times []time.Duration
	for i := int64(0); len(times) < windows && (len(times) == 0 || time.Now().Before(end)); {
		start := time.Now()
		for range handoffs {
			word.Store(2*i + 1)
			for i++; word.Load() != 2*i; {
			}
		}
		times = append(times, time.Since(start)/handoffs)
	}
	word.Store(-1)
	done.Wait()
	slices.Sort(times)
	return times[len(times)/2]
}

// best is the shortest of some runs of f, by several threads at once.
func best(attempts, threads int, f func(thread int)) time.Duration {
	shortest := time.Duration(0)
	for range attempts {
		var done sync.WaitGroup
		start := time.Now()
		for i := 1; i < threads; i++ {
			done.Go(func() { f(i) })
		}
		f(0)
		done.Wait()
		if elapsed := time.Since(start); shortest == 0 || elapsed < shortest {
			shortest = max(elapsed, 1)
		}
	}
	return shortest
}

// scalar is 384 multiply-adds a step in plain Go, in eight chains, so that
// none waits for the one before.
func scalar(steps int) {
	var a, b, c, d, e, f, g, h float32
	x, y := float32(0.5), float32(0.25)
	for range 48 * steps {
		a, b, c, d = a*x+y, b*x+y, c*x+y, d*x+y
		e, f, g, h = e*x+y, f*x+y, g*x+y, h*x+y
	}
	keep(a + b + c + d + e + f + g + h)
}

// keep makes the compiler compute x.
//
//go:noinline
func keep(x float32) float32 { return x }
