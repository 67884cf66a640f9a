package dist

import (
	"cmp"
	"fmt"
	"time"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// Kind is a collective operation.
type Kind uint8

// The operations of Exchange.
const (
	AllReduce Kind = iota
	ReduceScatter
	AllToAll
	AllGather
	Broadcast
)

// String is the operation's name.
func (k Kind) String() string {
	return [...]string{"all-reduce", "reduce-scatter", "all-to-all", "all-gather", "broadcast"}[k]
}

// Op is an operation on host memory. AllReduce and Broadcast work on Dst alone.
type Op struct {
	Kind     Kind
	Dst, Src []float32
	Root     int // of Broadcast
}

// Len is the number of elements of the tensor that is summed, cut or put together.
func (o Op) Len() int {
	if o.Kind == ReduceScatter || o.Kind == AllToAll {
		return len(o.Src)
	}
	return len(o.Dst)
}

// String is the operation with its length.
func (o Op) String() string { return fmt.Sprintf("%v of %d elements", o.Kind, o.Len()) }

// Wire is the transport of an engine that works on host memory. OnHost makes an Exchange of it.
// It belongs to one goroutine at a time.
type Wire interface {
	// Start begins an operation and returns. Nobody touches its memory before Wait.
	Start(op Op)

	// Wait waits until everything started is done, and returns the first error.
	Wait() error

	// Busy is how long at least one operation was under way, up to the last Wait.
	Busy() time.Duration

	// Close ends the use of the wire. Closing twice does nothing.
	Close() error
}

// OnHost is the Exchange of a device over a wire of host memory. Buffers of the CPU are such
// memory, and are given to the wire as they are. Tensors of other devices go through
// page-locked memory: they are downloaded behind what the queue has, and uploaded by Wait.
func OnHost(g Group, w Wire, d device.Device) Exchange {
	return &hostExchange{rank: g.Rank(), size: g.Size(), wire: w, device: d}
}

// hostExchange is an Exchange over a Wire.
type hostExchange struct {
	rank, size int
	wire       Wire
	device     device.Device
	err        error
	times      Times
	closed     bool

	// Of a device whose memory the host cannot reach.
	staged []*staged // begun since the last Wait
	next   int       // of staged, the first that the wire does not have yet
	free   []*staged
}

// staged is an operation whose tensors are copied to the host.
type staged struct {
	op         Op
	memory     device.HostBuffer
	downloaded device.Event
	to         device.Tensor // where the result goes
}

// onHost is the memory of a tensor that the host can reach.
func onHost(t device.Tensor) ([]float32, bool) {
	b, ok := t.Buffer.(device.HostBuffer)
	if !ok {
		return nil, false
	}
	return floatsOf(b.Bytes())[:t.Len()], true
}

func floatsOf(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func (e *hostExchange) AllReduce(q device.Queue, x device.Tensor) {
	e.start(q, AllReduce, x, x, 0)
}

func (e *hostExchange) ReduceScatter(q device.Queue, dst, src device.Tensor) {
	e.start(q, ReduceScatter, dst, src, 0)
}

func (e *hostExchange) AllToAll(q device.Queue, dst, src device.Tensor) {
	e.start(q, AllToAll, dst, src, 0)
}

func (e *hostExchange) AllGather(q device.Queue, dst, src device.Tensor) {
	e.start(q, AllGather, dst, src, 0)
}

func (e *hostExchange) Broadcast(q device.Queue, x device.Tensor, root int) {
	e.start(q, Broadcast, x, x, root)
}

// Check says whether dst and src have the lengths that an operation takes on a rank, as Exchange
// describes them.
func (k Kind) Check(rank, size int, dst, src device.Tensor) error {
	wantDst, wantSrc := dst.Len(), src.Len()
	part := func(n int) int {
		from, to := Part(n, rank, size)
		return to - from
	}
	switch k {
	case ReduceScatter:
		wantDst = part(wantSrc)
	case AllToAll:
		wantDst = size * part(wantSrc)
	case AllGather:
		wantSrc = part(wantDst)
	}
	if dst.Len() != wantDst || src.Len() != wantSrc {
		return fmt.Errorf("%v from %d elements to %d: it would take %d to %d", k, src.Len(), dst.Len(), wantSrc, wantDst)
	}
	return nil
}

func (e *hostExchange) start(q device.Queue, k Kind, dst, src device.Tensor, root int) {
	if e.err != nil {
		return
	}
	if e.err = k.Check(e.rank, e.size, dst, src); e.err != nil {
		return
	}
	e.times.Started++
	e.times.Bytes += 4 * int64(max(dst.Len(), src.Len()))
	to, reachable := onHost(dst)
	if reachable {
		from, _ := onHost(src)
		e.wire.Start(Op{Kind: k, Dst: to, Src: from, Root: root})
		return
	}
	if e.err = e.stage(q, k, dst, src, root); e.err == nil {
		e.err = e.forward(false)
	}
}

// stage enqueues the download of an operation's tensors.
func (e *hostExchange) stage(q device.Queue, k Kind, dst, src device.Tensor, root int) error {
	n := dst.Len() + src.Len()
	inPlace := k == AllReduce || k == Broadcast
	if inPlace {
		n = dst.Len()
	}
	s, err := e.memory(n)
	if err != nil {
		return err
	}
	all := floatsOf(s.memory.Bytes())
	s.op, s.to = Op{Kind: k, Dst: all[:dst.Len()], Root: root}, dst
	read := s.op.Dst
	if !inPlace {
		s.op.Src = all[dst.Len():n]
		read = s.op.Src
	}
	if len(read) > 0 {
		q.Download(tensor.New(tensor.WithShape(len(read)), tensor.WithBacking(read)), src)
	}
	q.Record(s.downloaded)
	e.staged = append(e.staged, s)
	return nil
}

// memory is one that has room for n elements.
func (e *hostExchange) memory(n int) (*staged, error) {
	bytes := int64(4 * max(n, 1))
	for i, s := range e.free {
		if int64(len(s.memory.Bytes())) >= bytes {
			e.free = append(e.free[:i], e.free[i+1:]...)
			return s, nil
		}
	}
	b, err := e.device.HostAlloc(bytes)
	if err != nil {
		return nil, err
	}
	event, err := e.device.NewEvent()
	if err != nil {
		return nil, cmp.Or(b.Free(), err)
	}
	return &staged{memory: b, downloaded: event}, nil
}

// forward hands to the wire what is downloaded, in the order of the starts. If asked, it
// waits for the rest.
func (e *hostExchange) forward(wait bool) error {
	for ; e.next < len(e.staged); e.next++ {
		s := e.staged[e.next]
		passed, err := s.downloaded.Passed()
		if err == nil && !passed {
			if !wait {
				return nil
			}
			err = s.downloaded.Sync()
		}
		if err != nil {
			return err
		}
		e.wire.Start(s.op)
	}
	return nil
}

func (e *hostExchange) Wait(q device.Queue) error {
	began := time.Now()
	if e.err == nil {
		e.err = e.forward(true)
	}
	err := e.wire.Wait()
	if e.err == nil {
		e.err = err
	}
	if e.err == nil {
		for _, s := range e.staged {
			if len(s.op.Dst) > 0 {
				q.Upload(s.to, tensor.New(tensor.WithShape(len(s.op.Dst)), tensor.WithBacking(s.op.Dst)))
			}
		}
		if len(e.staged) > 0 { // the memory is used again by the next start
			e.err = q.Sync()
		}
	}
	e.free = append(e.free, e.staged...)
	e.staged, e.next = e.staged[:0], 0
	e.times.Waited += time.Since(began)
	e.times.Busy = e.wire.Busy()
	return e.err
}

func (e *hostExchange) Times() Times { return e.times }

func (e *hostExchange) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	errs := []error{e.wire.Close()}
	for _, s := range append(e.free, e.staged...) {
		errs = append(errs, s.downloaded.Free(), s.memory.Free())
	}
	return cmp.Or(errs...)
}
