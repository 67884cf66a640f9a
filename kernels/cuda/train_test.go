package cuda_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/solver"
)

// run is what train trains.
type run struct {
	model             string
	shape             []int
	batch, iterations int
	accumulate        int // passes of an update; 0 is 1
	logEvery          int
	test, debug       bool
}

// numbers is what a training shows.
type numbers struct {
	losses []float64 // of each iteration, as last read
	tests  []float64 // losses and accuracies
	debug  []solver.DebugLine
}

// train trains a network on a device, from the same start on each.
func train(t *testing.T, d device.Device, r run) numbers {
	n, err := tryTrain(t, d, r)
	require.NoError(t, err)
	return n
}

func tryTrain(t *testing.T, d device.Device, r run) (n numbers, err error) {
	net, err := models.Build(r.model, models.Options{Shape: r.shape})
	require.NoError(t, err)
	classes := map[string]int{"alexnet": 1000}[r.model]
	set, tests, err := data.Open("synthetic", data.OpenOptions{Synthetic: data.SyntheticOptions{
		Shape: r.shape, Classes: classes, Train: max(r.batch*10, classes), Test: r.batch + r.batch/2,
	}})
	require.NoError(t, err)
	c := solver.Config{
		Network: net, Device: d, Train: set, Preprocess: data.Preprocess{Scale: 1. / 256},
		Optimiser: solver.Optimiser{Schedule: solver.Schedule{Policy: "fixed", Rate: 0.01}, Momentum: 0.9, Decay: 5e-4, ClipNorm: 10},
		Batch:     r.batch, Accumulate: max(1, r.accumulate), Iterations: r.iterations, Seed: 3, LogEvery: r.logEvery,
		Observers: []solver.Observer{solver.ObserverFunc(func(e solver.Event) error {
			switch e := e.(type) {
			case solver.Progress:
				n.losses = append(n.losses, e.Loss)
			case solver.Test:
				n.tests = append(n.tests, e.Loss, e.Metrics[0].Value)
			case solver.DebugLine:
				n.debug = append(n.debug, e)
			}
			return nil
		})},
	}
	if r.test {
		c.Test = tests
	}
	if r.debug {
		c.DebugEvery = 2
	}
	_, err = solver.Train(context.Background(), c)
	return n, err
}

// requireClose compares losses. They are means of logarithms of numbers that
// differ by roundings, 1e-6 at first; each update carries the difference on,
// and training enlarges it.
func requireClose(t *testing.T, want, got []float64, relative float64) {
	require.Len(t, got, len(want))
	for i, w := range want {
		require.InDelta(t, w, got[i], relative*math.Abs(w), "number %d of %v and %v", i, want, got)
	}
}

// LeNet trains as on the CPU.
func TestLeNetTrains(t *testing.T) {
	c, err := cpu.New(0)
	require.NoError(t, err)
	defer c.Close()
	lenet := run{model: "lenet", shape: []int{1, 28, 28}, batch: 16, iterations: 20, logEvery: 1, test: true}
	want, got := train(t, c, lenet), train(t, open(t), lenet)
	require.Less(t, want.losses[19], want.losses[0]-0.5, "it learns")
	requireClose(t, want.losses, got.losses, 1e-4)
	requireClose(t, want.tests, got.tests, 1e-4)
}

// With TF32 LeNet trains nearly as on the CPU: within 2^-10, by which rounding
// may take each product off. Few iterations, before training enlarges that. The
// number of workers makes no difference.
func TestLeNetTrainsTF32(t *testing.T) {
	c, err := cpu.New(0)
	require.NoError(t, err)
	defer c.Close()
	small := run{model: "lenet", shape: []int{1, 16, 16}, batch: 20, iterations: 4, logEvery: 1}
	want, got := train(t, c, small), train(t, openTF32(t, 0), small)
	requireClose(t, want.losses, got.losses, 0x1p-10)
	require.NotEqual(t, train(t, open(t), small), got, "it rounds")
	require.Equal(t, train(t, openTF32(t, 1), small), got)
}

// What a device does late makes no difference: nothing above it reads too
// early or changes memory too soon.
func TestLateDevice(t *testing.T) {
	small := run{model: "lenet", shape: []int{1, 16, 16}, batch: 4, iterations: 11, logEvery: 4, test: true, debug: true}
	want, got := train(t, simulated(t, false), small), train(t, simulated(t, true), small)
	require.Len(t, want.debug, 6)
	require.Len(t, want.tests, 4)
	require.Equal(t, want, got)
}

// Nor does it where batches are uploaded as early as may be, while the kernels
// of the step before are as late as may be.
func TestHastyUploads(t *testing.T) {
	small := run{model: "lenet", shape: []int{1, 16, 16}, batch: 1, accumulate: 2, iterations: 3, logEvery: 4, test: true}
	d, err := cuda.New("ptxsim", &lazyDriver{Driver: ptxsim.New(ptxsim.Config{}), hasty: true}, device.Options{})
	require.NoError(t, err)
	defer d.Close()
	require.Equal(t, train(t, simulated(t, false), small), train(t, d, small))
}

// Two devices in one process do not know of each other.
func TestTwoDevices(t *testing.T) {
	first, second := simulated(t, false), simulated(t, false)
	small := run{model: "lenet", shape: []int{1, 16, 16}, batch: 4, iterations: 3, logEvery: 1}
	trained := make(chan numbers)
	for _, d := range []device.Device{first, second} {
		go func() { trained <- train(t, d, small) }()
	}
	require.Equal(t, <-trained, <-trained)
	b, err := first.Alloc(16)
	require.NoError(t, err)
	q, err := second.NewQueue()
	require.NoError(t, err)
	defer q.Close()
	require.PanicsWithValue(t, "cuda: a buffer of type *cuda.buffer, which belongs to another device than ptxsim",
		func() { q.Fill(device.Tensor{Buffer: b, Shape: []int{4}}, 0) })
}

// AlexNet makes a step at its real size, and its loss after the update is the
// CPU's. It takes the simulator a minute.
func TestAlexNetStep(t *testing.T) {
	long(t)
	c, err := cpu.New(0)
	require.NoError(t, err)
	defer c.Close()
	alexnet := run{model: "alexnet", shape: []int{3, 227, 227}, batch: 2, iterations: 2, logEvery: 1}
	if !onSimulator() {
		alexnet.batch = 128
	}
	want := train(t, c, alexnet)
	began := time.Now()
	got := train(t, open(t), alexnet)
	t.Logf("losses %v, on the CPU %v; two steps in %v", got.losses, want.losses, time.Since(began).Round(time.Second))
	requireClose(t, want.losses, got.losses, 1e-4)
}

// Kernels at AlexNet's real shapes, one image. They take the simulator minutes.
func TestAlexNetKernels(t *testing.T) {
	long(t)
	dev := open(t)
	for _, c := range devicetest.AlexNet(1) {
		began := time.Now()
		require.NoError(t, c.Check(dev, devicetest.Options{Seed: 1}), "%s %s", c.Op, c.Name)
		t.Logf("%s %s: %v", c.Op, c.Name, time.Since(began).Round(time.Millisecond))
	}
}
