package nccl_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
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

// each runs a function on every rank.
func each(groups []dist.Group, f func(g dist.Group)) {
	var all sync.WaitGroup
	for _, g := range groups {
		all.Go(func() { f(g) })
	}
	all.Wait()
}

// Every operation, of lengths that ranks share evenly, unevenly and not at all.
func TestExchange(t *testing.T) {
	for _, size := range []int{1, 2, 3} {
		for _, n := range []int{1, 64, 200, 64 * 6} {
			r := &record{calls: map[int][]string{}}
			groups := nccl.Local(size)
			each(groups, func(g dist.Group) { testExchange(t, r, g, n, device.Options{DebugSync: n == 200}) })
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

func testExchange(t *testing.T, r *record, g dist.Group, n int, o device.Options) {
	d := open(t, r, o)
	defer func() { require.NoError(t, d.Close()) }()
	q, err := d.NewQueue()
	require.NoError(t, err)
	require.Equal(t, "nccl", g.Name())
	x, err := g.Exchange(d)
	require.NoError(t, err)
	rank, size := g.Rank(), g.Size()
	of := func(rank int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(100*rank + i)
		}
		return values
	}
	sum := make([]float32, n)
	for r := range size {
		for i, v := range of(r) {
			sum[i] += v
		}
	}
	from, to := dist.Part(n, rank, size)
	upload := func(values []float32) device.Tensor { return upload(t, d, q, values) }
	reduced, part, whole := upload(of(rank)), upload(make([]float32, to-from)), upload(make([]float32, n))
	sent, mine, cast := upload(make([]float32, size*(to-from))), upload(of(rank)), upload(of(rank))
	x.AllReduce(q, reduced)
	x.ReduceScatter(q, part, mine)
	x.AllToAll(q, sent, mine)
	x.Broadcast(q, cast, size-1)
	require.NoError(t, x.Wait(q))
	x.AllGather(q, whole, part)
	require.NoError(t, x.Wait(q))

	require.Equal(t, sum, download(t, q, reduced))
	require.Equal(t, sum[from:to], download(t, q, part))
	require.Equal(t, sum, download(t, q, whole))
	require.Equal(t, of(size-1), download(t, q, cast))
	var want []float32
	for r := range size {
		want = append(want, of(r)[from:to]...)
	}
	require.True(t, slices.Equal(want, download(t, q, sent)))
	require.Equal(t, 5, x.Times().Started)
	require.Positive(t, x.Times().Bytes)
	require.Positive(t, x.Times().Busy)
	if size > 1 && n == 200 { // every rank has a part
		x.AllGather(q, whole, whole)
		require.ErrorContains(t, x.Wait(q), "all-gather from")
	}
	require.NoError(t, x.Close())
	require.NoError(t, x.Close())
	require.NoError(t, g.Close())
}

func upload(t *testing.T, d device.Device, q device.Queue, values []float32) device.Tensor {
	b, err := d.Alloc(4 * int64(max(len(values), 1)))
	require.NoError(t, err)
	y := device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{len(values)}}
	if len(values) > 0 {
		q.Upload(y, tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values)))
	}
	return y
}

func download(t *testing.T, q device.Queue, y device.Tensor) []float32 {
	if y.Len() == 0 {
		return []float32{}
	}
	h := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(y.Len()))
	q.Download(h, y)
	require.NoError(t, q.Sync())
	return h.Float32s()
}

// Whoever waits for a rank that has failed hears of it.
func TestAbort(t *testing.T) {
	cause := errors.New("out of paper")
	each(nccl.Local(3), func(g dist.Group) {
		d := open(t, nil, device.Options{})
		defer func() { require.NoError(t, d.Close()) }()
		q, err := d.NewQueue()
		require.NoError(t, err)
		x, err := g.Exchange(d)
		require.NoError(t, err)
		y := upload(t, d, q, make([]float32, 100))
		if g.Rank() == 2 {
			time.Sleep(10 * time.Millisecond)
			g.Abort(cause)
			g.Abort(errors.New("later"))
		} else {
			x.AllReduce(q, y)
			err = x.Wait(q)
			require.ErrorAs(t, err, new(*dist.RankError))
			require.ErrorIs(t, err, cause)
			require.ErrorIs(t, x.Wait(q), cause)
		}
		_, err = g.Gather(t.Context(), nil)
		require.ErrorIs(t, err, cause)
		require.NoError(t, x.Close())
	})
}

// Ranks that start different operations get an error, not each other's numbers.
func TestOperationsThatDiffer(t *testing.T) {
	each(nccl.Local(2), func(g dist.Group) {
		d := open(t, nil, device.Options{})
		defer func() { require.NoError(t, d.Close()) }()
		q, err := d.NewQueue()
		require.NoError(t, err)
		x, err := g.Exchange(d)
		require.NoError(t, err)
		x.AllReduce(q, upload(t, d, q, make([]float32, 100+g.Rank())))
		require.ErrorContains(t, x.Wait(q), "ncclAllReduce")
		require.NoError(t, x.Close())
	})
}

// A device that is none of CUDA is an error on every rank.
func TestOtherDevices(t *testing.T) {
	each(nccl.Local(2), func(g dist.Group) {
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
		y := upload(t, d, q, []float32{1, float32(g.Rank())})
		x.AllReduce(q, y)
		require.NoError(t, x.Wait(q))
		require.Equal(t, []float32{3, 3}, download(t, q, y))
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
