//go:build cuda && linux && amd64

package cudriver

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/cudriver/recorder"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// exchange is what a device does of two that exchange: each operation of NCCL, on numbers of which
// it knows what comes out.
func exchange(c driver.Comm, d driver.Driver, rank int) (err error) {
	s, err := d.NewStream()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	x, err := d.Alloc("x", 64)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Free(x)) }()
	y := x.Offset(32)
	other := 1 - rank
	a, b := float32(1+rank), float32(2-rank) // mine, the other's
	for _, step := range []struct {
		calls []driver.Call
		want  []float32 // y
	}{
		{[]driver.Call{{Op: driver.AllReduce, Dst: y, Src: x, Count: 4}}, []float32{3, 30, 300, 3000}},
		{[]driver.Call{{Op: driver.ReduceScatter, Dst: y, Src: x, Count: 2}}, [][]float32{{3, 30}, {300, 3000}}[rank]},
		{[]driver.Call{{Op: driver.AllGather, Dst: y, Src: x, Count: 2}}, []float32{1, 10, 2, 20}},
		{[]driver.Call{{Op: driver.Broadcast, Dst: y, Src: x, Count: 3, Peer: 1}}, []float32{2, 20, 200}},
		{[]driver.Call{{Op: driver.Send, Src: x, Count: 3, Peer: other}, {Op: driver.Receive, Dst: y, Count: 3, Peer: other}}, []float32{b, 10 * b, 100 * b}},
		{[]driver.Call{{Op: driver.Reduce, Dst: y, Src: x, Count: 1, Peer: 0}, {Op: driver.Reduce, Dst: y.Offset(4), Src: x.Offset(4), Count: 1, Peer: 1}}, [][]float32{{3, 0}, {0, 30}}[rank]},
		{nil, nil},
	} {
		start := []float32{a, 10 * a, 100 * a, 1000 * a, 0, 0, 0, 0, 0, 0, 0, 0}
		if err := s.Upload(x, raw(start)); err != nil {
			return err
		}
		if err := c.Do(s, step.calls); err != nil {
			return err
		}
		got := make([]float32, len(step.want))
		if err := errors.Join(s.Download(raw(got), y), s.Sync(), c.Failed()); err != nil {
			return err
		}
		for i, v := range step.want {
			if v != got[i] {
				return fmt.Errorf("%v: %v and not %v", step.calls, got, step.want)
			}
		}
	}
	return nil
}

func raw(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// twoJoined runs a function for two devices that are joined.
func twoJoined(f func(c driver.Comm, d driver.Driver, rank int) error) error {
	var devices [2]driver.Peers
	for i := range devices {
		d, err := Open(i)
		if err != nil {
			return err
		}
		devices[i] = d.(driver.Peers)
		if err := devices[i].CheckPeers(); err != nil {
			return err
		}
	}
	id, err := devices[0].NewID()
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	var errs [2]error
	for rank, d := range devices {
		all.Go(func() {
			c, err := d.Join(id, rank, 2)
			if err != nil {
				errs[rank] = err
				return
			}
			errs[rank] = errors.Join(f(c, d, rank), c.Close(), c.Close())
		})
	}
	all.Wait()
	return errors.Join(errs[0], errs[1], devices[0].Close(), devices[1].Close())
}

func TestInsidePeers(t *testing.T) {
	recorder.Inside(t)
	fmt.Println("peers:", twoJoined(exchange))
}

// Each operation reaches NCCL as it must, does its work, and everything is given back.
func TestPeers(t *testing.T) {
	library, peers := recorder.Build(t), "HUBEL_LIBNCCL="+recorder.BuildNCCL(t)
	r := recorder.Test(t, library, "TestInsidePeers", peers)
	require.Contains(t, r.Output, "peers: <nil>\n", r.Calls)
	require.NotContains(t, r.Calls, "FAULT")
	require.Equal(t, recorder.NothingLeft, r.Left())
	require.Equal(t, 1, strings.Count(r.Calls, "ncclGetUniqueId\n"))
	require.Equal(t, 4, strings.Count(r.Calls, "ncclGroupStart\n"))
	require.Equal(t, 4, strings.Count(r.Calls, "ncclGroupEnd\n"))
	for _, call := range []string{
		"ncclCommInitRank %d of 2, id 1\n", "ncclAllReduce 4 0 of rank %d stream 0x", "ncclReduceScatter 2 0 of rank %d stream 0x",
		"ncclAllGather 2 0 of rank %d stream 0x", "ncclBroadcast 3 1 of rank %d stream 0x", "ncclReduce 1 0 of rank %d stream 0x",
		"ncclReduce 1 1 of rank %d stream 0x", "ncclCommDestroy of rank %d\n",
	} {
		for rank := range 2 {
			require.Equal(t, 1, strings.Count(r.Calls, fmt.Sprintf(call, rank)), call)
		}
	}
	require.Contains(t, r.Calls, "ncclSend 3 1 of rank 0 stream 0x")
	require.Contains(t, r.Calls, "ncclRecv 3 0 of rank 1 stream 0x")
	i := strings.LastIndex(r.Calls, "left of NCCL: ")
	require.True(t, strings.HasPrefix(r.Calls[i:], "left of NCCL: 0\n"))
}

// Each failure of NCCL is named, with what it says. All ranks get it, so that none waits.
func TestPeersFail(t *testing.T) {
	library, peers := recorder.Build(t), "HUBEL_LIBNCCL="+recorder.BuildNCCL(t)
	for _, call := range []string{"ncclGetUniqueId", "ncclCommInitRank", "ncclAllReduce", "ncclReduceScatter", "ncclAllGather", "ncclBroadcast", "ncclCommDestroy"} {
		r := recorder.Test(t, library, "TestInsidePeers", peers, "HUBEL_NCCL_FAIL="+call+":2")
		require.Contains(t, r.Output, "peers: "+call+": unhandled system error (2); NCCL_DEBUG=WARN says more\n")
	}
	r := recorder.Test(t, library, "TestInsidePeers", peers, "HUBEL_NCCL_FAIL=ncclReduce:2")
	require.Contains(t, r.Output, "peers: a group of 2 calls from ncclReduce on: unhandled system error (2)")
	r = recorder.Test(t, library, "TestInsidePeers", peers, "HUBEL_NCCL_ASYNC=6")
	require.Contains(t, r.Output, "peers: an error of the test (6); NCCL_DEBUG=WARN says more\n")
	r = recorder.Test(t, library, "TestInsidePeers", peers, "HUBEL_NCCL_ASYNC=7") // in progress
	require.Contains(t, r.Output, "peers: <nil>\n")
	r = recorder.Test(t, library, "TestInsidePeers", "HUBEL_LIBNCCL=/nowhere/libnccl.so.2")
	require.Contains(t, r.Output, "peers: no NCCL: /nowhere/libnccl.so.2: cannot open shared object file: No such file or directory; install NVIDIA's package libnccl2, or `pip install nvidia-nccl-cu12`")
	r = recorder.Test(t, library, "TestInsidePeers", "HUBEL_LIBNCCL=libm.so.6")
	require.Contains(t, r.Output, "peers: no NCCL: libm.so.6 has no ncclGetUniqueId: it is no NCCL of version 2.7 or later; ")
}

func TestInsideAbort(t *testing.T) {
	recorder.Inside(t)
	fmt.Println("peers:", twoJoined(func(c driver.Comm, d driver.Driver, rank int) error {
		if rank == 1 { // which the other waits for
			return errors.Join(c.Abort(), c.Abort())
		}
		s, err := d.NewStream()
		if err != nil {
			return err
		}
		x, err := d.Alloc("x", 64)
		if err != nil {
			return err
		}
		err = errors.Join(c.Do(s, []driver.Call{{Op: driver.AllReduce, Dst: x, Src: x, Count: 4}}), c.Abort())
		if said := c.Do(s, nil); said != errAborted || c.Failed() != errAborted {
			err = errors.Join(err, fmt.Errorf("after Abort: %w", said))
		}
		return errors.Join(err, s.Close(), d.Free(x))
	}))
}

// A device that gives up ends the wait of the other; each frees its place once.
func TestPeersAbort(t *testing.T) {
	r := recorder.Test(t, recorder.Build(t), "TestInsideAbort", "HUBEL_LIBNCCL="+recorder.BuildNCCL(t))
	require.Contains(t, r.Output, "peers: <nil>\n")
	require.NotContains(t, r.Calls, "FAULT")
	require.Equal(t, 2, strings.Count(r.Calls, "ncclCommAbort of rank"))
	require.NotContains(t, r.Calls, "ncclCommDestroy")
	require.Equal(t, recorder.NothingLeft, r.Left())
}
