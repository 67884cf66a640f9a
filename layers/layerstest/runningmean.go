// Package layerstest has layers that tests of several packages train with.
package layerstest

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
)

// RunningMean subtracts the mean of what came before: y = x - m. It then updates its
// state, m += (mean of x - m) / 2 and one call more, so that every output shows the
// micro-batches before it and their order.
type RunningMean struct{}

func init() { layers.Register(func() layers.Layer { return &RunningMean{} }) }

// Type is "running-mean".
func (*RunningMean) Type() string { return "running-mean" }

// Plan takes any input.
func (*RunningMean) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return layers.Spec{
		Out:   []layers.Input{in[0]},
		Saved: []layers.Slot{{Name: "used", Shape: tensor.Shape{2}}}, // not of a sample
		State: []layers.Slot{{Name: "mean", Shape: tensor.Shape{1}, Init: 0.25}, {Name: "calls", Shape: tensor.Shape{1}, DType: device.Int32, Init: 3}},
	}, nil
}

// Forward computes on the CPU.
func (*RunningMean) Forward(q device.Queue, c *layers.Call) {
	x, _ := cpu.Floats(c.In[0])
	y, _ := cpu.Floats(c.Out[0])
	m, _ := cpu.Floats(c.State[0])
	used, _ := cpu.Floats(c.Saved[0])
	used[0], used[1] = m[0], float32(len(x))
	sum := float32(0)
	for i, v := range x {
		sum += v
		y[i] = v - used[0]
	}
	if c.UpdateState {
		m[0] += (sum/used[1] - m[0]) / 2
		count := tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(1))
		q.Download(count, c.State[1])
		count.Int32s()[0]++
		q.Upload(c.State[1], count)
	}
}

// Backward hands the gradient on.
func (*RunningMean) Backward(q device.Queue, c *layers.Call) {
	if c.WantsGradient(0) && c.Modes[0] == device.Overwrite {
		q.Copy(c.DIn[0], c.DOut[0])
	}
}
