//go:build cuda && linux && amd64

package cudriver

import (
	"errors"
	"sync"
	"time"
	"unsafe"

	"github.com/hubel-go/hubel/kernels/cuda/cudriver/libnccl"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

var _ driver.Peers = (*cuda)(nil)

// CheckPeers reports whether NCCL is missing.
func (d *cuda) CheckPeers() error { return libnccl.Open() }

// NewID asks NCCL for a name, by which the others reach this process.
func (d *cuda) NewID() (id driver.ID, err error) {
	if err := libnccl.Open(); err != nil {
		return id, err
	}
	err = d.alone(func() (err error) {
		id, err = libnccl.NewID()
		return err
	})
	return id, err
}

// Join joins the device to others by NCCL.
func (d *cuda) Join(id driver.ID, rank, size int) (driver.Comm, error) {
	if err := libnccl.Open(); err != nil {
		return nil, err
	}
	c := &comm{d: d}
	err := d.alone(func() (err error) {
		c.comm, err = libnccl.Join(id, rank, size)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// alone is do for a call of NCCL, whose errors name it. NCCL takes the device of the thread's
// context.
func (d *cuda) alone(f func() error) error {
	var err error
	if made := d.do("NCCL", func() error {
		err = f()
		return nil
	}); made != nil {
		return made
	}
	return err
}

// comm is a place in a group of NCCL.
type comm struct {
	d    *cuda
	comm libnccl.Comm

	mu    sync.Mutex // held during calls of NCCL
	state sync.Mutex
	ended error // why there are no more calls
}

var (
	errAborted = errors.New("NCCL: the exchange was aborted")
	errLeft    = errors.New("NCCL: the group was left")
)

// patience is how long Abort waits for a call that is under way. NCCL may wait in one for a device
// that is gone, and only Abort ends that.
const patience = 2 * time.Second

// use makes a call, unless there are no more.
func (c *comm) use(f func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Lock()
	ended := c.ended
	c.state.Unlock()
	if ended != nil {
		return ended
	}
	return c.d.alone(f)
}

// end reports whether this is the first end.
func (c *comm) end(why error) bool {
	c.state.Lock()
	defer c.state.Unlock()
	first := c.ended == nil
	if first {
		c.ended = why
	}
	return first
}

func (c *comm) Do(s driver.Stream, calls []driver.Call) error {
	on := s.(*stream)
	return c.use(func() error { return c.comm.Do(*(*unsafe.Pointer)(unsafe.Pointer(&on.s)), calls) })
}

// Failed knows nothing while a call is under way.
func (c *comm) Failed() error {
	c.state.Lock()
	ended := c.ended
	c.state.Unlock()
	if ended != nil {
		return ended
	}
	if !c.mu.TryLock() {
		return nil
	}
	defer c.mu.Unlock()
	return c.d.alone(c.comm.Failed)
}

func (c *comm) Abort() error {
	if !c.end(errAborted) {
		return nil
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if c.mu.TryLock() {
			defer c.mu.Unlock()
			break
		}
	}
	return c.d.alone(c.comm.Abort)
}

func (c *comm) Close() error {
	if !c.end(errLeft) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.d.alone(c.comm.Destroy)
}
