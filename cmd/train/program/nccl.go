package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/dist/mpi"
	"github.com/hubel-go/hubel/dist/nccl"
	"github.com/hubel-go/hubel/internal/command"
)

// joinByNCCL makes this process one rank, with one device. Ranks find each other by a file or
// else by MPI, whose launcher has started n of them.
func (o *options) joinByNCCL(ctx context.Context, n int) error {
	rank, local := dist.Place()
	if n > 0 && o.device == "cuda" {
		o.device = fmt.Sprintf("cuda:%d", local)
	}
	if o.ncclID == "" {
		g, err := mpi.Open()
		if err != nil {
			return fmt.Errorf("%w; -nccl-id FILE -rank R -ranks N joins processes without MPI, and -device cuda:0,cuda:1 the cards of one machine", err)
		}
		o.group = nccl.Over(g)
		return nil
	}
	if o.given["rank"] {
		rank, n = o.rank, o.ranks
	}
	if n == 0 {
		return errors.New("-nccl-id needs -rank R and -ranks N where no launcher says them")
	}
	var err error
	if o.messenger, err = device.Open(o.device, device.Options{Threads: o.threads}); err != nil {
		return err
	}
	if o.group, err = nccl.Open(ctx, o.messenger, o.ncclID, rank, n); err != nil {
		return errors.Join(err, o.messenger.Close())
	}
	return nil
}

// checkNCCL checks what the flags of NCCL and several devices need of others.
func (o *options) checkNCCL() error {
	devices := o.deviceNames()
	several := len(devices) > 1
	switch {
	case several && (o.mode&(training|resuming) == 0 || o.check):
		return errors.New("-device takes several devices to train on; everything else runs on one")
	case several && (o.dist == distMPI || o.dist == distOff || o.ncclID != ""):
		return errors.New("-device with several devices trains in one process: -dist mpi, -dist off and -nccl-id, which are for processes of one device each, contradict it")
	case several && slices.Contains(devices, ""):
		return fmt.Errorf("-device %s: a name is missing beside a comma", command.Quoted(o.device))
	case o.ncclID != "" && o.dist != distNCCL:
		return errors.New("-nccl-id needs -dist nccl")
	case o.given["rank"] != o.given["ranks"], o.given["rank"] && o.ncclID == "":
		return errors.New("-rank, -ranks and -nccl-id belong together: a process is number -rank of the -ranks that find each other by the file -nccl-id")
	case o.given["rank"] && (o.ranks < 1 || o.rank < 0 || o.rank >= o.ranks):
		return fmt.Errorf("-rank must be from 0 to %d, one less than -ranks", max(o.ranks-1, 0))
	}
	for i, name := range devices {
		if name == "cuda" {
			name = "cuda:0"
		}
		if kind, _, _ := strings.Cut(name, ":"); several && kind == "cuda" && (slices.Contains(devices[:i], name) || i > 0 && name == "cuda:0" && slices.Contains(devices[:i], "cuda")) {
			return fmt.Errorf("-device names the card %s twice: each trains one share", command.Quoted(name))
		}
	}
	return nil
}

// deviceNames are those of -device.
func (o *options) deviceNames() []string { return strings.Split(o.device, ",") }

// joined are the groups of n devices of this process: by NCCL if it can join them or is asked for.
func (o *options) joined(devices []string) []dist.Group {
	for _, name := range devices {
		if kind, _, _ := strings.Cut(name, ":"); o.dist != distNCCL && kind != "cuda" && kind != "ptxsim" {
			return dist.Local(len(devices))
		}
	}
	return nccl.Local(len(devices))
}

// trainOnEach trains with one goroutine for each device. It returns the exit code.
func (o *options) trainOnEach(ctx context.Context, program string, stdout, stderr io.Writer) int {
	devices := o.deviceNames()
	codes := make([]int, len(devices))
	shared := &oneAtATime{to: stderr}
	var all sync.WaitGroup
	for rank, g := range o.joined(devices) {
		r := *o
		r.device, r.group = devices[rank], g
		out, notes := stdout, io.Writer(shared)
		if rank > 0 {
			out, notes = io.Discard, io.Discard // as those of rank 0
		}
		all.Go(func() {
			err := train(ctx, &r, program, out, notes)
			codes[rank] = r.leave(ctx, shared, r.named(err))
		})
	}
	all.Wait()
	return slices.Max(codes)
}

// oneAtATime is a writer for several goroutines.
type oneAtATime struct {
	mu sync.Mutex
	to io.Writer
}

// Write writes all of p before another's.
func (w *oneAtATime) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}
