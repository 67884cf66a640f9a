package cpu

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// TestConformance runs the whole suite on the path in use, which HUBEL_CPU
// chooses, and the small cases on the machine's other paths; with -short, on
// all of them.
func TestConformance(t *testing.T) {
	used, err := gemm.Choose()
	require.NoError(t, err)
	for _, tile := range gemm.Tiles() {
		t.Run(tile.Name, func(t *testing.T) {
			t.Setenv("HUBEL_CPU", tile.Name)
			devicetest.Run(t, func() (device.Device, error) { return New(2) },
				devicetest.Options{NoAllocs: true, Short: tile != used || testing.Short()})
		})
	}
}

// TestSameBitsForAnyWorkers runs the cases of the suite with 1, 2 and 4
// workers and compares all memory they touch. Those that take long are cut no
// differently from others.
func TestSameBitsForAnyWorkers(t *testing.T) {
	flops := int64(50e6)
	if testing.Short() {
		flops = 1e6
	}
	for _, tile := range gemm.Tiles() {
		t.Run(tile.Name, func(t *testing.T) {
			t.Setenv("HUBEL_CPU", tile.Name)
			var devices []*recorder
			for _, workers := range []int{1, 2, 4, 61} {
				d, err := New(workers)
				require.NoError(t, err)
				defer d.Close()
				devices = append(devices, &recorder{Device: d})
			}
			for _, c := range devicetest.Cases(devicetest.Options{Random: 4, Seed: 1}) {
				if c.FLOPs > flops || c.Bytes() > 20e6 || !c.Supported(devices[0].Traits()) {
					continue
				}
				for _, d := range devices {
					d.run(t, c)
				}
				for _, d := range devices[1:] {
					for i, b := range devices[0].buffers {
						require.True(t, slices.Equal(b.mem, d.buffers[i].mem), "%s, %s: %d workers give other bits than one", c.Op, c.Name, d.pool.Workers())
					}
				}
			}
		})
	}
}

// recorder is a device that remembers the buffers it gave out.
type recorder struct {
	*Device
	buffers []*buffer
}

func (r *recorder) Alloc(bytes int64) (device.Buffer, error) {
	b, err := r.Device.Alloc(bytes)
	if err == nil {
		r.buffers = append(r.buffers, b.(*buffer))
	}
	return b, err
}

func (r *recorder) run(t *testing.T, c devicetest.Case) {
	r.buffers = nil
	b, err := c.Bind(r)
	require.NoError(t, err)
	q, err := r.NewQueue()
	require.NoError(t, err)
	b.Launch(q)
	require.NoError(t, q.Sync())
}

// TestTwoQueues runs products with shared panels from two goroutines.
func TestTwoQueues(t *testing.T) {
	d, err := New(2)
	require.NoError(t, err)
	defer d.Close()
	var users sync.WaitGroup
	for range 2 {
		users.Go(func() {
			q, err := d.NewQueue()
			require.NoError(t, err)
			g := device.GEMM{M: 100, N: 90, K: 300, Alpha: 1}
			a, b, c := ones(t, d, 100, 300), ones(t, d, 300, 90), ones(t, d, 100, 90)
			for range 20 {
				q.Fill(c, 0)
				q.GEMM(g, c, a, b, nil)
				for _, v := range floats(c) {
					require.EqualValues(t, 300, v)
				}
			}
		})
	}
	users.Wait()
}

func ones(t *testing.T, d *Device, shape ...int) device.Tensor {
	x := device.Tensor{Shape: tensor.Shape(shape)}
	var err error
	x.Buffer, err = d.Alloc(x.Bytes())
	require.NoError(t, err)
	values := floats(x)
	for i := range values {
		values[i] = 1
	}
	return x
}

func TestOpen(t *testing.T) {
	d, err := device.Open("cpu", device.Options{Threads: 3})
	require.NoError(t, err)
	require.Equal(t, "cpu", d.Name())
	require.Equal(t, 3, d.(*Device).pool.Workers())
	require.NoError(t, d.Close())

	d, err = device.Open("cpu", device.Options{})
	require.NoError(t, err)
	require.Equal(t, runtime.GOMAXPROCS(0), d.(*Device).pool.Workers())
	require.NoError(t, d.Close())

	for _, tile := range gemm.Tiles() { // each path by its name
		o := device.Options{Threads: 1, CPUPath: tile.Name}
		d, err = device.Open("cpu", o)
		require.NoError(t, err)
		require.Equal(t, "cpu "+tile.Name, d.Arithmetic())
		traits, err := device.TraitsOf("cpu", o)
		require.NoError(t, err)
		require.Equal(t, d.Traits(), traits)
		require.NoError(t, d.Close())
	}
	_, err = device.Open("cpu", device.Options{CPUPath: "sse9"})
	require.ErrorContains(t, err, "cpu: -cpu-path sse9 is not a path of this machine, which has ")

	_, err = device.Open("cpu:1", device.Options{})
	require.ErrorContains(t, err, "-threads")
	_, err = device.Open("cpu", device.Options{Threads: -1})
	require.ErrorContains(t, err, "-1 threads")
	t.Setenv("HUBEL_CPU", "sse9")
	_, err = device.Open("cpu", device.Options{})
	require.ErrorContains(t, err, "HUBEL_CPU=sse9")
	require.ErrorContains(t, err, "generic")
}

func TestTraitsAreThoseOfTheOpenDevice(t *testing.T) {
	for _, tile := range gemm.Tiles() {
		t.Setenv("HUBEL_CPU", tile.Name)
		d, err := New(1)
		require.NoError(t, err)
		require.Equal(t, d.Traits(), traitsOf(t))
		require.Equal(t, tile.Name, d.Tile())
		require.NoError(t, d.Close())
	}
}

func TestAllocRefusesWhatIsNotThere(t *testing.T) {
	d, err := New(1)
	require.NoError(t, err)
	defer d.Close()
	for _, bytes := range []int64{-1, math.MaxInt64, 1 << 45} {
		_, err := d.Alloc(bytes)
		require.ErrorContains(t, err, "cannot allocate", "%d bytes", bytes)
	}
	if _, total, err := d.MemInfo(); err == nil {
		_, err = d.Alloc(1 << 45)
		require.ErrorContains(t, err, "cpu: cannot allocate 33554432.0 MiB: ")
		require.ErrorContains(t, err, fmt.Sprintf(" of %.1f MiB are free; a smaller batch needs less", float64(total)/(1<<20)))
	}
}

// A tensor that its buffer has no room for, or of another type than is wanted, is a
// programmer's error, also where the memory goes on behind the buffer.
func TestTensorsThatDoNotFitTheirBuffers(t *testing.T) {
	d, err := New(1)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	b, err := d.Alloc(64)
	require.NoError(t, err)
	x := device.Tensor{Buffer: b.Slice(0, 16), DType: device.Float32, Shape: tensor.Shape{4}}
	got, ok := Floats(x)
	require.True(t, ok)
	require.Len(t, got, 4)
	x.Shape = tensor.Shape{5}
	require.PanicsWithValue(t, "cpu: a tensor of shape (5) has 5 elements, its buffer has 4", func() { Floats(x) })
	x.Shape, x.DType = tensor.Shape{4}, device.Int32
	require.PanicsWithValue(t, "cpu: a tensor of type int32 where float32 is wanted", func() { Floats(x) })
}

func TestForeignBufferPanics(t *testing.T) {
	d, err := New(1)
	require.NoError(t, err)
	defer d.Close()
	q, err := d.NewQueue()
	require.NoError(t, err)
	foreign, err := reference.New().Alloc(4)
	require.NoError(t, err)
	require.PanicsWithValue(t, "cpu: a buffer of type *reference.buffer, which belongs to another device", func() {
		q.Fill(device.Tensor{Buffer: foreign, Shape: tensor.Shape{1}}, 0)
	})
}

// TestPackedWeightsServeEveryBatch checks that plans of different batch and
// image sizes can share packed weights, and that scratch for a batch is
// enough for a smaller one.
func TestPackedWeightsServeEveryBatch(t *testing.T) {
	tr := traitsOf(t)
	for _, c := range benchConvs {
		for _, p := range []device.Pass{device.Forward, device.BackwardData} {
			other := c.Conv
			other.N, other.H, other.W = 3, c.H+5, c.W+9
			require.Equal(t, tr.Needs(c.Conv.Of(p)).Packed, tr.Needs(other.Of(p)).Packed, c.name)
		}
		last := int64(0)
		for n := 1; n <= 130; n++ {
			b := c.Conv
			b.N = n
			bytes := tr.Needs(b.Of(device.BackwardFilter)).Scratch
			require.GreaterOrEqual(t, bytes, last, "%s, batch %d", c.name, n)
			last = bytes
		}
	}
}
