package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// affinePTX is a layer's kernel: thread i of the first block writes a i + b to y[i].
const affinePTX = `
.version 7.0
.target sm_70
.address_size 64
.visible .entry affine(.param .u64 to, .param .u32 from, .param .f32 step)
{
	.reg .u32 %i, %b;
	.reg .u64 %y, %at;
	.reg .f32 %v, %a, %c;
	ld.param.u64 %y, [to];
	ld.param.u32 %b, [from];
	ld.param.f32 %a, [step];
	mov.u32 %i, %tid.x;
	mul.wide.u32 %at, %i, 4;
	add.u64 %y, %y, %at;
	cvt.rn.f32.u32 %v, %i;
	cvt.rn.f32.s32 %c, %b;
	fma.rn.f32 %v, %a, %v, %c;
	st.global.f32 [%y], %v;
	ret;
}`

// countingDriver counts the modules that are loaded.
type countingDriver struct {
	driver.Driver
	loads int
}

func (d *countingDriver) Load(name, ptx string) (driver.Module, error) {
	d.loads++
	return d.Driver.Load(name, ptx)
}

// wrapped is a queue around another, and open is not.
type (
	wrapped struct{ device.Queue }
	open    struct{ wrapped }
)

func (w open) Unwrap() device.Queue { return w.Queue }

// A layer's kernel is compiled once for a device, gets its arguments in order and
// allocates nothing.
func TestKernelOfALayer(t *testing.T) {
	counting := &countingDriver{Driver: ptxsim.New(ptxsim.Config{})}
	dev, err := New("ptxsim", counting, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	q, err := dev.NewQueue()
	require.NoError(t, err)
	memory, err := dev.Alloc(16)
	require.NoError(t, err)
	y := device.Tensor{Buffer: memory, DType: device.Float32, Shape: tensor.Shape{4}}
	affine := NewKernel("affine", affinePTX)
	for _, queue := range []device.Queue{q, open{wrapped{q}}} {
		q.Fill(y, 0)
		l, ok := affine.On(queue)
		require.True(t, ok)
		l.Tensor(y).Int(-7).Float32(0.5).Run(1, 4)
		got := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(4))
		q.Download(got, y)
		require.NoError(t, q.Sync())
		require.Equal(t, []float32{-7, -6.5, -6, -5.5}, got.Float32s())
	}
	loads := counting.loads
	l, _ := affine.On(q)
	require.Panics(t, func() { l.Int(1 << 31) }, "an argument that does not fit")
	require.Zero(t, testing.AllocsPerRun(10, func() {
		l, _ := affine.On(q)
		l.Tensor(y).Int(1).Float32(1).Run(1, 4)
	}))
	require.Equal(t, loads, counting.loads)

	for _, other := range []device.Queue{wrapped{q}, open{wrapped{wrapped{q}}}} {
		_, ok := affine.On(other)
		require.False(t, ok, "%T", other)
	}
	r, err := reference.New().NewQueue()
	require.NoError(t, err)
	_, ok := affine.On(r)
	require.False(t, ok)
}

// What is wrong with a layer's kernel is an error of the queue that names it.
func TestKernelsThatDoNotRun(t *testing.T) {
	dev, err := New("ptxsim", ptxsim.New(ptxsim.Config{}), device.Options{})
	require.NoError(t, err)
	q, err := dev.NewQueue()
	require.NoError(t, err)
	launch := func(k *Kernel, threads int) error {
		l, ok := k.On(q)
		require.True(t, ok)
		l.Tensor(device.Tensor{}).Int(1).Float32(1).Run(1, threads)
		return q.Sync()
	}
	affine := NewKernel("affine", affinePTX)
	require.ErrorContains(t, launch(NewKernel("affin", affinePTX), 4), "affin: PTX of a layer: ")
	require.ErrorContains(t, launch(NewKernel("affine", "affine"), 4), "affine: PTX of a layer: ")
	require.ErrorContains(t, launch(affine, 4), "affine: ", "a tensor that is absent is address 0")
	require.ErrorContains(t, launch(affine, 5000), "affine: ")

	q.Fail("before", device.ErrClosed)
	require.ErrorContains(t, launch(affine, 4), "before: ", "the first error stays")
	require.NoError(t, dev.Close())
	l, ok := affine.On(q)
	require.True(t, ok)
	l.Tensor(device.Tensor{}).Int(1).Float32(1).Run(1, 4)
	require.ErrorIs(t, q.Sync(), device.ErrClosed)
}
