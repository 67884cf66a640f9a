package cuda

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Comm is a device's place among several that exchange their memory, as NCCL does. See
// driver.Comm for which calls may be made when.
type Comm struct {
	device *Device
	comm   driver.Comm
	calls  []driver.Call
}

// Call is a driver.Call on tensors of float32: Count elements of Dst and Src, which may be absent
// where the operation does not use them on this device.
type Call struct {
	Op       driver.Collective
	Dst, Src device.Tensor
	Count    int
	Peer     int
}

// CheckPeers is what keeps the device from joining others, if anything.
func (d *Device) CheckPeers() error {
	p, err := d.peers()
	if err == nil {
		err = p.CheckPeers()
	}
	return err
}

// NewID makes the name of a group of devices.
func (d *Device) NewID() (driver.ID, error) {
	p, err := d.peers()
	if err != nil {
		return driver.ID{}, err
	}
	id, err := p.NewID()
	if err != nil {
		return id, fmt.Errorf("%s: %w", d.name, err)
	}
	return id, nil
}

// Join makes the device number rank of the size devices of a group, and waits for the others.
func (d *Device) Join(id driver.ID, rank, size int) (*Comm, error) {
	p, err := d.peers()
	if err != nil {
		return nil, err
	}
	c, err := p.Join(id, rank, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	return &Comm{device: d, comm: c}, nil
}

func (d *Device) peers() (driver.Peers, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	p, ok := d.driver.(driver.Peers)
	if !ok {
		return nil, fmt.Errorf("%s: %w", d.name, errNoPeers)
	}
	return p, nil
}

// Do enqueues calls as one group on a queue of the device. An error is the queue's.
func (c *Comm) Do(on device.Queue, name string, calls ...Call) {
	q, ok := on.(*queue)
	if !ok || q.device != c.device {
		panic(fmt.Sprintf("cuda: a queue of type %T, which belongs to another device than %s", on, c.device.name))
	}
	if q.Err != nil {
		return
	}
	c.calls = c.calls[:0]
	for _, call := range calls {
		c.calls = append(c.calls, driver.Call{Op: call.Op, Dst: q.at(call.Dst), Src: q.at(call.Src), Count: int64(call.Count), Peer: call.Peer})
	}
	if err := c.comm.Do(q.stream, c.calls); err != nil {
		q.Fail(name, err)
	}
}

// Failed is an error of what was enqueued, or of another device, that is known by now.
func (c *Comm) Failed() error { return c.comm.Failed() }

// Abort ends what is enqueued, without its result. It may be called at any time, by any goroutine,
// more than once.
func (c *Comm) Abort() error { return c.comm.Abort() }

// Close leaves the group. Closing twice does nothing.
func (c *Comm) Close() error {
	if c.device.check() != nil { // it went with the device
		return nil
	}
	return c.comm.Close()
}
