package dist_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/dist"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
)

// each runs a function on every rank.
func each(groups []dist.Group, f func(g dist.Group)) {
	var all sync.WaitGroup
	for _, g := range groups {
		all.Go(func() { f(g) })
	}
	all.Wait()
}

func TestPartsAreTheWhole(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000, 1 << 20} {
		for _, size := range []int{1, 2, 3, 7, 8, 1024} {
			at := 0
			for rank := range size {
				from, to := dist.Part(n, rank, size)
				require.Equal(t, at, from)
				require.True(t, to >= from && (to%64 == 0 || to == n))
				require.LessOrEqual(t, to-from, n/size+2*64)
				at = to
			}
			require.Equal(t, n, at)
		}
	}
}

func TestGather(t *testing.T) {
	groups := dist.Local(3)
	each(groups, func(g dist.Group) {
		for k := range 3 {
			all, err := g.Gather(t.Context(), []byte(fmt.Sprint(g.Rank()*10+k)))
			require.NoError(t, err)
			require.Equal(t, []string{fmt.Sprint(k), fmt.Sprint(10 + k), fmt.Sprint(20 + k)}, []string{string(all[0]), string(all[1]), string(all[2])})
		}
		require.NoError(t, g.Close())
		require.NoError(t, g.Close())
		_, err := g.Gather(t.Context(), nil)
		require.Error(t, err)
	})
}

// Every operation, on memory that the host can reach and on memory that it cannot, of lengths
// that ranks share unevenly.
func TestExchange(t *testing.T) {
	for _, name := range []string{"cpu", "reference", "ptxsim"} {
		for _, size := range []int{1, 2, 3} {
			for _, n := range []int{1, 64, 200} {
				each(dist.Local(size), func(g dist.Group) { testExchange(t, name, g, n) })
			}
		}
	}
}

func testExchange(t *testing.T, name string, g dist.Group, n int) {
	d, err := device.Open(name, device.Options{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	q, err := d.NewQueue()
	require.NoError(t, err)
	x, err := g.Exchange(d)
	require.NoError(t, err)
	rank, size := g.Rank(), g.Size()

	value := func(rank, i int) float32 { return float32(100*rank + i) }
	upload := func(values []float32) device.Tensor {
		b, err := d.Alloc(4 * int64(max(len(values), 1)))
		require.NoError(t, err)
		y := device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{len(values)}}
		if len(values) > 0 {
			q.Upload(y, tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values)))
		}
		return y
	}
	download := func(y device.Tensor) []float32 {
		if y.Len() == 0 {
			return []float32{}
		}
		h := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(y.Len()))
		q.Download(h, y)
		require.NoError(t, q.Sync())
		return h.Float32s()
	}
	of := func(rank int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = value(rank, i)
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
	reduced, part, whole := upload(of(rank)), upload(make([]float32, to-from)), upload(make([]float32, n))
	sent := upload(make([]float32, size*(to-from)))
	mine, cast := upload(of(rank)), upload(of(rank))
	x.AllReduce(q, reduced)
	x.ReduceScatter(q, part, mine)
	x.AllToAll(q, sent, mine)
	x.Broadcast(q, cast, size-1)
	require.NoError(t, x.Wait(q))
	x.AllGather(q, whole, part)
	require.NoError(t, x.Wait(q))

	require.Equal(t, sum, download(reduced))
	require.Equal(t, sum[from:to], download(part))
	require.Equal(t, sum, download(whole))
	require.Equal(t, of(size-1), download(cast))
	var want []float32
	for r := range size {
		want = append(want, of(r)[from:to]...)
	}
	require.Equal(t, len(want), len(download(sent)))
	require.True(t, slices.Equal(want, download(sent)))
	times := x.Times()
	require.Equal(t, 5, times.Started)
	require.Positive(t, times.Bytes)

	if size > 1 && n == 200 { // every rank has a part
		x.AllGather(q, whole, whole)
		require.ErrorContains(t, x.Wait(q), "all-gather from")
	}
	require.NoError(t, x.Close())
	require.NoError(t, x.Close())
	require.NoError(t, g.Close())
}

// Whoever waits for a rank that has failed hears of it.
func TestAbort(t *testing.T) {
	cause := errors.New("out of paper")
	each(dist.Local(3), func(g dist.Group) {
		d, err := device.Open("cpu", device.Options{Threads: 1})
		require.NoError(t, err)
		defer func() { require.NoError(t, d.Close()) }()
		q, err := d.NewQueue()
		require.NoError(t, err)
		x, err := g.Exchange(d)
		require.NoError(t, err)
		b, err := d.Alloc(400)
		require.NoError(t, err)
		y := device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{100}}
		switch g.Rank() {
		case 0:
			x.AllReduce(q, y)
			err = x.Wait(q)
		case 1:
			_, err = g.Gather(context.Background(), nil)
		case 2:
			time.Sleep(10 * time.Millisecond)
			g.Abort(cause)
			g.Abort(errors.New("later"))
			_, err = g.Gather(context.Background(), nil)
		}
		var failed *dist.RankError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, err, cause)
		require.EqualError(t, err, "rank 2: out of paper")
		require.NoError(t, x.Close())
	})
}

func TestGatherEndsWithItsContext(t *testing.T) {
	g := dist.Local(2)[0]
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	_, err := g.Gather(ctx, nil)
	require.ErrorIs(t, err, why)
}

// Ranks that start different operations get an error, not each other's numbers.
func TestOperationsThatDiffer(t *testing.T) {
	each(dist.Local(2), func(g dist.Group) {
		d, err := device.Open("cpu", device.Options{Threads: 1})
		require.NoError(t, err)
		defer func() { require.NoError(t, d.Close()) }()
		q, err := d.NewQueue()
		require.NoError(t, err)
		x, err := g.Exchange(d)
		require.NoError(t, err)
		b, err := d.Alloc(400)
		require.NoError(t, err)
		x.AllReduce(q, device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{10 + g.Rank()}})
		require.EqualError(t, x.Wait(q), "ranks 0 and 1 have started different operations: all-reduce of 10 elements and all-reduce of 11 elements")
	})
}

func TestAgree(t *testing.T) {
	for _, c := range []struct {
		errs []error // of ranks
		says []bool  // who reports
	}{
		{[]error{nil, nil, nil}, nil},
		{[]error{nil, errors.New("a"), nil}, []bool{false, true, false}},
		{[]error{errors.New("a"), errors.New("a"), errors.New("b")}, []bool{true, false, true}},
	} {
		groups := dist.Local(3)
		each(groups, func(g dist.Group) {
			err := dist.Agree(t.Context(), g, c.errs[g.Rank()])
			if c.says == nil {
				require.NoError(t, err)
				return
			}
			if c.says[g.Rank()] {
				require.ErrorAs(t, err, new(*dist.AgreedError))
				require.EqualError(t, err, c.errs[g.Rank()].Error())
			} else {
				require.ErrorAs(t, err, new(*dist.RankError))
			}
		})
	}
}

func TestLaunched(t *testing.T) {
	for _, name := range []string{"OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"} {
		t.Setenv(name, "")
	}
	_, n := dist.Launched()
	require.Zero(t, n)
	t.Setenv("SLURM_STEP_NUM_TASKS", "3")
	by, n := dist.Launched()
	require.Equal(t, "srun", by)
	require.Equal(t, 3, n)
	t.Setenv("OMPI_COMM_WORLD_SIZE", "many")
	_, n = dist.Launched()
	require.Equal(t, 3, n)
}
