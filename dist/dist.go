// Package dist is what training on several ranks needs of the engine that joins them: who one
// is, small messages, and sums of tensors that run while the device computes. A rank is a
// process, or a goroutine with a device of its own. The engines are this package's Local, for
// the goroutines of one process, dist/mpi and dist/nccl. A program without one trains alone.
//
// There is no transport, discovery or scheduling here: ranks are launched and joined by what a
// cluster has, such as mpirun or srun.
package dist

import (
	"context"
	"time"

	"github.com/hubel-go/hubel/device"
)

// Group is one rank's place among all ranks. Unless a method says otherwise, a Group and what
// it makes belong to one goroutine at a time, and every rank calls the same methods in the same
// order; calls wait for the other ranks.
//
// Once a rank has failed, no call of any rank waits for ever: all return an error, that of the
// first cause if it is known here, or the process is ended by its launcher.
type Group interface {
	// Name is that of the engine: "local", "mpi", "nccl".
	Name() string

	// Rank is this one's number, from 0 to Size()-1.
	Rank() int
	Size() int

	// Gather returns what each rank gave, in the order of ranks, to every rank. It is for
	// small messages: flags, descriptions, numbers. It is a barrier too. When ctx ends, it
	// returns ctx's cause, and the group can only be aborted and closed.
	Gather(ctx context.Context, mine []byte) ([][]byte, error)

	// Exchange makes what exchanges the tensors of a device. Each rank makes as many, in the
	// same order. It is closed before the group.
	Exchange(d device.Device) (Exchange, error)

	// Abort tells all ranks that this one has failed, so that none waits for it. It may be
	// called at any time, by any goroutine, and more than once: the first cause counts. Where
	// ranks are processes of a launcher, it ends this process too, with exit code 1, so that
	// the caller reports cause before.
	Abort(cause error)

	// Close leaves the group; all ranks have to, unless it was aborted. Closing twice does
	// nothing.
	Close() error
}

// Exchange has the collective operations on float32 tensors of one device. A method starts an
// operation and returns: the operation comes after what the queue has enqueued until then, and
// runs beside what is enqueued later. Between the start and Wait, nobody may write what is read
// or touch what is written. Operations of one Exchange end in the order of their start, and all
// ranks start the same ones, of the same lengths, in the same order.
//
// A tensor whose elements go to ranks one by one, or come from them, is cut as Part says.
type Exchange interface {
	// AllReduce replaces x with the sum of all ranks' x. The order of the sum is that of the
	// engine; every rank gets the same bits.
	AllReduce(q device.Queue, x device.Tensor)

	// ReduceScatter puts into dst this rank's part of the sum of all ranks' src, in the
	// engine's order. dst has the length of Part and does not overlap src.
	ReduceScatter(q device.Queue, dst, src device.Tensor)

	// AllToAll sends part i of src to rank i, and puts into dst what each rank has sent, one
	// after the other in the order of ranks: Size() times this rank's part. dst does not
	// overlap src. Nothing is added.
	AllToAll(q device.Queue, dst, src device.Tensor)

	// AllGather puts every rank's src, which has the length of its part of dst, into that
	// part of every rank's dst. src may be that part of dst itself, and nothing else of it.
	AllGather(q device.Queue, dst, src device.Tensor)

	// Broadcast replaces x with that of rank root.
	Broadcast(q device.Queue, x device.Tensor, root int)

	// Wait makes q wait for everything started: what is enqueued on q after it sees the
	// results. It need not wait itself. It returns the first error of what was started, if one
	// is known by now; one that is found later is an error of q.
	Wait(q device.Queue) error

	// Times is how long exchange took, since the Exchange was made.
	Times() Times

	// Close frees memory. It may be called while operations run, once the group was aborted.
	// Closing twice does nothing.
	Close() error
}

// Times are the durations of exchange.
type Times struct {
	Busy    time.Duration // during which at least one operation ran
	Waited  time.Duration // of Busy, what somebody waited for: the rest was hidden behind computing
	Bytes   int64         // of the tensors that were given to the operations
	Started int           // operations
}

// Hidden is the share of the time of exchange that was hidden behind computing, 0 without
// exchange.
func (t Times) Hidden() float64 {
	if t.Busy <= 0 {
		return 0
	}
	return 1 - float64(min(t.Waited, t.Busy))/float64(t.Busy)
}

// Since are the times from an earlier moment on.
func (t Times) Since(before Times) Times {
	return Times{t.Busy - before.Busy, t.Waited - before.Waited, t.Bytes - before.Bytes, t.Started - before.Started}
}

// grain is the number of elements that parts are multiples of, but for the last: 256 bytes,
// to which every device aligns.
const grain = 64

// Part is the span [from, to) of n elements that belongs to a rank of size ranks. Spans lie in
// the order of ranks, differ by at most grain elements where n allows it, and may be empty.
func Part(n, rank, size int) (from, to int) {
	grains := (n + grain - 1) / grain
	at := func(rank int) int { return min(n, grains*rank/size*grain) }
	return at(rank), at(rank + 1)
}
