package dist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hubel-go/hubel/device"
)

// Local joins n ranks that are goroutines of this process, each with a device of its own or
// all with one. It is for tests, and for several devices of one machine. Sums are taken in the
// order of ranks.
//
// One rank's failure ends the others if the goroutine that fails calls Abort.
func Local(n int) []Group {
	l := &local{size: n, failed: make(chan struct{}), meetings: map[place]*meeting{}}
	groups := make([]Group, n)
	for rank := range groups {
		groups[rank] = &localGroup{local: l, rank: rank}
	}
	return groups
}

// local is what the ranks share.
type local struct {
	size   int
	failed chan struct{} // closed once cause is set

	mu       sync.Mutex
	cause    error // why the group was aborted
	meetings map[place]*meeting
}

// place is where ranks meet: the k-th call on one channel. Channel 0 is Gather's, and each
// Exchange has its own.
type place struct{ channel, call int }

// meeting is one call of all ranks.
type meeting struct {
	there    int
	messages [][]byte
	ops      []Op
	done     chan struct{}
	err      error // set before done is closed
}

// meet adds one rank to a meeting. The last one to come does the work of all.
func (l *local) meet(at place, add func(m *meeting), work func(m *meeting) error) *meeting {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.meetings[at]
	if m == nil {
		m = &meeting{messages: make([][]byte, l.size), ops: make([]Op, l.size), done: make(chan struct{})}
		l.meetings[at] = m
	}
	add(m)
	if m.there++; m.there == l.size && l.cause == nil {
		m.err = work(m)
		delete(l.meetings, at)
		close(m.done)
	}
	return m
}

// wait waits for the others of a meeting.
func (l *local) wait(ctx context.Context, m *meeting) error {
	select {
	case <-m.done:
		return m.err
	case <-l.failed:
		select {
		case <-m.done:
			return m.err
		default:
			return l.cause
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *local) abort(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = cause
		close(l.failed)
	}
}

// localGroup is one rank.
type localGroup struct {
	*local
	rank     int
	gathered int
	channels int // that exchanges have
	closed   bool
}

func (g *localGroup) Name() string { return "local" }
func (g *localGroup) Rank() int    { return g.rank }
func (g *localGroup) Size() int    { return g.size }

func (g *localGroup) Gather(ctx context.Context, mine []byte) ([][]byte, error) {
	if g.closed {
		return nil, errors.New("the group is closed")
	}
	g.gathered++
	m := g.meet(place{0, g.gathered},
		func(m *meeting) { m.messages[g.rank] = bytes.Clone(mine) },
		func(*meeting) error { return nil })
	if err := g.wait(ctx, m); err != nil {
		return nil, err
	}
	return slices.Clone(m.messages), nil
}

func (g *localGroup) Exchange(d device.Device) (Exchange, error) {
	if g.closed {
		return nil, errors.New("the group is closed")
	}
	g.channels++
	return OnHost(g, &localWire{group: g, channel: g.channels}, d), nil
}

func (g *localGroup) Abort(cause error) {
	if cause == nil {
		cause = errors.New("it gave up")
	}
	g.abort(&RankError{Rank: g.rank, Err: cause})
}

func (g *localGroup) Close() error {
	g.closed = true
	return nil
}

// localWire is the Wire of a rank. Whoever comes last to an operation does it.
type localWire struct {
	group   *localGroup
	channel int
	started int
	open    []opened
	busy    time.Duration
}

type opened struct {
	*meeting
	at time.Time
}

func (w *localWire) Start(op Op) {
	w.started++
	began := time.Now()
	m := w.group.meet(place{w.channel, w.started},
		func(m *meeting) { m.ops[w.group.rank] = op },
		func(m *meeting) error { return perform(m.ops) })
	w.open = append(w.open, opened{m, began})
}

func (w *localWire) Wait() (err error) {
	for _, m := range w.open {
		failed := w.group.wait(context.Background(), m.meeting)
		if err == nil {
			err = failed
		}
	}
	if len(w.open) > 0 {
		w.busy += time.Since(w.open[0].at)
	}
	w.open = w.open[:0]
	return err
}

func (w *localWire) Busy() time.Duration { return w.busy }

func (w *localWire) Close() error { return nil }

// perform does an operation for all ranks.
func perform(ops []Op) error {
	n := len(ops)
	for rank, o := range ops {
		if o.Kind != ops[0].Kind || o.Len() != ops[0].Len() || o.Root != ops[0].Root {
			return fmt.Errorf("ranks 0 and %d have started different operations: %v and %v", rank, ops[0], o)
		}
	}
	switch ops[0].Kind {
	case AllReduce:
		sum := slices.Clone(ops[0].Dst)
		for _, o := range ops[1:] {
			add(sum, o.Dst)
		}
		for _, o := range ops {
			copy(o.Dst, sum)
		}
	case ReduceScatter:
		for rank, o := range ops {
			from, to := Part(o.Len(), rank, n)
			copy(o.Dst, ops[0].Src[from:to])
			for _, from0 := range ops[1:] {
				add(o.Dst, from0.Src[from:to])
			}
		}
	case AllToAll:
		for rank, o := range ops {
			from, to := Part(o.Len(), rank, n)
			for k := range ops {
				copy(o.Dst[k*(to-from):][:to-from], ops[k].Src[from:to])
			}
		}
	case AllGather:
		for _, o := range ops {
			for k := range ops {
				from, to := Part(o.Len(), k, n)
				copy(o.Dst[from:to], ops[k].Src)
			}
		}
	case Broadcast:
		for _, o := range ops {
			copy(o.Dst, ops[o.Root].Dst)
		}
	}
	return nil
}

func add(sum, x []float32) {
	for i, v := range x {
		sum[i] += v
	}
}
