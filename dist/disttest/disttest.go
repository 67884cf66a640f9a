// Package disttest holds an engine of package dist against what dist promises. Each engine's tests
// call it with groups of its own, whose ranks are goroutines.
package disttest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
)

// Each runs a function on every rank, side by side.
func Each(groups []dist.Group, f func(g dist.Group)) {
	var all sync.WaitGroup
	for _, g := range groups {
		all.Go(func() { f(g) })
	}
	all.Wait()
}

// Upload is a tensor [n] of a device with these values.
func Upload(t testing.TB, d device.Device, q device.Queue, values []float32) device.Tensor {
	t.Helper()
	b, err := d.Alloc(4 * int64(max(len(values), 1)))
	require.NoError(t, err)
	y := device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{len(values)}}
	if len(values) > 0 {
		q.Upload(y, tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values)))
	}
	return y
}

// Download is the values of a tensor [n], once the queue has done what it has.
func Download(t testing.TB, q device.Queue, y device.Tensor) []float32 {
	t.Helper()
	if y.Len() == 0 {
		return []float32{}
	}
	h := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(y.Len()))
	q.Download(h, y)
	require.NoError(t, q.Sync())
	return h.Float32s()
}

// Exchange runs every operation on n elements, as one rank of a group, and closes the group and the
// device. The sums are exact in any order.
func Exchange(t testing.TB, g dist.Group, d device.Device, n int) {
	defer func() { require.NoError(t, d.Close()) }()
	q, err := d.NewQueue()
	require.NoError(t, err)
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
	upload := func(values []float32) device.Tensor { return Upload(t, d, q, values) }
	reduced, part, whole := upload(of(rank)), upload(make([]float32, to-from)), upload(make([]float32, n))
	sent, mine, cast := upload(make([]float32, size*(to-from))), upload(of(rank)), upload(of(rank))
	x.AllReduce(q, reduced)
	x.ReduceScatter(q, part, mine)
	x.AllToAll(q, sent, mine)
	x.Broadcast(q, cast, size-1)
	require.NoError(t, x.Wait(q))
	x.AllGather(q, whole, part)
	require.NoError(t, x.Wait(q))

	require.Equal(t, sum, Download(t, q, reduced))
	require.Equal(t, sum[from:to], Download(t, q, part))
	require.Equal(t, sum, Download(t, q, whole))
	require.Equal(t, of(size-1), Download(t, q, cast))
	want := []float32{}
	for r := range size {
		want = append(want, of(r)[from:to]...)
	}
	require.Equal(t, want, Download(t, q, sent))
	require.Equal(t, of(rank), Download(t, q, mine), "what is only read")
	require.Equal(t, 5, x.Times().Started)
	require.Positive(t, x.Times().Bytes)
	require.Positive(t, x.Times().Busy)

	if size > 1 && to-from < n {
		x.AllGather(q, whole, whole)
		require.ErrorContains(t, x.Wait(q), "all-gather from")
	}
	require.NoError(t, x.Close())
	require.NoError(t, x.Close())
	require.NoError(t, g.Close())
}

// Abort checks that whoever waits for a rank that has failed hears of it: of three ranks, each with
// a device that open makes, one exchanges, one gathers, and one fails.
func Abort(t testing.TB, groups []dist.Group, open func() device.Device) {
	require.Len(t, groups, 3)
	cause := errors.New("out of paper")
	Each(groups, func(g dist.Group) {
		d := open()
		defer func() { require.NoError(t, d.Close()) }()
		q, err := d.NewQueue()
		require.NoError(t, err)
		x, err := g.Exchange(d)
		require.NoError(t, err)
		y := Upload(t, d, q, make([]float32, 100))
		switch g.Rank() {
		case 0:
			x.AllReduce(q, y)
			err = x.Wait(q)
			require.ErrorIs(t, x.Wait(q), cause, "once more")
		case 1:
			_, err = g.Gather(t.Context(), nil)
		case 2:
			time.Sleep(10 * time.Millisecond)
			g.Abort(cause)
			g.Abort(errors.New("later"))
			_, err = g.Gather(t.Context(), nil)
		}
		var failed *dist.RankError
		require.ErrorAs(t, err, &failed)
		require.EqualError(t, failed, "rank 2: out of paper")
		require.ErrorIs(t, err, cause)
		_, err = g.Gather(t.Context(), nil)
		require.ErrorIs(t, err, cause)
		require.NoError(t, x.Close())
	})
}
