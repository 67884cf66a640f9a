//go:build cuda && linux && amd64

package cudadevice

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/cudriver/recorder"
)

// double is a program that kernels are written for when it is first used.
var double = expr.MustNew(expr.Mul(expr.Const(2), expr.Input(0, expr.Whole)))

func TestInsideTwo(t *testing.T) {
	recorder.Inside(t)
	var devices []device.Device
	for _, name := range []string{"cuda", "cuda:1"} {
		d, err := device.Open(name, device.Options{})
		require.NoError(t, err)
		require.Equal(t, name, d.Name())
		traits, err := device.TraitsOf(name, device.Options{})
		require.NoError(t, err)
		require.Equal(t, d.Traits(), traits)
		devices = append(devices, d)
	}
	// Turn by turn, and each from another goroutine.
	var queues []device.Queue
	var tensors []device.Tensor
	for _, d := range devices {
		q, err := d.NewQueue()
		require.NoError(t, err)
		b, err := d.Alloc(64)
		require.NoError(t, err)
		queues = append(queues, q)
		tensors = append(tensors, device.Tensor{Buffer: b, Shape: tensor.Shape{16}})
	}
	for turn := range 4 {
		done := make(chan error)
		for i, q := range queues {
			go func() {
				q.Fill(tensors[i], float32(turn))
				q.Map(double, device.View{N: 1, C: 1, Inner: 16}, tensors[i:i+1], tensors[i:i+1], []device.Mode{device.Overwrite}, device.Random{})
				done <- q.Sync()
			}()
		}
		require.NoError(t, <-done)
		require.NoError(t, <-done)
	}
	require.PanicsWithValue(t, "cuda: a buffer of type *cuda.buffer, which belongs to another device than cuda",
		func() { queues[0].Fill(tensors[1], 0) })
	for i, d := range devices {
		require.NoError(t, queues[i].Close())
		require.NoError(t, tensors[i].Buffer.Free())
		require.NoError(t, d.Close())
	}
	// What is asked of them now reaches no card, and what is freed is freed already.
	for _, d := range devices {
		require.NoError(t, d.Close())
		_, err := d.NewQueue()
		require.ErrorIs(t, err, device.ErrClosed)
		_, err = d.Alloc(64)
		require.ErrorIs(t, err, device.ErrClosed)
	}
	_, err := device.Open("cuda:2", device.Options{})
	fmt.Println("cuda:2:", err)
}

// Two cards live in one process, each opened by its number. What is made on one
// is used on that one alone, and all of it is given back.
func TestTwoCards(t *testing.T) {
	r := recorder.Test(t, recorder.Build(t), "TestInsideTwo")
	require.Contains(t, r.Output, "cuda:2: cuda:2: there is no CUDA device 2; this machine has 2, counted from 0")
	require.NotContains(t, r.Calls, "FAULT")
	for _, call := range []string{"cuDevicePrimaryCtxRetain 0\n", "cuDevicePrimaryCtxRetain 1\n"} {
		require.Equal(t, 1, strings.Count(r.Calls, call), call)
	}
	require.Equal(t, 8, strings.Count(r.Calls, "cuMemsetD32Async"))
	require.Equal(t, 8, strings.Count(r.Calls, "cuLaunchKernel"))
	require.Equal(t, recorder.NothingLeft, r.Left())
}

func TestInsideList(t *testing.T) {
	recorder.Inside(t)
	for _, d := range list() {
		fmt.Printf("%+v\n", d)
	}
}

func TestList(t *testing.T) {
	library := recorder.Build(t)
	out := recorder.Test(t, library, "TestInsideList").Output
	require.Contains(t, out, "{Name:cuda:1 Facts:[{Name:card Value:Recorder 1, 108 multiprocessors} {Name:compute capability Value:8.0} {Name:memory Value:1.0 GiB} {Name:driver Value:for CUDA 12.2} {Name:PTX Value:7.8 for sm_80}] Problem:}\n")
	out = recorder.Test(t, library, "TestInsideList", "HUBEL_CAPABILITY=75").Output
	require.Contains(t, out, "{Name:compute capability Value:7.5}")
	require.Contains(t, out, "{Name:PTX Value:7.8 for sm_70}")
	out = recorder.Test(t, library, "TestInsideList", "HUBEL_CAPABILITY=52").Output
	require.Contains(t, out, "{Name:cuda:0 Facts:[] Problem:Recorder 0 has compute capability 5.2; the kernels need a card of 7.0 or later}\n")
	out = recorder.Test(t, "/nowhere/libcuda.so.1", "TestInsideList").Output
	require.Contains(t, out, "{Name:cuda Facts:[] Problem:no CUDA driver: /nowhere/libcuda.so.1: ")
}

func TestInsideClosed(t *testing.T) {
	recorder.Inside(t)
	d, err := device.Open("cuda", device.Options{})
	require.NoError(t, err)
	q, err := d.NewQueue()
	require.NoError(t, err)
	e, err := d.NewEvent()
	require.NoError(t, err)
	b, err := d.Alloc(64)
	require.NoError(t, err)
	h, err := d.HostAlloc(64)
	require.NoError(t, err)
	x := device.Tensor{Buffer: b, Shape: tensor.Shape{16}}
	q.Fill(x, 1)
	require.NoError(t, q.Sync())
	require.NoError(t, d.Close())
	fmt.Println("closed")
	for _, launch := range []func(){func() { q.Fill(x, 2) }, func() { q.Update(double, []device.Tensor{x}, []device.Tensor{x}, []device.Segment{{Len: 16}}) }, func() { q.Record(e) }, func() { q.Wait(e) }} {
		launch()
		require.ErrorIs(t, q.Sync(), device.ErrClosed)
	}
	require.ErrorIs(t, e.Sync(), device.ErrClosed)
	for _, free := range []func() error{b.Free, h.Free, e.Free, q.Close, d.Close} {
		require.NoError(t, free())
	}
}

// The context of a device that is closed may be gone: nothing reaches the driver with
// it any more.
func TestClosed(t *testing.T) {
	r := recorder.Test(t, recorder.Build(t), "TestInsideClosed")
	require.Contains(t, r.Output, "closed")
	require.NotContains(t, r.Calls, "FAULT")
	_, after, found := strings.Cut(r.Calls, "cuDevicePrimaryCtxRelease")
	require.True(t, found)
	require.NotContains(t, after, "\ncu", "calls after the context was given back")
}
