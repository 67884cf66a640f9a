package cuda

import (
	"errors"
	"sync"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// debugDriver is a driver whose device does one thing at a time, for
// device.Options.DebugSync: each call on a stream returns when the device has
// done it. So an error is that of the call that returns it, and a device made of
// the driver names kernel and layer.
type debugDriver struct {
	driver.Driver
	busy sync.Mutex // held while the device does something
}

func (d *debugDriver) NewStream() (driver.Stream, error) {
	s, err := d.Driver.NewStream()
	if err != nil {
		return nil, err
	}
	return &debugStream{s, &d.busy}, nil
}

type debugStream struct {
	driver.Stream
	busy *sync.Mutex
}

// alone enqueues something and waits until it is done.
func (s *debugStream) alone(enqueue func() error) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	if err := enqueue(); err != nil {
		return err
	}
	return s.Stream.Sync()
}

func (s *debugStream) Upload(dst driver.Ptr, src []byte) error {
	return s.alone(func() error { return s.Stream.Upload(dst, src) })
}

func (s *debugStream) Download(dst []byte, src driver.Ptr) error {
	return s.alone(func() error { return s.Stream.Download(dst, src) })
}

func (s *debugStream) Copy(dst, src driver.Ptr, bytes int64) error {
	return s.alone(func() error { return s.Stream.Copy(dst, src, bytes) })
}

func (s *debugStream) Memset(dst driver.Ptr, value byte, bytes int64) error {
	return s.alone(func() error { return s.Stream.Memset(dst, value, bytes) })
}

func (s *debugStream) Memset32(dst driver.Ptr, value uint32, words int64) error {
	return s.alone(func() error { return s.Stream.Memset32(dst, value, words) })
}

func (s *debugStream) Launch(f driver.Function, c driver.Config, args *driver.Args) error {
	return s.alone(func() error { return s.Stream.Launch(f, c, args) })
}

// errNoPeers is that of a driver whose devices cannot be joined.
var errNoPeers = errors.New("its driver joins no devices")

func (d *debugDriver) peers() (driver.Peers, error) {
	if p, ok := d.Driver.(driver.Peers); ok {
		return p, nil
	}
	return nil, errNoPeers
}

func (d *debugDriver) CheckPeers() error {
	p, err := d.peers()
	if err != nil {
		return err
	}
	return p.CheckPeers()
}

func (d *debugDriver) NewID() (driver.ID, error) {
	p, err := d.peers()
	if err != nil {
		return driver.ID{}, err
	}
	return p.NewID()
}

func (d *debugDriver) Join(id driver.ID, rank, size int) (driver.Comm, error) {
	p, err := d.peers()
	if err != nil {
		return nil, err
	}
	c, err := p.Join(id, rank, size)
	if err != nil {
		return nil, err
	}
	return debugComm{c}, nil
}

type debugComm struct{ driver.Comm }

func (c debugComm) Do(s driver.Stream, calls []driver.Call) error {
	on := s.(*debugStream)
	return on.alone(func() error { return c.Comm.Do(on.Stream, calls) })
}
