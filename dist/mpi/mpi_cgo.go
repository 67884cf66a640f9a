//go:build mpi

package mpi

// The compiler is mpicc (see `make mpi`), which knows where MPI is.

/*
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>

// The constants of MPI are macros, and some are casts of pointers, so that Go calls these.
static MPI_Comm comm;

static int hubel_init(int *rank, int *size, int *level) {
	int err = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, level);
	if (err != MPI_SUCCESS) return err;
	if ((err = MPI_Comm_dup(MPI_COMM_WORLD, &comm)) != MPI_SUCCESS) return err;
	MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
	MPI_Comm_rank(comm, rank);
	return MPI_Comm_size(comm, size);
}
static int hubel_funneled(void) { return MPI_THREAD_FUNNELED; }
static int hubel_all_reduce(float *x, int n, MPI_Request *r) {
	return MPI_Iallreduce(MPI_IN_PLACE, x, n, MPI_FLOAT, MPI_SUM, comm, r);
}
static int hubel_reduce_scatter(float *dst, const float *src, const int *counts, MPI_Request *r) {
	return MPI_Ireduce_scatter(src, dst, counts, MPI_FLOAT, MPI_SUM, comm, r);
}
static int hubel_all_to_all(float *dst, const int *into, const int *to, const float *src, const int *from, const int *begin, MPI_Request *r) {
	return MPI_Ialltoallv(src, from, begin, MPI_FLOAT, dst, into, to, MPI_FLOAT, comm, r);
}
static int hubel_all_gather(float *dst, const int *counts, const int *begin, MPI_Request *r) {
	return MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_FLOAT, dst, counts, begin, MPI_FLOAT, comm, r);
}
static int hubel_all_gather_bytes(void *dst, const int *counts, const int *begin, const void *src, int n, MPI_Request *r) {
	return MPI_Iallgatherv(src, n, MPI_BYTE, dst, counts, begin, MPI_BYTE, comm, r);
}
static int hubel_broadcast(float *x, int n, int root, MPI_Request *r) {
	return MPI_Ibcast(x, n, MPI_FLOAT, root, comm, r);
}
// Each question moves a part of what is under way. A rank that waits for it leaves its processor
// to others between questions.
static int hubel_test(MPI_Request *r, int times, int waiting, int *done) {
	int err = MPI_SUCCESS;
	for (*done = 0; times > 0 && !*done && err == MPI_SUCCESS; times--) {
		err = MPI_Test(r, done, MPI_STATUS_IGNORE);
		if (waiting) sched_yield();
	}
	return err;
}
static void hubel_abort(void) { MPI_Abort(comm, 1); }
static int hubel_finalize(void) { return MPI_Finalize(); }
static void hubel_error(int err, char *text) {
	int n = 0;
	if (MPI_Error_string(err, text, &n) != MPI_SUCCESS) n = 0;
	text[n] = 0;
}
static MPI_Request *hubel_request(void) { return malloc(sizeof(MPI_Request)); }
enum { hubel_error_bytes = MPI_MAX_ERROR_STRING + 1 };
*/
import "C"

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
)

// check makes an error of what a function of MPI has returned.
func check(what string, err C.int) error {
	if err == C.MPI_SUCCESS {
		return nil
	}
	text := (*C.char)(C.malloc(C.hubel_error_bytes))
	defer C.free(unsafe.Pointer(text))
	C.hubel_error(err, text)
	return fmt.Errorf("MPI: %s: %s", what, strings.TrimSpace(C.GoString(text)))
}

// group is this process's rank. Its thread makes all calls of MPI.
type group struct {
	rank, size int
	calls      chan func() // for the thread
	ended      chan struct{}
	waiting    atomic.Int32 // goroutines that wait for operations
	closing    sync.Once
	closed     atomic.Bool

	// Of the thread.
	open  []*operation
	since time.Time // of Busy, when open was empty for the last time
	busy  atomic.Int64
	quit  bool
	timer *time.Timer
}

// operation is one that MPI works on.
type operation struct {
	what    string
	request *C.MPI_Request
	pins    runtime.Pinner
	done    chan struct{}
	err     error // set before done is closed
	timed   bool  // it is exchange of tensors
}

var opened atomic.Bool // MPI can be started once in a process

const built = true

func open() (dist.Group, error) {
	if opened.Swap(true) {
		return nil, errors.New("MPI: it was started in this process before")
	}
	g := &group{calls: make(chan func()), ended: make(chan struct{}), timer: time.NewTimer(time.Hour)}
	began := make(chan error)
	go g.run(began)
	if err := <-began; err != nil {
		return nil, err
	}
	return g, nil
}

// run is the thread.
func (g *group) run(began chan<- error) {
	runtime.LockOSThread()
	defer close(g.ended)
	var rank, size, level C.int
	err := check("MPI_Init_thread", C.hubel_init(&rank, &size, &level))
	if err == nil && level < C.hubel_funneled() {
		err = errors.New("MPI: it was built without support for threads (MPI_THREAD_FUNNELED)")
	}
	g.rank, g.size = int(rank), int(size)
	began <- err
	if err != nil {
		return
	}
	for !g.quit {
		g.turn()
	}
}

// How often MPI is asked how far operations are. While a goroutine waits for them, there is
// nothing else to do for this process, until it has waited for long.
const (
	questions      = 64                     // at a time
	pauseComputing = 100 * time.Microsecond // between times
	pauseWaiting   = time.Millisecond
	patience       = 500 // times without a pause, while a goroutine waits
)

// turn makes a call, or looks after operations.
func (g *group) turn() {
	if len(g.open) == 0 {
		(<-g.calls)()
		return
	}
	for asked := 0; len(g.open) > 0 && !g.quit; asked++ {
		select {
		case call := <-g.calls:
			call()
			asked = 0
			continue
		default:
		}
		if g.ask() {
			asked = 0
			continue
		}
		switch {
		case g.waiting.Load() == 0:
			g.pause(pauseComputing)
		case asked >= patience:
			g.pause(pauseWaiting)
		}
	}
}

// pause waits, or makes a call that comes.
func (g *group) pause(d time.Duration) {
	g.timer.Reset(d)
	select {
	case call := <-g.calls:
		call()
	case <-g.timer.C:
	}
}

// ask asks MPI for the first operation, and reports whether it is done. That lets all go on.
func (g *group) ask() bool {
	o := g.open[0]
	var done C.int
	o.err = check(o.what, C.hubel_test(o.request, questions, C.int(min(g.waiting.Load(), 1)), &done))
	if done == 0 && o.err == nil {
		return false
	}
	g.open = g.open[1:]
	g.clock(o, false)
	g.finish(o)
	return true
}

// clock counts the time in which tensors are exchanged.
func (g *group) clock(o *operation, start bool) {
	if !o.timed {
		return
	}
	others := 0
	for _, x := range g.open {
		if x.timed && x != o {
			others++
		}
	}
	switch {
	case others > 0:
	case start:
		g.since = time.Now()
	default:
		g.busy.Add(int64(time.Since(g.since)))
	}
}

func (g *group) finish(o *operation) {
	C.free(unsafe.Pointer(o.request))
	o.pins.Unpin()
	close(o.done)
}

// call has the thread make a call. It reports false if the thread has ended.
func (g *group) call(f func()) bool {
	select {
	case g.calls <- f:
		return true
	case <-g.ended:
		return false
	}
}

// start has the thread start an operation.
func (g *group) start(o *operation, begin func(r *C.MPI_Request) C.int) *operation {
	o.done = make(chan struct{})
	started := g.call(func() {
		o.request = C.hubel_request()
		g.open = append(g.open, o)
		g.clock(o, true)
		if o.err = check(o.what, begin(o.request)); o.err != nil {
			g.open = g.open[:len(g.open)-1]
			g.finish(o)
		}
	})
	if !started {
		o.err = errors.New("the group is closed")
		close(o.done)
	}
	return o
}

// wait waits for an operation.
func (g *group) wait(ctx context.Context, o *operation) error {
	select {
	case <-o.done:
		return o.err
	default:
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *group) Name() string { return "mpi" }
func (g *group) Rank() int    { return g.rank }
func (g *group) Size() int    { return g.size }

// letter is the bytes that each rank sends first: the length of its message, and as much of it as
// fits. Most messages need no more.
const letter = 64

func (g *group) Gather(ctx context.Context, mine []byte) ([][]byte, error) {
	if int64(len(mine)) > math.MaxInt32/int64(g.size) {
		return nil, fmt.Errorf("MPI: a message of %d bytes is too long", len(mine))
	}
	head := make([]byte, letter)
	binary.LittleEndian.PutUint64(head, uint64(len(mine)))
	copy(head[8:], mine)
	lengths := make([]int, g.size)
	for i := range lengths {
		lengths[i] = letter
	}
	heads, err := g.gather(ctx, head, lengths)
	if err != nil {
		return nil, err
	}
	long := false
	for i, h := range heads {
		lengths[i] = int(binary.LittleEndian.Uint64(h))
		long = long || lengths[i] > letter-8
		heads[i] = h[8:min(letter, 8+lengths[i])]
	}
	if !long {
		return heads, nil
	}
	return g.gather(ctx, mine, lengths)
}

// gather gathers messages of known lengths.
func (g *group) gather(ctx context.Context, mine []byte, lengths []int) ([][]byte, error) {
	o := &operation{what: "MPI_Iallgatherv"}
	counts, begins, total := spans(lengths)
	if total > math.MaxInt32 {
		return nil, fmt.Errorf("MPI: messages of %d bytes are too long", total)
	}
	all := make([]byte, total)
	n := C.int(len(mine))
	dst, src := pinned(o, all), pinned(o, mine)
	c, b := pinned(o, counts), pinned(o, begins)
	g.start(o, func(r *C.MPI_Request) C.int {
		return C.hubel_all_gather_bytes(dst, (*C.int)(c), (*C.int)(b), src, n, r)
	})
	if err := g.wait(ctx, o); err != nil {
		return nil, err
	}
	messages := make([][]byte, g.size)
	for i, at := range begins {
		messages[i] = all[at:][:lengths[i]:lengths[i]]
	}
	return messages, nil
}

// spans are lengths and where each begins, as MPI takes them.
func spans(lengths []int) (counts, begins []C.int, total int) {
	for _, n := range lengths {
		counts, begins = append(counts, C.int(n)), append(begins, C.int(total))
		total += n
	}
	return counts, begins, total
}

// pinned is memory that stays where it is until the operation is done.
func pinned[T any](o *operation, x []T) unsafe.Pointer {
	if len(x) == 0 {
		return nil
	}
	o.pins.Pin(&x[0])
	return unsafe.Pointer(&x[0])
}

func (g *group) Exchange(d device.Device) (dist.Exchange, error) {
	if g.closed.Load() {
		return nil, errors.New("the group is closed")
	}
	return dist.OnHost(g, &wire{group: g}, d), nil
}

// abortTime is how long Abort leaves to MPI. Then the process ends by itself, which a launcher
// takes for a failure too.
const abortTime = 3 * time.Second

func (g *group) Abort(error) {
	time.AfterFunc(abortTime, func() { os.Exit(1) })
	if g.call(func() { C.hubel_abort() }) {
		<-g.ended
	}
	os.Exit(1)
}

func (g *group) Close() (err error) {
	g.closing.Do(func() {
		g.closed.Store(true)
		g.call(func() {
			g.quit = true
			err = check("MPI_Finalize", C.hubel_finalize())
		})
		<-g.ended
	})
	return err
}

// wire moves tensors.
type wire struct {
	group  *group
	open   []*operation
	failed error
}

func (w *wire) Start(op dist.Op) {
	if op.Len() > math.MaxInt32 {
		w.failed = fmt.Errorf("MPI: %v: there may be at most %d", op, math.MaxInt32)
		return
	}
	g := w.group
	o := &operation{timed: true, what: op.Kind.String()}
	floats := func(x []float32) *C.float { return (*C.float)(pinned(o, x)) }
	ints := func(x []C.int) *C.int { return (*C.int)(pinned(o, x)) }
	n := C.int(op.Len())
	parts := make([]int, g.size)
	for i := range parts {
		from, to := dist.Part(op.Len(), i, g.size)
		parts[i] = to - from
	}
	counts, begins, _ := spans(parts)
	dst, src := floats(op.Dst), floats(op.Src)
	var begin func(r *C.MPI_Request) C.int
	switch op.Kind {
	case dist.AllReduce:
		begin = func(r *C.MPI_Request) C.int { return C.hubel_all_reduce(dst, n, r) }
	case dist.ReduceScatter:
		c := ints(counts)
		begin = func(r *C.MPI_Request) C.int { return C.hubel_reduce_scatter(dst, src, c, r) }
	case dist.AllToAll:
		mine := make([]int, g.size)
		for i := range mine {
			mine[i] = parts[g.rank]
		}
		into, to, _ := spans(mine)
		c, b, i, t := ints(counts), ints(begins), ints(into), ints(to)
		begin = func(r *C.MPI_Request) C.int { return C.hubel_all_to_all(dst, i, t, src, c, b, r) }
	case dist.AllGather:
		c, b := ints(counts), ints(begins)
		// In place on all ranks: MPI wants it on all or on none, and empty parts cannot tell.
		copy(op.Dst[begins[g.rank]:], op.Src)
		begin = func(r *C.MPI_Request) C.int { return C.hubel_all_gather(dst, c, b, r) }
	case dist.Broadcast:
		root := C.int(op.Root)
		begin = func(r *C.MPI_Request) C.int { return C.hubel_broadcast(dst, n, root, r) }
	}
	w.open = append(w.open, g.start(o, begin))
}

func (w *wire) Wait() error {
	for _, o := range w.open {
		if err := w.group.wait(context.Background(), o); err != nil && w.failed == nil {
			w.failed = err
		}
	}
	w.open = w.open[:0]
	return w.failed
}

func (w *wire) Busy() time.Duration { return time.Duration(w.group.busy.Load()) }

func (w *wire) Close() error { return nil }
