package cuda

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// spyDriver runs no kernels, and keeps what is loaded and launched. Once next is not 0,
// it gives out addresses without memory.
type spyDriver struct {
	driver.Driver
	next     driver.Ptr
	loaded   []string
	launches []launched
	uploads  [][]byte
	refuse   error // of what is loaded for programs
	scarce   error // of memory for segments
}

type launched struct {
	kernel string
	grid   driver.Dim
	slots  []uint64
}

func (d *spyDriver) Load(name, ptx string) (driver.Module, error) {
	if strings.HasPrefix(name, "map ") || strings.HasPrefix(name, "reduce ") || strings.HasPrefix(name, "update ") {
		d.loaded = append(d.loaded, name)
		if d.refuse != nil {
			return nil, d.refuse
		}
	}
	return d.Driver.Load(name, ptx)
}

func (d *spyDriver) Alloc(name string, bytes int64) (driver.Ptr, error) {
	if name == "segments" && d.scarce != nil {
		return 0, d.scarce
	}
	if d.next == 0 {
		return d.Driver.Alloc(name, bytes)
	}
	p := d.next
	d.next = p.Offset((bytes + 255) / 256 * 256)
	return p, nil
}

func (d *spyDriver) Free(p driver.Ptr) error {
	if d.next != 0 {
		return nil
	}
	return d.Driver.Free(p)
}

func (d *spyDriver) NewStream() (driver.Stream, error) {
	s, err := d.Driver.NewStream()
	return spyStream{s, d}, err
}

type spyStream struct {
	driver.Stream
	d *spyDriver
}

func (s spyStream) Launch(f driver.Function, c driver.Config, args *driver.Args) error {
	s.d.launches = append(s.d.launches, launched{f.Name(), c.Grid.Full(), append([]uint64{}, args.Slots()...)})
	return nil
}

func (s spyStream) Upload(_ driver.Ptr, src []byte) error {
	s.d.uploads = append(s.d.uploads, slices.Clone(src))
	return nil
}

// spied is a queue, and tensors without memory, so many bytes behind a multiple of 256.
func spied(t *testing.T) (*spyDriver, device.Queue, func(shift int64, n int) device.Tensor) {
	spy := &spyDriver{Driver: ptxsim.New(ptxsim.Config{Unchecked: true})}
	d, err := New("ptxsim", spy, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	q, err := d.NewQueue()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	spy.next = 1 << 45
	return spy, q, func(shift int64, n int) device.Tensor {
		b, err := d.Alloc(shift + 4*int64(n))
		require.NoError(t, err)
		return device.Tensor{Buffer: b.Slice(shift, 4*int64(n)), DType: device.Float32, Shape: tensor.Shape{n}}
	}
}

// How a map is launched: as one row where a program does not ask where it is, four
// elements at once where they lie so.
func TestMapLaunches(t *testing.T) {
	spy, q, of := spied(t)
	whole, channel := expr.MustNew(expr.Exp(expr.Input(0, expr.Whole))), expr.MustNew(expr.Input(0, expr.Channel))
	for i, c := range []struct {
		p             *expr.Program
		v             device.View
		shiftOut, in  int64
		grid          driver.Dim
		samples, size uint64
		vector        uint64
	}{
		{whole, device.View{N: 3, C: 5, Inner: 7}, 0, 0, driver.Dim{X: 1, Y: 1, Z: 1}, 1, 105, 1},
		{whole, device.View{N: 1, C: 1, Inner: blockElements}, 0, 0, driver.Dim{X: 1, Y: 1, Z: 1}, 1, blockElements, 1},
		{whole, device.View{N: 1, C: 1, Inner: blockElements + 1}, 0, 16, driver.Dim{X: 2, Y: 1, Z: 1}, 1, blockElements + 1, 1},
		{whole, device.View{N: 3, C: 5, Inner: 7}, 4, 0, driver.Dim{X: 1, Y: 1, Z: 1}, 1, 105, 0},
		{whole, device.View{N: 3, C: 5, Inner: 7}, 0, 8, driver.Dim{X: 1, Y: 1, Z: 1}, 1, 105, 0},
		{whole, device.View{N: 2, C: 1, Inner: 1 << 30}, 0, 0, driver.Dim{X: 1 << 30 / blockElements, Y: 2, Z: 1}, 2, 1 << 30, 1},
		{whole, device.View{N: 2, C: 1 << 15, Inner: 1<<15 + 1}, 0, 0, driver.Dim{X: 1<<30/blockElements + 1<<15/blockElements, Y: 2, Z: 1}, 2, 1<<30 + 1<<15, 1},
		{whole, device.View{N: 2, C: 1, Inner: 1<<30 + 2}, 0, 0, driver.Dim{X: 1<<30/blockElements + 1, Y: 2, Z: 1}, 2, 1<<30 + 2, 0},
		{whole, device.View{N: 1, C: 1, Inner: math.MaxInt32}, 0, 0, driver.Dim{X: 1 << 31 / blockElements, Y: 1, Z: 1}, 1, math.MaxInt32, 1},
		{channel, device.View{N: 3, C: 5, Inner: 8}, 0, 4, driver.Dim{X: 1, Y: 3, Z: 1}, 3, 40, 1},
		{channel, device.View{N: 3, C: 4, Inner: 7}, 0, 0, driver.Dim{X: 1, Y: 3, Z: 1}, 3, 28, 0},
		{channel, device.View{N: 1, C: 4, Inner: 7}, 0, 0, driver.Dim{X: 1, Y: 1, Z: 1}, 1, 28, 0},
		{channel, device.View{N: limits.gridY + 1, C: 1, Inner: 4}, 0, 0, driver.Dim{X: 1, Y: limits.gridY, Z: 1}, uint64(limits.gridY) + 1, 4, 1},
	} {
		spy.launches = nil
		q.Map(c.p, c.v, []device.Tensor{of(c.shiftOut, c.v.Elements(expr.Whole))}, []device.Tensor{of(c.in, c.v.Elements(c.p.Inputs()[0]))}, []device.Mode{device.Overwrite}, device.Random{})
		require.NoError(t, q.Sync(), "row %d", i)
		require.Len(t, spy.launches, 1, "row %d", i)
		got := spy.launches[0]
		require.Equal(t, "map", got.kernel)
		require.Equal(t, c.grid, got.grid, "row %d", i)
		require.Equal(t, []uint64{c.samples, c.size, c.vector}, got.slots[2:5], "row %d", i)
		if c.p == channel {
			require.Equal(t, []uint64{uint64(c.v.C), uint64(c.v.Inner), divisor(c.v.Inner)}, got.slots[5:], "row %d", i)
		}
	}
}

// Draws come with the parts of Random, each in its place, and kernels are made once for
// a program and its modes.
func TestProgramsAreKept(t *testing.T) {
	spy, q, of := spied(t)
	p := expr.MustNew(expr.Draw(0))
	v := device.View{N: 2, C: 3, Inner: 4}
	r := device.Random{Seed: 5<<32 | 6, Iteration: 7, Stream: 8, Sample: 9}
	for _, m := range []device.Mode{device.Overwrite, device.Accumulate, device.Overwrite, device.Accumulate} {
		q.Map(expr.MustNew(expr.Draw(0)), v, []device.Tensor{of(0, 24)}, nil, []device.Mode{m}, r)
		q.Reduce(p, v, device.Sum, expr.Channel, of(0, 3), nil, m, r)
	}
	q.Reduce(p, v, device.Max, expr.Channel, of(0, 3), nil, device.Overwrite, r)
	q.Reduce(p, v, device.Sum, expr.Sample, of(0, 2), nil, device.Overwrite, r)
	require.NoError(t, q.Sync())
	require.Len(t, spy.loaded, 6)
	require.Equal(t, []uint64{2, 12, 1, 3, 4, divisor(4), 6, 5, 7, 8, 9}, spy.launches[0].slots[1:])
	require.Equal(t, []uint64{3, 8, 8, 2, 4, 1, 3, 4, divisor(4), divisor(3), 6, 5, 7, 8, 9}, spy.launches[1].slots[1:])
}

// How the terms of results are dealt, which depends on the shape alone: what lies side by
// side is read by lanes side by side, and blocks fill a device where there are terms enough.
func TestReduceLaunches(t *testing.T) {
	p := expr.MustNew(expr.Input(0, expr.Whole))
	spy, q, of := spied(t)
	for _, c := range []struct {
		v      device.View
		axes   expr.Axes
		grids  []driver.Dim
		each   int
		lanes  []int
		inners []int
	}{
		{device.View{N: 2, C: 3, Inner: 4}, expr.Channel, []driver.Dim{{X: 1, Y: 1}}, 8, []int{4}, []int{4}},
		{device.View{N: 8, C: 4, Inner: 4}, expr.Channel, []driver.Dim{{X: 1, Y: 1}}, 32, []int{4}, []int{4}},
		{device.View{N: 33, C: 3, Inner: 1}, expr.Sample, []driver.Dim{{X: 1, Y: 1}}, 4, []int{4}, []int{3}},
		{device.View{N: 65, C: 3, Inner: 11}, expr.Sample, []driver.Dim{{X: 3, Y: 1}}, 40, []int{8}, []int{11}},
		{device.View{N: 1, C: 1, Inner: 4096}, expr.One, []driver.Dim{{X: 1, Y: 1}}, 4096, []int{256}, []int{4096}},
		{device.View{N: 1, C: 1, Inner: 4097}, expr.One, []driver.Dim{{X: 1, Y: 2}, {X: 1, Y: 1}}, 2304, []int{256, 1}, []int{4097, 1}},
		{device.View{N: 3, C: 1, Inner: 8192}, expr.Sample, []driver.Dim{{X: 3, Y: 2}, {X: 1, Y: 1}}, 4096, []int{256, 1}, []int{8192, 3}},
		{device.View{N: 32, C: 64, Inner: 3136}, expr.Channel, []driver.Dim{{X: 64, Y: 16}, {X: 1, Y: 1}}, 6400, []int{256, 1}, []int{3136, 64}},
		{device.View{N: 32, C: 2048, Inner: 49}, expr.Channel, []driver.Dim{{X: 1024, Y: 1}}, 1664, []int{128}, []int{49}},
		{device.View{N: 2, C: 3, Inner: 4}, expr.Inner, []driver.Dim{{X: 1, Y: 1}}, 6, []int{1}, []int{4}},
		{device.View{N: 2, C: 257, Inner: 4}, expr.C | expr.Inner, []driver.Dim{{X: 5, Y: 1}}, 2, []int{1}, []int{4}},
		{device.View{N: 17, C: 1, Inner: 64}, expr.Inner, []driver.Dim{{X: 1, Y: 1}}, 18, []int{2}, []int{64}},
		{device.View{N: 4096, C: 1, Inner: 1024}, expr.Inner, []driver.Dim{{X: 32, Y: 32}, {X: 8, Y: 1}}, 128, []int{8, 2}, []int{1024, 1024}},
		{device.View{N: 4096, C: 1024, Inner: 1}, expr.Channel, []driver.Dim{{X: 32, Y: 32}, {X: 8, Y: 1}}, 128, []int{8, 2}, []int{1024, 1024}},
		{device.View{N: 100_000, C: 1, Inner: 520}, expr.Inner, []driver.Dim{{X: 17, Y: 60}, {X: 9, Y: 1}}, 1672, []int{8, 4}, []int{520, 520}},
		{device.View{N: 1 << 20, C: 1, Inner: 1}, expr.Inner, []driver.Dim{{X: 1, Y: 256}, {X: 1, Y: 1}}, 4096, []int{256, 16}, []int{1, 1}},
		{device.View{N: 1 << 20, C: 1, Inner: 9}, expr.Inner, []driver.Dim{{X: 1, Y: 1024}, {X: 1, Y: 1}}, 1024, []int{16, 16}, []int{9, 9}},
	} {
		spy.launches = nil
		results, terms := c.v.Elements(c.axes), c.v.Elements(expr.Whole)/c.v.Elements(c.axes)
		q.Reduce(p, c.v, device.Sum, c.axes, of(0, results), []device.Tensor{of(0, c.v.Elements(expr.Whole))}, device.Accumulate, device.Random{})
		require.NoError(t, q.Sync(), "%v", c.v)
		require.Len(t, spy.launches, len(c.grids), "%v", c.v)
		parts := c.grids[0].Y
		require.LessOrEqual(t, results*parts, partsOfResults(), "%v", c.v)
		require.Less(t, (parts-1)*c.each, terms, "%v", c.v)
		for i, n := range []struct{ terms, each int }{{terms, c.each}, {parts, parts}}[:len(c.grids)] {
			l := spy.launches[i]
			require.Equal(t, c.grids[i].Full(), l.grid, "%v", c.v)
			require.Equal(t, []uint64{uint64(results), uint64(n.terms), uint64(n.each), uint64(bits.TrailingZeros(uint(c.lanes[i])))}, l.slots[2:6], "%v", c.v)
			require.Equal(t, []uint64{uint64(c.inners[i]), divisor(c.inners[i])}, l.slots[9:11], "%v", c.v)
		}
		if len(c.grids) == 2 {
			require.Equal(t, spy.launches[0].slots[0], spy.launches[1].slots[1], "%v", c.v)
		}
	}
}

// Terms go in fours where four lie side by side, and are read at once where every address
// allows it: what a lane adds follows from the shape, not from addresses.
func TestReduceInFours(t *testing.T) {
	x := expr.Input(0, expr.Whole)
	scaled, moved := expr.MustNew(expr.Mul(x, expr.Input(1, expr.Channel))), expr.MustNew(expr.Mul(x, expr.Input(1, expr.Inner)))
	spy, q, of := spied(t)
	for i, c := range []struct {
		p                *expr.Program
		v                device.View
		axes             expr.Axes
		shift, second    int64 // of the inputs, in bytes
		together, vector uint64
	}{
		{scaled, device.View{N: 2, C: 3, Inner: 8}, expr.N | expr.C, 0, 4, 4, 1},
		{scaled, device.View{N: 2, C: 3, Inner: 8}, expr.N | expr.C, 16, 4, 4, 1},
		{scaled, device.View{N: 2, C: 3, Inner: 8}, expr.N | expr.C, 4, 4, 4, 0},
		{scaled, device.View{N: 2, C: 3, Inner: 7}, expr.N | expr.C, 0, 4, 1, 0},
		{scaled, device.View{N: 1, C: 1, Inner: 7}, expr.N | expr.C, 0, 4, 4, 1}, // all of the run
		{scaled, device.View{N: 2, C: 3, Inner: 8}, expr.Channel, 0, 4, 4, 1},
		{scaled, device.View{N: 2, C: 4, Inner: 7}, expr.Channel, 0, 4, 1, 0},
		{scaled, device.View{N: 2, C: 4, Inner: 7}, expr.Sample, 0, 4, 1, 0},
		{scaled, device.View{N: 1, C: 1, Inner: 7}, expr.Channel, 0, 4, 1, 0}, // its kernel is for any view
		{scaled, device.View{N: 2, C: 8, Inner: 1}, expr.Sample, 0, 0, 4, 1},
		{scaled, device.View{N: 2, C: 8, Inner: 1}, expr.Sample, 0, 4, 4, 0},
		{scaled, device.View{N: 2, C: 8, Inner: 1}, expr.Channel, 0, 0, 1, 0},
		{moved, device.View{N: 2, C: 3, Inner: 8}, expr.N | expr.C, 0, 0, 4, 1},
		{moved, device.View{N: 2, C: 3, Inner: 8}, expr.N | expr.C, 0, 4, 4, 0},
		{moved, device.View{N: 2, C: 3, Inner: 8}, expr.Pixel, 0, 0, 1, 0},
	} {
		spy.launches = nil
		in := []device.Tensor{of(c.shift, c.v.Elements(expr.Whole)), of(c.second, c.v.Elements(c.p.Inputs()[1]))}
		q.Reduce(c.p, c.v, device.Sum, c.axes, of(0, c.v.Elements(c.axes)), in, device.Overwrite, device.Random{})
		require.NoError(t, q.Sync(), "row %d", i)
		require.Equal(t, []uint64{c.together, c.vector}, spy.launches[0].slots[7:9], "row %d", i)
	}
	require.True(t, isRun(scaled, expr.N|expr.C, false))
	require.False(t, isRun(scaled, expr.Sample, false), "the input has another value for each channel")
	require.False(t, isRun(scaled, expr.C, false), "a channel's terms lie apart")
	require.False(t, isRun(expr.MustNew(expr.Draw(0)), expr.One, false))
	require.True(t, isRun(moved, expr.Sample, true), "Inner is 1")
}

func TestProgramErrors(t *testing.T) {
	spy, q, of := spied(t)
	p := expr.MustNew(expr.Input(0, expr.Whole))
	one := []device.Mode{device.Overwrite}
	q.Scope("act")
	long := device.View{N: 1, C: 1, Inner: 1 << 31}
	q.Map(p, long, []device.Tensor{of(0, 1<<31)}, []device.Tensor{of(0, 1<<31)}, one, device.Random{})
	require.EqualError(t, q.Sync(), "act: map: a sample has more than 2^31-1 elements")
	q.Reduce(p, long, device.Sum, expr.One, of(0, 1), []device.Tensor{of(0, 1<<31)}, device.Overwrite, device.Random{})
	require.EqualError(t, q.Sync(), "act: reduce: more than 2^31-1 results, or terms of one")
	q.Reduce(p, long, device.Sum, expr.Whole, of(0, 1<<31), []device.Tensor{of(0, 1<<31)}, device.Overwrite, device.Random{})
	require.EqualError(t, q.Sync(), "act: reduce: more than 2^31-1 results, or terms of one")
	v := device.View{N: 2, C: 3, Inner: 2}
	q.Map(p, v, []device.Tensor{of(0, 12)}, []device.Tensor{of(0, 11)}, one, device.Random{})
	q.Map(nil, v, nil, nil, nil, device.Random{})
	q.Reduce(nil, v, device.Sum, expr.One, device.Tensor{}, nil, device.Overwrite, device.Random{})
	require.EqualError(t, q.Sync(), "act: map: input 0 is 11 elements of float32, but [N,C,Inner] of [2,3,2] are 12 of float32")
	require.Empty(t, spy.launches)
	require.Empty(t, spy.loaded)

	spy.refuse = errors.New("no room")
	q.Map(p, v, []device.Tensor{of(0, 12)}, []device.Tensor{of(0, 12)}, one, device.Random{})
	require.EqualError(t, q.Sync(), "act: map: map of the program in0: no room")
	q.Reduce(p, v, device.Sum, expr.Channel, of(0, 3), []device.Tensor{of(0, 12)}, device.Overwrite, device.Random{})
	require.EqualError(t, q.Sync(), "act: reduce: reduce of the program in0: no room")
	require.Empty(t, spy.launches)
	spy.refuse = nil
	q.Map(p, v, []device.Tensor{of(0, 12)}, []device.Tensor{of(0, 12)}, one, device.Random{})
	require.NoError(t, q.Sync())
	require.Len(t, spy.launches, 1)
}
