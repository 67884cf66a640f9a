package nccl

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// The first word of a file that joins ranks, how often it is looked for, and the end of the name
// of the file in which a rank says why it has failed.
const (
	fileMagic  = "hubel-nccl-id"
	lookEvery  = 100 * time.Millisecond
	failedFile = ".failed"

	maxCause = 4 << 10 // bytes of a failure that are read
)

// Open joins the processes that name one file, which all can reach: rank 0 makes it, the others
// wait for it, or until ctx ends. Rank 0 refuses a file that is there, of another run, and removes
// its own when all have come. Messages go through the devices.
//
// A rank that fails leaves the reason in FILE.failed, which the others look for. One that is
// killed leaves none: NCCL notices that it is gone, or whoever launched the processes.
func Open(ctx context.Context, d device.Device, file string, rank, size int) (dist.Group, error) {
	if size < 1 || rank < 0 || rank >= size {
		return nil, fmt.Errorf("there is no rank %d of %d ranks, which are counted from 0", rank, size)
	}
	c, err := devices(d)
	if err == nil {
		err = c.CheckPeers()
	}
	if err != nil {
		return nil, err
	}
	var id driver.ID
	if rank == 0 {
		id, err = publish(c, file, size)
	} else {
		id, err = await(ctx, file, size)
	}
	if err != nil {
		return nil, err
	}
	comm, err := c.Join(id, rank, size)
	if rank == 0 {
		err = cmp.Or(err, os.Remove(file))
	}
	if err != nil {
		return nil, err
	}
	f := &byFile{file: file, rank: rank, size: size, device: d, members: new(members)}
	f.member = f.members.add(comm, f.failure)
	if f.queue, err = d.NewQueue(); err != nil {
		return nil, cmp.Or(err, f.Close())
	}
	return &group{f, f.members}, nil
}

// publish makes the file.
func publish(c *cuda.Device, file string, size int) (id driver.ID, err error) {
	if _, err := os.Lstat(file); err == nil {
		return id, fmt.Errorf("%s is there already, of another run: remove it, or name another file", printable.Name(file))
	}
	if err := os.Remove(file + failedFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if id, err = c.NewID(); err != nil {
		return id, err
	}
	return id, atomicfile.Write(file, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s %d %x\n", fileMagic, size, id[:])
		return err
	})
}

// await reads the file once it is there.
func await(ctx context.Context, file string, size int) (id driver.ID, err error) {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			return parseID(string(text), file, size)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return id, err
		}
		select {
		case <-ctx.Done():
			return id, fmt.Errorf("waiting for rank 0 to make %s: %w", printable.Name(file), context.Cause(ctx))
		case <-ticks.C:
		}
	}
}

func parseID(text, file string, size int) (id driver.ID, err error) {
	words := strings.Fields(text)
	if len(words) != 3 || words[0] != fileMagic || len(words[2]) != hex.EncodedLen(len(id)) {
		return id, fmt.Errorf("%s is no file that joins ranks", printable.Name(file))
	}
	if words[1] != strconv.Itoa(size) {
		return id, fmt.Errorf("%s is of another number of ranks than %d: all must be started with the same", printable.Name(file), size)
	}
	if _, err := hex.Decode(id[:], []byte(words[2])); err != nil {
		return id, fmt.Errorf("%s is no file that joins ranks: %w", printable.Name(file), err)
	}
	return id, nil
}

// byFile is a process whose messages go through the devices.
type byFile struct {
	file       string
	rank, size int
	device     device.Device
	queue      device.Queue
	members    *members
	member     *member
	closed     bool
}

func (f *byFile) Name() string { return "nccl" }
func (f *byFile) Rank() int    { return f.rank }
func (f *byFile) Size() int    { return f.size }

// Exchange is that of the group around it.
func (f *byFile) Exchange(d device.Device) (dist.Exchange, error) {
	return (&group{f, f.members}).Exchange(d)
}

// Gather exchanges the lengths of the messages, then the messages, all as long as the longest.
func (f *byFile) Gather(ctx context.Context, mine []byte) ([][]byte, error) {
	if f.closed {
		return nil, errors.New("the group is closed")
	}
	stop := context.AfterFunc(ctx, func() { f.member.end(context.Cause(ctx)) })
	defer stop()
	lengths, err := f.allGather(binary.LittleEndian.AppendUint32(nil, uint32(len(mine))))
	if err != nil {
		return nil, err
	}
	longest := uint32(0)
	for _, n := range lengths {
		longest = max(longest, binary.LittleEndian.Uint32(n))
	}
	padded := append(bytes.Clone(mine), make([]byte, int((longest+3)/4*4)-len(mine))...)
	all := make([][]byte, f.size)
	if longest > 0 {
		if all, err = f.allGather(padded); err != nil {
			return nil, err
		}
	}
	for i, n := range lengths {
		all[i] = all[i][:binary.LittleEndian.Uint32(n)]
	}
	return all, nil
}

// allGather exchanges messages of one length, a multiple of 4. They are copied as numbers, which
// no copy changes.
func (f *byFile) allGather(mine []byte) (all [][]byte, err error) {
	n := len(mine) / 4
	b, err := f.device.Alloc(int64(4 * n * f.size))
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, b.Free()) }()
	words := make([]int32, n*f.size)
	for i := range n {
		words[f.rank*n+i] = int32(binary.LittleEndian.Uint32(mine[4*i:]))
	}
	host := tensor.New(tensor.WithShape(len(words)), tensor.WithBacking(words))
	whole := device.Tensor{Buffer: b, DType: device.Int32, Shape: tensor.Shape{len(words)}}
	f.queue.Scope("messages of ranks")
	f.queue.Upload(whole, host)
	f.member.comm.Do(f.queue, "all-gather", cuda.Call{Op: driver.AllGather, Dst: whole, Src: span(whole, f.rank*n, (f.rank+1)*n), Count: n})
	f.queue.Download(host, whole)
	err = f.queue.Sync()
	if cause := f.member.err(); cause != nil {
		err = cause
	}
	if err != nil {
		return nil, err
	}
	for rank := range f.size {
		var message []byte
		for _, w := range words[rank*n : (rank+1)*n] {
			message = binary.LittleEndian.AppendUint32(message, uint32(w))
		}
		all = append(all, message)
	}
	return all, nil
}

// failure is what another rank has failed of, nil if none has.
func (f *byFile) failure() error {
	text, err := os.ReadFile(f.file + failedFile)
	if err != nil {
		return nil // not there, or not to be read: NCCL may know
	}
	number, cause, ok := strings.Cut(string(text[:min(len(text), maxCause)]), " ")
	rank, err := strconv.Atoi(number)
	if !ok || err != nil {
		return nil // not whole yet
	}
	return &dist.RankError{Rank: rank, Err: errors.New(printable.Line(cause))}
}

// Abort leaves the cause to the others. The group around it ends what is enqueued.
func (f *byFile) Abort(cause error) {
	if f.failure() == nil {
		_ = atomicfile.Write(f.file+failedFile, func(w io.Writer) error { // the others notice without, later
			_, err := fmt.Fprintf(w, "%d %v", f.rank, cause)
			return err
		})
	}
}

func (f *byFile) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	err := f.member.close()
	if f.queue != nil {
		err = cmp.Or(err, f.queue.Close())
	}
	return err
}
