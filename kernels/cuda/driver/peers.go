package driver

import "fmt"

// Peers is a Driver whose devices exchange memory with others, of this process or of another, as
// NCCL does.
type Peers interface {
	Driver

	// CheckPeers is what keeps the device from joining others, if anything: a library that is
	// missing.
	CheckPeers() error

	// NewID makes the name by which the devices of one group find each other. One of them makes
	// it, and the program brings it to the others.
	NewID() (ID, error)

	// Join makes the device number rank of the size devices of a group. It returns when all have
	// called it, each with another rank.
	Join(id ID, rank, size int) (Comm, error)
}

// ID names a group of devices: ncclUniqueId.
type ID [128]byte

// Comm is a device's place in a group. It belongs to one goroutine at a time, except Failed and
// Abort.
type Comm interface {
	// Do enqueues calls on a stream of the device. Several are one group of NCCL, which runs
	// them together, in no order. All devices of the group make the same calls in the same order;
	// a Send here is a Receive there.
	Do(s Stream, calls []Call) error

	// Failed is an error of what was enqueued, or of another device, that is known by now.
	Failed() error

	// Abort ends what is enqueued, without its result, and frees the Comm; later calls of Do and
	// Failed are an error. It may be called at any time, by any goroutine, more than once.
	Abort() error

	// Close frees the Comm, whose work is done. Closing twice does nothing.
	Close() error
}

// Collective is an operation of NCCL, all on float32.
type Collective uint8

// The operations. Sums are taken in an order that the number of devices and the machine decide.
const (
	AllReduce     Collective = iota // Dst, on all: the sum of all Src
	Reduce                          // Dst, on the device Peer alone: the sum of all Src
	ReduceScatter                   // Dst: Count elements of the sum of all Src, which have Count for each device
	AllGather                       // Dst, Count for each device: all Src
	Broadcast                       // Dst, on all: the Src of the device Peer
	Send                            // Src to the device Peer
	Receive                         // Dst from the device Peer
)

// String is NCCL's name.
func (c Collective) String() string {
	return [...]string{"ncclAllReduce", "ncclReduce", "ncclReduceScatter", "ncclAllGather", "ncclBroadcast", "ncclSend", "ncclRecv"}[c]
}

// Call is a call of an operation. Src may be Dst, and for ReduceScatter and AllGather the part of
// the one that is this device's in the other. Other overlaps are not allowed.
type Call struct {
	Op       Collective
	Dst, Src Ptr
	Count    int64 // elements
	Peer     int   // the root, or the other device
}

// String is the operation with its numbers.
func (c Call) String() string { return fmt.Sprintf("%v %d %d", c.Op, c.Count, c.Peer) }
