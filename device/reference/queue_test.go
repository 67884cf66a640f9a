package reference

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// After an error nothing runs: these would panic, for there are no tensors.
func TestErrorsStick(t *testing.T) {
	b := newBench(t)
	b.Scope("layer")
	b.Copy(b.put(1), b.put(1, 2))
	var x device.Tensor
	b.Fill(x, 1)
	b.CopyStrided(device.Strided{}, x, x, device.Overwrite)
	b.ConvForward(device.Conv{}, x, x, device.Filter{}, device.Epilogue{}, nil)
	b.ConvBackwardData(device.Conv{}, x, x, device.Filter{}, device.Overwrite, nil)
	b.ConvBackwardFilter(device.Conv{}, x, x, x, x, device.Overwrite, nil)
	b.ConvPack(device.Conv{}, device.Forward, nil, x)
	b.DenseForward(device.Dense{}, x, x, x, device.Epilogue{}, nil)
	b.DenseBackwardData(device.Dense{}, x, x, x, device.Overwrite, nil)
	b.DenseBackwardFilter(device.Dense{}, x, x, x, x, device.Overwrite, nil)
	b.GEMM(device.GEMM{}, x, x, x, nil)
	b.LRNForward(device.LRN{}, x, x, x)
	b.LRNBackward(device.LRN{}, x, x, x, x, device.Overwrite)
	b.Map(nil, device.View{}, nil, nil, nil, device.Random{})
	b.Reduce(nil, device.View{}, device.Sum, expr.Whole, x, nil, device.Overwrite, device.Random{})
	b.PoolForward(device.Pool{}, x, x, x)
	b.PoolBackward(device.Pool{}, x, x, x, device.Overwrite)
	b.PoolGather(device.Pool{}, x, x, x, device.Overwrite)
	b.SoftmaxForward(device.Softmax{}, x, x)
	b.SoftmaxBackward(device.Softmax{}, x, x, x, device.Overwrite)
	b.Update(nil, nil, nil, nil)
	b.Upload(x, nil)
	b.Download(nil, x)
	b.Copy(x, x)
	require.EqualError(t, b.Sync(), "layer: copy: 2 elements of float32 do not fit 1 of float32")
	require.NoError(t, b.Sync())
}

// Every type goes up and comes down, float32 as float64 too, and no other.
func TestTransfers(t *testing.T) {
	b := newBench(t)
	host := func(values any) *tensor.Dense { return tensor.New(tensor.WithShape(2), tensor.WithBacking(values)) }
	x := b.empty(device.Float32, 2)
	b.Upload(x, host([]float32{1.5, -2}))
	require.Equal(t, []float64{1.5, -2}, b.get(x))
	single := make([]float32, 2)
	b.Download(host(single), b.put(0.1, -2))
	require.Equal(t, []float32{0.1, -2}, single)
	i, u := b.empty(device.Int32, 2), b.empty(device.Uint8, 2)
	b.Upload(i, host([]int32{math.MinInt32, 7}))
	b.Upload(u, host([]uint8{255, 7}))
	whole, small := make([]int32, 2), make([]uint8, 2)
	b.Download(host(whole), i)
	b.Download(host(small), u)
	require.NoError(t, b.Sync())
	require.Equal(t, []int32{math.MinInt32, 7}, whole)
	require.Equal(t, []uint8{255, 7}, small)

	copied := b.empty(device.Int32, 2)
	b.Copy(copied, i)
	require.Equal(t, []int32{math.MinInt32, 7}, b.getInts(copied))

	for says, c := range map[string]struct {
		t    device.Tensor
		host any
	}{
		"load: host data of type int32 does not fit a tensor of type float32": {x, []int32{1, 2}},
		"load: host data of type float64 does not fit a tensor of type int32": {i, []float64{1, 2}},
		"load: host data of type float64 does not fit a tensor of type uint8": {u, []float64{1, 2}},
	} {
		b.Upload(c.t, host(c.host))
		require.EqualError(t, b.Sync(), "up"+says)
		b.Download(host(c.host), c.t)
		require.EqualError(t, b.Sync(), "down"+says)
	}
}

func TestBuffers(t *testing.T) {
	d := New()
	a, err := d.Alloc(10)
	require.NoError(t, err)
	require.Equal(t, int64(10), a.Size())
	require.Equal(t, int64(4), a.Slice(6, 4).Size())
	require.Equal(t, int64(0), a.Slice(10, 0).Size())
	require.PanicsWithValue(t, "reference: slice of 5 bytes at 6 of a buffer of 10", func() { a.Slice(6, 5) })
	require.PanicsWithValue(t, "reference: slice of 1 bytes at -1 of a buffer of 10", func() { a.Slice(-1, 1) })
	require.PanicsWithValue(t, "reference: slice of -1 bytes at 1 of a buffer of 10", func() { a.Slice(1, -1) })
	empty, err := d.Alloc(0)
	require.NoError(t, err)
	require.Zero(t, empty.Size())

	for bytes, says := range map[int64]string{-1: "reference: cannot allocate -1 bytes of host memory", memory + 1: "reference: cannot allocate 8589934593 bytes of host memory"} {
		_, err = d.HostAlloc(bytes)
		require.EqualError(t, err, says)
	}
	for _, bytes := range []int64{0, 5} {
		h, err := d.HostAlloc(bytes)
		require.NoError(t, err)
		require.Len(t, h.Bytes(), int(bytes))
		require.NoError(t, h.Free())
		require.Nil(t, h.Bytes())
	}

	b := newBench(t)
	values, ok := Floats(b.put(3, 4))
	require.True(t, ok)
	require.Equal(t, []float64{3, 4}, values)
	_, ok = Floats(device.Tensor{DType: device.Float32})
	require.False(t, ok)
}

// What a device says of itself, and what it says once it is closed.
func TestDevice(t *testing.T) {
	var infos []device.Info
	for _, i := range device.List(device.Options{}) {
		if i.Name == "reference" {
			infos = append(infos, i)
		}
	}
	require.Equal(t, []device.Info{{Name: "reference", Facts: []device.Fact{
		{Name: "kernels", Value: "plain float64 loops, which tests hold the others against"}, {Name: "memory", Value: "8.0 GiB"}}}}, infos)
	d := New()
	require.Equal(t, "reference", d.Arithmetic())
	traits := d.Traits()
	require.Equal(t, int64(256), traits.Alignment())
	require.True(t, traits.Epilogue(device.Unary{}))
	require.False(t, traits.Staged())
	for _, op := range []device.Operation{device.GEMM{}, device.Conv{}.Of(device.Forward), device.Dense{}.Of(device.Forward)} {
		require.Zero(t, traits.Needs(op))
		require.Zero(t, traits.Precision(op))
	}
	q, err := d.NewQueue()
	require.NoError(t, err)
	event, err := d.NewEvent()
	require.NoError(t, err)
	buffer, err := d.Alloc(4)
	require.NoError(t, err)

	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	_, alloc := d.Alloc(4)
	_, hostAlloc := d.HostAlloc(4)
	_, _, info := d.MemInfo()
	_, queue := d.NewQueue()
	_, another := d.NewEvent()
	for _, err := range []error{alloc, hostAlloc, info, queue, another} {
		require.EqualError(t, err, "reference: the device is closed")
		require.True(t, errors.Is(err, device.ErrClosed))
	}
	require.ErrorIs(t, q.Sync(), device.ErrClosed)
	require.ErrorIs(t, event.Sync(), device.ErrClosed)
	require.NoError(t, buffer.Free())
}
