// Package nccl is a dist.Group whose tensors are exchanged by NVIDIA's NCCL, from the memory of
// one CUDA device to that of another, over NVLink, PCIe, InfiniBand or Ethernet. NCCL has no
// messages of the host: those go through another group, of this process (Local), of MPI (Over), or
// through the devices themselves where a file joins the ranks (Open).
//
// The devices are those of kernels/cuda. On simulated ones, kernels/cuda/ptxsim stands in for NCCL.
package nccl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Local joins n ranks that are goroutines of this process, each with a device of its own.
func Local(n int) []dist.Group {
	groups := dist.Local(n)
	all := new(members)
	for i, g := range groups {
		groups[i] = &group{g, all}
	}
	return groups
}

// Over joins the ranks of a group, such as that of MPI, each of which is a process with a device
// of its own. Closing it closes the group.
func Over(g dist.Group) dist.Group { return &group{g, new(members)} }

// group exchanges by NCCL, and has all else of another.
type group struct {
	dist.Group
	members *members
}

func (g *group) Name() string { return "nccl" }

func (g *group) Exchange(d device.Device) (dist.Exchange, error) {
	m, err := g.join(context.Background(), d)
	if err != nil {
		return nil, err
	}
	e, err := newExchange(g, m, d)
	if err != nil {
		return nil, cmp.Or(err, m.close())
	}
	return e, nil
}

// join makes a device of each rank a new group of devices.
func (g *group) join(ctx context.Context, d device.Device) (*member, error) {
	c, err := devices(d)
	if err == nil {
		err = c.CheckPeers()
	}
	if err := dist.Agree(ctx, g.Group, err); err != nil {
		return nil, err
	}
	var id driver.ID
	if g.Rank() == 0 {
		id, err = c.NewID()
	}
	if err := dist.Agree(ctx, g.Group, err); err != nil {
		return nil, err
	}
	ids, err := g.Gather(ctx, id[:])
	if err != nil {
		return nil, err
	}
	copy(id[:], ids[0])
	comm, err := c.Join(id, g.Rank(), g.Size())
	if err != nil {
		return nil, err
	}
	return g.members.add(comm, nil), nil
}

// devices is a device that NCCL can join to others.
func devices(d device.Device) (*cuda.Device, error) {
	c, ok := d.(*cuda.Device)
	if !ok {
		return nil, fmt.Errorf("NCCL joins CUDA devices, and this rank has the device %s: -device cuda:0 names one", d.Name())
	}
	return c, nil
}

// Abort ends what this process exchanges, too, so that nobody waits for it.
func (g *group) Abort(cause error) {
	if cause == nil {
		cause = errors.New("it gave up")
	}
	g.members.abort(&dist.RankError{Rank: g.Rank(), Err: cause})
	g.Group.Abort(cause)
}

// members are the places of this process in groups of devices.
type members struct {
	mu    sync.Mutex
	all   []*member
	cause error // why they were aborted
}

func (m *members) add(c *cuda.Comm, failed func() error) *member {
	one := &member{comm: c, failed: failed, stop: make(chan struct{})}
	m.mu.Lock()
	m.all = append(m.all, one)
	cause := m.cause
	m.mu.Unlock()
	if cause != nil {
		one.end(cause)
	}
	one.watching.Go(one.watch)
	return one
}

// abort ends all. Each knows the cause before one of them is ended, which the others notice.
func (m *members) abort(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cause != nil {
		return
	}
	m.cause = cause
	var ended []*member
	for _, one := range m.all {
		if one.blame(cause) {
			ended = append(ended, one)
		}
	}
	for _, one := range ended {
		_ = one.comm.Abort() // there is a cause to report already
	}
}

// watchEvery is how often a member asks whether the others are still there.
const watchEvery = 500 * time.Millisecond

// member is a place in a group of devices. A stream waits for the other devices as long as it
// takes: so a goroutine asks whether one has failed, and then ends the wait.
type member struct {
	comm     *cuda.Comm
	failed   func() error // besides comm's
	stop     chan struct{}
	stopping sync.Once
	watching sync.WaitGroup

	mu    sync.Mutex
	cause error
}

func (m *member) watch() {
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-ticks.C:
			err := m.comm.Failed()
			if err == nil && m.failed != nil {
				err = m.failed()
			}
			if err != nil {
				m.end(err)
				return
			}
		}
	}
}

// blame keeps the first cause, and reports whether this is it.
func (m *member) blame(cause error) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.cause == nil
	m.cause = cmp.Or(m.cause, cause)
	return first
}

// end aborts the exchange.
func (m *member) end(cause error) {
	if m.blame(cause) {
		_ = m.comm.Abort() // there is a cause to report already
	}
}

// err is why the exchange has ended, nil if it has not.
func (m *member) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cause != nil {
		return m.cause
	}
	return m.comm.Failed()
}

// close leaves the group of devices.
func (m *member) close() error {
	m.stopping.Do(func() { close(m.stop) })
	m.watching.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cause != nil {
		return nil // freed by Abort
	}
	m.cause = errors.New("the exchange is closed")
	return m.comm.Close()
}
