package ptxsim

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// errAborted is that of a group that one of its devices has left.
var errAborted = errors.New("ptxsim: the exchange between devices was aborted")

// groups are those of this process. Devices of other processes cannot be joined.
var groups = struct {
	sync.Mutex
	open map[driver.ID]*group
}{open: map[driver.ID]*group{}}

// group is several simulators that exchange memory. It stands in for NCCL's library: it sums in
// the order of the devices, and refuses what NCCL would wait for without end.
type group struct {
	mu      sync.Mutex
	size    int
	joined  []bool
	all     chan struct{} // closed when all have joined
	aborted chan struct{}
	ended   bool // aborted is closed
	current *meeting
}

// meeting is one Do of all devices.
type meeting struct {
	parts []*part
	there int
	done  chan struct{}
	err   error // set before done is closed
}

// part is what one device brings to a meeting and takes from it.
type part struct {
	calls []driver.Call
	src   [][]float32 // of each call
	dst   [][]float32 // of each call; nil where it has none
}

// comm is a simulator's place in a group.
type comm struct {
	sim   *Sim
	group *group
	rank  int
}

var _ driver.Peers = (*Sim)(nil)

// CheckPeers returns nil: nothing is missing.
func (s *Sim) CheckPeers() error { return nil }

// NewID makes the name of a group of simulators of this process.
func (s *Sim) NewID() (id driver.ID, err error) {
	_, err = rand.Read(id[:])
	return id, err
}

// Join waits for the other simulators of the group.
func (s *Sim) Join(id driver.ID, rank, size int) (driver.Comm, error) {
	if size < 1 || rank < 0 || rank >= size {
		return nil, fmt.Errorf("ptxsim: there is no device %d of %d", rank, size)
	}
	groups.Lock()
	g := groups.open[id]
	if g == nil {
		g = &group{size: size, joined: make([]bool, size), all: make(chan struct{}), aborted: make(chan struct{})}
		groups.open[id] = g
	}
	err := g.join(rank, size)
	if err == nil && !slices.Contains(g.joined, false) {
		close(g.all)
		delete(groups.open, id) // a name is used once
	}
	groups.Unlock()
	if err != nil {
		return nil, err
	}
	<-g.all
	return &comm{s, g, rank}, nil
}

func (g *group) join(rank, size int) error {
	switch {
	case size != g.size:
		return fmt.Errorf("ptxsim: a group of %d devices is joined as one of %d", g.size, size)
	case g.joined[rank]:
		return fmt.Errorf("ptxsim: two devices join a group as number %d", rank)
	}
	g.joined[rank] = true
	return nil
}

// Do waits for the other devices, as a stream of a simulator does everything at once.
func (c *comm) Do(s driver.Stream, calls []driver.Call) error {
	if err := c.Failed(); err != nil {
		return err
	}
	if c.sim.config.OnExchange != nil {
		c.sim.config.OnExchange(c.rank, calls)
	}
	mine := &part{calls: slices.Clone(calls)}
	for _, call := range calls {
		x, err := download(s, call.Src, c.elements(call, false))
		if err != nil {
			return fmt.Errorf("%v: %w", call, err)
		}
		mine.src, mine.dst = append(mine.src, x), append(mine.dst, make([]float32, c.elements(call, true)))
	}
	m := c.group.meet(c.rank, mine)
	select {
	case <-m.done:
	case <-c.group.aborted:
		return errAborted
	}
	if m.err != nil {
		return m.err
	}
	for i, call := range calls {
		if err := upload(s, call.Dst, mine.dst[i]); err != nil {
			return fmt.Errorf("%v: %w", call, err)
		}
	}
	return nil
}

// elements is how many a call writes on this device, or reads.
func (c *comm) elements(call driver.Call, writes bool) int64 {
	switch call.Op {
	case driver.Reduce:
		if writes && call.Peer != c.rank {
			return 0
		}
	case driver.Broadcast:
		if !writes && call.Peer != c.rank {
			return 0
		}
	case driver.ReduceScatter:
		if !writes {
			return call.Count * int64(c.group.size)
		}
	case driver.AllGather:
		if writes {
			return call.Count * int64(c.group.size)
		}
	case driver.Send:
		if writes {
			return 0
		}
	case driver.Receive:
		if !writes {
			return 0
		}
	}
	return call.Count
}

func download(s driver.Stream, src driver.Ptr, n int64) ([]float32, error) {
	if n == 0 {
		return nil, nil
	}
	raw := make([]byte, 4*n)
	if err := s.Download(raw, src); err != nil {
		return nil, err
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return x, nil
}

func upload(s driver.Stream, dst driver.Ptr, x []float32) error {
	if len(x) == 0 {
		return nil
	}
	raw := make([]byte, 0, 4*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return s.Upload(dst, raw)
}

// meet brings a device's part to the meeting under way. The last one does the work.
func (g *group) meet(rank int, mine *part) *meeting {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current == nil {
		g.current = &meeting{parts: make([]*part, g.size), done: make(chan struct{})}
	}
	m := g.current
	m.parts[rank] = mine
	if m.there++; m.there == g.size {
		g.current = nil
		m.err = m.perform()
		close(m.done)
	}
	return m
}

// perform does the calls of all devices.
func (m *meeting) perform() error {
	for rank, p := range m.parts {
		for i, call := range p.calls {
			var err error
			switch call.Op {
			case driver.Send:
				err = m.matched(rank, call, driver.Receive)
			case driver.Receive:
				err = m.receive(rank, i)
			default:
				err = m.collective(rank, i)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// matched checks that the other device has exactly one call that belongs to this one.
func (m *meeting) matched(rank int, call driver.Call, op driver.Collective) error {
	n := 0
	if call.Peer >= 0 && call.Peer < len(m.parts) {
		for _, other := range m.parts[call.Peer].calls {
			if other == (driver.Call{Op: op, Dst: other.Dst, Src: other.Src, Count: call.Count, Peer: rank}) {
				n++
			}
		}
	}
	if n != 1 {
		return fmt.Errorf("ptxsim: device %d calls %v, and device %d has %d calls for it", rank, call, call.Peer, n)
	}
	return nil
}

func (m *meeting) receive(rank, i int) error {
	p := m.parts[rank]
	call := p.calls[i]
	if err := m.matched(rank, call, driver.Send); err != nil {
		return err
	}
	from := m.parts[call.Peer]
	for k, other := range from.calls {
		if other.Op == driver.Send && other.Peer == rank && other.Count == call.Count {
			copy(p.dst[i], from.src[k])
		}
	}
	return nil
}

// collective does call i for one device. All have to make the same.
func (m *meeting) collective(rank, i int) error {
	p := m.parts[rank]
	call := p.calls[i]
	for other, o := range m.parts {
		if i >= len(o.calls) || o.calls[i].String() != call.String() {
			return fmt.Errorf("ptxsim: device %d calls %v, and device %d does not", rank, call, other)
		}
	}
	switch call.Op {
	case driver.Broadcast:
		copy(p.dst[i], m.parts[call.Peer].src[i])
		return nil
	case driver.AllGather:
		for k, o := range m.parts {
			copy(p.dst[i][int64(k)*call.Count:], o.src[i])
		}
		return nil
	}
	at := 0
	if call.Op == driver.ReduceScatter {
		at = rank * int(call.Count)
	}
	for k, o := range m.parts {
		for e := range p.dst[i] {
			if k == 0 {
				p.dst[i][e] = o.src[i][at+e]
			} else {
				p.dst[i][e] += o.src[i][at+e]
			}
		}
	}
	return nil
}

func (c *comm) Failed() error {
	select {
	case <-c.group.aborted:
		return errAborted
	default:
		return nil
	}
}

func (c *comm) Abort() error {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	if !c.group.ended {
		c.group.ended = true
		close(c.group.aborted)
	}
	return nil
}

func (c *comm) Close() error { return nil }
