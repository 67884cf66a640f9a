package layers_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
)

// Square is y = x², which no kernel of hubel computes: it brings its own for
// the CPU and for the reference device.
type Square struct{}

func (*Square) Type() string { return "square" }

func (*Square) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	if len(in) != 1 || in[0].DType != device.Float32 {
		return layers.Spec{}, errors.New("square takes one float32 input")
	}
	return layers.Spec{Out: []layers.Input{in[0]}, Backward: layers.NeedInputs}, nil
}

func (*Square) Forward(q device.Queue, c *layers.Call) {
	if x, ok := cpu.Floats(c.In[0]); ok {
		y, _ := cpu.Floats(c.Out[0])
		square(y, x)
	} else if x, ok := reference.Floats(c.In[0]); ok {
		y, _ := reference.Floats(c.Out[0])
		square(y, x)
	} else {
		q.Fail("square", errors.New("there is no kernel for this device"))
	}
}

func (*Square) Backward(q device.Queue, c *layers.Call) {
	if !c.WantsGradient(0) {
		return
	}
	if x, ok := cpu.Floats(c.In[0]); ok {
		dx, _ := cpu.Floats(c.DIn[0])
		dy, _ := cpu.Floats(c.DOut[0])
		squareGradient(dx, x, dy, c.Modes[0])
	} else if x, ok := reference.Floats(c.In[0]); ok {
		dx, _ := reference.Floats(c.DIn[0])
		dy, _ := reference.Floats(c.DOut[0])
		squareGradient(dx, x, dy, c.Modes[0])
	} else {
		q.Fail("square gradient", errors.New("there is no kernel for this device"))
	}
}

func square[T float32 | float64](y, x []T) {
	for i, v := range x {
		y[i] = v * v
	}
}

func squareGradient[T float32 | float64](dx, x, dy []T, m device.Mode) {
	for i, v := range x {
		g := 2 * v * dy[i]
		if m == device.Accumulate {
			g += dx[i]
		}
		dx[i] = g
	}
}

func TestLayerWithItsOwnKernel(t *testing.T) {
	n := gradcheck.Layer(&Square{}, graph.Input{Name: "x", Shape: []int{5, 3}})
	require.NoError(t, gradcheck.Check(n, gradcheck.Options{}))
	d, err := cpu.New(2)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	require.NoError(t, gradcheck.Compare(n, d, gradcheck.Options{}))
}

// On a device it has no kernel for, the error comes out of Sync with the
// layer's name; the first one stays.
func TestLayerWithoutKernelForTheDevice(t *testing.T) {
	q, err := reference.New().NewQueue()
	require.NoError(t, err)
	q.Scope("sq")
	c := &layers.Call{In: []device.Tensor{{}}, Out: []device.Tensor{{}}}
	(&Square{}).Forward(q, c)
	q.Fail("another", errors.New("that comes later"))
	require.EqualError(t, q.Sync(), "sq: square: there is no kernel for this device")
	require.NoError(t, q.Sync())
}
