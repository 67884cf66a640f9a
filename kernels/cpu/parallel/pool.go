// Package parallel runs the items of a task on a fixed set of workers.
//
// Which worker runs which item is left to chance; a task whose results
// depend on its items alone gives the same bits for any number of workers.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Task is work cut into items that may run in any order and at once.
type Task interface {
	// Run does one item. No two calls that run at once have the same worker,
	// a number from 0 to Workers()-1: it chooses the scratch memory.
	Run(item, worker int)
}

// Pool is a set of workers: the goroutine that calls Run is worker 0, the
// others wait for it, spinning for a while before they sleep.
type Pool struct {
	workers int
	users   sync.Mutex // held between Acquire and Release
	closed  bool       // by whoever holds users

	// The task at hand. Written only while no worker is inside the gate.
	task Task

	spans []span // one for each worker

	// gate lets workers into the task at hand: its round, and a flag. Workers read it;
	// only the caller of Run writes it.
	gate atomic.Uint64

	helpers []helper
	bound   bool // helpers stay on their nodes, each on a thread of its own
	watch   func(Task, int) bool
	seats   seats
	ended   sync.WaitGroup
}

const (
	open  = 1 // workers may enter
	round = 2 // one more task
)

// span is the items that a worker begins with: as many as those of the others,
// and the same ones in two tasks of as many items, so that a worker finds in its
// cache what it made itself. Whoever has done with its span goes on with those
// of others.
type span struct {
	next atomic.Int64 // the first item nobody has taken
	end  int64
	_    [48]byte // a cache line each
}

// helper is one of the goroutines that wait for work.
type helper struct {
	inside atomic.Bool   // the gate; only the helper writes it
	asleep atomic.Bool   // whoever clears it sends to wake
	wake   chan struct{} // holds one token
	_      [48]byte      // a cache line each
}

// spins is how often a worker looks for work before it sleeps: some 60
// microseconds, as long as it takes to wake it, and more than most kernels are
// apart.
const spins = 8000

// nap is how long the caller sleeps between two looks at a worker that takes
// longer than patience looks: than items should.
const (
	patience = 4 * spins
	nap      = 20 * time.Microsecond
)

// New returns a pool of at least one worker. It must be closed.
func New(workers int) *Pool { return newPool(workers, nodes(sysNodes, workers)) }

// newPool is New on a machine whose nodes the workers stay on, if there are any.
func newPool(workers int, machine []node) *Pool {
	p := &Pool{workers: max(workers, 1), bound: len(machine) > 0}
	p.helpers = make([]helper, p.workers-1)
	p.seats = newSeats(p.workers)
	p.spans = make([]span, p.workers)
	p.ended.Add(len(p.helpers))
	for i := range p.helpers {
		p.helpers[i].wake = make(chan struct{}, 1)
		go func() {
			defer p.ended.Done()
			stay(machine, i+1, p.workers)
			p.help(i + 1)
		}()
	}
	return p
}

// Watch has f called with each task and its number of items, and the items run only if it says
// so. A test counts by it. The caller has acquired the pool.
func (p *Pool) Watch(f func(t Task, items int) (run bool)) { p.watch = f }

// Workers is the number of workers, the caller of Run included.
func (p *Pool) Workers() int { return p.workers }

// Acquire waits until the pool, and with it the workers' scratch memory, is
// the caller's alone. Release gives it to the next.
func (p *Pool) Acquire() { p.users.Lock() }

// Release ends what Acquire began.
func (p *Pool) Release() { p.users.Unlock() }

// Run runs all items of t and returns when they are done. The caller has
// acquired the pool. Run allocates nothing. After Close the caller runs all of
// them.
func (p *Pool) Run(t Task, items int) {
	if p.watch != nil && !p.watch(t, items) {
		return
	}
	if p.workers == 1 || items <= 1 || p.closed {
		for i := range items {
			t.Run(i, 0)
		}
		return
	}
	p.task = t
	for w := range p.spans {
		p.spans[w].next.Store(int64(w * items / p.workers))
		p.spans[w].end = int64((w + 1) * items / p.workers)
	}
	p.seats.note(0)
	p.gate.Store(p.gate.Load() + round | open)
	for i := range min(len(p.helpers), items-1) {
		p.helpers[i].rouse()
	}
	defer p.shut() // also when an item panics
	p.work(t, 0)
}

// work takes items, its own span first, until there are none.
func (p *Pool) work(t Task, worker int) {
	for k := range p.spans {
		s := &p.spans[(worker+k)%p.workers]
		if s.next.Load() >= s.end { // most often so: reading keeps the line where it is
			continue
		}
		for i := s.next.Add(1) - 1; i < s.end; i = s.next.Add(1) - 1 {
			t.Run(int(i), worker)
		}
	}
}

// shut closes the gate and waits for those inside. A worker that has not yet
// woken is not waited for: there is nothing left for it to do. What is waited
// for is less than an item, so a nap is enough where spinning is not; unlike a
// channel, it never allocates.
func (p *Pool) shut() {
	p.gate.Store(p.gate.Load() &^ open)
	for h := range p.helpers {
		for i := 0; p.helpers[h].inside.Load(); i++ {
			if i < patience {
				pause(i)
			} else {
				time.Sleep(nap)
			}
		}
	}
}

// help is the life of a worker. It says that it is inside before it looks at the gate once
// more, and whoever shuts the gate does so before it looks who is inside: one of them sees
// the other.
func (p *Pool) help(worker int) {
	var last uint64 // the round before
	for {
		g, ok := p.await(worker, last)
		if !ok {
			return
		}
		last = g / round
		h := &p.helpers[worker-1]
		if h.inside.Store(true); p.gate.Load() == g {
			p.seats.part(worker)
			p.work(p.task, worker)
		}
		h.inside.Store(false)
	}
}

// await returns the gate once it is open for another round than the last,
// or false once the pool is closed. A goroutine with a thread of its own does not let
// others run while it spins: each time, the threads would change too, which takes longer
// than tasks are apart.
func (p *Pool) await(worker int, last uint64) (gate uint64, ok bool) {
	h := &p.helpers[worker-1]
	for {
		for i := range spins {
			if g := p.gate.Load(); g&open != 0 && g/round != last {
				return g, true
			}
			if p.bound {
				spin()
			} else {
				pause(i)
			}
		}
		p.seats.leave(worker)
		h.asleep.Store(true)
		if g := p.gate.Load(); g&open != 0 && g/round != last && h.asleep.CompareAndSwap(true, false) {
			return g, true
		}
		if _, ok := <-h.wake; !ok {
			return 0, false
		}
	}
}

func (h *helper) rouse() {
	if h.asleep.Load() && h.asleep.CompareAndSwap(true, false) {
		h.wake <- struct{}{}
	}
}

// Close ends the workers' goroutines, once nobody has acquired the pool. Closing
// twice does nothing.
func (p *Pool) Close() {
	p.users.Lock()
	defer p.users.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	for i := range p.helpers {
		close(p.helpers[i].wake)
	}
	p.ended.Wait()
}

// pause spins, and now and then lets other goroutines run: there may be one processor for
// all.
func pause(i int) {
	if i%64 == 63 {
		runtime.Gosched()
	}
	spin()
}

// spin lets some nanoseconds pass without a memory access.
func spin() {
	for range 16 {
	}
}
