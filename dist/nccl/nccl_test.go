package nccl_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/dist/disttest"
	"github.com/hubel-go/hubel/dist/nccl"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// record is the calls of each rank.
type record struct {
	mu    sync.Mutex
	calls map[int][]string
}

func (r *record) add(rank int, calls []driver.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[rank] = append(r.calls[rank], fmt.Sprint(calls))
}

// open makes a simulated device, whose exchanges are recorded.
func open(t *testing.T, r *record, o device.Options) device.Device {
	c := ptxsim.Config{Workers: 1}
	if r != nil {
		c.OnExchange = r.add
	}
	d, err := cuda.New("ptxsim", ptxsim.New(c), o)
	require.NoError(t, err)
	return d
}

// Every operation, of lengths that ranks share evenly, unevenly and not at all.
func TestExchange(t *testing.T) {
	for _, size := range []int{1, 2, 3} {
		for _, n := range []int{1, 64, 200, 64 * 6} {
			r := &record{calls: map[int][]string{}}
			groups := nccl.Local(size)
			disttest.Each(groups, func(g dist.Group) {
				require.Equal(t, "nccl", g.Name())
				disttest.Exchange(t, g, open(t, r, device.Options{DebugSync: n == 200}), n)
			})
			for rank := range size {
				require.Len(t, r.calls[rank], 5-min(1, max(0, 2-size)), "n %d of %d: %v", n, size, r.calls[rank])
			}
			if size == 2 && n == 200 {
				require.Equal(t, []string{
					"[ncclAllReduce 200 0]",
					"[ncclReduce 128 0 ncclReduce 72 1]",
					"[ncclSend 72 1 ncclRecv 128 1]",
					"[ncclBroadcast 200 1]",
					"[ncclBroadcast 128 0 ncclBroadcast 72 1]",
				}, r.calls[0])
			}
			if size == 2 && n == 64*6 {
				require.Equal(t, "[ncclReduceScatter 192 0]", r.calls[1][1])
				require.Equal(t, "[ncclAllGather 192 0]", r.calls[1][4])
			}
		}
	}
}

func TestAbort(t *testing.T) {
	disttest.Abort(t, nccl.Local(3), func() device.Device { return open(t, nil, device.Options{}) })
}

// Ranks that start different operations get an error, not each other's numbers.
func TestOperationsThatDiffer(t *testing.T) {
	disttest.Each(nccl.Local(2), func(g dist.Group) {
		d := open(t, nil, device.Options{})
		defer func() { require.NoError(t, d.Close()) }()
		q, err := d.NewQueue()
		require.NoError(t, err)
		x, err := g.Exchange(d)
		require.NoError(t, err)
		x.AllReduce(q, disttest.Upload(t, d, q, make([]float32, 100+g.Rank())))
		require.ErrorContains(t, x.Wait(q), "ncclAllReduce")
		require.NoError(t, x.Close())
	})
}

// A device that is none of CUDA is an error on every rank.
func TestOtherDevices(t *testing.T) {
	disttest.Each(nccl.Local(2), func(g dist.Group) {
		d := open(t, nil, device.Options{})
		if g.Rank() == 1 {
			c, err := cpu.New(1)
			require.NoError(t, err)
			d = c
		}
		_, err := g.Exchange(d)
		require.ErrorContains(t, err, "NCCL joins CUDA devices, and this rank has the device cpu: -device cuda:0 names one")
		require.Equal(t, g.Rank() == 0, errors.As(err, new(*dist.RankError)))
		require.NoError(t, d.Close())
	})
}

// byFile opens n ranks that a file joins.
func byFile(t *testing.T, file string, n int, f func(g dist.Group, d device.Device)) {
	var all sync.WaitGroup
	for rank := range n {
		all.Go(func() {
			d := open(t, nil, device.Options{})
			g, err := nccl.Open(t.Context(), d, file, rank, n)
			require.NoError(t, err)
			f(g, d)
			require.NoError(t, g.Close())
			require.NoError(t, g.Close())
			require.NoError(t, d.Close())
		})
	}
	all.Wait()
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "id")
	byFile(t, file, 3, func(g dist.Group, d device.Device) {
		for k := range 3 {
			all, err := g.Gather(t.Context(), []byte(fmt.Sprint(g.Rank(), " of ", k))[:g.Rank()*k])
			require.NoError(t, err)
			require.Len(t, all, 3)
			for r, m := range all {
				require.Equal(t, fmt.Sprint(r, " of ", k)[:r*k], string(m))
			}
		}
		q, err := d.NewQueue()
		require.NoError(t, err)
		x, err := g.Exchange(d)
		require.NoError(t, err)
		y := disttest.Upload(t, d, q, []float32{1, float32(g.Rank())})
		x.AllReduce(q, y)
		require.NoError(t, x.Wait(q))
		require.Equal(t, []float32{3, 3}, disttest.Download(t, q, y))
		require.NoError(t, x.Close())
	})
	require.NoFileExists(t, file)
}

func TestFileOfAFailure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "id")
	byFile(t, file, 2, func(g dist.Group, d device.Device) {
		if g.Rank() == 1 {
			g.Abort(errors.New("out of paper\x1b[2J"))
			return
		}
		_, err := g.Gather(t.Context(), nil)
		for err == nil { // the device may be ended before the cause is there
			_, err = g.Gather(t.Context(), nil)
		}
	})
	text, err := os.ReadFile(file + ".failed")
	require.NoError(t, err)
	require.Equal(t, "1 out of paper\x1b[2J", string(text))
}

func TestFileRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "id")
	d := open(t, nil, device.Options{})
	defer func() { require.NoError(t, d.Close()) }()
	c, err := cpu.New(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	_, err = nccl.Open(t.Context(), c, file, 0, 2)
	require.ErrorContains(t, err, "NCCL joins CUDA devices")
	_, err = nccl.Open(t.Context(), d, file, 2, 2)
	require.EqualError(t, err, "there is no rank 2 of 2 ranks, which are counted from 0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = nccl.Open(ctx, d, file, 1, 2)
	require.ErrorIs(t, err, context.Canceled)
	for text, says := range map[string]string{
		"": "joins ranks", "hubel-nccl-id 2 zz": "joins ranks", "hubel-nccl-id 2 " + string(make([]byte, 256)): "joins ranks",
		fmt.Sprintf("hubel-nccl-id 3 %x", [128]byte{}): "another number of ranks than 2",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
		_, err = nccl.Open(t.Context(), d, file, 1, 2)
		require.ErrorContains(t, err, says)
		_, err = nccl.Open(t.Context(), d, file, 0, 2)
		require.ErrorContains(t, err, "is there already, of another run")
	}
}
